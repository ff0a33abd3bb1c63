"""A typed doorway to numba, so that compiled functions keep their signatures. Not a place for kernels themselves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])

REORDERED = frozenset({"reassoc", "contract", "nsz", "arcp"})
"""Sums in whichever order suits the vector units; multiply and add as one operation. NaN stays NaN."""


def compiled(function: Function, *, arithmetic: frozenset[str] = frozenset()) -> Function:
    """The function compiled by numba at its first call, free of the interpreter's lock.

    Strict floating point unless `arithmetic` (REORDERED) says otherwise; either way equal input gives equal bits on one
    machine. What was compiled is kept on the disk, next to the file or in the user's cache. Where neither can be
    written to, or the disk is full, it is compiled again in every process.
    """
    options = {"nogil": True, "fastmath": set(arithmetic)}
    try:
        ready = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # numba: no place for its cache
        ready = numba.njit(**options)(function)
    if cache := getattr(ready, "_cache", None):  # numba itself gives up where it cannot write
        cache.save_overload = partial(_if_possible, cache.save_overload)
    return cast(Function, ready)


def _if_possible(save: Callable[..., None], *what: object) -> None:
    with suppress(OSError):
        save(*what)
