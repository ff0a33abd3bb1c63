"""What was written is what is read: checksums of every file, the pictures' order, one writer at a time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from isp_core.__main__ import main
from isp_core.config import load_config
from isp_core.models import ISPNet
from isp_core.models.build import load_checkpoint, network_spec
from isp_core.models.weights import WeightsError
from isp_core.runs import RunError, RunWriter, open_run
from isp_core.runs.checksums import SUMS_FILE
from isp_core.runs.maintenance import notes, prune, verify
from isp_core.runs.writer import sole_writer
from tests.isp_core.runs.made import TRAIN, info, make_run, maps_of, records, write_epoch

ASSETS = Path(__file__).parents[3] / "assets" / "runs"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run")


def flip(file: Path) -> None:
    """Another last byte: a number, where the format has numbers at its end."""
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))


def test_every_file_has_a_checksum_that_sha256sum_understands(path: Path) -> None:
    RunWriter(path).write_evaluation("parts", {"0": {}})
    ours = {str(f.relative_to(path)) for f in path.rglob("*") if f.is_file() and not f.name.startswith(".")}
    checked = subprocess.run(["sha256sum", "-c", SUMS_FILE], cwd=path, capture_output=True, text=True, check=True)
    assert {line.removesuffix(": OK") for line in checked.stdout.splitlines()} == ours - {SUMS_FILE}
    assert verify(open_run(path)) == []
    assert notes(open_run(path)) == []


@pytest.mark.parametrize(
    "file",
    [
        "run.json",
        "metrics.parquet",
        "records.parquet",
        "evaluation/parts.json",
        "labels/train/epoch_0001.h5",
        "embeddings/epoch_0001/gallery.safetensors",
        "checkpoints/epoch_0001/model.safetensors",
        "checkpoints/epoch_0001/state.pt",
    ],
)
def test_a_changed_byte_of_any_file_is_found(path: Path, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    RunWriter(path).write_evaluation("parts", {"0": {}})
    if file.endswith((".json", ".parquet", ".h5", ".pt")):  # bytes behind the content: it still reads as it did
        (path / file).write_bytes((path / file).read_bytes() + (b" " if file.endswith(".json") else b""))
        if not file.endswith(".json"):
            rewrite(path / file)
    else:
        flip(path / file)
    assert [finding.file for finding in verify(open_run(path))] == [file]
    with pytest.raises(SystemExit) as ended:
        main(["runs", "verify", str(path)])
    assert ended.value.code == 1
    assert f"{file}: was changed since it was written" in capsys.readouterr().out or "safetensors" in file


def rewrite(file: Path) -> None:
    """The same content in other bytes."""
    if file.suffix == ".parquet":
        frame = pd.read_parquet(file)
        frame.to_parquet(file, compression="gzip")
    elif file.suffix == ".h5":
        from isp_core.runs.maps import read_maps, write_maps

        maps = 1 - np.minimum(read_maps(file), 1)
        write_maps(file, [(np.arange(len(maps)), maps)], len(maps))
    else:
        torch.save({"step": 7}, file)


def test_a_missing_file_is_found_and_a_removed_one_forgotten(path: Path) -> None:
    (path / "embeddings/epoch_0001/query.safetensors").unlink()
    found = {finding.file for finding in verify(open_run(path))}
    assert found == {"embeddings/epoch_0001/query.safetensors"}
    other = make_run(path.parent / "other")
    prune(open_run(other), "last")
    assert verify(open_run(other)) == []
    RunWriter(other).drop_after(1)
    assert "epoch_0002" not in (other / SUMS_FILE).read_text()


def test_changed_embeddings_weights_and_maps_are_refused_when_they_are_read(path: Path) -> None:
    run = open_run(path)
    run.embeddings("query", 1)
    flip(path / "embeddings/epoch_0001/query.safetensors")
    with pytest.raises(RunError, match=r"query.safetensors is not what was written"):
        run.embeddings("query", 1)
    run.embeddings("gallery", 1)
    rewrite(path / "labels/train/epoch_0001.h5")
    with pytest.raises(RunError, match=r"epoch_0001.h5 is not what was written"):
        run.labels("train", 1)


@pytest.mark.parametrize(
    "replaced",
    [
        "embeddings/epoch_0001/query.safetensors",
        "checkpoints/epoch_0001/model.safetensors",
        "labels/test/epoch_0001.h5",
        "metrics.parquet",
    ],
)
def test_the_token_changes_with_every_file(path: Path, replaced: str) -> None:
    run = open_run(path)
    before, file = run.token(), path / replaced
    times = file.stat()
    flip(file)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # copied with its time of change
    assert run.token() != before


def test_moved_records_are_found(path: Path) -> None:
    file, run = path / "records.parquet", open_run(path)
    frame = pd.read_parquet(file)
    query = frame.index[frame["split"] == "query"]
    frame.loc[query] = frame.loc[query[::-1]].to_numpy()
    frame.to_parquet(file)
    assert run.moved() == ["query"]
    assert "query images were moved" in next(f.problem for f in verify(run) if f.file == "records.parquet")
    for read in (
        lambda: run.embeddings("query", 1),
        lambda: run.labels("test", 1, [0]),
        lambda: run.label_history("test", 0),
    ):
        with pytest.raises(RunError, match="not in the order in which the run was written"):
            read()
    run.embeddings("gallery", 1)
    run.labels("train", 1, [0])


def test_moved_records_of_an_older_run_are_found_by_their_order(tmp_path: Path) -> None:
    run = tmp_path / "old"
    shutil.copytree(ASSETS / "contrast-k4", run, ignore=shutil.ignore_patterns("labels", "checkpoints"))
    assert not (run / SUMS_FILE).exists()
    assert verify(open_run(run)) == []
    frame = pd.read_parquet(run / "records.parquet")
    frame.sample(frac=1, random_state=0).to_parquet(run / "records.parquet", index=False)
    assert [finding.file for finding in verify(open_run(run))][:1] == ["records.parquet"]


def test_half_of_the_records_is_half_of_a_run(path: Path) -> None:
    frame = pd.read_parquet(path / "records.parquet")
    frame.iloc[::2].to_parquet(path / "records.parquet")
    run = open_run(path)
    with pytest.raises(RunError, match="40 maps where the records have 20 images"):
        run.labels("train", 1, [0])
    with pytest.raises(RunError, match="not in the order in which the run was written"):
        run.label_history("train", 0)
    assert len(verify(run)) > 3


def test_older_runs_are_told_so_and_have_no_problem(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["runs", "verify", str(ASSETS / "baseline")])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "no checksums recorded" in said
    assert "no problems" in said


def test_weights_that_are_not_finite_are_not_loaded(tmp_path: Path) -> None:
    network = ISPNet(network_spec(load_config(overrides={"model.backbone": "mobilenetv2_100"}), 3), "none")
    tensors = {name: tensor.clone().contiguous() for name, tensor in network.state_dict().items()}
    tensors["neck_global.norm.running_mean"][0] = float("nan")
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=r"neck_global.norm.running_mean holds values that are not finite"):
        load_checkpoint(network, tmp_path / "model.safetensors")


@pytest.mark.parametrize("moment", ["before the rename", "after the rename"])
def test_a_writer_killed_beside_a_rename_leaves_a_sound_run(path: Path, moment: str) -> None:
    """The sum is noted before the file appears: both contents are valid until it has."""
    script = f"""
import os, sys
from pathlib import Path
from isp_core.runs import RunWriter, open_run
real = Path.replace
def killed(self, target):
    if Path(target).name == "metrics.parquet":
        if {moment == "after the rename"}:
            real(self, target)
        os._exit(9)
    return real(self, target)
Path.replace = killed
RunWriter(Path(sys.argv[1])).finish_epoch(3, {{"mAP": 0.9}})
"""
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert done.returncode == 9
    run = open_run(path)
    assert run.last_epoch == (3 if moment == "after the rename" else 2)
    assert [f.problem for f in verify(run) if ".tmp" not in f.file] == []
    RunWriter(path).drop_after(run.last_epoch)
    assert verify(open_run(path)) == []


HOLDER = """
import sys, time
from pathlib import Path
from isp_core.runs.writer import sole_writer
with sole_writer(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def in_training(path: Path) -> Path:
    """The run while another process writes into it; the test's own process ends the other."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        yield path
        other.communicate("")


def test_nothing_is_pruned_or_written_beside_a_training(in_training: Path) -> None:
    half = in_training / "labels" / "train" / ".epoch_0003.h5.4711.tmp"
    half.write_bytes(b"being written")
    for keep in ("all", "last", "best"):
        with pytest.raises(RunError, match="is being trained by another process"):
            prune(open_run(in_training), keep)  # type: ignore[arg-type]
    assert half.exists()
    assert open_run(in_training).weight_epochs() == [0, 1, 2]
    RunWriter(in_training).write_evaluation("retrieval", {"mAP": 0.5})  # a run in training may be evaluated
    assert open_run(in_training).read_evaluation("retrieval") == {"mAP": 0.5}


def test_pruning_between_checkpoint_and_metrics_leaves_a_run_that_can_be_resumed(path: Path) -> None:
    writer = RunWriter(path)
    writer.write_checkpoint(3, {"w": torch.zeros(1)}, {"step": 3})
    writer.keep_states(3)
    prune(open_run(path), "last")
    assert (path / "checkpoints/epoch_0002/state.pt").exists()


def test_the_refused_one_of_two_new_runs_writes_nothing(tmp_path: Path) -> None:
    """Two trainings into one new folder: the second finds the lock, whatever the first has written by then."""
    out = tmp_path / "new"
    with ExitStack() as held:
        RunWriter.create(out, info(), records(), held)
        before = (out / "run.json").read_bytes()
        with pytest.raises(RunError, match="holds a run already"):
            RunWriter.create(out, info().model_copy(update={"seed": 7}), records())
        (out / "run.json").unlink()  # as if the first had not come so far yet
        with pytest.raises(RunError, match="is being trained by another process"):
            RunWriter.create(out, info().model_copy(update={"seed": 7}), records())
        assert not (out / "run.json").exists()
        (out / "run.json").write_bytes(before)
    with sole_writer(out):
        pass


def test_a_folder_of_other_things_gets_no_lock_file(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("x")
    with pytest.raises(RunError, match="not empty and not a run"):
        RunWriter.create(tmp_path / "letters", info(), records())
    assert [entry.name for entry in (tmp_path / "letters").iterdir()] == ["dear.txt"]


def test_an_epoch_written_again_replaces_its_checksums(path: Path) -> None:
    writer = RunWriter(path)
    write_epoch(writer, 2)
    writer.write_maps("train", 1, [(np.arange(TRAIN), maps_of(7, TRAIN))], TRAIN)
    assert verify(open_run(path)) == []


def test_a_run_without_checksums_can_be_extended(path: Path) -> None:
    (path / SUMS_FILE).unlink()
    write_epoch(RunWriter(path), 3)
    assert verify(open_run(path)) == []
    assert "files have no checksum recorded" in notes(open_run(path))[0]
