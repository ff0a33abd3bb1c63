"""Label stability, and what intervals and paired tests promise."""

import numpy as np
import pytest

from isp_core.errors import IspError
from isp_core.metrics.bootstrap import bootstrap_interval, paired_test
from isp_core.metrics.labels import churn, churn_per_picture, part_sizes


def test_churn_counts_pixels_labelled_on_both_sides() -> None:
    before = np.array([[[0, 1]], [[2, 255]], [[255, 255]]], np.uint8)
    after = np.array([[[0, 2]], [[2, 3]], [[1, 1]]], np.uint8)
    assert churn(before, after) == pytest.approx(1 / 3)
    np.testing.assert_allclose(churn_per_picture(before, after), [0.5, 0, np.nan])
    assert np.isnan(churn(before[2:], after[2:]))


def test_churn_of_other_shapes_is_refused() -> None:
    with pytest.raises(IspError, match="pixel by pixel"):
        churn(np.zeros((1, 2), np.uint8), np.zeros((1, 3), np.uint8))


def test_part_sizes_sum_to_one_and_refuse_parts_beyond_k() -> None:
    labels = np.array([[0, 0, 1, 3, 255]], np.uint8)
    np.testing.assert_allclose(part_sizes(labels, 4), [0.5, 0.25, 0, 0.25])
    assert np.isnan(part_sizes(labels[:, 4:], 4)).all()
    with pytest.raises(IspError, match="hold part 3"):
        part_sizes(labels, 3)


def test_interval_covers_the_true_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for trial in range(300):
        found = bootstrap_interval(rng.random(100) < 0.3, level=0.9, resamples=400, seed=trial)
        inside += found.low <= 0.3 <= found.high
    assert 0.84 <= inside / 300 <= 0.95


def test_interval_is_the_same_for_the_same_seed_and_leaves_nan_out() -> None:
    values = [1.0, 0.0, float("nan"), 1.0]
    assert bootstrap_interval(values, seed=3) == bootstrap_interval(values, seed=3)
    assert bootstrap_interval(values).n == 3
    assert np.isnan(bootstrap_interval([float("nan")]).mean)


def test_groups_widen_the_interval_when_their_members_agree() -> None:
    values, groups = np.repeat([0.0, 1.0] * 10, 10), np.repeat(np.arange(20), 10)
    alone, grouped = bootstrap_interval(values), bootstrap_interval(values, groups)
    assert alone.mean == grouped.mean
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_paired_test_sees_a_small_but_steady_gain_that_intervals_hide() -> None:
    rng = np.random.default_rng(0)
    a = rng.random(200)
    b = a + 0.01 + 0.001 * rng.standard_normal(200)
    assert bootstrap_interval(a).high > bootstrap_interval(b).low
    found = paired_test(a, b)
    assert found.difference.low > 0
    assert found.p_value < 0.001


def test_paired_test_without_a_difference_is_rarely_significant() -> None:
    rng = np.random.default_rng(1)
    significant = sum(
        paired_test(rng.random(40), rng.random(40), resamples=300, seed=s).p_value < 0.05 for s in range(200)
    )
    assert significant / 200 < 0.1
    assert paired_test([0.5] * 5, [0.5] * 5).p_value == 1


def test_unequal_sides_are_refused() -> None:
    with pytest.raises(IspError, match="same queries"):
        paired_test([1, 2], [1, 2, 3])
    with pytest.raises(IspError, match="one group per value"):
        bootstrap_interval([1, 2], groups=[1])
    with pytest.raises(IspError, match="between 0 and 1"):
        bootstrap_interval([1, 2], level=95)
