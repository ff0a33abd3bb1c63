"""Runs come from anyone: what they say is shown as text, and one that cannot be read hides no other."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import isp_app.components
from isp_app.empty import argument
from isp_app.safety.names import plain
from isp_core.data.label_files import find_label_maps
from isp_core.data.record_paths import file_of_record
from isp_core.data.records import DataError
from isp_core.runs import open_run
from tests.app.conftest import Open, words

MARKUP = "![x](http://evil.example/x.png) [y](http://evil.example) <img src=http://evil.example/z> $x^2$ :smile: **b**"


def described(run: Path, **values: object) -> None:
    document = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(document | values))


@pytest.mark.parametrize("page", ["help", "overview", "evolution"])
def test_what_a_run_says_of_itself_is_text(own_runs: Path, open_page: Open, page: str) -> None:
    for run in own_runs.iterdir():
        described(run, backbone=MARKUP, labels=MARKUP, weights=MARKUP)
    test = open_page(page, runs=own_runs, run="k6")
    assert not test.exception
    shown = words(test)
    for markup in ("](http", r"<img", r"$x", r":smile:", r"http://evil", r"!["):
        assert not re.search(rf"(?<!\\){re.escape(markup)}", shown), markup


def test_components_put_names_into_the_page_as_text() -> None:
    for script in Path(isp_app.components.__file__).parent.glob("*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", script.read_text("utf-8")), (
            script
        )


@pytest.mark.parametrize("page", ["help", "overview", "evolution", "train"])
@pytest.mark.parametrize("file", ["run.json", "metrics.parquet"])
def test_a_pipe_in_one_run_hides_no_other_and_holds_up_no_page(
    own_runs: Path, open_page: Open, page: str, file: str
) -> None:
    (own_runs / "k4" / file).unlink()
    os.mkfifo(own_runs / "k4" / file)
    test = open_page(page, runs=own_runs, run="k6")
    assert not test.exception
    assert "k6" in test.selectbox(key="run").options
    if page == "overview":
        assert "is a named pipe" in words(test)


@pytest.mark.parametrize("page", ["help", "overview", "ranking", "train"])
def test_a_run_whose_name_is_not_utf8_is_named_and_hides_no_other(own_runs: Path, open_page: Open, page: str) -> None:
    shutil.copytree(own_runs / "k4", os.fsdecode(os.fsencode(own_runs) + b"/odd-\xd5"))
    test = open_page(page, runs=own_runs, run="k6")
    assert not test.exception
    assert "k6" in test.selectbox(key="run").options
    if page == "overview":
        assert r"odd-\xd5: the path of a run must be UTF-8" in words(test)


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../../etc/passwd", "a/../../b.jpg", "", ".", "/", "a\\b.jpg", "a\0b", "x" * 300, "\ud800.jpg"],
)
def test_no_record_leads_out_of_its_data_set(tmp_path: Path, path: str) -> None:
    with pytest.raises(DataError, match="is not a path inside a data set"):
        file_of_record(tmp_path, path)


@pytest.mark.parametrize("path", ["{elsewhere}/0001.jpg", "../elsewhere/0001.jpg"])
def test_ground_truth_is_looked_for_inside_the_data_set_alone(own_runs: Path, tmp_path: Path, path: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "data").mkdir()
    (elsewhere / "0001.png").write_bytes(b"a map of another folder")
    records = open_run(own_runs / "k6").records().iloc[:2].assign(path=path.format(elsewhere=elsewhere))
    with pytest.raises(DataError):
        find_label_maps(tmp_path / "data", records)


@given(st.text(alphabet="ab.:/@w[]()!*_`$<>-#~ http", max_size=60))
def test_no_text_is_a_link_a_picture_or_a_formula(text: str) -> None:
    safe = plain(text)
    bare = safe.replace("\\", "")
    for mark in "[]()!*_`$<>#~:":
        assert safe.count(f"\\{mark}") == text.count(mark)
    assert "www." not in bare
    assert ":smile:" not in plain(":smile:").replace("\\", "")
    assert "http://a.b" not in plain("see http://a.b").replace("\\", "")


def test_a_command_to_copy_has_the_path_as_one_word() -> None:
    assert argument("runs/k6") == "runs/k6"
    assert argument("runs/x; rm -rf ~") == "'runs/x; rm -rf ~'"


def test_a_run_that_vanishes_while_its_page_is_open_is_named(own_runs: Path, open_page: Open) -> None:
    test = open_page("help", runs=own_runs, run="k6")
    shutil.rmtree(own_runs / "k6")
    test.run()
    assert "Run 'k6' is no longer there; showing " in words(test).replace("\\", "")
    test.run()
    assert "is no longer there" not in words(test)
