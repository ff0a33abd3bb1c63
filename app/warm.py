"""Loads libraries in the background: those of the first page as the server starts, so that they are there when the
browser is, and the other pages' slow ones a moment after the first page stands, so that the second opens at once."""

from __future__ import annotations

import gc
import importlib
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from streamlit.starlette import App

_FIRST = ("isp_app.state.sidebar", "isp_app.views.overview")
_SLOW = ("isp_core.matching", "scipy.optimize", "altair", "isp_core.parser")
_AFTER = 6.0  # seconds: the browser draws the first page meanwhile, perhaps on the same cores
_begun = threading.Event()


@asynccontextmanager
async def lifespan(_: App) -> AsyncIterator[None]:
    """Loads the first page's libraries while the server begins to answer."""
    threading.Thread(target=_import, args=[_FIRST], daemon=True).start()
    yield


def start(pages: Iterable[str]) -> None:
    """Once a server; returns at once. pages: the modules of all pages."""
    if not _begun.is_set():
        _begun.set()
        later = threading.Timer(_AFTER, _load, args=[(*_SLOW, *pages)])
        later.daemon = True
        later.start()


def _import(modules: tuple[str, ...]) -> None:
    for name in modules:
        importlib.import_module(name)


def _load(modules: tuple[str, ...]) -> None:
    _import(modules)
    # Streamlit collects garbage after every run; a third of a second goes into the libraries' own, immortal objects
    gc.collect()
    gc.freeze()
