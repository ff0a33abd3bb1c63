"""Eq. 8-10: what the distances are, by hand and against a loop that follows the paper line by line."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isp_core.errors import IspError
from isp_core.matching import (
    Embeddings,
    distances,
    explain,
    part_peak,
    part_share,
    visibility,
)


def some(n: int, parts: int, channels: int, seed: int) -> Embeddings:
    rng = np.random.default_rng(seed)
    share = rng.random((n, parts), dtype=np.float32) * (rng.random((n, parts)) < 0.6)
    return Embeddings(
        rng.standard_normal((n, channels), dtype=np.float32),
        rng.standard_normal((n, channels), dtype=np.float32),
        rng.standard_normal((n, parts, channels), dtype=np.float32),
        share > 0,
        share,
    )


def term(a: np.ndarray, b: np.ndarray, metric: str) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    if metric == "euclidean":
        return float(np.sqrt(((a - b) ** 2).sum()))
    length = np.linalg.norm(a) * np.linalg.norm(b)
    return float(1.0 - (a @ b) / length) if length > 0 else 1.0


def slow(q: Embeddings, g: Embeddings, matching: str, metric: str) -> np.ndarray:
    """One pair at a time."""
    out = np.zeros((len(q), len(g)))
    for i in range(len(q)):
        for j in range(len(g)):
            d_g = term(q.global_[i], g.global_[j], metric)
            d_f = term(q.foreground[i], g.foreground[j], metric)
            d_k = [term(q.parts[i, k], g.parts[j, k], metric) for k in range(q.n_parts)]
            shared = [bool(q.visibility[i, k] and g.visibility[j, k]) for k in range(q.n_parts)]
            if matching == "all-parts":
                shared = [True] * q.n_parts
            seen = sum(d for d, both in zip(d_k, shared, strict=True) if both)
            joint = term(
                np.concatenate([q.foreground[i], q.global_[i]]), np.concatenate([g.foreground[j], g.global_[j]]), metric
            )
            row_q = np.concatenate([q.parts[i].ravel(), q.foreground[i], q.global_[i]])
            row_g = np.concatenate([g.parts[j].ravel(), g.foreground[j], g.global_[j]])
            out[i, j] = {
                "aligned": (seen + d_g + d_f) / (sum(shared) + 2),
                "all-parts": (seen + d_g + d_f) / (sum(shared) + 2),
                "authors": (seen + joint) / (sum(shared) + 1),
                "concatenated": term(row_q, row_g, metric),
                "global": d_g,
                "foreground": d_f,
                "part-2": d_k[1] if q.n_parts > 1 else 0,
            }[matching]
    return out


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize(
    "matching", ["aligned", "all-parts", "authors", "concatenated", "global", "foreground", "part-2"]
)
def test_every_rule_equals_the_loop_over_pairs(matching: str, metric: str) -> None:
    q, g = some(7, 5, 8, seed=1), some(9, 5, 8, seed=2)
    np.testing.assert_allclose(distances(q, g, matching, metric), slow(q, g, matching, metric), atol=2e-5)


@given(seed=st.integers(0, 1000), parts=st.integers(0, 6), n=st.integers(1, 6))
def test_aligned_matching_for_any_number_of_parts(seed: int, parts: int, n: int) -> None:
    q, g = some(n, parts, 4, seed), some(5, parts, 4, seed + 1)
    np.testing.assert_allclose(distances(q, g), slow(q, g, "aligned", "cosine"), atol=2e-5)


@given(seed=st.integers(0, 1000))
def test_the_distance_is_symmetric_and_zero_to_itself(seed: int) -> None:
    e = some(6, 3, 5, seed)
    d = distances(e, e)
    np.testing.assert_allclose(d, d.T, atol=1e-6)
    np.testing.assert_allclose(np.diag(d), 0, atol=1e-6)
    assert d.min() >= 0


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    q, g = some(23, 5, 8, seed=3), some(31, 5, 8, seed=4)
    whole = {m: distances(q, g, "aligned", m) for m in ("cosine", "euclidean")}
    monkeypatch.setattr("isp_core.matching.distance._BLOCK", 70)
    for metric, expected in whole.items():
        np.testing.assert_allclose(distances(q, g, "aligned", metric), expected, atol=1e-6)


def test_a_network_without_parts_is_matched_by_its_global_feature() -> None:
    rng = np.random.default_rng(0)
    e = Embeddings(rng.random((4, 3)), np.zeros((4, 0)), np.zeros((4, 0, 0)), np.zeros((4, 0)), np.zeros((4, 0)))
    for matching in ("aligned", "all-parts", "authors", "concatenated"):
        np.testing.assert_allclose(distances(e, e, matching), distances(e, e, "global"), atol=1e-6)
    told = explain(e[:1], e)
    np.testing.assert_allclose(told.distance, distances(e, e, "global")[0], atol=1e-6)
    assert np.isnan(told.d_foreground).all()
    for matching in ("foreground", "part-1"):
        with pytest.raises(IspError, match="no "):
            distances(e, e, matching)


def test_a_part_hidden_on_one_side_does_not_count() -> None:
    """By hand: d_g = 0, d_f = 1, the first part (distance 2) is hidden in the gallery, the second (1) is shared."""
    q = Embeddings(
        np.array([[1.0, 0]]),
        np.array([[1.0, 0]]),
        np.array([[[1.0, 0], [1, 0]]]),
        np.array([[True, True]]),
        np.ones((1, 2)),
    )
    g = Embeddings(
        np.array([[2.0, 0]]),
        np.array([[0, 1.0]]),
        np.array([[[-1.0, 0], [0, 3]]]),
        np.array([[False, True]]),
        np.ones((1, 2)),
    )
    assert distances(q, g, "aligned")[0, 0] == pytest.approx((0 + 1 + 1) / 3)
    assert distances(q, g, "all-parts")[0, 0] == pytest.approx((0 + 1 + 2 + 1) / 4)
    assert distances(q, g, "part-1")[0, 0] == pytest.approx(2)


def test_explanation_holds_the_terms_of_the_distance() -> None:
    q, g = some(1, 5, 8, seed=5), some(9, 5, 8, seed=6)
    told = explain(q, g)
    np.testing.assert_allclose(told.distance, distances(q, g)[0], atol=1e-6)
    np.testing.assert_array_equal(told.shared, q.visibility & g.visibility)
    np.testing.assert_allclose(told.d_global, distances(q, g, "global")[0], atol=1e-6)
    np.testing.assert_allclose(told.d_parts[:, 3], distances(q, g, "part-4")[0], atol=1e-6)


def test_a_feature_of_length_zero_is_at_distance_one() -> None:
    zero, one = np.zeros((1, 3)), np.ones((1, 3))
    parts, flags = np.zeros((1, 0, 3)), np.zeros((1, 0))
    d = distances(Embeddings(zero, zero, parts, flags, flags), Embeddings(one, one, parts, flags, flags))
    assert d[0, 0] == 1


def test_half_precision_and_tensors_give_the_same_distances() -> None:
    q, g = some(4, 3, 8, seed=7), some(5, 3, 8, seed=8)
    as_tensors = Embeddings(
        *(torch.from_numpy(a) for a in (q.global_, q.foreground, q.parts, q.visibility, q.part_share))
    )
    np.testing.assert_array_equal(distances(as_tensors, g), distances(q, g))
    half = Embeddings(*(a.astype(np.float16) for a in (q.global_, q.foreground, q.parts)), q.visibility, q.part_share)
    np.testing.assert_allclose(distances(half, g), distances(q, g), atol=2e-3)


def test_visibility_asks_for_one_pixel_unless_told_more() -> None:
    labels = np.zeros((2, 4, 4), np.uint8)
    labels[0, 0, 0], labels[1, :2] = 2, 1
    np.testing.assert_array_equal(visibility(labels, 3), [[False, True], [True, False]])
    np.testing.assert_allclose(part_share(labels, 3), [[0, 1 / 16], [0.5, 0]])
    e = some(2, 2, 3, seed=9)
    shares = np.array([[0, 1 / 16], [0.5, 0]], np.float32)
    told = Embeddings(e.global_, e.foreground, e.parts, shares > 0, shares).seen_from(0.1)
    np.testing.assert_array_equal(told.visibility, [[False, False], [True, False]])


def test_visibility_from_probability_does_not_need_the_argmax() -> None:
    probability = np.full((1, 3, 2, 2), [[[[0.5]], [[0.4]], [[0.1]]]])
    e = some(1, 2, 3, seed=0)
    told = replace(e, visibility=np.zeros((1, 2), bool), part_peak=part_peak(probability))
    np.testing.assert_array_equal(told.seen_with(0.3).visibility, [[True, False]])
    np.testing.assert_array_equal(told.seen_with(0.4).visibility, [[True, False]])  # reached is enough
    with pytest.raises(IspError, match="do not hold the parts' probabilities"):
        e.seen_with(0.3)


def test_pieces_are_joined_and_what_one_lacks_is_lacking() -> None:
    a, b = (replace(some(n, 2, 3, seed=n), part_peak=np.full((n, 2), n / 10, np.float32)) for n in (1, 2))
    whole = Embeddings.join([a, b])
    np.testing.assert_allclose(whole.part_peak, [[0.1] * 2, [0.2] * 2, [0.2] * 2])
    np.testing.assert_array_equal(whole[1:].parts, b.parts)
    assert Embeddings.join([a, replace(b, part_peak=None)]).part_peak is None


@pytest.mark.parametrize(
    ("matching", "message"),
    [("alligned", "allowed: aligned, all-parts"), ("part-9", "parts 1 to 5"), ("part-0", "parts 1")],
)
def test_unknown_rules_are_named_with_what_is_allowed(matching: str, message: str) -> None:
    e = some(2, 5, 3, seed=0)
    with pytest.raises(IspError, match=message):
        distances(e, e, matching)


def test_embeddings_of_two_networks_are_refused() -> None:
    with pytest.raises(IspError, match="two networks"):
        distances(some(2, 5, 3, seed=0), some(2, 6, 3, seed=0))
    with pytest.raises(IspError, match="two networks"):
        distances(some(2, 5, 3, seed=0), some(2, 5, 4, seed=0))


def test_rows_that_disagree_are_refused() -> None:
    e = some(3, 2, 4, seed=0)
    with pytest.raises(IspError, match="visibility has shape"):
        Embeddings(e.global_, e.foreground, e.parts, e.visibility[:2], e.part_share)
