"""isp_core: human parts learned from identity labels (ISP, ECCV 2020). Imports neither eval nor app.

`import isp_core as isp` is the whole public API; each name is loaded on first use, so that the import itself takes no
time (neither torch nor pandas is loaded):

>>> import isp_core as isp
>>> data = isp.load_data("DATA")                                   # doctest: +SKIP
>>> run = isp.train(data, "runs/mine", preset="cpu")               # doctest: +SKIP
>>> parser = isp.HumanParser.load("runs/mine")                     # doctest: +SKIP
>>> seen = parser.read(["a.jpg", "b.jpg"])                         # doctest: +SKIP
>>> isp.draw("a.jpg", seen.labels[0]).save("a-parts.png")          # doctest: +SKIP
>>> float(isp.match("a.jpg", "b.jpg", run=parser).distance[0])     # doctest: +SKIP
0.31
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isp_core.api import draw, label, load_data, match, train
    from isp_core.errors import IspError
    from isp_core.matching import Embeddings, distances, visibility
    from isp_core.parser import HumanParser
    from isp_core.runs import Run, list_runs, open_run
    from isp_core.version import VERSION

    __version__ = VERSION

__all__ = [
    "Embeddings",
    "HumanParser",
    "IspError",
    "Run",
    "__version__",
    "distances",
    "draw",
    "label",
    "list_runs",
    "load_data",
    "match",
    "open_run",
    "train",
    "visibility",
]

_PLACES = {
    # public name: (module, its name there)
    "Embeddings": ("isp_core.matching", "Embeddings"),
    "HumanParser": ("isp_core.parser", "HumanParser"),
    "IspError": ("isp_core.errors", "IspError"),
    "Run": ("isp_core.runs", "Run"),
    "__version__": ("isp_core.version", "VERSION"),
    "distances": ("isp_core.matching", "distances"),
    "draw": ("isp_core.api", "draw"),
    "label": ("isp_core.api", "label"),
    "list_runs": ("isp_core.runs", "list_runs"),
    "load_data": ("isp_core.api", "load_data"),
    "match": ("isp_core.api", "match"),
    "open_run": ("isp_core.runs", "open_run"),
    "train": ("isp_core.api", "train"),
    "visibility": ("isp_core.matching", "visibility"),
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    module, attribute = _PLACES[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*(name for name in globals() if name.startswith("__")), *__all__})
