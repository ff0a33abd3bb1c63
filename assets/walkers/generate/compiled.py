"""A typed doorway to numba, so that the kernels keep their signatures. Not a place for kernels themselves."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """The function compiled by numba; strict floating point, so that equal seeds give equal pictures."""
    return cast(Function, numba.njit(cache=True)(function))
