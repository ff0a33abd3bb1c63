"""Parsing scores: by hand, and against one mask at a time in plain NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from isp_core.errors import IspError
from isp_core.metrics.part_scores import (
    Assignment,
    assign_parts,
    authors_assignment,
    binary_counts,
    class_iou,
    confusion,
    fit_constant,
    foreground_auc,
    only,
    part_purity,
)
from isp_core.metrics.spaces import TARGETS


def maps(rng: np.random.Generator, n: int, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and truth with ignored pixels in both."""
    prediction = rng.integers(0, parts, (n, 6, 4)).astype(np.uint8)
    targets = rng.integers(0, 7, (n, 6, 4)).astype(np.uint8)
    prediction[rng.random(prediction.shape) < 0.1] = 255
    targets[rng.random(targets.shape) < 0.1] = 255
    return prediction, targets


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 5), parts=st.integers(2, 9))
def test_counts_equal_masks_compared_one_by_one(seed: int, n: int, parts: int) -> None:
    rng = np.random.default_rng(seed)
    prediction, targets = maps(rng, n, parts)
    counts = confusion(prediction, targets, parts)
    yes = tuple(int(k) for k in rng.choice(np.arange(1, parts), rng.integers(0, parts), replace=False))
    for code, name in enumerate(TARGETS):
        known = (prediction != 255) & (targets != 255)
        if name == "foreground":
            said, true = np.isin(prediction, range(1, parts)), targets > 0
            found = binary_counts(counts, name, tuple(range(1, parts)))
        else:
            known &= targets != 6
            said, true = np.isin(prediction, yes), targets == code
            found = binary_counts(counts, name, yes)
        for picture in range(n):
            s, t, k = said[picture], true[picture], known[picture]
            inter, union = (s & t & k).sum(), ((s | t) & k).sum()
            outside, outside_union = (~s & ~t & k).sum(), (~(s & t) & k).sum()
            if not (t & k).any():
                assert np.isnan(found.iou[picture])
                assert np.isnan(found.accuracy[picture])
                continue
            assert found.iou[picture] == pytest.approx(inter / union)
            other = outside / outside_union if outside_union else 0
            assert found.mean_iou[picture] == pytest.approx((inter / union + other) / 2)
            assert found.accuracy[picture] == pytest.approx((s == t)[k].mean())


def test_blocks_do_not_change_the_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    prediction, targets = maps(np.random.default_rng(0), 11, 6)
    whole = confusion(prediction, targets, 6)
    monkeypatch.setattr("isp_core.metrics.part_scores._BLOCK", 50)
    np.testing.assert_array_equal(confusion(prediction, targets, 6), whole)


def test_a_class_that_the_truth_lacks_has_an_empty_cell_not_zero() -> None:
    prediction = np.array([[[1, 1, 2, 0]]], np.uint8)
    truth = np.array([[[1, 1, 3, 0]]], np.uint8)  # no shoes
    found = class_iou(confusion(prediction, truth, 3).sum(0), Assignment("by hand", head=(1,), legs=(2,), shoes=(2,)))
    assert found["head"] == found["legs"] == found["foreground"] == 1
    assert np.isnan(found["shoes"])
    assert np.isnan(found["belongings"])


def test_a_class_that_no_part_stands_for_scores_zero() -> None:
    counts = confusion(np.array([[[1, 0]]], np.uint8), np.array([[[1, 4]]], np.uint8), 2).sum(0)
    assert class_iou(counts, Assignment("by hand", head=(1,)))["shoes"] == 0


def test_pixels_of_no_stated_part_count_for_the_foreground_alone() -> None:
    """Code 6, a dress: predicted as head, it is right foreground, and no false head."""
    counts = confusion(np.array([[[1, 1, 0]]], np.uint8), np.array([[[1, 6, 0]]], np.uint8), 2).sum(0)
    found = class_iou(counts, Assignment("by hand", head=(1,)))
    assert found["foreground"] == found["head"] == 1


def test_parts_are_assigned_so_that_the_sum_of_ious_is_largest() -> None:
    """Part 1 is the best for legs and for shoes; giving it to shoes and part 2 to legs is better together."""
    truth = np.array([[[3] * 6 + [4] * 4 + [1] * 2]], np.uint8)
    prediction = np.array([[[2] * 3 + [1] * 3 + [1] * 4 + [3] * 2]], np.uint8)
    found = assign_parts(confusion(prediction, truth, 4).sum(0))
    assert (found.head, found.legs, found.shoes, found.upper) == ((3,), (2,), (1,), ())


def test_more_parts_than_classes_leaves_parts_over() -> None:
    truth, prediction = np.array([[[1, 1, 1, 0]]], np.uint8), np.array([[[2, 2, 4, 0]]], np.uint8)
    found = assign_parts(confusion(prediction, truth, 5).sum(0))
    assert found == Assignment("one-to-one", head=(2,))


def test_the_authors_rule_is_for_six_and_seven() -> None:
    assert authors_assignment(6).legs == (4,)
    assert authors_assignment(7).legs == (4, 5)
    with pytest.raises(IspError, match="6 and 7 only"):
        authors_assignment(5)


def test_constant_mask_is_the_best_of_all_masks() -> None:
    """Every mask of six pixels is tried."""
    rng = np.random.default_rng(1)
    targets = (rng.random((9, 2, 3)) < rng.random((2, 3))).astype(np.uint8)
    constant = fit_constant(targets)
    best = 0.0
    for bits in range(1, 64):
        mask = np.array([bits >> i & 1 for i in range(6)], bool).reshape(2, 3)
        best = max(best, (mask & (targets > 0)).sum() / (mask | (targets > 0)).sum())
    assert constant.counts(targets, "foreground").sum().iou == pytest.approx(best)
    assert constant.counts(targets, "head").sum().iou == pytest.approx(best)  # code 1 is the head here
    assert not constant.masks[TARGETS.index("shoes")].any()


def test_ambiguous_pixels_are_foreground_in_a_fifth_to_four_fifths() -> None:
    targets = np.zeros((10, 1, 4), np.uint8)
    for column, present in enumerate((1, 2, 8, 9)):
        targets[:present, 0, column] = 2
    constant = fit_constant(targets)
    assert constant.ambiguous.tolist() == [[False, True, True, False]]
    assert (only(targets, constant.ambiguous) == 255).sum() == 20


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), levels=st.sampled_from([2, 5, 10_000]))
def test_auc_equals_scikit_learns(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    targets = rng.choice(np.array([0, 1, 3, 255], np.uint8), (4, 5, 3))
    scores = (rng.integers(0, levels, targets.shape) / levels).astype(np.float32)
    pixels = rng.random((5, 3)) < 0.7
    kept = (targets != 255) & pixels
    if len(np.unique(targets[kept] > 0)) < 2:
        assert np.isnan(foreground_auc(scores, targets, pixels))
    else:
        assert foreground_auc(scores, targets, pixels) == pytest.approx(roc_auc_score(targets[kept] > 0, scores[kept]))


def test_purity_tells_a_part_from_a_rank() -> None:
    """Part 1 is the head for everybody; part 2 is the legs of one person and the shoes of the other."""
    truth = np.array([[[1, 1, 3, 3]], [[1, 1, 4, 4]]], np.uint8)
    prediction = np.array([[[1, 1, 2, 2]]] * 2, np.uint8)
    found = part_purity(confusion(prediction, truth, 4), np.array([7, 9]))
    np.testing.assert_allclose(found.across, [1, 0.5, np.nan])
    np.testing.assert_allclose(found.within, [1, 1, np.nan])
    np.testing.assert_allclose(found.spread[1], [0, 0, 0, 0.5, 0.5, 0, 0])


def test_wrong_inputs_are_explained() -> None:
    zeros = np.zeros((1, 2, 2), np.uint8)
    with pytest.raises(IspError, match="same shape"):
        confusion(zeros, np.zeros((1, 2, 3), np.uint8), 3)
    with pytest.raises(IspError, match="beyond part 2"):
        confusion(zeros + 3, zeros, 3)
    with pytest.raises(IspError, match="to_targets"):
        confusion(zeros, zeros + 9, 3)
