"""A small run of three epochs, written by the real writer, and made-up features of another tool."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from isp_core.matching import Embeddings
from isp_core.runs import DataInfo, RunInfo, RunWriter, SplitCount

TRAIN, QUERY, GALLERY, PARTS = 40, 3, 5, 4


def records() -> pd.DataFrame:
    rows = [("train", i, i // 4 + 1) for i in range(TRAIN)]
    rows += [("query", i, 100 + i) for i in range(QUERY)] + [("gallery", i, 100 + i % QUERY) for i in range(GALLERY)]
    return pd.DataFrame(
        {
            "path": [f"{split}/{i:04d}.jpg" for split, i, _ in rows],
            "identity": [identity for *_, identity in rows],
            "camera": [i % 2 + 1 for _, i, _ in rows],
            "split": [split for split, *_ in rows],
            "subset": "",
        }
    )


def info() -> RunInfo:
    counts = {"train": SplitCount(pictures=TRAIN, identities=10, cameras=2)}
    return RunInfo(
        created=dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
        data=DataInfo(name="tiny", fingerprint="0" * 64, splits=counts),
        config={"run": {"epochs": 2}},
        parts=PARTS,
        backbone="mobilenetv2_100",
        size=(64, 32),
        labels="clustering",
    )


def maps_of(epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng(epoch).integers(0, PARTS, (count, 16, 8), dtype=np.uint8)


def embeddings_of(count: int) -> Embeddings:
    rng = np.random.default_rng(count)
    return Embeddings(
        rng.normal(size=(count, 6)).astype(np.float16),
        rng.normal(size=(count, 6)).astype(np.float16),
        rng.normal(size=(count, PARTS - 1, 6)).astype(np.float16),
        rng.random((count, PARTS - 1)) > 0.5,
        rng.random((count, PARTS - 1)).astype(np.float16),
    )


def write_epoch(writer: RunWriter, epoch: int) -> None:
    train = maps_of(epoch, TRAIN)
    shuffled = np.random.default_rng(epoch).permutation(TRAIN)
    writer.write_maps("train", epoch, ((rows, train[rows]) for rows in np.array_split(shuffled, 7)), TRAIN)
    test = maps_of(epoch + 50, QUERY + GALLERY)
    writer.write_maps("test", epoch, [(np.arange(len(test)), test)], len(test))
    writer.write_embeddings("query", epoch, embeddings_of(QUERY))
    writer.write_embeddings("gallery", epoch, embeddings_of(GALLERY))
    weights = {"layer.weight": torch.full((2, 2), float(epoch))}
    writer.write_checkpoint(epoch, weights, {"step": epoch, "rng": torch.arange(3)})
    writer.finish_epoch(epoch, {"loss_total": 1.0 / (epoch + 1), "mAP": 0.5 - 0.1 * epoch})


def make_run(folder: Path, epochs: int = 3) -> Path:
    """The run, with maps, embeddings, weights and states of every epoch."""
    writer = RunWriter.create(folder, info(), records())
    for epoch in range(epochs):
        write_epoch(writer, epoch)
    return folder


def features(n: int = 6, c: int = 4) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n, c)).astype(np.float32)
