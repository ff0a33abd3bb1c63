"""Which parts an image shows: Eq. 8 and the calibrated rules, by hand and against plain sums."""

from dataclasses import replace

import numpy as np
import pytest

from isp_core.errors import IspError
from isp_core.matching import Calibration, Embeddings, best_threshold, chosen_rule, distances, explain, judged

KNOWN = Calibration((0.8, 0.4), (0.9, float("nan")), (5, 6), (1, 0), epoch=3, labels_epoch=2)


def seen(peaks: list[list[float]], flags: list[list[bool]], seed: int = 0) -> Embeddings:
    rng, n = np.random.default_rng(seed), len(peaks)
    features = (rng.normal(size=shape).astype(np.float32) for shape in ((n, 4), (n, 4), (n, 2, 4)))
    return Embeddings(*features, np.array(flags), np.array(flags, np.float32), np.array(peaks, np.float32))


def test_the_threshold_lies_halfway_where_visible_and_hidden_images_part_best() -> None:
    peaks, shown = np.array([0.2, 0.9, 0.5, 0.7, 0.6]), np.array([False, True, True, True, False])
    # above 0.65: all hidden images rejected, 2 of 3 found; above 0.35: 1 of 2 rejected, all found (0.75)
    threshold, balanced = best_threshold(peaks, shown)
    assert threshold == pytest.approx(0.65)
    assert balanced == pytest.approx((2 / 3 + 1) / 2)


@pytest.mark.parametrize("seed", range(5))
def test_the_threshold_is_as_good_as_the_best_of_all_that_could_be_tried(seed: int) -> None:
    rng = np.random.default_rng(seed)
    peaks, shown = rng.integers(0, 12, 40) / 12, rng.random(40) < 0.6

    def balanced(threshold: float) -> float:
        return float(((peaks[shown] >= threshold).mean() + (peaks[~shown] < threshold).mean()) / 2)

    threshold, reached = best_threshold(peaks, shown)
    assert reached == pytest.approx(balanced(threshold))
    assert reached == pytest.approx(max(balanced(t) for t in np.linspace(0.001, 0.999, 500)))


def test_a_part_that_all_images_show_always_counts_and_one_that_none_shows_needs_certainty() -> None:
    assert best_threshold(np.array([0.3, 0.6]), np.array([True, True]))[0] == 0
    assert best_threshold(np.array([0.3, 0.6]), np.array([False, False]))[0] == 1


def test_each_rule_decides_by_what_it_says() -> None:
    e = seen([[0.8, 0.39], [0.79, 1.0]], [[True, True], [False, True]])
    assert judged(e, "eq8", KNOWN).visibility.tolist() == [[True, True], [False, True]]
    assert judged(e, "peak", replace(KNOWN, thresholds=(0.75, 0.4))).visibility.tolist() == [
        [True, False],
        [True, True],
    ]
    weights = judged(e, "soft", KNOWN).visibility
    assert weights[1, 1] == 1
    assert weights[0, 0] == pytest.approx(0.5)  # at the threshold
    assert weights[0, 1] == pytest.approx(0.39 * 0.6 / (0.39 * 0.6 + 0.4 * 0.61))


def test_weights_weigh_the_parts_of_eq_10() -> None:
    q, g = (
        judged(seen(peaks, [[True, True]], n), "soft", KNOWN) for n, peaks in enumerate([[[0.9, 0.3]], [[0.7, 0.6]]])
    )
    terms = explain(q, g)
    weight = (q.visibility * g.visibility)[0]
    by_hand = (terms.d_global[0] + terms.d_foreground[0] + (weight * terms.d_parts[0]).sum()) / (2 + weight.sum())
    assert terms.distance[0] == pytest.approx(by_hand, abs=1e-6)
    assert distances(q, g)[0, 0] == pytest.approx(by_hand, abs=1e-6)
    assert distances(q, g, metric="euclidean")[0, 0] == pytest.approx(explain(q, g, "euclidean").distance[0], abs=1e-5)


def test_the_rule_is_calibrated_where_there_are_thresholds_and_can_be_chosen() -> None:
    assert chosen_rule(None, None, "run") == "eq8"
    assert chosen_rule(None, KNOWN, "run") == "peak"
    assert chosen_rule("eq8", KNOWN, "run") == "eq8"
    with pytest.raises(IspError, match="visibility 'glance' is unknown; allowed: eq8, peak, soft"):
        chosen_rule("glance", KNOWN, "run")
    with pytest.raises(
        IspError, match=r"needs thresholds, and runs/a has none: make them with `isp calibrate`, or use eq8"
    ):
        chosen_rule("soft", None, "runs/a")


def test_embeddings_without_probabilities_or_with_other_parts_are_refused() -> None:
    e = seen([[0.8, 0.4]], [[True, True]])
    with pytest.raises(IspError, match="make them again with `isp extract`"):
        judged(replace(e, part_peak=None), "peak", KNOWN)
    with pytest.raises(IspError, match="3 thresholds cannot be compared with 2 parts"):
        judged(e, "peak", replace(KNOWN, thresholds=(0.1, 0.2, 0.3)))


def test_a_calibration_is_read_as_it_was_stored_and_a_damaged_one_named() -> None:
    document = KNOWN.document()
    again = Calibration.of({**document, "balanced": [0.9, None]})  # JSON has no NaN
    assert replace(again, balanced=()) == replace(KNOWN, balanced=())
    assert np.isnan(again.balanced[1])
    for damage in ({"thresholds": [0.1, 7.0]}, {"thresholds": [0.1]}, {"epoch": "late"}, {"visible": None}):
        with pytest.raises(IspError, match="not a calibration of visibility"):
            Calibration.of(document | damage)
