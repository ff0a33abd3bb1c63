"""What other programs can read of a piece of work: its stage, how far it is, the time left."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from tqdm import tqdm

from isp_core import progress
from isp_core.progress import Stage, counted, progress_bar, read_stage


def test_the_file_says_what_is_done_from_the_first_moment_to_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "stage"
    monkeypatch.setenv(progress.FILE, str(file))
    monkeypatch.setattr(progress, "EVERY", 0.0)
    seen = []
    for _ in counted(range(3), "epoch 1", 3, show=False):
        stage = read_stage(file)
        assert stage is not None
        seen.append((stage.what, stage.done, stage.total))
    assert seen == [("epoch 1", 0, 3), ("epoch 1", 1, 3), ("epoch 1", 2, 3)]
    last = read_stage(file)
    assert last is not None
    assert last.done == 3
    assert [path.name for path in tmp_path.iterdir()] == ["stage"]


def test_a_size_may_become_known_late_and_steps_done_before_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(progress.FILE, str(tmp_path / "stage"))
    monkeypatch.setattr(progress, "EVERY", 0.0)
    with progress_bar("rendering", 0) as bar:
        for done in (5, 6):
            bar.move(done, 8)
            stage = read_stage(tmp_path / "stage")
            assert stage is not None
            assert (stage.done, stage.total) == (done, 8)


def test_no_file_is_written_where_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(progress.FILE, raising=False)
    monkeypatch.chdir(tmp_path)
    with progress_bar("images", 2, show=False) as bar:
        bar.update(2)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_stops_no_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(progress.FILE, str(tmp_path / "nowhere" / "stage"))
    assert list(counted([1, 2], "images", 2, show=False)) == [1, 2]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"what": "x"}', '{"what": 1, "done": "a", "total": 1}'])
def test_another_file_is_no_stage(text: str, tmp_path: Path) -> None:
    (tmp_path / "stage").write_text(text)
    assert read_stage(tmp_path / "stage") is None
    assert read_stage(tmp_path / "missing") is None


def test_the_time_left_is_that_of_the_pace_so_far() -> None:
    assert Stage("epoch 1", 10, 40, begun=100.0, noted=105.0).seconds_left == 15.0
    assert Stage("epoch 1", 0, 40, begun=100.0, noted=105.0).seconds_left is None


def test_a_clock_that_is_set_back_changes_neither_the_pace_nor_what_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "stage"
    monkeypatch.setenv(progress.FILE, str(file))
    monkeypatch.setattr(progress, "EVERY", 0.0)
    seen = []
    with progress_bar("images", 3, show=False) as bar:
        monkeypatch.setattr("time.time", lambda: 0.0)
        for _ in range(2):
            bar.update()
            stage = read_stage(file)
            assert stage is not None
            assert stage.seconds_left is not None
            seen.append((stage.done, stage.noted >= stage.begun, stage.seconds_left >= 0))
    assert seen == [(1, True, True), (2, True, True)]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_appears_before_the_first_step_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, appeared = _Terminal(), threading.Event()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(progress, "DELAY", 0.01)
    refresh = tqdm.refresh
    monkeypatch.setattr(tqdm, "refresh", lambda bar, *given, **named: (refresh(bar), appeared.set()))
    with progress_bar("labels 0", 7):
        assert appeared.wait(60)
        assert "labels 0" in terminal.getvalue()
        assert "0/7" in terminal.getvalue()
