"""What the URL says and what was chosen: found, kept from page to page, or named as not found."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isp_app.safety.names import distinct
from tests.app.conftest import Open, words

NOT_FOUND = [
    ("evolution", {"run": "nope"}, "'nope'", "k6"),
    ("identity", {"pid": "9999"}, "'9999'", "person 1"),
    ("evolution", {"img": "nope.jpg"}, "'nope.jpg'", "_00.jpg"),
    ("evolution", {"epoch": "77"}, "'77'", "epoch 3"),
    ("iou", {"row": "nope.jpg"}, "'nope.jpg'", ".jpg"),
    ("iou", {"epoch": "77"}, "'77'", "3"),
    ("ranking", {"q": "nope.jpg"}, "'nope.jpg'", ".jpg"),
    ("ranking", {"g": "nope.jpg"}, "'nope.jpg'", ".jpg"),
    ("ranking", {"arm": "part-99"}, "'part-99'", "aligned"),
    ("k_compare", {"ks": "nope"}, "'nope'", ""),
    ("overview", {"split": "nope"}, "'nope'", "train"),
    ("train", {"job": "nope"}, "'nope'", ""),
]


@pytest.mark.parametrize(("page", "query", "named", "instead"), NOT_FOUND)
def test_what_the_url_names_and_nobody_finds_is_said(
    open_page: Open, page: str, query: dict[str, str], named: str, instead: str
) -> None:
    test = open_page(page, **query)
    assert not test.exception
    said = " ".join(warning.value.replace("\\", "") for warning in test.warning)
    assert named in said
    assert instead in said


@pytest.mark.parametrize("page", ["evolution", "identity", "iou", "ranking"])
def test_a_url_that_is_right_is_not_commented_on(open_page: Open, page: str) -> None:
    test = open_page(page, run="k6", pid="3", img="0003_c2s1_000001_00.jpg", epoch="3", row="0003_c2s1_000001_00.jpg")
    assert not test.warning


def test_another_split_keeps_quiet_about_the_image_of_the_one_before(open_page: Open) -> None:
    test = open_page("evolution", run="k6", pid="3", img="0003_c2s1_000001_00.jpg")
    test.selectbox(key="split").set_value("gallery").run()
    assert not test.exception
    assert not test.warning


def test_evolution_writes_no_epoch_into_the_url_on_arrival(open_page: Open) -> None:
    assert "epoch" not in open_page("evolution", run="k6").query_params


def test_a_person_chosen_by_hand_shows_their_first_image(open_page: Open) -> None:
    test = open_page("evolution", run="k6")
    test.selectbox(key="pid").set_value("4").run()
    assert test.selectbox(key="img").value.startswith("0004_")
    test.selectbox(key="img").set_value(test.selectbox(key="img").options[2]).run()
    assert test.selectbox(key="pid").value == "4"
    assert test.selectbox(key="img").value == test.selectbox(key="img").options[2]


def test_runs_of_one_name_in_two_folders_are_both_there(open_page: Open, drawn: Path, tmp_path: Path) -> None:
    for folder in ("first/runs", "second/runs"):
        shutil.copytree(drawn / "runs" / "k6", tmp_path / folder / "k6")
    both = f"{tmp_path / 'first' / 'runs'}:{tmp_path / 'second' / 'runs'}"
    test = open_page("overview", runs=both)  # type: ignore[arg-type]
    assert sorted(test.selectbox(key="run").options) == ["first~runs~k6", "second~runs~k6"]


def test_data_sets_of_one_name_in_two_folders_are_both_there(open_page: Open, drawn: Path, tmp_path: Path) -> None:
    for folder in ("first", "second"):
        shutil.copytree(drawn / "data", tmp_path / folder / "data")
    both = f"{tmp_path / 'first' / 'data'}:{tmp_path / 'second' / 'data'}"
    test = open_page("train", data=both)  # type: ignore[arg-type]
    options = next(box.options for box in test.selectbox if box.label == "Data set")
    assert {"first/data", "second/data"} <= set(options)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(["a", "b", "a/b", "b/a", "c/a/b", "a (2)"]), max_size=8))
def test_no_two_names_are_equal(paths: list[str]) -> None:
    assert len(set(distinct(paths))) == len(paths)


def test_a_link_to_a_table_opens_on_the_table(open_page: Open) -> None:
    asked = [element.value for element in open_page("overview", table="Table 4").subheader]
    assert asked.index("Tables") < asked.index("Runs")
    plain = [element.value for element in open_page("overview").subheader]
    assert plain.index("Runs") < plain.index("Tables")


def test_advice_names_folders_that_this_server_reads(open_page: Open, own_runs: Path, tmp_path: Path) -> None:
    assert f"--out {tmp_path / 'nothing'}/NAME" in words(open_page("evolution", runs=tmp_path / "nothing"))
    (own_runs / "k6" / "run.json").write_text("{")
    assert f"isp runs verify {own_runs / 'k6'}" in words(open_page("evolution", runs=own_runs, run="k6")).splitlines()
