"""Two processes with one thread each against one such process: `isp train` as a user starts it, on made-up images.

Seconds are the run's own, from metrics.parquet, of its second epoch: starting Python and what a run does once are in
none of them. Strong scaling: the same data set on two processes, at best in half the time. Weak scaling: twice the
identities on two processes, at best in the same time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.rows import Machine, Row
from isp_core.runs import open_run

PEOPLE, PICTURES, SIZE = 16, 8, (256, 128)


def distribution(_machine: Machine, quick: bool) -> Iterator[Row]:
    """Training and labelling on two gloo ranks, against one process: strong and weak scaling."""
    people, size = (8, (64, 32)) if quick else (PEOPLE, SIZE)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = write_pictures(folder / "data", people)
        half = _seconds(folder, data, 1, people // 2, size)
        one, two = (_seconds(folder, data, ranks, people, size) for ranks in (1, 2))
    for i, what in enumerate(("training", "labelling")):
        text = f"{people} identities x {PICTURES} x {size[0]} x {size[1]}, mobilenetv2_100"
        note = "at best 2 x" if (os.cpu_count() or 1) > 1 else "one core only: no gain to be had"
        yield Row(f"{what}, strong scaling", text, two[i], "one process", one[i], note=note)
        yield Row(f"{what}, weak scaling", text, two[i], "one process, half", half[i], note="at best 1 x")


def write_pictures(data: Path, people: int) -> Path:
    """Random images in Market-1501's layout, training split only."""
    rng = np.random.default_rng(0)
    (data / "bounding_box_train").mkdir(parents=True)
    for person in range(1, people + 1):
        for i in range(PICTURES):
            picture = Image.fromarray(rng.integers(0, 256, (16, 8, 3), np.uint8)).resize((64, 128))
            picture.save(data / "bounding_box_train" / f"{person:04d}_c{1 + i % 2}s1_{i:06d}_00.jpg")
    return data


def _seconds(folder: Path, data: Path, ranks: int, people: int, size: tuple[int, int]) -> tuple[float, float]:
    """(training, labelling) of epoch 2 of a run."""
    out = folder / f"run-{ranks}-{people}"
    command = ["-m", "isp_core", "train", "--data", data, "--out", out, "--preset", "paper", "--epochs", "2"]
    command += ["--size", f"{size[0]}x{size[1]}", "--labels", "clustering", "--identities", str(people)]
    for option in ("model.backbone=mobilenetv2_100", "model.weights=none", "data.identities_per_batch=4"):
        command += ["--set", option]
    if ranks > 1:
        command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks), *command]
    alone = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(
        [sys.executable, *map(str, command)], env=os.environ | alone, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"isp train on {ranks} process(es) failed:\n{done.stderr[-2000:]}")
    metrics = open_run(out).metrics()
    train, network, clustering = (
        float(metrics[f"seconds_{what}"].iloc[-1]) for what in ("train", "network", "clustering")
    )
    return train, network + clustering
