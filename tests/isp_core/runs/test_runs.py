"""A run directory gives back what was written, whatever interrupted the writer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import SafetensorError

from isp_core.data.records import COLUMNS
from isp_core.runs import SCHEMA, RunError, RunWriter, list_runs, open_run, reader
from isp_core.runs.files import atomic
from isp_core.runs.frames import read_metrics
from isp_core.runs.maintenance import prune, verify
from isp_core.runs.schema import RECORD_COLUMNS
from isp_core.runs.writer import require_room, sole_writer
from tests.isp_core.runs.made import (
    QUERY,
    TRAIN,
    embeddings_of,
    info,
    make_run,
    maps_of,
    records,
    write_epoch,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_run(tmp_path / "runs" / "first")


def test_reads_back_what_was_written(path: Path) -> None:
    run = open_run(path)
    assert run.epochs == [0, 1, 2]
    assert run.info.size == (64, 32)
    assert list(run.metrics().columns) == ["loss_total", "mAP"]
    np.testing.assert_array_equal(run.labels("train", 1), maps_of(1, TRAIN))
    np.testing.assert_array_equal(run.labels("train", 1, [39, 0, 39]), maps_of(1, TRAIN)[[39, 0, 39]])
    assert run.labels("train", 1, []).shape == (0, 16, 8)
    np.testing.assert_array_equal(run.embeddings("query", 2).visibility, embeddings_of(QUERY).visibility)
    assert list(run.test_records()["split"].unique()) == ["query", "gallery"]
    assert run.activation(1) is None
    assert run.weight_epochs() == [0, 1, 2]


def test_metrics_are_read_once_for_the_lists_of_epochs_and_again_when_they_change(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    monkeypatch.setattr(reader, "read_metrics", lambda run: read.append(run) or read_metrics(run))
    run = open_run(path)
    for _ in range(2):
        assert run.weight_epochs() == run.label_epochs("train") == open_run(path).embedding_epochs() == run.epochs
    assert len(read) == 1
    run.epochs.append(9)  # the caller's own list
    file = path / "metrics.parquet"
    pd.read_parquet(file).iloc[:-1].to_parquet(file)
    assert run.epochs == run.weight_epochs() == [0, 1]
    file.unlink()
    assert run.epochs == []


def test_records_without_a_column_are_a_finding(path: Path) -> None:
    assert RECORD_COLUMNS == COLUMNS
    file = path / "records.parquet"
    pd.read_parquet(file).drop(columns=["camera", "split"]).to_parquet(file)
    with pytest.raises(RunError, match=r"records.parquet has no column camera, split"):
        open_run(path).records("query")
    with pytest.raises(RunError, match=r"records.parquet has no column camera, split"):
        open_run(path).embeddings("query", 2)
    (found,) = verify(open_run(path))
    assert "no column camera, split" in found.problem


def test_history_is_one_picture_over_the_epochs(path: Path) -> None:
    epochs, maps = open_run(path).label_history("train", 7)
    assert epochs == [0, 1, 2]
    np.testing.assert_array_equal(maps, np.stack([maps_of(epoch, TRAIN)[7] for epoch in epochs]))


def test_an_epoch_without_its_metrics_row_does_not_exist(path: Path) -> None:
    writer = RunWriter(path)
    writer.write_maps("train", 3, [(np.arange(TRAIN), maps_of(3, TRAIN))], TRAIN)
    writer.write_checkpoint(3, {"w": torch.zeros(1)}, None)
    run = open_run(path)
    assert run.last_epoch == 2
    assert run.label_epochs("train") == [0, 1, 2]
    assert run.weight_epochs() == [0, 1, 2]
    writer.drop_after(2)
    assert not (path / "labels/train/epoch_0003.h5").exists()
    assert not (path / "checkpoints/epoch_0003").exists()


def test_a_failing_writer_leaves_the_old_file_and_no_other(path: Path) -> None:
    writer = RunWriter(path)

    def interrupted() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield np.arange(5), maps_of(9, 5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        writer.write_maps("train", 1, interrupted(), TRAIN)
    np.testing.assert_array_equal(open_run(path).labels("train", 1), maps_of(1, TRAIN))
    assert not list(path.rglob("*.tmp"))


def test_maps_that_never_arrive_are_counted(path: Path) -> None:
    with pytest.raises(RunError, match="35 of 40 maps never arrived"):
        RunWriter(path).write_maps("train", 5, [(np.arange(5), maps_of(9, 5))], TRAIN)


def test_a_full_disk_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    def write_half() -> None:
        with atomic(tmp_path / "table.json") as file:
            file.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match=r"table.json could not be written .*No space left.*intact"):
        write_half()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("library", ["safetensors.torch.save_file", "torch.save"])
def test_a_disk_that_fills_up_within_a_checkpoint_costs_no_finished_epoch(
    path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    def full(_: object, file: Path) -> None:
        file.write_bytes(b"half")
        # each library has its own way of saying so
        message = "I/O error: No space left on device (os error 28)"
        raise SafetensorError(message) if "safetensors" in library else RuntimeError(message)

    with monkeypatch.context() as patch:
        patch.setattr(library, full)
        with pytest.raises(RunError, match=r"epoch_0003 could not be written \(No space left on device\).*intact"):
            RunWriter(path).write_checkpoint(3, {"layer.weight": torch.zeros(2, 2)}, {"step": 3})
    run = open_run(path)
    assert (run.epochs, run.weight_epochs(), verify(run)) == ([0, 1, 2], [0, 1, 2], [])
    write_epoch(RunWriter(path), 3)
    assert open_run(path).last_epoch == 3


def test_a_creation_that_was_killed_is_no_obstacle(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "begun"
    out.mkdir()
    (out / "records.parquet").write_bytes((path / "records.parquet").read_bytes())
    (out / ".run.json.123.tmp").write_text("{")
    RunWriter.create(out, info(), records())
    assert open_run(out).epochs == []
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="is a file"):
        RunWriter.create(tmp_path / "file", info(), records())


def test_only_one_process_writes(path: Path) -> None:
    with sole_writer(path):
        with pytest.raises(RunError, match="being trained by another process"), sole_writer(path):
            pass
        assert verify(open_run(path)) == []  # the lock is no left-over
    with sole_writer(path):
        pass


def test_too_little_room_is_refused_before_the_run(tmp_path: Path) -> None:
    require_room(tmp_path / "not" / "there", 1, "this run", "buy a disk")
    with pytest.raises(RunError, match=r"this run will take about 1,000,000,000,000 MB and .* free; buy a disk$"):
        require_room(tmp_path, 10**18, "this run", "buy a disk")


def test_a_run_is_not_written_over(path: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds a run already"):
        RunWriter.create(path, info(), records())
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("x")
    with pytest.raises(RunError, match="not empty and not a run"):
        RunWriter.create(tmp_path / "letters", info(), records())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a run description"),
        ('{"schema": "isp-run/1"}', "created: Field required"),
        ("\xff", "not a run description"),
    ],
)
def test_a_broken_description_is_explained(path: Path, text: str, message: str) -> None:
    (path / "run.json").write_text(text)
    with pytest.raises(RunError, match=message):
        open_run(path)
    assert list_runs(path.parent)[0].problem is not None


def test_another_schema_is_explained(path: Path) -> None:
    text = (path / "run.json").read_text().replace(SCHEMA, "isp-run/99")
    (path / "run.json").write_text(text)
    with pytest.raises(RunError, match="schema 'isp-run/99'"):
        open_run(path)


def test_missing_things_say_how_to_get_them(path: Path, tmp_path: Path) -> None:
    run = open_run(path)
    with pytest.raises(RunError, match="isp extract"):
        run.embeddings("query", 9)
    with pytest.raises(RunError, match=r"no train label maps of epoch 9; it has those of epochs"):
        run.labels("train", 9)
    with pytest.raises(RunError, match="asked for row 40"):
        run.labels("train", 1, [40])
    with pytest.raises(RunError, match="not a name"):
        run.read_evaluation("../../etc/passwd")
    with pytest.raises(RunError, match="does not exist"):
        open_run(tmp_path / "nowhere")


def test_evaluations_keep_empty_cells(path: Path) -> None:
    run = open_run(path)
    RunWriter(run.path).write_evaluation("parsing", {"iou": {"head": float("nan"), "legs": np.float32(0.5)}})
    assert run.read_evaluation("parsing") == {"iou": {"head": None, "legs": 0.5}}
    assert run.evaluation_names() == ["parsing"]


def test_token_changes_with_the_run(path: Path) -> None:
    run = open_run(path)
    before = run.token()
    assert run.token() == before
    write_epoch(RunWriter(path), 3)
    assert run.token() != before


def test_verify_names_every_damage(path: Path) -> None:
    assert verify(open_run(path)) == []
    (path / "labels/train/epoch_0001.h5").write_bytes(b"no maps")
    weights = path / "checkpoints/epoch_0002/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-3])
    (path / "embeddings/epoch_0000/query.safetensors").unlink()
    found = {finding.file for finding in verify(open_run(path))}
    assert found == {
        "labels/train/epoch_0001.h5",
        "checkpoints/epoch_0002/model.safetensors",
        "embeddings/epoch_0000/query.safetensors",
    }


def test_prune_keeps_the_last_and_the_best(path: Path) -> None:
    assert prune(open_run(path), "best") > 0
    run = open_run(path)
    assert run.weight_epochs() == [0, 2]  # mAP falls from epoch to epoch
    assert (path / "checkpoints/epoch_0002/state.pt").exists()
    assert not (path / "checkpoints/epoch_0000/state.pt").exists()
    assert prune(run, "last") > 0
    assert open_run(path).weight_epochs() == [2]
    with pytest.raises(RunError, match=r"no metric 'R-9'.*loss_total"):
        prune(open_run(path), "best", "R-9")


def test_states_of_the_last_two_epochs_are_kept(path: Path) -> None:
    RunWriter(path).keep_states(2)
    kept = [folder.name for folder in sorted((path / "checkpoints").iterdir()) if (folder / "state.pt").exists()]
    assert kept == ["epoch_0001", "epoch_0002"]
