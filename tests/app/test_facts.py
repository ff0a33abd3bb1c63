"""Finding images: filters in the URL, columns of the data set, what is known of each image."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from isp_app.reading import facts
from isp_app.reading.facts import Clause
from tests.app import synthetic
from tests.app.conftest import Open, words


@pytest.mark.parametrize(
    ("clause", "kept"),
    [
        (Clause(("1", "3")), [True, False, True, False]),
        (Clause(("none",)), [False, False, False, True]),
        (Clause((), 2.0, None), [False, True, True, False]),
        (Clause((), None, 2.0), [True, True, False, False]),
        (Clause((), 2.0, 2.0), [False, True, False, False]),
    ],
)
def test_a_clause_keeps_what_it_names_and_no_missing_value_passes_a_range(clause: Clause, kept: list[bool]) -> None:
    assert clause.keeps(pd.Series([1.0, 2.0, 3.0, float("nan")])).tolist() == kept


@pytest.mark.parametrize("text", ["belonging~backpack|tote;AP~..30", "part 3~5..;camera~1"])
def test_filters_come_back_from_the_url_as_they_were(text: str) -> None:
    assert facts.write(facts.parse(text)) == text


@pytest.mark.parametrize("text", ["", ";;;", "~", "a~..", "a~x..y", "a~nan..inf"])
def test_a_url_without_a_filter_has_none(text: str) -> None:
    assert facts.parse(text) == {}


def test_columns_of_the_data_set_reach_a_run_that_was_written_without_them(open_page: Open, tmp_path: Path) -> None:
    table = synthetic.records(6, 6, 5)
    synthetic.write_pictures(tmp_path / "data", table)
    bags = ["backpack" if identity % 3 == 0 else "" for identity in table["identity"]]
    table.assign(belonging=bags).to_csv(tmp_path / "data" / "records.csv", index=False)
    test = open_page("evolution", data=tmp_path / "data", run="k6", find="1", where="belonging~backpack")
    assert not test.exception
    assert "10 of 30 images" in words(test)  # people 3 and 6, five images each
    assert test.multiselect(key="find-belonging").value == ["backpack"]


@pytest.mark.parametrize(
    ("where", "count"),
    [("camera~1", 12), ("identity~2", 5), ("part 5~0.5..", 24), ("part 5~..0", 6), ("IoU head~1..;camera~1", 12)],
)
def test_images_are_found_by_what_is_known_of_them(open_page: Open, where: str, count: int) -> None:
    """Of each person's five images the first and the last are camera 1's, and a wall hides the last one's shoes."""
    test = open_page("evolution", run="k6", find="1", where=where)
    assert not test.exception
    assert f"{count} of 30 images" in words(test)


def test_queries_are_found_by_their_ap_and_sorted(open_page: Open) -> None:
    test = open_page("evolution", run="k6", split="query", find="1", where="AP~0..100", by="AP")
    assert "6 of 6 images" in words(test)


def test_a_filter_that_nobody_knows_is_named(open_page: Open) -> None:
    test = open_page("evolution", run="k6", find="1", where="nope~1")
    assert any("'nope'" in warning.value for warning in test.warning)
    assert "30 of 30 images" in words(test)


def test_a_filter_narrows_the_table_of_iou_and_the_list_of_queries(open_page: Open) -> None:
    iou = open_page("iou", run="k6", where="camera~1")
    assert not iou.exception
    assert "12 of 30 images" in words(iou)
    ranking = open_page("ranking", run="k6", where="identity~8|9")
    assert not ranking.exception
    assert "2 queries" in words(ranking)


@pytest.mark.parametrize("page", ["evolution", "identity", "k_compare", "iou", "ranking"])
def test_every_page_has_the_finder_and_names_a_filter_it_lacks(open_page: Open, page: str) -> None:
    test = open_page(page, run="k6", split="query", find="1", where="nope~1")
    assert not test.exception
    assert any("'nope'" in warning.value for warning in test.warning)
    assert test.multiselect(key="find-columns").value == []
    assert "6 of 6 images" in words(test)


@pytest.mark.parametrize(("page", "where"), [("iou", "camera~2;part 5~..0"), ("ranking", "part 5~..0")])
def test_a_filter_that_no_image_passes_leaves_a_way_out(open_page: Open, page: str, where: str) -> None:
    test = open_page(page, run="k6", find="1", where=where)
    assert not test.exception
    assert any("filter" in info.value for info in test.info)


def test_a_value_that_no_image_has_is_named(open_page: Open) -> None:
    test = open_page("iou", run="k6", where="camera~2|77;identity~99")
    said = " ".join(warning.value for warning in test.warning)
    assert "77" in said
    assert "99" in said
    assert "6 of 30 images" in words(test)


def test_next_goes_to_the_next_person_on_identity_and_to_the_next_image_elsewhere(open_page: Open) -> None:
    identity = open_page("identity", run="k6", pid="2")
    identity.button(key="next").click().run()
    assert identity.selectbox(key="pid").value == "3"
    evolution = open_page("evolution", run="k6", pid="2")
    before = evolution.selectbox(key="img").value
    evolution.button(key="next").click().run()
    assert evolution.selectbox(key="pid").value == "2"
    assert evolution.selectbox(key="img").value != before


def _query(test: AppTest) -> str:
    return next(str(element.value) for element in test.markdown if str(element.value).startswith("**Query "))


def test_next_goes_down_the_table_of_iou_and_the_list_of_queries(open_page: Open) -> None:
    iou = open_page("iou", run="k6", sort="by name")
    shown = [str(element.value) for element in iou.markdown]
    iou.button(key="next").click().run()
    assert [str(element.value) for element in iou.markdown] != shown
    assert iou.query_params["row"]
    ranking = open_page("ranking", run="k6", qsort="best first")
    query = _query(ranking)
    ranking.button(key="next").click().run()
    assert _query(ranking) != query


def test_a_run_that_held_people_out_offers_the_split_validation(open_page: Open, own_runs: Path) -> None:
    import json

    assert open_page("overview", run="k6").selectbox(key="split").options == ["train", "query", "gallery"]
    file = own_runs / "k6" / "run.json"
    document = json.loads(file.read_text())
    document["data"]["splits"]["validation"] = {"pictures": 5, "identities": 1, "cameras": 4}
    file.write_text(json.dumps(document))
    test = open_page("evolution", runs=own_runs, run="k6", split="validation")
    assert not test.exception
    assert test.selectbox(key="split").value == "validation"


def test_distractors_are_no_people_of_identity(open_page: Open, tmp_path: Path) -> None:
    from isp_core.runs import RunWriter

    table = synthetic.records(2, 2, 3)
    train = table["split"] == "train"
    table.loc[(table["split"] == "gallery") & (table["identity"] == 3), "identity"] = 0
    writer = RunWriter.create(tmp_path / "runs" / "odd", synthetic.info(table, 6), table)
    synthetic.write_epoch(writer, synthetic.records(2, 2, 3), 6, 0, 1)
    test = open_page("identity", runs=tmp_path / "runs", run="odd", split="gallery")
    assert not test.exception
    assert train.sum() == 6
    assert test.selectbox(key="pid").options == ["4"]


def test_an_image_that_filters_leave_out_is_not_called_unknown(open_page: Open) -> None:
    test = open_page("iou", run="k6", where="camera~2", row="0003_c1s1_000000_00.jpg")
    assert not test.warning
    assert any("left out by the filters" in info.value for info in test.info)
