"""Embeddings on a plane: PCA or t-SNE of a sample, cached. No drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import streamlit as st

from isp_app.cache_keys import KEYS
from isp_app.reading import runs_access
from isp_core.runs import Run, open_run
from isp_core.runs.schema import Split

if TYPE_CHECKING:  # the type alone; matching loads torch
    from isp_core.matching import Embeddings

LIMITS = {"PCA": 2000, "t-SNE": 1000}  # points: t-SNE takes a second for a thousand
FEWEST = 5
_SEED = 0


@dataclass(frozen=True)
class Plane:
    """Points (n, 2) of images `rows` (n,) of a split; `note` says what the axes are; hidden: images left out."""

    rows: npt.NDArray[np.int64]
    points: npt.NDArray[np.float32]
    note: str
    hidden: int


@st.cache_data(hash_funcs=KEYS, max_entries=24, show_spinner="Projecting embeddings")
def _project(path: Path, token: str, split: Split, epoch: int, feature: str, method: str) -> Plane:
    run = open_run(path)
    whole = runs_access.embeddings(run, split, epoch)
    rows = _shown(whole, feature)
    hidden = len(whole) - len(rows)
    sample = np.sort(np.random.default_rng(_SEED).permutation(rows)[: LIMITS[method]])
    x = _unit(whole, feature, sample)
    if len(x) < FEWEST:
        return Plane(sample, np.zeros((len(x), 2), np.float32), "", hidden)
    x -= x.mean(0)
    if method == "t-SNE":
        from sklearn.manifold import TSNE

        perplexity = min(30.0, (len(x) - 1) / 3)
        points = TSNE(2, perplexity=perplexity, init="pca", random_state=_SEED).fit_transform(x)
        return Plane(sample, points.astype(np.float32), f"t-SNE, perplexity {perplexity:.0f}, seed {_SEED}", hidden)
    values, vectors = np.linalg.eigh(x.T @ x)
    points = x @ vectors[:, :-3:-1]
    held = 100 * values[-2:].sum() / max(values.sum(), 1e-12)
    return Plane(sample, points.astype(np.float32), f"first two principal components: {held:.0f} % of variance", hidden)


def _shown(whole: Embeddings, feature: str) -> npt.NDArray[np.int64]:
    """The images that have the feature: those that show the part, or all."""
    if not feature.startswith("part "):
        return np.arange(len(whole))
    seen = np.asarray(whole.visibility)[:, int(feature.split()[1]) - 1] > 0
    return np.flatnonzero(seen)


def _unit(whole: Embeddings, feature: str, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """The feature of some images, of unit length: matching compares by cosine."""
    if feature.startswith("part "):
        array = np.asarray(whole.parts)[rows, int(feature.split()[1]) - 1]
    else:
        array = np.asarray(whole.global_ if feature == "global" else whole.foreground)[rows]
    x = array.astype(np.float32)
    unit: npt.NDArray[np.float32] = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    return unit


def neighbours(
    run: Run, split: Split, epoch: int, feature: str, row: int, rows: npt.NDArray[np.int64], count: int
) -> list[tuple[int, float]]:
    """The images among `rows` that are nearest to image `row` in the feature itself, not on the plane, and their cosine
    distances, the nearest first; without itself."""
    whole = runs_access.embeddings(run, split, epoch)
    others = rows[rows != row]
    x = _unit(whole, feature, others)
    distance = 1 - x @ _unit(whole, feature, np.array([row]))[0]
    order = np.argsort(distance, kind="stable")[:count]
    return [(int(others[i]), float(distance[i])) for i in order]


def inside(points: npt.NDArray[np.float32], corners: Sequence[tuple[float, float]]) -> npt.NDArray[np.bool_]:
    """Which points (n, 2) lie inside a polygon, by how many of its sides a ray to the right crosses.

    >>> inside(np.array([[0.5, 0.5], [2, 0.5]], np.float32), [(0, 0), (1, 0), (1, 1), (0, 1)]).tolist()
    [True, False]
    """
    found = np.zeros(len(points), bool)
    x, y = points[:, 0], points[:, 1]
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], *corners[:1]], strict=True):
        if ay != by:
            crosses = (ay > y) != (by > y)
            found ^= crosses & (x < (bx - ax) * (y - ay) / (by - ay) + ax)
    return found


def project(run: Run, split: Split, epoch: int, feature: str, method: str) -> Plane:
    """A sample of a split's embeddings on a plane; feature: "global", "foreground" or "part K"."""
    return _project(run.path, run.token(), split, epoch, feature, method)
