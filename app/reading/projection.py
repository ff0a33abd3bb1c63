"""Embeddings on a plane: PCA or t-SNE of a sample, cached. No drawing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import streamlit as st

from isp_app.cache_keys import KEYS
from isp_app.reading import runs_access
from isp_core.runs import Run, open_run
from isp_core.runs.schema import Split

LIMITS = {"PCA": 2000, "t-SNE": 1000}  # points: as SVG they are drawn sooner than WebGL draws any without a GPU
FEWEST = 5
_SEED = 0


@dataclass(frozen=True)
class Plane:
    """Points (n, 2) of pictures `rows` (n,) of a split; `note` says what the axes are; hidden: pictures left out."""

    rows: npt.NDArray[np.int64]
    points: npt.NDArray[np.float32]
    note: str
    hidden: int


@st.cache_data(hash_funcs=KEYS, max_entries=24, show_spinner="Projecting embeddings")
def _project(path: Path, token: str, split: Split, epoch: int, feature: str, method: str) -> Plane:
    run = open_run(path)
    whole = runs_access.embeddings(run, split, epoch)
    rows = np.arange(len(whole))
    hidden = 0
    if feature.startswith("part "):
        k = int(feature.split()[1]) - 1
        seen = np.asarray(whole.visibility)[:, k]
        hidden = int((~seen).sum())
        rows = rows[seen]
        array = np.asarray(whole.parts)[:, k]
    else:
        array = np.asarray(whole.global_ if feature == "global" else whole.foreground)
    sample = np.sort(np.random.default_rng(_SEED).permutation(rows)[: LIMITS[method]])
    x = array[sample].astype(np.float32)
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)  # cosine distance, as matching has it
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


def project(run: Run, split: Split, epoch: int, feature: str, method: str) -> Plane:
    """A sample of a split's embeddings on a plane; feature: "global", "foreground" or "part K"."""
    return _project(run.path, run.token(), split, epoch, feature, method)
