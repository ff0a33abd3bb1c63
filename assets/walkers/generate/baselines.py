"""What needs no learning: one constant mask per class, colour histograms, and chance. Figures for the card.

A model that does not leave these behind has learned nothing about people. The definitions of IoU, AP and R-1 are the
field's; they are repeated here in a few lines so that the data set's tool stays free of the rest of the project.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from isp_assets.walkers.generate.arrays import Bools, Bytes, Floats, Ints
from isp_assets.walkers.generate.classes import GROUPS

_LEVELS = np.linspace(0.02, 0.9, 89)
_BINS = (8, 4, 4)  # hue, saturation, value
_STRIPES = 6


@dataclass(frozen=True)
class Retrieval:
    """Mean average precision and rank-1 rate, per cent."""

    mean_ap: float
    rank1: float


def read_labels(folder: Path, records: pd.DataFrame) -> Bytes:
    """(n, 256, 128) label maps of records."""
    return np.stack([np.asarray(Image.open(folder / path)) for path in records["label"]])


def members(labels: Bytes) -> dict[str, Bools]:
    """The foreground and each group of classes, as masks of the labels' shape."""
    return {"foreground": labels > 0} | {name: np.isin(labels, classes) for name, classes in GROUPS.items()}


def best_level(mean: Floats, truth: Bools) -> float:
    """The threshold of a mean map (h, w) whose mask has the highest IoU with all maps `truth` (n, h, w)."""
    positive = truth.sum(axis=0)  # per pixel
    scores = []
    for level in _LEVELS:
        mask = mean >= level
        union = truth.sum() + (mask * (len(truth) - positive)).sum()
        scores.append((mask * positive).sum() / max(union, 1))
    return float(_LEVELS[int(np.argmax(scores))])


def iou(mask: Bools, truth: Bools) -> float:
    """Intersection over union, per cent, summed over all maps."""
    shown = np.broadcast_to(mask, truth.shape)
    union = (shown | truth).sum()
    return 100 * float((shown & truth).sum()) / max(int(union), 1)


def constant_masks(train: Bytes, test: Bytes) -> dict[str, float]:
    """Class IoU on the test maps of one mask for all: the mean training map at its best threshold in training."""
    found = {}
    test_members = members(test)
    for name, truth in members(train).items():
        mean = truth.mean(axis=0)
        found[name] = iou(mean >= best_level(mean, truth), test_members[name])
    return found


def colour_histograms(folder: Path, records: pd.DataFrame) -> Floats:
    """(n, 768) joint hue-saturation-value histograms of six horizontal stripes, each summing to one."""
    rows = []
    for path in records["path"]:
        with Image.open(folder / path) as picture:
            pixels = np.asarray(picture.convert("HSV"))
        code = np.ravel_multi_index(
            tuple(pixels[..., k].astype(np.int64) * n // 256 for k, n in enumerate(_BINS)), _BINS
        )
        stripes = np.array_split(code, _STRIPES)
        counts = [np.bincount(s.ravel(), minlength=int(np.prod(_BINS))) / s.size for s in stripes]
        rows.append(np.concatenate(counts) / _STRIPES)
    return np.array(rows)


def evaluate(distance: Floats, query: pd.DataFrame, gallery: pd.DataFrame) -> Retrieval:
    """Market-1501's protocol: gallery images of the query's identity and camera are left out. distance (q, g)."""
    identity, camera = gallery["identity"].to_numpy(), gallery["camera"].to_numpy()
    precision, first = [], []
    for row, who, where in zip(distance, query["identity"], query["camera"], strict=True):
        valid = ~((identity == who) & (camera == where))
        match = (identity[valid] == who)[np.argsort(row[valid], kind="stable")]
        rank: Ints = np.flatnonzero(match) + 1
        precision.append(float((np.arange(1, len(rank) + 1) / rank).mean()))
        first.append(bool(match[0]))
    return Retrieval(100 * float(np.mean(precision)), 100 * float(np.mean(first)))


def histogram_retrieval(folder: Path, records: pd.DataFrame, subset: str) -> Retrieval:
    """Queries of a subset against the gallery by histogram intersection."""
    query = records[(records["split"] == "query") & (records["subset"] == subset)]
    gallery = records[records["split"] == "gallery"]
    first, second = colour_histograms(folder, query), colour_histograms(folder, gallery)
    distance = 1 - np.stack([np.minimum(row, second).sum(axis=1) for row in first])
    return evaluate(distance, query, gallery)


def chance_retrieval(records: pd.DataFrame, subset: str, rounds: int = 20) -> Retrieval:
    """The mean of random rankings."""
    query = records[(records["split"] == "query") & (records["subset"] == subset)]
    gallery = records[records["split"] == "gallery"]
    rng = np.random.default_rng(0)
    runs = [evaluate(rng.random((len(query), len(gallery))), query, gallery) for _ in range(rounds)]
    return Retrieval(float(np.mean([r.mean_ap for r in runs])), float(np.mean([r.rank1 for r in runs])))
