"""What other programs can read of a piece of work: its stage, how far it is, the time left."""

from __future__ import annotations

from pathlib import Path

import pytest

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
