"""A rerun reads nothing again that did not change: what is counted are calls, not seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from isp_app.reading import runs_access
from isp_app.rerun import once, one_rerun
from isp_core.metrics import spaces
from isp_core.noted_parts import DOCUMENT
from isp_core.runs import Run, RunWriter, open_run, reader
from tests.app.conftest import Open, words

PAGES = ("overview", "evolution", "identity", "k_compare", "iou", "ranking", "embeddings", "upload")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each reader was called: of run descriptions, of tables, of label spaces; and paths taken apart."""
    counted: Counter[str] = Counter()

    def count(owner: Any, name: str) -> None:
        real: Callable[..., Any] = getattr(owner, name)

        def counting(*arguments: Any, **named: Any) -> Any:
            counted[name] += 1
            return real(*arguments, **named)

        monkeypatch.setattr(owner, name, counting)

    for owner, name in (
        (reader, "read_info"),
        (reader, "read_table"),
        (reader, "read_json"),
        (spaces, "read_yaml"),
        (type(Path()), "__reduce__"),
    ):
        count(owner, name)
    return counted


@pytest.mark.parametrize("page", PAGES)
def test_a_rerun_opens_no_run_and_reads_no_table_or_document_again(
    page: str, open_page: Open, calls: Counter[str]
) -> None:
    test = open_page(page, run="k6")
    test.run()  # the first rerun may show what the first run had to find out
    calls.clear()
    test.run()
    assert not test.exception
    assert calls == {}


def test_runs_on_the_disk_are_read_again_once_they_change(own_runs: Path, open_page: Open, calls: Counter[str]) -> None:
    test = open_page("iou", runs=own_runs, run="k6")
    assert "k4" in test.selectbox(key="with").options
    calls.clear()
    file = own_runs / "k4" / "run.json"
    file.write_text(file.read_text().replace('"parts": 4', '"parts": 0'))
    test.run()
    assert calls["read_info"] >= 1
    assert "k4" not in test.selectbox(key="with").options  # a baseline has no maps to compare with
    file.write_text("{")
    assert "k4" not in test.run().selectbox(key="with").options
    assert "could not be shown" not in words(test)


def test_metrics_follow_their_table_and_the_assignment_of_parts(own_runs: Path) -> None:
    run = open_run(own_runs / "k6")
    before = runs_access.metrics(run)
    column = next(name for name in before if str(name).startswith("test_iou_head"))
    assert before[column].notna().any()
    RunWriter(run.path).write_evaluation(DOCUMENT, {str(epoch): {"head": []} for epoch in before.index})
    assert runs_access.metrics(run)[column].isna().all()
    file = run.path / "metrics.parquet"
    pd.read_parquet(file).iloc[:-1].to_parquet(file)
    assert len(runs_access.metrics(run)) == len(before) - 1


def test_what_is_found_once_holds_for_one_rerun_and_no_longer() -> None:
    found: list[int] = []

    @once
    def look(number: int) -> int:
        found.append(number)
        if number < 0:
            raise ValueError(number)
        return len(found)

    assert (look(1), look(1)) == (1, 2)  # outside of a page: each time
    with one_rerun():
        assert look(1) == look(1) == 3
        assert look(2) == 4
        for _ in range(2):
            with pytest.raises(ValueError, match="-1"):
                look(-1)
    assert found == [1, 1, 1, 2, -1, -1]
    with one_rerun():
        assert look(1) == 7


def test_a_page_makes_the_key_of_a_run_once_a_rerun(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    test = open_page("ranking", run="k6", vs="baseline")
    asked: Counter[str] = Counter()
    real = Run.token

    def token(run: Run) -> str:
        asked[str(run.path)] += 1
        return real(run)

    monkeypatch.setattr(Run, "token", token)
    test.run()
    assert not test.exception
    assert set(asked.values()) == {1}
