"""Writing into a run from anywhere: a link in it, or a pipe, makes no command write, remove or wait elsewhere."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from isp_core.runs import RunError, RunWriter, open_run
from isp_core.runs.checksums import SUMS_FILE, SUMS_LOCK
from isp_core.runs.maintenance import prune
from isp_core.runs.schema import LOCK_FILE
from isp_core.runs.writer import sole_writer
from tests.isp_core.runs.made import embeddings_of, make_run, write_epoch

QUERY = 3


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder of the user's own, with folders and files of names that runs have too."""
    folder = tmp_path / "precious"
    for name in ("letters", "epoch_0001", "epoch_0009"):
        (folder / name).mkdir(parents=True)
        (folder / name / "model.safetensors").write_text("mine")
    (folder / "epoch_0009.h5").write_text("mine")
    return folder


def _content(folder: Path) -> dict[str, str]:
    return {str(each.relative_to(folder)): each.read_text() for each in folder.rglob("*") if each.is_file()}


def _lock(path: Path) -> None:
    with sole_writer(path):
        pass


WRITES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "prune to the last epoch": ("checkpoints", lambda path: prune(open_run(path), "last")),
    "drop what was not finished": ("checkpoints", lambda path: RunWriter(path).drop_after(1)),
    "drop label maps": ("labels/train", lambda path: RunWriter(path).drop_after(1)),
    "label maps": ("labels/train", lambda path: write_epoch(RunWriter(path), 3)),
    "all label maps": ("labels", lambda path: write_epoch(RunWriter(path), 3)),
    "embeddings": ("embeddings", lambda path: RunWriter(path).write_embeddings("query", 3, embeddings_of(QUERY))),
    "an evaluation": ("evaluation", lambda path: RunWriter(path).write_evaluation("mine", {})),
}


@pytest.mark.parametrize(("folder", "write"), WRITES.values(), ids=WRITES)
def test_nothing_is_written_or_removed_where_a_link_leads(
    folder: str, write: Callable[[Path], object], path: Path, elsewhere: Path
) -> None:
    before = _content(elsewhere)
    shutil.rmtree(path / folder, ignore_errors=True)
    (path / folder).symlink_to(elsewhere)
    with pytest.raises(RunError, match="a link leads out of the run there, which is not followed"):
        write(path)
    assert _content(elsewhere) == before


@pytest.mark.parametrize("name", [LOCK_FILE, SUMS_LOCK])
def test_a_lock_that_is_a_link_leaves_its_target_as_it_is(name: str, path: Path, elsewhere: Path) -> None:
    before = _content(elsewhere)
    (path / name).unlink(missing_ok=True)
    (path / name).symlink_to(elsewhere / "letters" / "model.safetensors")
    with pytest.raises(RunError, match="it is no regular file"):
        _lock(path) if name == LOCK_FILE else RunWriter(path).write_evaluation("mine", {})
    assert _content(elsewhere) == before


@pytest.mark.parametrize("name", [LOCK_FILE, SUMS_LOCK])
@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_a_lock_that_is_a_pipe_or_a_folder_holds_nobody_up(name: str, kind: str, path: Path) -> None:
    (path / name).unlink(missing_ok=True)
    os.mkfifo(path / name) if kind == "pipe" else (path / name).mkdir()
    with pytest.raises(RunError, match="it is no regular file"):
        _lock(path) if name == LOCK_FILE else RunWriter(path).write_evaluation("mine", {})


def test_a_list_of_checksums_that_is_a_link_is_refused(path: Path, elsewhere: Path) -> None:
    before = _content(elsewhere)
    (path / SUMS_FILE).unlink()
    (path / SUMS_FILE).symlink_to(elsewhere / "letters" / "model.safetensors")
    with pytest.raises(RunError, match="link out of the run"):
        RunWriter(path).write_evaluation("mine", {})
    assert _content(elsewhere) == before
