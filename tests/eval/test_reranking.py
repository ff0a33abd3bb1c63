"""k-reciprocal re-ranking: equal to the paper's sets, written out one picture at a time."""

import numpy as np
import pytest

from isp_core.errors import IspError
from isp_core.matching import Embeddings, distances
from isp_eval.reranking import Reranking, rerank, rerank_rows


def slow(d: np.ndarray, queries: int, k1: int, k2: int, weight: float) -> np.ndarray:
    """Zhong et al., sections 3.2 to 3.5, in sets and loops. d (N, N)."""
    n = len(d)
    d = d.astype(np.float64) ** 2
    d = d / d.max(axis=1, keepdims=True)
    order = [sorted(range(n), key=lambda j, i=i: (j != i, d[i, j])) for i in range(n)]

    def near(p: int, k: int) -> set[int]:
        return set(order[p][: k + 1])

    def reciprocal(p: int, k: int) -> set[int]:
        return {g for g in near(p, k) if p in near(g, k)}

    v = np.zeros((n, n))
    for p in range(n):
        r = reciprocal(p, k1)
        expanded = set(r)
        for q in r:
            candidate = reciprocal(q, round(k1 / 2))
            if len(candidate & r) > 2 / 3 * len(candidate):
                expanded |= candidate
        for g in expanded:
            v[p, g] = np.exp(-d[p, g])
        v[p] /= v[p].sum()
    v = np.stack([v[order[p][:k2]].mean(axis=0) for p in range(n)])
    out = np.zeros((queries, n - queries))
    for p in range(queries):
        for g in range(queries, n):
            jaccard = 1 - np.minimum(v[p], v[g]).sum() / np.maximum(v[p], v[g]).sum()
            out[p, g - queries] = (1 - weight) * jaccard + weight * d[p, g]
    return out


def table(seed: int, n: int) -> np.ndarray:
    """Distances of points in clusters, so that reciprocal sets differ."""
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((n, 3)) * 0.3 + rng.standard_normal((6, 3))[rng.integers(0, 6, n)]
    return np.linalg.norm(points[:, None] - points[None], axis=-1).astype(np.float32)


@pytest.mark.parametrize(("k1", "k2", "weight"), [(20, 6, 0.3), (5, 1, 0.0), (7, 3, 1.0), (1, 2, 0.5)])
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_the_sets_of_the_paper(seed: int, k1: int, k2: int, weight: float) -> None:
    d = table(seed, 60)
    found = rerank_rows(lambda rows: d[rows], 13, 60, Reranking(k1, k2, weight))
    np.testing.assert_allclose(found, slow(d, 13, k1, k2, weight), atol=1e-5)


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    d = table(2, 50)
    whole = rerank_rows(lambda rows: d[rows], 9, 50, Reranking())
    monkeypatch.setattr("isp_eval.reranking._BLOCK", 350)
    np.testing.assert_allclose(rerank_rows(lambda rows: d[rows], 9, 50, Reranking()), whole, atol=1e-6)


def test_fewer_pictures_than_neighbours_asked_for() -> None:
    d = table(3, 6)
    assert np.isfinite(rerank_rows(lambda rows: d[rows], 2, 6, Reranking())).all()


def test_embeddings_are_reranked_under_their_matching_rule() -> None:
    rng = np.random.default_rng(0)
    flags = rng.random((30, 2)) < 0.7
    e = Embeddings(rng.random((30, 4)), rng.random((30, 4)), rng.random((30, 2, 4)), flags, flags.astype(float))
    d = distances(e, e, "aligned")
    np.testing.assert_allclose(rerank(e[:8], e[8:]), slow(d, 8, 20, 6, 0.3), atol=1e-4)


def test_settings_out_of_range_and_empty_galleries_are_refused() -> None:
    with pytest.raises(IspError, match="weight in"):
        Reranking(weight=1.5)
    with pytest.raises(IspError, match="queries and a gallery"):
        rerank_rows(lambda rows: np.zeros((3, 3), np.float32)[rows], 3, 3, Reranking())
