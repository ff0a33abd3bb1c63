"""Precision, centres, events, truth in the configuration, processes: what a run can be told beside the method."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from isp_core.config import check_config
from isp_core.data import load
from isp_core.errors import IspError
from isp_core.labelling.clustering import ClusteringOptions
from isp_core.labelling.maps import MapOptions
from isp_core.labelling.sources import SOURCES
from isp_core.runs import Run, open_run
from isp_core.runs.writer import sole_writer
from isp_core.training import train
from isp_core.training.description import empty_parts_line, one_camera_line
from tests.isp_core.training.test_training import TINY, quietly, tiny, weights


@pytest.fixture(scope="module")
def plain(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return quietly(tiny(run__epochs=1, run__eval_every=0), people, tmp_path_factory.mktemp("runs") / "plain")


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precision_comes_to_nearly_the_same(plain: Run, people: Path, tmp_path: Path, precision: str) -> None:
    config = tiny(run__epochs=1, run__eval_every=0, optim__precision=precision)
    run = quietly(config, people, tmp_path / precision)
    np.testing.assert_array_equal(run.labels("train", 0), plain.labels("train", 0))  # labels are made in full precision
    losses = [each.metrics()["loss_total"].iloc[1] for each in (run, plain)]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert all(tensor.isfinite().all() for tensor in weights(run, 1).values())


def test_centres_follow_and_survive_a_resume(people: Path, tmp_path: Path) -> None:
    whole = quietly(tiny(run__epochs=2, run__eval_every=0, loss__center=5e-4), people, tmp_path / "whole")
    quietly(tiny(run__epochs=1, run__eval_every=0, loss__center=5e-4), people, tmp_path / "parts")
    resumed = quietly(
        tiny(run__epochs=2, run__eval_every=0, loss__center=5e-4), people, tmp_path / "parts", resume=True
    )
    states = [
        torch.load(run.path / "checkpoints/epoch_0002/state.pt", weights_only=True)["objective"]["centers.2.centers"]
        for run in (whole, resumed)
    ]
    assert torch.equal(*states)
    # each step moves a centre by a third of the way to its two of six features: not by Adam's 3.5e-5
    assert whole.metrics()["loss_center"].iloc[1] > 1.5 * whole.metrics()["loss_center"].iloc[2] > 0


def test_truth_may_stand_in_the_configuration_and_is_kept(people: Path, tmp_path: Path) -> None:
    config = tiny(run__epochs=1, run__truth=str(people), run__space="lip")
    run = quietly(config, people, tmp_path / "run")
    assert run.metrics()["test_iou_foreground"].notna().all()
    longer = check_config(run.info.config | {"run": run.info.config["run"] | {"epochs": 2}})
    assert quietly(longer, people, tmp_path / "run", resume=True).metrics()["test_iou_foreground"].notna().all()


def test_events_are_refused_where_they_cannot_be_written(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isp_core.training.events.find_spec", lambda _: None)
    with pytest.raises(IspError, match="pip install tensorboard"):
        quietly(tiny(run__tensorboard=True), people, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_has_one_writer(plain: Run, people: Path) -> None:
    with sole_writer(plain.path), pytest.raises(IspError, match="is being trained by another process"):
        quietly(tiny(run__epochs=2, run__eval_every=0), people, plain.path, resume=True)


def test_without_training_pictures_there_is_no_training(people: Path, tmp_path: Path) -> None:
    data = load(people)
    test_only = type(data)(data.name, data.root, data.records[data.records.split != "train"].reset_index(drop=True))
    with pytest.raises(IspError, match="no training images"):
        train(tiny(), test_only, tmp_path / "run", report=lambda _: None, progress=False)


def test_more_parts_than_the_maps_can_tell_apart_are_named() -> None:
    row = {"size_0": 0.5, "size_1": 0.25, "size_2": 0.25, "size_3": 0.0}
    assert empty_parts_line(3, ClusteringOptions(parts=4), row) == (
        "labels 3: no pixel in any image is of part 3: the feature maps cannot be told apart into K = 4: lower "
        "--parts, enlarge --size or make the maps finer (model.output_stride, model.grid)"
    )
    assert empty_parts_line(3, ClusteringOptions(parts=2), {"size_0": 0.5, "size_1": 0.5}) is None


def test_only_a_source_that_clusters_feature_maps_speaks_of_them() -> None:
    for source in SOURCES.values():
        assert ("feature maps" in source.empty_parts) == (source.name == "clustering")
    line = empty_parts_line(0, MapOptions(folder="m"), {"size_0": 0.5, "size_1": 0.5, "size_4": 0.0})
    assert line is not None
    assert "check labels.space" in line


def test_the_first_line_says_what_is_trained(people: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    config = tiny(run__epochs=1, run__eval_every=0)
    run = train(config, load(people), tmp_path / "run", report=lines.append, progress=False)
    assert "test_efficientnet (0.1 M parameters" in lines[0]
    assert "K = 4, labels from clustering; 36 images of 6 people" in lines[0]
    total = sum(tensor.numel() for name, tensor in weights(run, 1).items() if "running" not in name)
    counted = run.info.parameters
    assert counted["backbone"] < counted["network"] <= total


def launch(people: Path, config: Path, out: Path, *options: str) -> subprocess.Popen[str]:
    """Two gloo processes, as docs/training.md says."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    command += ["-m", "isp_core", "train", "--preset", "paper", "--config", str(config), "--data", str(people)]
    environment = dict(os.environ) | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen([*command, "--out", str(out), *options], stderr=subprocess.PIPE, text=True, env=environment)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """The tiny recipe with batches that two processes can share."""
    document: dict[str, Any] = {}
    for key, value in (TINY | {"data.identities_per_batch": 4, "run.epochs": 2}).items():
        section, name = key.split(".")
        document.setdefault(section, {})[name] = value
    file = tmp_path / "two.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


@pytest.mark.slow
def test_two_processes_label_like_one_and_when_one_is_lost_nothing_finished_is(
    people: Path, two: Path, tmp_path: Path
) -> None:
    process = launch(people, two, tmp_path / "two", "--epochs", "200", "--eval-every", "0")
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("epoch 1/"):
            break
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        process.terminate()
        pytest.skip("child processes cannot be listed here")
    os.kill(int(children.read_text().split()[-1]), signal.SIGKILL)
    lines += process.stderr.readlines()
    assert process.wait() != 0
    text = "".join(lines)  # torchrun ends the other process too: whoever is first says it
    assert "2 processes" in text
    assert "another process of this run was lost" in text or "Signal 9 (SIGKILL)" in text
    pair = open_run(tmp_path / "two")
    finished = pair.epochs
    assert finished[:2] == [0, 1]
    assert pair.metrics()["loss_total"].iloc[1:].notna().all()
    alone = quietly(tiny(data__identities_per_batch=4, run__epochs=1, run__eval_every=0), people, tmp_path / "one")
    assert (pair.labels("train", 0) == alone.labels("train", 0)).mean() >= 0.999
    # what two processes wrote, one goes on with
    own = pair.info.config
    config = check_config(own | {"run": own["run"] | {"epochs": finished[-1] + 1}})
    assert quietly(config, people, pair.path, resume=True).epochs == [*finished, finished[-1] + 1]


@pytest.mark.parametrize(("processes", "expected"), [("1", RuntimeError), ("2", IspError)])
def test_a_lost_process_is_named_only_where_there_are_several(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: str, expected: type[Exception]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("DataLoader timed out after 5 seconds")

    monkeypatch.setattr("isp_core.training.trainer._Training", broken)
    monkeypatch.setenv("WORLD_SIZE", processes)
    with pytest.raises(expected, match="timed out") as found:
        train(tiny(), load(people), tmp_path / "run")
    assert type(found.value) is expected


@pytest.mark.parametrize("cameras", [1, 2])
def test_training_says_why_r1_is_missing_where_there_is_one_camera(cameras: int, people: Path) -> None:
    data = load(people)
    kept = data.records[data.records["camera"] <= cameras].reset_index(drop=True)
    line = one_camera_line(replace(data, records=kept))
    assert (line is not None and "R-1" in line) == (cameras == 1)
