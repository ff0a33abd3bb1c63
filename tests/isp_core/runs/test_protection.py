"""Published runs stay as they are, whichever command is given them; a copy elsewhere is one's own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import isp_assets.runs
from isp_core.runs import RunError, RunWriter, open_run
from isp_core.runs.maintenance import prune
from isp_core.runs.protection import MARK
from isp_core.runs.writer import sole_writer
from tests.app import synthetic

EMBEDDED = Path(next(iter(isp_assets.runs.__path__)))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    made = tmp_path / "published" / "run"
    synthetic.write_run(made, parts=4, epochs=2, train=4)
    (made.parent / MARK).touch()
    return made


def _lock(run: Path) -> None:
    with sole_writer(run):
        pass


WRITES: dict[str, Callable[[Path], object]] = {
    "evaluation": lambda run: RunWriter(run).write_evaluation("x", {}),
    "prune": lambda run: prune(open_run(run), "last"),
    "training, extraction, calibration": _lock,
    "a new run beside it": lambda run: _lock(run.parent / "new"),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_nothing_is_written_into_a_folder_of_published_runs(run: Path, write: Callable[[Path], object]) -> None:
    before = {file: file.stat().st_mtime_ns for file in run.parent.rglob("*")}
    with pytest.raises(RunError, match=r"READ-ONLY says that nothing is written there: copy the run"):
        write(run)
    assert {file: file.stat().st_mtime_ns for file in run.parent.rglob("*")} == before


def test_a_copy_in_another_folder_is_written_to(run: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(run, tmp_path / "own"))
    assert RunWriter(own).write_evaluation("x", {}).exists()


def test_the_embedded_study_is_published() -> None:
    assert (EMBEDDED / MARK).is_file()
