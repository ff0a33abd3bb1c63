"""Time and memory against the number of identities, as a page that needs no network."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import plotly.express as px

from benchmarks.rows import Row


def draw(rows: Sequence[Row], file: Path) -> None:
    """Writes the plot of all rows that have a count; says so where there are none."""
    counted = [row for row in rows if row.count is not None]
    if not counted:
        print("nothing to plot: run training-set", file=sys.stderr)
        return
    table = pd.DataFrame(
        {
            "identities": row.count,
            "of": row.name,
            "seconds": row.seconds,
            "peak memory, MB": None if row.peak_bytes is None else row.peak_bytes / 1e6,
        }
        for row in counted
    )
    long = table.melt(["identities", "of"], var_name="what", value_name="value")
    figure = px.line(long, x="identities", y="value", color="of", facet_col="what", markers=True)
    figure.for_each_annotation(lambda title: title.update(text=title.text.removeprefix("what=")))
    figure.update_layout(legend_title_text="")
    figure.update_xaxes(rangemode="tozero")
    figure.update_yaxes(rangemode="tozero", matches=None, showticklabels=True, title_text="")
    figure.write_html(file, include_plotlyjs=True)
