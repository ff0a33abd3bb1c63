"""What `isp doctor` finds out: versions, devices, weights, folders, free disk, and whether the method works here.

Every check is a function that returns what it found; one that fails says so and does not keep the others from running.
"""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import util
from pathlib import Path

import numpy as np
import pandas as pd

from isp_core.errors import IspError
from isp_core.version import describe_version

LIBRARIES = (
    "torch",
    "torchvision",
    "timm",
    "segmentation-models-pytorch",
    "numpy",
    "pandas",
    "numba",
    "streamlit",
    "onnxruntime",
    "faiss-cpu",
    "pymilvus",
    "milvus-lite",
)
_FREE_WANTED = 2e9  # bytes: a short run of a small backbone
_SEED = 0


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was looked at, what was found, and whether it is as it should be."""

    name: str
    found: str
    good: bool = True


def versions() -> list[Finding]:
    """This project, Python, and the libraries that matter; missing ones are extras."""
    system = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    findings = [Finding("isp-reid", describe_version()), Finding("python", system)]
    for name in LIBRARIES:
        try:
            findings.append(Finding(name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            findings.append(Finding(name, "not installed (an optional extra)"))
    return findings


def devices() -> list[Finding]:
    """What PyTorch can compute on."""
    import torch

    found = [Finding("CPU", f"{os.cpu_count()} cores, {torch.get_num_threads()} threads")]
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            found.append(Finding(f"GPU {index}", f"{properties.name}, {properties.total_memory / 1e9:.0f} GB"))
    else:
        found.append(Finding("GPU", "none that PyTorch can use; everything runs on the CPU"))
    return found


def weights() -> list[Finding]:
    """Initial weights that installed packages ship, and the command that installs those which are missing."""
    from isp_core.models.weights import PACKAGED

    findings = []
    for name, (package, _, remedy) in PACKAGED.items():
        there = util.find_spec(package) is not None
        findings.append(Finding(f"weights of {name}", f"in {package}" if there else f"missing: {remedy}"))
    return findings


def folders(home: Path | None = None) -> list[Finding]:
    """Room and permission to write in the working directory (or `home`) and the temporary folder."""
    findings = []
    for name, folder in (("working directory", home or Path.cwd()), ("temporary folder", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(folder).free
        writable = os.access(folder, os.W_OK)
        found = f"{folder}, {free / 1e9:.1f} GB free" + ("" if writable else ", NOT writable")
        findings.append(Finding(name, found, writable and free > _FREE_WANTED))
    return findings


def _clustering() -> str:
    import torch

    from isp_core.clustering.kmeans import kmeans

    rng = np.random.default_rng(_SEED)
    points = np.concatenate([rng.normal(side, 0.1, (200, 8)) for side in (-1, 1)]).astype(np.float32)
    assigned = kmeans(torch.from_numpy(points), 2, seed=_SEED).labels.tolist()
    split = len(set(assigned[:200])) == len(set(assigned[200:])) == 1 and assigned[0] != assigned[-1]
    if not split:
        raise IspError("two clear clusters of 200 points were not told apart")
    return "two clusters of 200 points each are told apart"


def _network() -> str:
    import torch

    from isp_core.config import check_config
    from isp_core.models import ISPNet
    from isp_core.models.build import network_spec
    from isp_core.parser import HumanParser

    smallest = {"model": {"backbone": "test_efficientnet", "stages": [3, 4], "grid": 8, "channels": 16}}
    torch.manual_seed(_SEED)
    parser = HumanParser(ISPNet(network_spec(check_config(smallest), identities=2), weights="none"), (64, 32))
    image = np.random.default_rng(_SEED).integers(0, 256, (64, 32, 3), np.uint8)
    seen = parser.read([image, image])
    distance = float(parser.match(seen.embeddings[:1], seen.embeddings[1:]).distance[0])
    if not np.isfinite(seen.probabilities).all() or distance > 1e-3:
        raise IspError(f"an image has the distance {distance:.4f} to itself")
    return "a network parses an image, and its distance to itself is 0"


def _run_directory() -> str:
    from isp_core.runs import DataInfo, RunInfo, RunWriter, SplitCount, open_run
    from isp_core.runs.schema import SPLITS

    count, size = 32, (16, 8)
    maps = np.random.default_rng(_SEED).integers(0, 4, (count, *size)).astype(np.uint8)
    names = [f"train/{row:04d}.jpg" for row in range(count)]
    records = pd.DataFrame({"path": names, "identity": 1, "camera": 1, "split": "train", "subset": ""})
    splits = {split: SplitCount(pictures=0, identities=0, cameras=0) for split in SPLITS}
    splits["train"] = SplitCount(pictures=count, identities=1, cameras=1)
    with tempfile.TemporaryDirectory(prefix="isp-doctor-") as folder:
        info = RunInfo(
            created=dt.datetime.now(dt.UTC),
            data=DataInfo(name="doctor", fingerprint="0" * 64, splits=splits),
            config={},
            parts=4,
            size=(64, 32),
        )
        writer = RunWriter.create(Path(folder) / "run", info, records)
        writer.write_maps("train", 1, [(np.arange(count), maps)], count)
        writer.finish_epoch(1, {"loss_total": 1.0})
        if not np.array_equal(open_run(Path(folder) / "run").labels("train", 1), maps):
            raise IspError("label maps that were written are read differently")
    return "a run is written and read again, bit for bit"


SELF_TESTS: dict[str, Callable[[], str]] = {
    # name: what is tried; returns what worked, raises where it does not
    "clustering": _clustering,
    "network": _network,
    "run directory": _run_directory,
}


def self_tests() -> list[Finding]:
    """Tries the method's parts on made-up data in a temporary folder; takes about ten seconds."""
    findings = []
    for name, attempt in SELF_TESTS.items():
        begun = time.perf_counter()
        try:
            said, good = attempt(), True
        except Exception as error:  # whatever breaks here is what the report is for
            said, good = f"{type(error).__name__}: {error}", False
        findings.append(Finding(name, f"{said} ({time.perf_counter() - begun:.1f} s)", good))
    return findings


def examine() -> dict[str, list[Finding]]:
    """The whole report, by section."""
    return {
        "versions": versions(),
        "devices": devices(),
        "weights": weights(),
        "folders": folders(),
        "self-test": self_tests(),
    }
