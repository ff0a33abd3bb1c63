"""k-reciprocal re-ranking (Zhong et al., CVPR 2017) that never holds the distances of all images to all images.

Out of scope: the first ranking (isp_core.matching) and its figures (isp_core.metrics.ranking).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from tqdm import tqdm

from isp_core.errors import IspError
from isp_core.matching import Embeddings, distances

Floats = npt.NDArray[np.float32]
Rows = Callable[[slice], Floats]
"""Distances (n, N) of some of the N = Q + G images, queries first, to all of them."""

Sparse = Any  # scipy.sparse.csr_matrix (N, N); SciPy has no types

_BLOCK = 1 << 24  # distances in memory at once: 64 MiB


@dataclass(frozen=True)
class Reranking:
    """k1: neighbours that may be reciprocal; k2: neighbours averaged over (1: none);
    weight: share of the original distance in the result, in [0, 1]. The defaults are the paper's."""

    k1: int = 20
    k2: int = 6
    weight: float = 0.3

    def __post_init__(self) -> None:
        if not (self.k1 >= 1 and self.k2 >= 1 and 0 <= self.weight <= 1):
            raise IspError(f"re-ranking needs k1, k2 >= 1 and a weight in [0, 1]; got {self}")


def rerank(
    query: Embeddings,
    gallery: Embeddings,
    matching: str = "aligned",
    metric: str = "cosine",
    settings: Reranking | None = None,
    progress: bool = False,
) -> Floats:
    """Re-ranked distances (Q, G) of embeddings under any matching rule."""
    everybody = Embeddings.join([query, gallery])
    return rerank_rows(
        lambda rows: distances(everybody[rows], everybody, matching, metric),
        len(query),
        len(everybody),
        settings or Reranking(),
        progress,
    )


def rerank_rows(rows: Rows, queries: int, pictures: int, settings: Reranking, progress: bool = False) -> Floats:
    """Re-ranked distances (Q, G) from any source of distances among all `pictures` = Q + G; it is asked twice.

    As in the published implementation, each image's distances are squared and divided by their largest, so that they
    can be mixed with Jaccard distances. Memory: neighbour lists, sparse weights (some hundred an image), the result.
    """
    if pictures <= queries or queries == 0:
        raise IspError(f"re-ranking needs queries and a gallery; got {queries} and {pictures - queries} images")
    k1 = min(settings.k1, pictures - 1)
    wanted = min(max(k1 + 1, settings.k2), pictures)
    near, original = np.empty((pictures, wanted), np.int64), np.empty((queries, pictures - queries), np.float32)
    for some, block in _blocks(rows, pictures, "neighbours", progress):
        if some.start < queries:
            original[some.start : some.stop] = block[: queries - some.start, queries:]
        block[np.arange(len(block)), np.arange(some.start, some.stop)] = -1  # each is its own nearest, whatever ties
        near[some] = torch.from_numpy(block).topk(wanted, dim=1, largest=False).indices.numpy()
    weights = _weights(_expanded(near, k1), rows, progress)
    if settings.k2 > 1:
        weights = (_selection(near[:, : settings.k2], pictures) @ weights) / settings.k2
    return (1 - settings.weight) * _jaccard(weights, queries, progress) + settings.weight * original


def _blocks(rows: Rows, pictures: int, what: str, progress: bool) -> Iterator[tuple[slice, Floats]]:
    step = max(1, _BLOCK // pictures)
    for start in tqdm(range(0, pictures, step), desc=what, disable=not progress, leave=False):
        some = slice(start, min(start + step, pictures))
        block = np.square(rows(some), dtype=np.float32)  # (n, N)
        yield some, block / np.maximum(block.max(axis=1, keepdims=True), np.float32(1e-12))


def _expanded(near: npt.NDArray[np.int64], k1: int) -> Sparse:
    """R* of the paper: 1 at each image's k-reciprocal neighbours and at those of neighbours that agree with it."""
    pictures = len(near)
    reciprocal = _reciprocal(near[:, : k1 + 1], pictures)
    half = _reciprocal(near[:, : round(k1 / 2) + 1], pictures)
    # overlap[p, q] = |R(p, k1) and R(q, k1 / 2)| for q in R(p, k1); more than two thirds of R(q, k1 / 2) let it join
    overlap = (reciprocal @ half.T).multiply(reciprocal).tocoo()
    sizes = np.asarray(half.sum(axis=1)).ravel()
    joins = overlap.data > 2 / 3 * sizes[overlap.col]
    ones = np.ones(int(joins.sum()), np.float32)
    joined = sparse.csr_matrix((ones, (overlap.row[joins], overlap.col[joins])), shape=reciprocal.shape)
    return (reciprocal + joined @ half).tocsr()


def _weights(members: Sparse, rows: Rows, progress: bool) -> Sparse:
    """V of the paper: exp(-d) at each image's members, rows summing to 1."""
    for some, block in _blocks(rows, members.shape[0], "weights", progress):
        ends = members.indptr[some.start : some.stop + 1]
        row = np.repeat(np.arange(len(block)), np.diff(ends))
        weight = np.exp(-block[row, members.indices[ends[0] : ends[-1]]])
        total = np.bincount(row, weights=weight, minlength=len(block))
        members.data[ends[0] : ends[-1]] = weight / total[row]
    return members


def _jaccard(weights: Sparse, queries: int, progress: bool) -> Floats:
    """Jaccard distances (Q, G) of the rows of V, visiting only entries that are not zero on both sides."""
    weights = weights.tocsr()
    by_member = weights[queries:].T.tocsr()  # (N, G): who in the gallery has this member
    out = np.empty((queries, by_member.shape[1]), np.float32)
    for q in tqdm(range(queries), desc="re-ranking", disable=not progress, leave=False):
        own = weights[q]
        common = by_member[own.indices]
        smaller = np.minimum(common.data, np.repeat(own.data, np.diff(common.indptr)))
        overlap = np.bincount(common.indices, weights=smaller, minlength=out.shape[1])
        out[q] = 1 - overlap / (2 - overlap)  # both rows sum to 1, hence sum of maxima = 2 - sum of minima
    return out


def _reciprocal(index: npt.NDArray[np.int64], pictures: int) -> Sparse:
    """1 where each is among the other's neighbours: (N, N)."""
    one_way = _selection(index, pictures)
    return one_way.multiply(one_way.T).tocsr()


def _selection(index: npt.NDArray[np.int64], pictures: int) -> Sparse:
    """(N, N): 1 at each row's images. index (N, k)."""
    n, k = index.shape
    ends = np.arange(0, n * k + 1, k)
    return sparse.csr_matrix((np.ones(n * k, np.float32), index.ravel(), ends), shape=(n, pictures))
