"""Runs the check of a device and compares what its children found."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from isp_core.device_check.setup import EPOCHS, FULL_SIZE, PRECISIONS, PRESETS, SIZE, STEPS, Job, draw_people
from isp_core.doctor import Finding

TOLERANCES = {
    # of the mean loss of each 5 steps, relative to the CPU's in fp32
    "fp32": 0.01,
    "bf16": 0.10,
    "fp16": 0.10,
    # share of pixels whose first pseudo-label may differ
    "labels": 0.01,
}
PLAN = (
    f"train {', '.join(PRESETS)} without initial weights for {EPOCHS * STEPS} steps on drawn images of "
    f"{SIZE[0]} x {SIZE[1]}, on the CPU and on the GPU",
    f"compare the first pseudo-labels (at most {TOLERANCES['labels']:.0%} of pixels differ) and the mean loss of each "
    f"{STEPS} steps (within {TOLERANCES['fp32']:.0%} in fp32, {TOLERANCES['bf16']:.0%} in bf16 and fp16)",
    "train once more as a process group of one over NCCL",
    f"measure training at {FULL_SIZE[0]} x {FULL_SIZE[1]}, labelling and matching, and the GPU's peak memory",
)
_LIMIT = 1200  # seconds for one child: something hangs


def check_device(device: str, presets: tuple[str, ...] = PRESETS, epochs: int = EPOCHS) -> list[Finding]:
    """Trains on the CPU and on `device` ("cuda", or "cpu" to try the check itself) and compares.

    epochs: of `STEPS` steps each. Takes a few minutes. A child that fails is a finding; the others still run.
    """
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="isp-device-") as name:
        folder = Path(name)
        draw_people(folder / "people")
        precisions = PRECISIONS if device == "cuda" else PRECISIONS[:1]
        reference = _child(Job("cpu", presets, ("fp32",), speed=device == "cuda", epochs=epochs), folder, "reference")
        tried = _child(Job(device, presets, precisions, speed=device == "cuda", epochs=epochs), folder, "tried")
        group = _child(Job(device, presets[:1], ("fp32",), speed=False, epochs=epochs, group=True), folder, "group")
    findings = compare(reference, tried) + _group(group, reference, presets[0])
    return [*findings, Finding("time", f"{time.perf_counter() - begun:.0f} s")]


def _child(job: Job, folder: Path, name: str) -> dict[str, Any]:
    """What a child found; {"error": ...} where it failed."""
    job_file, result, runs = folder / f"{name}.job.json", folder / f"{name}.json", folder / name
    job_file.write_text(json.dumps(asdict(job)), encoding="utf-8")
    runs.mkdir()
    (runs / "people").symlink_to(folder / "people")
    environment = dict(os.environ)
    if job.device == "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = ""
    if job.group:  # as torchrun sets it for one process
        environment |= {"LOCAL_RANK": "0", "RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}
        environment["MASTER_PORT"] = str(_free_port())
    command = [sys.executable, "-m", "isp_core.device_check.worker", str(job_file), str(runs), str(result)]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"not done after {_LIMIT} s"}
    if done.returncode or not result.is_file():
        last = [line for line in done.stderr.strip().splitlines() if line.strip()][-1:]
        return {"error": last[0] if last else f"ended with status {done.returncode}"}
    found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return found


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def compare(reference: Mapping[str, Any], tried: Mapping[str, Any]) -> list[Finding]:
    """Findings for each network and precision: labels and losses against the CPU's in fp32, speed and memory.

    reference, tried: what worker.work returned, or {"error": reason}.
    """
    for name, child in (("CPU", reference), ("device", tried)):
        if "error" in child:
            return [Finding(name, f"training failed: {child['error']}", False)]
    findings = [Finding("compared", f"{tried['device']} with {reference['device']}")]
    for name, result in tried["runs"].items():
        preset, precision = name.split()
        known = reference["runs"][f"{preset} fp32"]
        if precision == "fp32":
            findings.append(_labels(preset, known, result))
        findings.append(_losses(name, precision, known["losses"], result["losses"]))
        if "images_per_second" in result:
            findings.append(_speed(name, known, result))
    if "pairs_per_second" in tried:
        here, there = (child["pairs_per_second"] / 1e6 for child in (tried, reference))
        findings.append(Finding("matching", f"{here:.1f} million pairs a second (CPU {there:.1f})"))
    return findings


def _labels(preset: str, known: Mapping[str, Any], result: Mapping[str, Any]) -> Finding:
    one, other = np.asarray(known["labels"]), np.asarray(result["labels"])
    if one.shape != other.shape:
        return Finding(f"{preset} labels", "of other images or another size than the CPU's", False)
    apart = float((one != other).mean())
    speed = result["images"] / max(result["labels_seconds"], 1e-9)
    return Finding(
        f"{preset} labels",
        f"{apart:.2%} of pixels differ (at most {TOLERANCES['labels']:.0%}); {speed:.0f} images a second",
        apart <= TOLERANCES["labels"],
    )


def _losses(name: str, precision: str, known: list[float], losses: list[float]) -> Finding:
    if len(losses) != len(known) or not known or not all(map(math.isfinite, losses)):
        return Finding(f"{name} losses", f"{losses} where the CPU has {known}", False)
    apart = [abs(a - b) / abs(b) for a, b in zip(losses, known, strict=True)]
    said = ", ".join(f"{each:.1e}" for each in apart)
    return Finding(
        f"{name} losses",
        f"mean losses of {STEPS} steps each differ by {said} (at most {TOLERANCES[precision]:.0%})",
        max(apart) <= TOLERANCES[precision],
    )


def _speed(name: str, known: Mapping[str, Any], result: Mapping[str, Any]) -> Finding:
    memory = f", peak memory {result['peak_bytes'] / 2**30:.2f} GiB" if result.get("peak_bytes") else ""
    here, there = result["images_per_second"], known["images_per_second"]
    return Finding(f"{name} training", f"{here:.1f} images a second (CPU in fp32: {there:.1f}){memory}")


def _group(group: Mapping[str, Any], reference: Mapping[str, Any], preset: str) -> list[Finding]:
    if "error" in group:
        return [Finding("process group", f"training failed: {group['error']}", False)]
    if "error" in reference:
        return []
    name = f"{preset} fp32"
    found = _losses(name, "fp32", reference["runs"][name]["losses"], group["runs"][name]["losses"])
    reduced = group["reduced"] == [1.0, 1.0, 1.0]
    return [Finding("process group", f"one process over {group['backend']}; {found.found}", found.good and reduced)]
