"""Curves in one chart: what tells lines apart, and that the legend takes no room from the plot."""

from __future__ import annotations

import pandas as pd

from isp_app.drawing.line_chart import MOST_LINES, line_chart
from isp_app.reading.curves import Curve
from isp_app.views.train import _losses


def _height(lines: int, columns: int) -> int:
    names = [f"run {i}" for i in range(lines)]
    table = pd.DataFrame({"line": names, "epoch": 1, "value": 0.5})
    return int(line_chart(table, names, "mAP", 1, columns).to_dict()["height"])


def test_more_rows_of_the_legend_make_the_chart_higher_not_the_plot_lower() -> None:
    assert _height(MOST_LINES, 2) > _height(2, 2) == _height(1, 2)


def test_losses_have_short_names_the_total_first_and_marks_besides_colours() -> None:
    found = [Curve(f"loss_{name}", f"loss: {name}", "", (1, 2), (2.0, 1.0), 3) for name in ("center", "total")]
    chart = _losses(found).to_dict()
    lines, marks = chart["layer"]
    assert lines["encoding"]["color"]["scale"]["domain"] == ["total", "center"]
    assert len(set(marks["encoding"]["shape"]["scale"]["range"])) == 2
    assert len({tuple(dash) for dash in lines["encoding"]["strokeDash"]["scale"]["range"]}) == 2
