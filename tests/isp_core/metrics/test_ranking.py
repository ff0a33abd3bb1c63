"""CMC, AP and mINP: equal to a direct reading of the Market-1501 protocol on whatever distances come."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from isp_core.errors import IspError
from isp_core.metrics.ranking import RANKS, Ranking, evaluate_ranking, nearest


def by_the_book(
    distances: np.ndarray, q_ids: np.ndarray, q_cams: np.ndarray, g_ids: np.ndarray, g_cams: np.ndarray
) -> dict[str, float]:
    """The protocol with a stable sort per query, one step at a time."""
    cmc: dict[int, list[float]] = {k: [] for k in RANKS}
    precisions, penalties = [], []
    without = 0
    for row, identity, camera in zip(distances, q_ids, q_cams, strict=True):
        hits = []
        for j in sorted(range(len(row)), key=lambda j: (row[j], j)):
            same_picture_group = identity == g_ids[j] and camera == g_cams[j] and camera != -1
            if g_ids[j] == -1 or same_picture_group:
                continue
            hits.append(bool(g_ids[j] == identity and identity > 0))
        if not any(hits):
            without += 1
            continue
        found, precision = 0, 0.0
        for position, hit in enumerate(hits, start=1):
            if hit:
                found += 1
                precision += found / position
                last = position
        precisions.append(precision / found)
        penalties.append(found / last)
        for k in RANKS:
            cmc[k].append(float(any(hits[:k])))
    figures = {f"R-{k}": float(np.mean(v)) if v else float("nan") for k, v in cmc.items()}
    figures["mAP"] = float(np.mean(precisions)) if precisions else float("nan")
    figures["mINP"] = float(np.mean(penalties)) if penalties else float("nan")
    return figures | {"without": without}


def check(distances: np.ndarray, *labels: np.ndarray) -> Ranking:
    result = evaluate_ranking(distances, *labels)
    expected = by_the_book(distances, *labels)
    assert result.n_without_match == expected.pop("without")
    assert result.summary() == pytest.approx(expected, abs=1e-9, nan_ok=True)
    return result


@st.composite
def galleries(draw: st.DrawFn) -> tuple[np.ndarray, ...]:
    """Small sets full of trouble: few identities and cameras, junk, distractors, unknown cameras, coarse distances."""
    queries, gallery = draw(st.integers(1, 6)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    levels = draw(st.sampled_from([1, 2, 5, 1000]))  # 1: everything is tied
    identities, cameras = draw(st.integers(0, 4)), draw(st.sampled_from([(1, 1), (1, 2), (-1, 2), (-1, -1)]))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    distances = (rng.integers(0, levels, (queries, gallery)) / levels).astype(dtype)
    return (
        distances,
        rng.integers(-1, identities + 1, queries),
        rng.integers(cameras[0], cameras[1] + 1, queries),
        rng.integers(-1, identities + 1, gallery),
        rng.integers(cameras[0], cameras[1] + 1, gallery),
    )


@settings(max_examples=300, deadline=None)
@given(galleries())
def test_equals_the_protocol_on_adversarial_sets(case: tuple[np.ndarray, ...]) -> None:
    check(*case)


@pytest.mark.parametrize(("queries", "gallery", "identities"), [(30, 700, 20), (7, 2500, 3), (5, 2040, 1)])
def test_equals_the_protocol_on_random_sets(queries: int, gallery: int, identities: int) -> None:
    """The last two have hundreds of matches a query, and galleries around the width the counting pads to."""
    rng = np.random.default_rng(gallery)
    check(
        rng.random((queries, gallery)).astype(np.float32),
        rng.integers(1, identities + 1, queries),
        rng.integers(1, 4, queries),
        rng.integers(-1, identities + 1, gallery),
        rng.integers(1, 4, gallery),
    )


def test_a_case_by_hand() -> None:
    """Order: junk (dropped), other, MATCH, distractor, own camera (dropped), MATCH -> ranks 2 and 4 of 4."""
    distances = np.array([[0.6, 0.1, 0.2, 0.3, 0.4, 0.5]])
    result = check(
        distances,
        np.array([7]),
        np.array([1]),
        np.array([7, -1, 9, 7, 0, 7]),
        np.array([2, 1, 1, 3, 1, 1]),
    )
    assert result.first.tolist() == [2]
    assert result.matches.tolist() == [2]
    assert result.mean_average_precision == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert result.mean_inverse_penalty == pytest.approx(2 / 4)
    assert [result.cmc(k) for k in (1, 2, 5)] == [0, 1, 1]


def test_queries_without_a_match_are_counted_and_left_out_of_the_means() -> None:
    result = check(np.array([[0.1, 0.2]] * 3), np.array([5, 6, 0]), np.ones(3, int), np.array([5, 0]), np.array([2, 2]))
    assert (result.n_queries, result.n_without_match) == (3, 2)
    assert result.cmc(1) == 1
    assert np.isnan(result.average_precision[1:]).all()


def test_a_set_that_nobody_can_answer_has_empty_figures() -> None:
    one_camera = check(np.array([[0.1]]), np.array([5]), np.array([1]), np.array([5]), np.array([1]))
    assert one_camera.n_without_match == 1
    assert np.isnan(one_camera.mean_average_precision)
    all_junk = check(np.array([[0.1]]), np.array([5]), np.array([1]), np.array([-1]), np.array([2]))
    assert np.isnan(all_junk.cmc(1))


def test_without_camera_numbers_nothing_is_removed() -> None:
    result = check(np.array([[0.1, 0.2]]), np.array([5]), np.array([-1]), np.array([5, 5]), np.array([-1, -1]))
    assert result.matches.tolist() == [2]


def test_equal_distances_rank_in_gallery_order() -> None:
    q_ids, q_cams, cams = np.array([5]), np.array([1]), np.array([2, 2, 2])
    assert check(np.zeros((1, 3)), q_ids, q_cams, np.array([9, 5, 9]), cams).first.tolist() == [2]
    assert check(np.zeros((1, 3)), q_ids, q_cams, np.array([9, 9, 5]), cams).first.tolist() == [3]


def test_the_number_of_threads_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    labels = (rng.integers(1, 9, 50), rng.integers(1, 3, 50), rng.integers(-1, 9, 300), rng.integers(1, 3, 300))
    distances = rng.random((50, 300), dtype=np.float32)
    one, many = (evaluate_ranking(distances, *labels, workers=w) for w in (1, 7))
    np.testing.assert_array_equal(one.average_precision, many.average_precision)
    tensor = evaluate_ranking(torch.from_numpy(distances), *labels)
    np.testing.assert_array_equal(one.average_precision, tensor.average_precision)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_distances_that_are_not_numbers_are_refused_with_their_place(value: float) -> None:
    distances = np.zeros((2, 3))
    distances[1, 2] = value
    with pytest.raises(IspError, match="query 1 to gallery image 2"):
        evaluate_ranking(distances, [1, 1], [1, 1], [1, 1, 1], [2, 2, 2])


def test_large_but_finite_distances_are_fine() -> None:
    big = np.float32(3e38)
    distances = np.array([[big, big, np.float32(1)]])
    check(distances, np.array([5]), np.array([1]), np.array([5, 9, 9]), np.array([2, 2, 2]))


def test_shapes_that_disagree_are_named() -> None:
    with pytest.raises(IspError, match="gallery cameras have shape"):
        evaluate_ranking(np.zeros((2, 3)), [1, 1], [1, 1], [1, 1, 1], [2, 2])
    with pytest.raises(IspError, match="matrix"):
        evaluate_ranking(np.zeros(3), [1], [1], [1, 1, 1], [2, 2, 2])


def test_an_empty_query_set_is_no_error() -> None:
    assert evaluate_ranking(np.zeros((0, 3)), [], [], [1, 1, 1], [2, 2, 2]).n_queries == 0


def test_nearest_is_the_head_of_the_protocols_ranking() -> None:
    row = np.array([0.5, 0.1, 0.1, 0.9, 0.0])
    found = nearest(row, 7, 1, [7, 8, 7, 7, 7], [2, 1, 2, 2, 1], count=3)
    assert found.tolist() == [1, 2, 0]


def test_the_gallery_is_not_sorted_for_each_query(monkeypatch: pytest.MonkeyPatch) -> None:
    """Market-1501's gallery, 200 queries: the only thing sorted is the gallery's identities, once."""
    rng = np.random.default_rng(0)
    distances = rng.random((200, 15913), dtype=np.float32)
    labels = (
        rng.integers(1, 751, 200),
        rng.integers(1, 7, 200),
        rng.integers(0, 751, 15913),
        rng.integers(1, 7, 15913),
    )
    lengths: list[int] = []

    def counted(name: str) -> None:
        original = getattr(np, name)

        def spy(array: npt.ArrayLike, *given: Any, **named: Any) -> Any:
            lengths.append(np.size(array))
            return original(array, *given, **named)

        monkeypatch.setattr(np, name, spy)

    for name in ("argsort", "sort", "argpartition", "partition", "lexsort"):
        counted(name)
    evaluate_ranking(distances, *labels)
    assert sum(lengths) == 15913


def test_a_query_without_a_match_must_have_finite_distances_too() -> None:
    with pytest.raises(IspError, match="query 1 to gallery image 0 is nan"):
        evaluate_ranking([[0.1, 0.2], [np.nan, 0.2]], [7, 8], [1, 1], [7, 9], [2, 2])
