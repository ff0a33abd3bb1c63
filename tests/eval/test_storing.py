"""Evaluations are kept in their run, and a more complete one is not replaced by a less complete one."""

from pathlib import Path

import pytest

from isp_core.runs import open_run
from isp_eval.storing import keep
from tests.app import synthetic


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return synthetic.write_run(tmp_path / "run", parts=4, epochs=2, train=4) or tmp_path / "run"


def test_an_evaluation_that_misses_more_images_does_not_replace_one_that_misses_fewer(run: Path) -> None:
    opened = open_run(run)
    assert keep(opened, "parsing-x", {"kind": "parsing", "n": 9, "missing": ["a"]}).startswith("kept in ")
    assert keep(opened, "parsing-x", {"kind": "parsing", "n": 2, "missing": ["a", "b"]}).startswith(
        "not kept: 2 images"
    )
    assert opened.read_evaluation("parsing-x")["n"] == 9
    assert keep(opened, "parsing-x", {"kind": "parsing", "n": 10, "missing": []}).startswith("kept in ")
    assert opened.read_evaluation("parsing-x")["n"] == 10
