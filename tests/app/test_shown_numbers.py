"""Numbers and words beside images: of the right run, of parts that are there, and whole."""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import ImageFont

from isp_app.drawing import exports, figures
from isp_app.drawing.exports import Provenance
from isp_app.reading import ranking
from isp_app.reading.ranking import Ranked
from isp_app.views import ranked_lists
from isp_app.views.ranked_lists import Side
from isp_core.palette import assign, class_palette, union
from isp_core.runs import open_run
from tests.app.conftest import Open, words


def test_another_order_is_another_table_so_that_the_tick_stays_with_its_image(open_page: Open) -> None:
    test = open_page("iou", run="k6", row="0003_c2s1_000001_00.jpg")
    table = _images(test)
    before = table.proto.id
    position = table.proto.selection_default if hasattr(table.proto, "selection_default") else ""
    test.selectbox(key="sort").set_value("best first").run()
    after = _images(test)
    assert after.proto.id != before
    assert "**0003\\_c2s1\\_000001\\_00\\.jpg**" in words(test)
    assert position is not None


def test_parts_without_a_class_are_named_by_their_own_mean_height() -> None:
    legend = union([assign([0.12, 0.24, 0.76]), class_palette({1: "head"})])
    assert [part.name for part in legend.parts] == [
        "head / part 1, mean height 12 %",
        "part 2, mean height 24 %",
        "part 3, mean height 76 %",
    ]


@pytest.mark.parametrize(("run", "has"), [("k4", False), ("k6", True)])
def test_a_card_scores_belongings_where_a_part_stands_for_them(
    open_page: Open, own_runs: Path, run: str, has: bool
) -> None:
    for other in {"k4", "k6", "baseline"} - {run}:
        shutil.rmtree(own_runs / other)
    metrics = own_runs / run / "metrics.parquet"
    table = pd.read_parquet(metrics)
    table.assign(test_iou_belongings=0.1 if has else 0.0).to_parquet(metrics)  # training notes 0 for an absent part
    cards = "".join(str(element.proto.body) for element in open_page("overview", runs=own_runs).get("html"))
    assert "foreground" in cards
    assert ("belongings" in cards) is has


def test_a_class_that_no_part_stands_for_has_no_score(open_page: Open) -> None:
    test = open_page("iou", run="k4")
    table = next(frame.value for frame in test.dataframe if "maps" in frame.value)
    own = table[table["maps"] == "k4"]
    assert own["head"].notna().all()
    assert own[["shoes", "belongings"]].isna().all(axis=None)
    assert "belongings = no part" in words(test)


def test_a_legend_breaks_before_the_sheet_ends() -> None:
    palette = assign(np.linspace(0.05, 0.95, 12).tolist())
    font = ImageFont.load_default(12)
    lines = figures._legend(palette, 412, font)
    assert [part for line in lines for _, part in line] == list(palette.parts)
    assert all(x + 16 + font.getlength(part.name) <= 412 for line in lines for x, part in line)
    assert len(lines) > 1
    tile = np.zeros((20, 10, 3), np.uint8)
    few = figures.sheet([[tile]], [], [], palette=assign([0.1]))
    assert figures.sheet([[tile]], [], [], palette=palette).shape[0] == few.shape[0] + 16 * (len(lines) - 1)


def test_figure_4_is_the_default_of_its_page(open_page: Open, own_runs: Path) -> None:
    for name, variant in (("one-step", "one-step"), ("k6-again", "cascade")):
        _copy(own_runs / "k6", own_runs / name, variant)
    said = words(open_page("k_compare", runs=own_runs, run="k6"))
    assert "3 of 4 runs, by K: those with the labels and the backbone of k6" in said


def test_rows_of_several_runs_carry_their_own_names(drawn: Path) -> None:
    k6, baseline = (open_run(drawn / "runs" / name) for name in ("k6", "baseline"))
    lists = {
        Side(k6, 3, "aligned", "k6"): Ranked(np.array([0, 1, 2]), np.zeros(3, np.float32), 0),
        Side(baseline, 3, "global", "baseline"): Ranked(np.array([1, 0]), np.zeros(2, np.float32), 0),
    }
    query = k6.records("query").iloc[0]
    data = exports.csv(ranked_lists.table(lists, query, 2), ranked_lists.sources(lists, 2))
    table = pd.read_csv(io.BytesIO(data), encoding="utf-8-sig")
    assert table["run"].tolist() == ["k6", "k6", "baseline", "baseline"]
    assert table["K"].tolist() == [6, 6, 0, 0]
    with pytest.raises(ValueError, match="1 provenances for 4 rows"):
        exports.csv(table, [Provenance("k6", 3, 6, "query", "", "isp-run/1", "f")])


def test_evolution_says_where_labels_come_from(open_page: Open, own_runs: Path) -> None:
    file = own_runs / "k6" / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"labels": "maps"}))
    said = words(open_page("evolution", runs=own_runs, run="k6"))
    assert "clusters of this person" not in said
    assert "clustered" not in said
    assert "Labels: maps." in said.replace("\\", "")


@pytest.mark.parametrize("page", ["overview", "evolution"])
def test_clusters_of_levelled_maps_are_not_called_the_papers(open_page: Open, own_runs: Path, page: str) -> None:
    file = own_runs / "k6" / "run.json"
    information = json.loads(file.read_text())
    information["config"]["model"]["level_stages"] = False
    file.write_text(json.dumps(information))
    shown = {"runs": own_runs, "run": "k6"}
    assert "Not a fair form" not in words(open_page(page, **shown))
    information["config"]["model"]["level_stages"] = True
    file.write_text(json.dumps(information))
    assert "Not a fair form" in words(open_page(page, **shown))


def _images(test: Any) -> Any:
    return next(frame for frame in test.dataframe if "image" in frame.value)


def _copy(run: Path, to: Path, variant: str) -> None:
    shutil.copytree(run, to)
    file = to / "run.json"
    described = json.loads(file.read_text())
    described["config"]["labels"]["variant"] = variant
    file.write_text(json.dumps(described))


def test_queries_that_two_lists_rank_most_differently_come_first() -> None:
    paths = ["a", "b", "c", "d"]
    here = pd.DataFrame({"row": range(4), "path": paths, "AP": [0.9, 0.2, 0.5, np.nan], "first": 1, "matches": 1})
    there = pd.DataFrame({"path": paths[::-1], "AP": [np.nan, 0.6, 0.9, 0.3]})
    table = ranking.compared(here, there)
    assert table[ranking.GAIN].round(6).tolist()[:3] == [0.6, -0.7, -0.1]

    def found(errors: str, order: str) -> list[str]:
        return ranking.filtered(table, errors=errors, camera=None, order=order)["path"].tolist()

    assert found("all", ranking.DIFFERENCE) == ["b", "a", "c", "d"]
    assert found(ranking.BETTER_HERE, "worst first") == ["a"]
    assert found(ranking.BETTER_THERE, "best first") == ["c", "b"]


def test_a_ranking_opens_on_the_query_that_differs_most_and_explains_right_beside_wrong(open_page: Open) -> None:
    test = open_page("ranking", run="k6", vs="baseline")
    own, other = (ranking.scores(open_run(Path(str(p))), 3, rule) for p, rule in _sides(test))
    table = ranking.compared(own, other)
    most = ranking.filtered(table, errors="all", camera=None, order=ranking.DIFFERENCE).iloc[0]
    said = words(test).replace("\\", "")
    assert f"Query {most['image']}" in said
    assert f"AP {100 * most['AP']:.1f} %, first true match at rank {most['first']}" in said
    assert "first true match" in said
    assert "first wrong match" in said


def _sides(test: object) -> list[tuple[str, str]]:
    root = os.environ["ISP_RUNS"]
    return [(f"{root}/k6", "aligned"), (f"{root}/baseline", "global")]
