"""How values become part of a cache's key, for `hash_funcs` of Streamlit's caches.

A cached function may take a run: its entry lasts until a file of the run changes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from isp_app.rerun import once
from isp_core.runs import Run


@once
def _state_of_run(run: Run) -> str:
    return f"{run.path} {run.token()}"


KEYS: dict[str | type[Any], Callable[[Any], Any]] = {type(Path()): str, Run: _state_of_run}
"""A path by its text, which Streamlit itself would take apart by the pickle protocol; a run by where it is and by the
state of its files."""
