"""Time and memory against the number of identities, as a page that needs no network."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from benchmarks.rows import Row


def draw(rows: Sequence[Row], file: Path) -> None:
    """Writes the plot of all rows that have a count; says so where there are none."""
    counted = [row for row in rows if row.count is not None]
    if not counted:
        print("nothing to plot: run training-set", file=sys.stderr)
        return
    figure = make_subplots(1, 2, subplot_titles=("seconds", "peak memory, MB"))
    for name in dict.fromkeys(row.name for row in counted):
        line = [row for row in counted if row.name == name]
        counts = [row.count for row in line]
        megabytes = [None if row.peak_bytes is None else row.peak_bytes / 1e6 for row in line]
        figure.add_scatter(x=counts, y=[row.seconds for row in line], name=name, mode="lines+markers", row=1, col=1)
        figure.add_scatter(x=counts, y=megabytes, name=name, mode="lines+markers", showlegend=False, row=1, col=2)
    figure.update_xaxes(title_text="identities", rangemode="tozero")
    figure.update_yaxes(rangemode="tozero")
    assert isinstance(figure, go.Figure)
    figure.write_html(file, include_plotlyjs=True)
