"""Curves by epoch in one chart: colour, dashes and marks tell the lines apart; values under the pointer."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

MOST_LINES = 10
PLOT, LEGEND_ROW = 280, 28  # pixels: the plot with its axis, which no legend takes from, and a row of the legend
_COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#8C6BB1",
    "#7F7F7F",
    "#B15928",
    "#1B9E9E",
)
_DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [1, 0], [6, 3])
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross") * 2


def line_chart(
    lines: pd.DataFrame, names: Sequence[str], title: str | None, digits: int, legend_columns: int = 2
) -> alt.LayerChart | alt.FacetChart:
    """One line per name, at most MOST_LINES.

    Args:
        lines: columns line (of `names`), epoch, value.
        title: of the values' axis; None for none.
        digits: of a value under the pointer.
        legend_columns: of the legend below the chart, which a phone must hold.
    """
    domain = list(names)
    legend = alt.Legend(
        orient="bottom", direction="horizontal", columns=legend_columns, rowPadding=2, offset=4, labelLimit=300
    )
    base = alt.Chart(lines).encode(
        x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1)),
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False)),
        color=alt.Color(
            "line:N", scale=alt.Scale(domain=domain, range=list(_COLOURS[: len(names)])), title=None, legend=legend
        ),
        tooltip=["line:N", "epoch:Q", alt.Tooltip("value:Q", title=title or "value", format=f".{digits}f")],
    )
    dash = alt.StrokeDash(
        "line:N", scale=alt.Scale(domain=domain, range=list(_DASHES[: len(names)])), title=None, legend=legend
    )
    shape = alt.Shape(
        "line:N", scale=alt.Scale(domain=domain, range=list(_SHAPES[: len(names)])), title=None, legend=legend
    )
    return alt.layer(
        base.mark_line(strokeWidth=2).encode(strokeDash=dash), base.mark_point(filled=True, size=55).encode(shape=shape)
    ).properties(height=PLOT + LEGEND_ROW * -(-len(names) // legend_columns))
