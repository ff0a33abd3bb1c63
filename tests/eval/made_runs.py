"""Small runs made by hand for the tests of eval: no network, everything known."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd

from isp_core.data.records import make_records
from isp_core.matching import Embeddings
from isp_core.runs import DataInfo, Run, RunInfo, RunWriter, SplitCount, open_run

PEOPLE, PARTS = 6, 6
SIZE = (16, 8)


def records(cameras: bool = True) -> pd.DataFrame:
    """Training people 1-3, test people 4-6: two pictures in each of two cameras; camera 1 queries, camera 2 gallery.

    Query pictures of camera 1 are "occluded" for the last person.
    """
    rows = []
    for identity in range(1, PEOPLE + 1):
        for camera in (1, 2):
            for i in range(2):
                split = "train" if identity <= 3 else ("query" if camera == 1 else "gallery")
                subset = "occluded" if identity == PEOPLE and split == "query" else ""
                path = f"{split}/{identity:04d}_c{camera}_{i}.jpg"
                rows.append((path, identity, camera if cameras else -1, split, subset))
    table, _ = make_records(*map(list, zip(*rows, strict=True)))
    return table


def make_run(
    path: Path,
    noise: float = 0.3,
    seed: int = 0,
    cameras: bool = True,
    epochs: tuple[int, ...] = (0, 1),
    maps: bool = True,
) -> Run:
    """A run whose embeddings are one direction per person plus noise, and whose maps are TRUE_MAP with some flips."""
    frame = records(cameras)
    splits = {
        str(split): SplitCount(pictures=len(some), identities=some.identity.nunique(), cameras=some.camera.nunique())
        for split, some in frame.groupby("split")
    }
    info = RunInfo(
        created=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        data=DataInfo(name="made", fingerprint="f" * 64, splits=splits),
        config={},
        parts=PARTS,
        backbone="none",
        size=(SIZE[0] * 4, SIZE[1] * 4),
    )
    writer = RunWriter.create(path, info, frame)
    rng = np.random.default_rng(seed)
    for epoch in epochs:
        for split in ("query", "gallery"):
            writer.write_embeddings(split, epoch, embeddings(frame[frame.split == split], noise, rng))
        if maps:
            n = {"train": (frame.split == "train").sum(), "test": (frame.split != "train").sum()}
            for kind in ("train", "test"):
                writer.write_maps(kind, epoch, [(np.arange(n[kind]), predicted(int(n[kind]), rng))], int(n[kind]))
        writer.finish_epoch(epoch, {"loss": 1.0})
    return open_run(path)


def embeddings(frame: pd.DataFrame, noise: float, rng: np.random.Generator) -> Embeddings:
    ids = frame.identity.to_numpy()
    base = np.eye(PEOPLE + 1)[ids]

    def noisy(*shape: int) -> np.ndarray:
        return base.reshape(len(ids), *[1] * (len(shape)), -1) + noise * rng.standard_normal(
            (len(ids), *shape, PEOPLE + 1)
        )

    share = rng.random((len(ids), PARTS - 1))
    return Embeddings(noisy(), noisy(), noisy(PARTS - 1), share > 0.2, share, np.sqrt(share))


def true_map() -> np.ndarray:
    """A person in LIP classes: face, clothes, pants, shoes, one under the other on a background."""
    labels = np.zeros(SIZE, np.uint8)
    for rows, label in ((slice(1, 4), 13), (slice(4, 9), 5), (slice(9, 13), 9), (slice(13, 15), 18)):
        labels[rows, 2:6] = label
    return labels


def predicted(n: int, rng: np.random.Generator) -> np.ndarray:
    """Parts 1 head, 2 and 3 upper body, 4 legs, 5 shoes, with a tenth of the pixels thrown about."""
    labels = np.zeros((n, *SIZE), np.uint8)
    for rows, part in ((slice(1, 4), 1), (slice(4, 6), 2), (slice(6, 9), 3), (slice(9, 13), 4), (slice(13, 15), 5)):
        labels[:, rows, 2:6] = part
    wrong = rng.random(labels.shape) < 0.1
    return np.where(wrong, rng.integers(0, PARTS, labels.shape), labels).astype(np.uint8)


def write_truth(folder: Path, frame: pd.DataFrame) -> None:
    """The true map of every picture as .npy, each shifted a little, so that no constant is perfect."""
    for i, path in enumerate(frame.path):
        file = (folder / str(path)).with_suffix(".npy")
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, np.roll(true_map(), i % 3 - 1, axis=1))
