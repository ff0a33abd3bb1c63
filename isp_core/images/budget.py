"""How much memory decoding may take at once, shared by all sessions of a server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class DecodeBudget:
    """Bytes that images being decoded may take together; who would exceed them waits for the others.

    An image that alone exceeds the budget is decoded when nothing else is, so that no one waits for ever.

    >>> budget = DecodeBudget(limit_bytes=100)
    >>> with budget.take(60):
    ...     budget.in_use
    60
    >>> budget.in_use
    0
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.in_use = 0
        self._changed = threading.Condition()

    @contextmanager
    def take(self, wanted: int) -> Iterator[None]:
        """Holds `wanted` bytes of the budget while the block runs."""
        with self._changed:
            self._changed.wait_for(lambda: self.in_use == 0 or self.in_use + wanted <= self.limit_bytes)
            self.in_use += wanted
        try:
            yield
        finally:
            with self._changed:
                self.in_use -= wanted
                self._changed.notify_all()
