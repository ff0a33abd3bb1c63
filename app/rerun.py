"""What a page asks for many times in one rerun is looked up once: Streamlit's caches take a millisecond to make a key.

Outside of a page (the sidebar, fragments, downloads, tests of single functions) everything is looked up each time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
_HERE = threading.local()  # a rerun has a thread to itself


@contextmanager
def one_rerun() -> Iterator[None]:
    """While it lasts, functions marked `once` keep what they found: a page shows one state of the disk."""
    _HERE.known = {}
    try:
        yield
    finally:
        _HERE.known = None


def once(function: Callable[P, R]) -> Callable[P, R]:
    """Makes a function of hashable arguments keep its results for the rest of a rerun. Errors are not kept."""

    @wraps(function)
    def keeping(*args: P.args, **named: P.kwargs) -> R:
        known: dict[object, R] | None = getattr(_HERE, "known", None)
        if known is None:
            return function(*args, **named)
        key = (function, args, tuple(sorted(named.items())))
        if key not in known:
            known[key] = function(*args, **named)
        return known[key]

    return keeping
