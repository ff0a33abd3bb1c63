"""Runs that this user may not read or write: each is listed with the reason, and hides no other."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from isp_core.runs import RunError, list_runs, open_run
from isp_core.runs.errors import WriteError
from isp_core.runs.maintenance import prune
from tests.app import synthetic
from tests.unprivileged import unprivileged


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Path]:
    synthetic.write_run(tmp_path / "runs" / "good", parts=4, epochs=2, train=4)
    shutil.copytree(tmp_path / "runs" / "good", tmp_path / "runs" / "shut")
    yield tmp_path / "runs"
    for folder in (tmp_path / "runs").rglob("*"):
        folder.chmod(0o755)


@pytest.mark.parametrize("name", ["", "run.json", "metrics.parquet", "records.parquet"])
def test_what_may_not_be_read_is_listed_with_the_reason(runs: Path, name: str) -> None:
    (runs / "shut" / name).chmod(0)
    with unprivileged(runs):
        good, shut = list_runs(runs)
    assert good.problem is None
    assert good.epochs == 2
    assert shut.name == "shut"
    assert shut.problem == f"{runs / 'shut' / name} cannot be read (Permission denied)"


def test_a_run_below_a_folder_that_may_not_be_entered_is_not_called_missing(runs: Path) -> None:
    (runs / "shut").chmod(0)
    with unprivileged(runs), pytest.raises(RunError, match=r"cannot be read \(Permission denied\)"):
        open_run(runs / "shut" / "inner")


@pytest.mark.parametrize("name", ["", "checkpoints", "checkpoints/epoch_0000"])
def test_what_may_not_be_written_to_is_said_and_left_as_it_is(runs: Path, name: str) -> None:
    run = runs / "good"
    (run / "checkpoints" / "epoch_0000").mkdir(parents=True)
    (run / "checkpoints" / "epoch_0000" / "model.safetensors").touch()
    for place in (run, *run.rglob("*")):
        place.chmod(0o777 if place.is_dir() else 0o666)
    (run / name).chmod(0o555)
    before = [place for place in run.rglob("*") if name in ("", place.relative_to(run).as_posix())]
    with unprivileged(runs), pytest.raises(WriteError, match="could not be written"):
        prune(open_run(run), "last")
    assert [each for each in before if not each.exists()] == []
