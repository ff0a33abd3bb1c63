"""A disk that fills up while a file is written: whichever library writes it, the error names the file, and what was
there before stays as it was."""

from __future__ import annotations

import contextlib
import re
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from isp_core.matching import Embeddings
from isp_core.parquet_files import write_parquet
from isp_core.runs import RunWriter
from isp_core.runs.distances import write_distances
from isp_core.runs.errors import WriteError
from isp_core.runs.files import atomic

RANDOM = np.random.default_rng(0)
N = 400


@contextlib.contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes: to a library, what a full disk is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _embeddings() -> Embeddings:
    return Embeddings(
        global_=RANDOM.random((N, 32), np.float32),
        foreground=RANDOM.random((N, 32), np.float32),
        parts=RANDOM.random((N, 4, 32), np.float32),
        visibility=np.ones((N, 4), bool),
        part_share=RANDOM.random((N, 4), np.float32),
    )


def _index(file: Path) -> None:
    faiss = pytest.importorskip("faiss", reason="the extra `gallery` is not installed")
    index = faiss.IndexFlatL2(32)
    index.add(RANDOM.random((N, 32), np.float32))
    with atomic(file) as temporary:
        faiss.write_index(index, str(temporary))


def _table(file: Path) -> None:
    with atomic(file) as temporary:
        write_parquet(pd.DataFrame(RANDOM.random((N, 32))).rename(columns=str), temporary)


WRITERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "label maps (HDF5)": (
        "labels/train/epoch_0001.h5",
        lambda run: RunWriter(run).write_maps(
            "train", 1, [(np.arange(N), RANDOM.integers(0, 5, (N, 16, 8), np.uint8))], N
        ),
    ),
    "embeddings (safetensors)": (
        "embeddings/epoch_0001/query.safetensors",
        lambda run: RunWriter(run).write_embeddings("query", 1, _embeddings()),
    ),
    "distances (safetensors)": (
        "distances/query_gallery.safetensors",
        lambda run: write_distances(run, RANDOM.random((N, N), np.float32)),
    ),
    "weights (safetensors)": (
        "checkpoints/epoch_0001",
        lambda run: RunWriter(run).write_checkpoint(1, {"weight": torch.rand(N, 32)}, None),
    ),
    "resume state (PyTorch)": (
        "checkpoints/epoch_0001",
        lambda run: RunWriter(run).write_checkpoint(1, {"weight": torch.rand(2)}, {"state": torch.rand(N, 32)}),
    ),
    "an evaluation (JSON)": (
        "evaluation/long.json",
        lambda run: RunWriter(run).write_evaluation("long", {"values": RANDOM.random(N * 8).tolist()}),
    ),
    "a table (Parquet)": ("table.parquet", lambda run: _table(run / "table.parquet")),
    "an index (faiss)": ("gallery.index", lambda run: _index(run / "gallery.index")),
}


# what the libraries leave open is closed when it is collected, which fails again
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("name", "write"), WRITERS.values(), ids=WRITERS)
def test_a_disk_without_room_is_said_with_the_file_and_changes_nothing(
    name: str, write: Callable[[Path], object], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with room_for(20_000), pytest.raises(WriteError) as caught:
        write(run)
    assert caught.value.target == run / name
    assert re.search("File too large|the disk may be full", str(caught.value))
    assert "What was finished before is intact" in str(caught.value)
    assert not (run / name).exists()
    assert not list(run.rglob("*.tmp"))
    write(run)
    assert (run / name).exists()
