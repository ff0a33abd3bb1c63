"""Figures in a row, each above the curve that led to it.

A row is one element of HTML and a curve a tiny SVG picture: fifty charts of Streamlit's own take the browser seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import streamlit as st

from isp_app.safety.names import escape

_WIDTH, _HEIGHT = 70, 28  # pixels of a curve
_COLOUR = "#2b8fcb"  # between the themes' two blues: an image does not know which one is on


@dataclass(frozen=True)
class Spark:
    """One figure: its name, the value as shown, the curve up to it (finite numbers), a small line below, a tooltip."""

    name: str
    value: str
    curve: Sequence[float] = ()
    below: str = ""
    hint: str = ""


def row(sparks: Sequence[Spark]) -> None:
    """Draws figures side by side; they wrap where the page is narrow."""
    st.html("<div style='display:flex;flex-wrap:wrap;gap:.6rem .5rem'>" + "".join(map(_figure, sparks)) + "</div>")


def _figure(spark: Spark) -> str:
    below = f"<div style='font-size:.8rem;opacity:.7'>{escape(spark.below)}</div>" if spark.below else ""
    return (
        f"<div title='{escape(spark.hint)}' style='min-width:{_WIDTH}px'>"
        f"<div style='font-size:.875rem;padding-right:.5rem'>{escape(spark.name)}</div>"
        f"<div style='font-size:1.6rem;line-height:1.3'>{escape(spark.value)}</div>{below}{_curve(spark)}</div>"
    )


def _curve(spark: Spark) -> str:
    if len(spark.curve) < 2:
        return ""
    low, high = min(spark.curve), max(spark.curve)
    across, up = _WIDTH / (len(spark.curve) - 1), (_HEIGHT - 4) / ((high - low) or 1)
    points = " ".join(f"{i * across:.1f},{_HEIGHT - 2 - (value - low) * up:.1f}" for i, value in enumerate(spark.curve))
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH}' height='{_HEIGHT}'>"
        f"<polyline points='{points}' fill='none' stroke='{_COLOUR}' stroke-width='2'/></svg>"
    )
    words = escape(f"{spark.name} between {low:.4g} and {high:.4g}, last {spark.value}")
    return f'<img alt="{words}" src="data:image/svg+xml,{quote(svg)}">'
