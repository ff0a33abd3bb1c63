"""Label stability, and what intervals and paired tests promise."""

import numpy as np
import pytest

from isp_core.errors import IspError
from isp_core.metrics.bootstrap import bootstrap, bootstrap_interval, paired_test
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


def people_and_queries(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two equally good runs on 40 people with 4 to 22 queries each: every run finds some people easier than others."""
    identities = np.repeat(np.arange(40), rng.integers(4, 23, 40))
    first, second = (
        0.6 + 0.12 * rng.standard_normal(40)[identities] + 0.2 * rng.standard_normal(len(identities)) for _ in range(2)
    )
    return identities, first, second


def test_a_true_null_hypothesis_is_rejected_near_five_per_cent_by_identity_and_far_more_often_by_query() -> None:
    """What single queries claim to know about other people is the fault that drawing identities mends."""
    rng = np.random.default_rng(0)
    rejected, covered, trials = {"identity": 0, "query": 0}, {"identity": 0, "query": 0}, 200
    for trial in range(trials):
        identities, first, second = people_and_queries(rng)
        for name, groups in (("identity", identities), ("query", None)):
            found = paired_test(first, second, groups, resamples=400, seed=trial)
            rejected[name] += found.p_value < 0.05
            covered[name] += found.difference.low <= 0 <= found.difference.high
    assert 0.01 <= rejected["identity"] / trials <= 0.10
    assert rejected["query"] / trials > 0.18
    assert covered["identity"] / trials >= 0.88
    assert covered["query"] / trials < 0.85


def test_an_interval_of_pooled_pixels_weighs_images_by_their_pixels() -> None:
    tables = np.array([[90, 100], [1, 10]] * 10)  # intersections and unions: large images are segmented well
    found = bootstrap(tables, lambda sums: sums[:, 0] / sums[:, 1])
    assert found.mean == pytest.approx(910 / 1100)
    assert found.low < found.mean < found.high
    assert (found.n, found.units) == (20, 20)


def test_one_identity_gives_a_metric_but_no_interval() -> None:
    found = bootstrap_interval([0.2, 0.4, 0.6], groups=[7, 7, 7])
    assert found.mean == pytest.approx(0.4)
    assert found.units == 1
    assert np.isnan(found.low)
    assert np.isnan(found.high)
