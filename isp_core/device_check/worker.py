"""A child of the check: trains small runs on one device and writes what came of them as JSON.

    python -m isp_core.device_check.worker JOB.json FOLDER RESULT.json

FOLDER holds the images; runs are written next to them and removed with it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from isp_core.config import Config, load_config
from isp_core.data import load
from isp_core.device_check.setup import FULL_SIZE, PARTS, Job, overrides
from isp_core.losses import Objective
from isp_core.matching import Embeddings, distances
from isp_core.models import ISPNet, map_size
from isp_core.models.build import network_spec
from isp_core.runs import Run
from isp_core.training import train

_BATCH = 32  # images a step while speed is measured
_SECONDS = 2.0  # for which each speed is measured
_PEOPLE = 16
_DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
_QUERIES, _GALLERY, _CHANNELS = 256, 20_000, 256


def work(job: Job, folder: Path) -> dict[str, Any]:
    """Results by "preset precision": losses, the share of each part's pixels, and where asked for speed and memory."""
    _require_device(job)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    found: dict[str, Any] = {"device": _name(job.device), "runs": {}}
    for preset in job.presets:
        for precision in job.precisions:
            out = folder / f"{job.device}-{'group-' if job.group else ''}{preset}-{precision}"
            config = load_config(f"{preset}", overrides=overrides(precision, job.epochs))
            begun = time.perf_counter()
            run = train(config, load(folder / "people"), out, report=lambda _: None, progress=False)
            result = _trained(run) | {"seconds": time.perf_counter() - begun}
            if job.speed:
                result |= _speed(config, job.device, precision)
            found["runs"][f"{preset} {precision}"] = result
    if job.speed:
        found["pairs_per_second"] = _matching(job.device)
    if job.group:
        found["backend"] = torch.distributed.get_backend()
        total = torch.ones(3, device=job.device)
        torch.distributed.all_reduce(total)
        found["reduced"] = total.tolist()
    return found


def _require_device(job: Job) -> None:
    if (job.device == "cuda") != torch.cuda.is_available():
        raise RuntimeError(f"PyTorch {'finds no GPU' if job.device == 'cuda' else 'still finds a GPU'}")


def _name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"


def _trained(run: Run) -> dict[str, Any]:
    metrics = run.metrics()
    labels = run.labels("train", 0)
    return {
        "losses": [float(value) for value in metrics["loss_total"].dropna()],
        "labels": labels.reshape(-1).tolist(),
        "images": len(labels),
        "labels_seconds": float(metrics["seconds_network"].iloc[0] + metrics["seconds_clustering"].iloc[0]),
    }


def _speed(config: Config, device: str, precision: str) -> dict[str, Any]:
    """Training images a second at full size, and the peak memory of it in bytes (a GPU's alone)."""
    network = ISPNet(network_spec(config, _PEOPLE), "none").to(device).train()
    network.to(memory_format=torch.channels_last)
    objective = Objective(3.0, "mean", 0.1, 0.3, [], 0.0)
    adam = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    scaler = torch.amp.GradScaler(device, enabled=precision == "fp16")
    draw = torch.Generator().manual_seed(0)
    images = torch.randn(_BATCH, 3, *FULL_SIZE, generator=draw).to(device, memory_format=torch.channels_last)
    maps = torch.randint(0, PARTS, (_BATCH, *map_size(FULL_SIZE)), generator=draw).to(device)
    people = torch.arange(_BATCH, device=device) % _PEOPLE
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()

    def step() -> None:
        with torch.autocast(device, _DTYPES[precision], enabled=_DTYPES[precision] is not None):
            output = network(images)
        loss = objective(output, people, maps, None).total
        adam.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.step(adam)
        scaler.update()

    peak = None
    rate = _BATCH * _rate(step, device)
    if device == "cuda":
        peak = int(torch.cuda.max_memory_allocated())
    return {"images_per_second": rate, "peak_bytes": peak}


def _matching(device: str) -> float:
    """Pairs a second by Eq. 10."""
    query, gallery = (_embeddings(count) for count in (_QUERIES, _GALLERY))
    return _QUERIES * _GALLERY * _rate(lambda: distances(query, gallery, device=device), device)


def _embeddings(count: int) -> Embeddings:
    rng = np.random.default_rng(count)
    shape = (count, PARTS - 1)

    def features(*rows: int) -> npt.NDArray[np.float16]:
        return rng.normal(size=(*rows, _CHANNELS)).astype(np.float16)

    share = rng.random(shape).astype(np.float16)
    return Embeddings(features(count), features(count), features(*shape), share > 0.3, share)


def _rate(step: Any, device: str) -> float:
    """Calls a second, after a first one that is not counted."""

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    step()
    wait()
    begun, calls = time.perf_counter(), 0
    while time.perf_counter() - begun < _SECONDS:
        step()
        wait()
        calls += 1
    return calls / (time.perf_counter() - begun)


def main() -> None:
    """See the module."""
    job_file, folder, result = map(Path, sys.argv[1:4])
    asked: dict[str, Any] = json.loads(job_file.read_text(encoding="utf-8"))
    job = Job(**asked | {name: tuple(asked[name]) for name in ("presets", "precisions")})
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    result.write_text(json.dumps(work(job, folder)), encoding="utf-8")


if __name__ == "__main__":
    main()
