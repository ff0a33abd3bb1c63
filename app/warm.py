"""Loads the slow libraries in the background once the first page stands, so that the second opens at once."""

from __future__ import annotations

import gc
import importlib
import threading

_SLOW = ("isp_core.matching", "scipy.optimize", "plotly.graph_objects", "isp_core.parser", "app.views.train")
_begun = threading.Event()


def start() -> None:
    """Once a server; returns at once."""
    if not _begun.is_set():
        _begun.set()
        threading.Thread(target=_load, name="warm", daemon=True).start()


def _load() -> None:
    for name in _SLOW:
        importlib.import_module(name)
    # Streamlit collects garbage after every run; a third of a second goes into the libraries' own, immortal objects
    gc.collect()
    gc.freeze()
