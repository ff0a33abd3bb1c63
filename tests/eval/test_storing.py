"""Evaluations are kept in their run where it may be written to, and a more complete one is never replaced by a less
complete one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from isp_core.runs import open_run
from isp_core.runs.protection import MARK
from isp_eval.retrieval import Rule, evaluate_run
from isp_eval.sources import retrieval_set
from isp_eval.storing import keep, summary
from tests.app import synthetic
from tests.unprivileged import unprivileged


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return synthetic.write_run(tmp_path / "run", parts=4, epochs=2, train=4) or tmp_path / "run"


def files_of(run: Path) -> dict[str, bytes]:
    return {str(file.relative_to(run)): file.read_bytes() for file in run.rglob("*") if file.is_file()}


def test_an_evaluation_that_misses_more_images_does_not_replace_one_that_misses_fewer(run: Path) -> None:
    opened = open_run(run)
    assert keep(opened, "parsing-x", {"kind": "parsing", "n": 9, "missing": ["a"]}).startswith("kept in ")
    assert keep(opened, "parsing-x", {"kind": "parsing", "n": 2, "missing": ["a", "b"]}).startswith(
        "not kept: 2 images"
    )
    assert opened.read_evaluation("parsing-x")["n"] == 9
    assert keep(opened, "parsing-x", {"kind": "parsing", "n": 10, "missing": []}).startswith("kept in ")
    assert opened.read_evaluation("parsing-x")["n"] == 10


def ranked(queries: int, gallery: int) -> dict[str, Any]:
    return {"kind": "retrieval", "n_queries": queries, "n_gallery": gallery}


def compared(queries: int) -> dict[str, Any]:
    return {"kind": "comparison", "tests": {"mAP": {"difference": {"n": queries}}}}


@pytest.mark.parametrize(
    ("whole", "part", "why"),
    [
        (ranked(9, 90), ranked(8, 90), "it has 8 queries, and this evaluation is held with 9"),
        (ranked(9, 90), ranked(9, 80), "it has 80 gallery images, and this evaluation is held with 90"),
        (compared(9), compared(3), "it has 3 compared queries, and this evaluation is held with 9"),
    ],
)
def test_a_ranking_of_fewer_images_does_not_replace_one_of_more(
    run: Path, whole: dict[str, Any], part: dict[str, Any], why: str
) -> None:
    opened = open_run(run)
    keep(opened, "x", whole)
    said = keep(opened, "x", part)
    assert said.startswith(f"not kept: {why}")
    assert f"remove evaluation/x.json from {run}" in said
    assert opened.read_evaluation("x") == whole
    assert keep(opened, "x", whole).startswith("kept in ")


@pytest.mark.parametrize("held", ["{", "[]", '{"n_queries": "many", "missing": 3, "tests": [1]}'])
def test_a_stored_evaluation_that_is_broken_or_strange_is_replaced(run: Path, held: str) -> None:
    (run / "evaluation").mkdir(exist_ok=True)
    (run / "evaluation" / "x.json").write_text(held)
    assert keep(open_run(run), "x", ranked(1, 1)).startswith("kept in ")


def _marked(run: Path) -> None:
    (run.parent / MARK).write_text("published")


def _marked_itself(run: Path) -> None:
    (run / MARK).write_text("published")


def _closed(run: Path) -> None:
    for folder in (run, *(entry for entry in run.rglob("*") if entry.is_dir())):
        folder.chmod(0o555)


@pytest.mark.parametrize("close", [_marked, _marked_itself, _closed])
def test_a_run_that_may_not_be_written_to_is_evaluated_and_left_as_it_is(
    run: Path, close: Callable[[Path], None]
) -> None:
    close(run)
    before, opened = files_of(run), open_run(run)
    source = retrieval_set(opened, None)
    with unprivileged(run.parent):
        found = evaluate_run(opened, source, Rule("aligned"))
    assert found.figures["mAP"].n > 0
    assert found.kept.startswith("not kept: ")
    assert "could not be written" in found.kept
    assert "--out FOLDER" in found.kept
    assert files_of(run) == before
    for folder in (run, *(entry for entry in run.rglob("*") if entry.is_dir())):
        folder.chmod(0o755)


def test_what_was_kept_of_several_evaluations_is_one_sentence(run: Path) -> None:
    opened = open_run(run)
    assert summary(opened, ["kept in a"]) == "kept in a"
    assert summary(opened, ["kept in a", "kept in b"]) == f"kept in {run / 'evaluation'}: 2 evaluations"
    assert summary(opened, ["kept in a", "not kept: x", "not kept: y"]) == "not kept: x (and 1 more not kept)"
