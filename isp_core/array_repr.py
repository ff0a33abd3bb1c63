"""Objects that hold arrays, printed by the arrays' shapes: a console would otherwise fill with numbers."""

from __future__ import annotations

from dataclasses import fields
from typing import Any


def array_repr(self: Any) -> str:
    """The `__repr__` of a dataclass: arrays and tensors by shape and type, all else as it is.

    >>> import numpy as np
    >>> from isp_core.matching import Embeddings
    >>> nothing = np.zeros((2, 0))
    >>> Embeddings(np.zeros((2, 4)), nothing, np.zeros((2, 0, 0)), nothing, nothing)  # doctest: +ELLIPSIS
    Embeddings(global_: (2, 4) float64, foreground: (2, 0) float64, parts: (2, 0, 0) float64, ...)
    """
    shown = ", ".join(f"{each.name}: {_short(getattr(self, each.name))}" for each in fields(self))
    return f"{type(self).__name__}({shown})"


def _short(value: Any) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    return repr(value)
