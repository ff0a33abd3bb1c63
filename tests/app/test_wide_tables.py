"""Wide tables: what is in sight on a laptop's screen, and what one click adds."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from isp_app.views import columns
from isp_core.metrics.spaces import TARGETS
from tests.app.conftest import Open


def test_a_long_text_is_cut_and_a_short_number_keeps_room_for_its_header() -> None:
    table = pd.DataFrame({"run": ["x" * 200], "K": [6], "mAP": [61.8]})
    found = columns.widths(table, {"mAP": "mAP, of the paper"})
    assert found["run"] < 200
    assert found["K"] < found["mAP"]


def test_table_3_shows_every_class_in_one_form_and_constant_masks_when_asked(open_page: Open, own_runs: Path) -> None:
    test = open_page("overview", runs=own_runs, table="Table 3")
    table, shown = test.dataframe[0].value, list(test.dataframe[0].proto.column_order)
    assert [name for name in TARGETS if name in shown] == list(TARGETS)
    assert "foreground, constant" in table
    assert "foreground, constant" not in shown
    assert sum(columns.widths(table, {"foreground, constant": "constant"})[name] for name in shown) <= columns.ROOM
    more = open_page("overview", runs=own_runs, table="Table 3", tcols="foreground, constant").dataframe[0]
    assert list(more.proto.column_order) == ["foreground, constant"]


def test_images_on_iou_show_their_score_first_and_other_classes_when_asked(open_page: Open) -> None:
    shown = list(open_page("iou", run="k6", split="query").dataframe[2].proto.column_order)
    assert shown[:2] == ["image", "foreground"]
    assert "head" not in shown
    more = open_page("iou", run="k6", split="query", icols="head").dataframe[2]
    assert list(more.proto.column_order) == ["image", "foreground", "head"]
