"""A bar with the time left on whatever takes more than two seconds, on standard error and only where a person looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Never, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
DELAY = 2.0
"""Seconds before a bar appears: what is over by then needs none."""


def progress_bar(what: str, total: int, show: bool = True) -> tqdm[Never]:
    """A bar up to `total`, to be used in a `with` block and moved by its `update`. Where standard error is not a
    terminal, or `show` is False, nothing is written."""
    return tqdm(
        desc=what,
        total=total,
        leave=False,
        delay=DELAY,
        dynamic_ncols=True,
        disable=None if show else True,
    )


def counted(
    items: Iterable[Item], what: str, total: int, size: Callable[[Item], int] | None = None, *, show: bool = True
) -> Iterator[Item]:
    """The items, with a bar that moves by `size` of each (1 by default) towards `total`.

    >>> list(counted(["a", "b"], "letters", 2, show=False))
    ['a', 'b']
    """
    with progress_bar(what, total, show) as bar:
        for item in items:
            yield item
            bar.update(1 if size is None else size(item))
