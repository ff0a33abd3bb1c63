"""How values become part of a cache's key, for `hash_funcs` of Streamlit's caches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

KEYS: dict[str | type[Any], Callable[[Any], Any]] = {type(Path()): str}
"""A path by its text: Streamlit itself would take it apart by the pickle protocol."""
