"""How far a piece of work is: a bar on a terminal for whatever takes more than a second, and a small file for other
programs where the environment variable ISP_PROGRESS names one."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self, TypeVar

from tqdm import tqdm

from isp_core.json_reading import read_note

Item = TypeVar("Item")
DELAY = 1.0
"""Seconds before a bar appears, whether or not a first step is done: what is over by then needs none."""
FILE = "ISP_PROGRESS"
EVERY = 0.5
"""Seconds between two writes of the file."""


@dataclass(frozen=True)
class Stage:
    """What the file says: `done` of `total` steps of `what`, begun and noted at these times (seconds since 1970)."""

    what: str
    done: int
    total: int
    begun: float
    noted: float

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None before the first step is done."""
        return (self.noted - self.begun) * (self.total - self.done) / self.done if self.done else None


def read_stage(file: Path) -> Stage | None:
    """The stage that a program noted in its file; None where there is none yet, or no such file's content."""
    found = read_note(file)
    try:
        return Stage(
            str(found["what"]), int(found["done"]), int(found["total"]), float(found["begun"]), float(found["noted"])
        )
    except (ValueError, KeyError, TypeError):
        return None


class ProgressBar:
    """A bar up to `total`, to be used in a `with` block and moved by its `update`."""

    def __init__(self, what: str, total: int, show: bool) -> None:
        self._bar = tqdm(
            desc=what, total=total, leave=False, delay=DELAY, dynamic_ncols=True, disable=None if show else True
        )
        self._first = threading.Timer(DELAY, self._bar.refresh)
        self._first.daemon = True
        if not self._bar.disable:
            self._first.start()
        self._file = os.environ.get(FILE)
        self._what, self._total, self._done = what, total, 0
        self._begun, self._start, self._noted = time.time(), time.monotonic(), -EVERY
        self._note()

    def update(self, count: int = 1) -> None:
        """Moves it by `count` steps."""
        self._bar.update(count)
        self._done += count
        if self._seconds() - self._noted > EVERY or self._done >= self._total:
            self._note()

    def move(self, done: int, total: int) -> None:
        """Moves it to `done` of `total` steps, for work that knows its size only once it has begun."""
        self._bar.total = self._total = total
        self.update(done - self._done)

    def _seconds(self) -> float:
        """Since it began, whatever is done to the computer's clock meanwhile."""
        return time.monotonic() - self._start

    def _note(self) -> None:
        if not self._file:
            return
        self._noted = self._seconds()
        stage = Stage(self._what, self._done, self._total, self._begun, self._begun + self._noted)
        temporary = Path(f"{self._file}.{os.getpid()}.tmp")
        with contextlib.suppress(OSError):  # a full disk stops no training here
            temporary.write_text(json.dumps(asdict(stage)), encoding="utf-8")
            temporary.replace(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._first.cancel()
        self._bar.close()


def progress_bar(what: str, total: int, show: bool = True) -> ProgressBar:
    """A bar. Where standard error is not a terminal, or `show` is False, nothing is drawn."""
    return ProgressBar(what, total, show)


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
