"""One thread for thin matrices: two would wait for each other longer than they work."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache

from threadpoolctl import ThreadpoolController

THIN = 2**24
"""Numbers in a matrix below which one thread is faster (measured between 256 and 2,048 channels on two cores)."""


def threads_for(numbers: int) -> AbstractContextManager[object]:
    """Within it this thread computes with one OpenMP thread where its matrix of so many numbers is thin. What other
    threads compute meanwhile, such as the network, keeps its own."""
    return _controller().limit(limits=1, user_api="openmp") if numbers < THIN else nullcontext()


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
