"""Searching a gallery store: candidates by global and foreground, the best of them by Eq. 10 with visibility."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isp_core.gallery.entries import Image
from isp_core.gallery.errors import GalleryError
from isp_core.gallery.filters import Where
from isp_core.gallery.index import CANDIDATES, candidate_features
from isp_core.gallery.store import MAX_CANDIDATES, Entries, GalleryStore
from isp_core.matching import Calibration, Embeddings, distances, judged
from isp_core.matching.visibility_rules import EQ8


@dataclass(frozen=True)
class Match:
    """An entry and its distance to the query by Eq. 10 (cosine), 0 for the same image."""

    image: Image
    distance: float


def search_store(
    store: GalleryStore,
    query: Embeddings,
    *,
    top: int = 10,
    candidates: int = CANDIDATES,
    where: Where | None = None,
    rule: str = EQ8,
    calibration: Calibration | None = None,
) -> list[list[Match]]:
    """The `top` nearest of `candidates` entries by Eq. 10 for each query, nearest first; equal distances by path.

    With at least as many candidates as entries that are meant, the ranking is the exact one: nothing is left out.

    Args:
        query: of the store's network; visibility by `rule`.
        where: which entries are meant (default: all).
        rule, calibration: what decides which parts of entries are visible, as for the queries.

    Raises:
        GalleryError: top or candidates out of range, or queries of another layout.
    """
    if not 1 <= top <= candidates <= MAX_CANDIDATES:
        raise GalleryError(
            f"top must be at least 1 and candidates from top to {MAX_CANDIDATES}; got top = {top}, "
            f"candidates = {candidates}"
        )

    def exactly(rows: Embeddings, entries: Entries) -> npt.NDArray[np.float32]:
        return distances(rows, judged(entries.embeddings, rule, calibration))

    everyone = store.few(candidates, where)
    if everyone is not None:
        if not everyone:
            return [[] for _ in range(len(query))]
        return [_nearest(everyone, far, top) for far in exactly(query, everyone)]
    proposed = store.candidates(candidate_features(query), candidates, where)
    return [
        _nearest(entries, exactly(query[i : i + 1], entries)[0], top) if len(entries) else []
        for i, entries in enumerate(proposed)
    ]


def _nearest(entries: Entries, far: npt.NDArray[np.float32], top: int) -> list[Match]:
    order = sorted(range(len(entries)), key=lambda row: (far[row], entries.images[row].path))
    return [Match(entries.images[row], float(far[row])) for row in order[:top]]
