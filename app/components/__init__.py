"""Components of our own: mask viewer, epoch scrubber, ranking grid, plane of points. Drawing happens in the browser.

Each is a JavaScript module, a stylesheet and a bit of HTML beside a typed Python function; `paint.js` and `paint.css`
are shared. Components are registered when their module is imported, as Streamlit asks for.
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def _read(file: str) -> str:
    return (_HERE / file).read_text(encoding="utf-8")


def markup(name: str) -> str:
    """The component's HTML. It starts with a line break: Streamlit takes one-line strings for paths."""
    return "\n" + _read(f"{name}.html")


def script(name: str) -> str:
    """The component's JavaScript with the shared drawing code in front of it (a component is one module)."""
    return _read("paint.js") + "\n" + _read(f"{name}.js")


def style(name: str) -> str:
    """The component's stylesheet with the shared one in front."""
    return _read("paint.css") + "\n" + _read(f"{name}.css")
