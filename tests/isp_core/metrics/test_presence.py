"""Whether a part is there: counted by hand, and beside always saying yes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isp_core.errors import IspError
from isp_core.metrics.presence import judge_alarms, judge_visibility, truth_presence
from isp_core.metrics.spaces import FOREGROUND_ONLY, IGNORE

HEAD, LEGS, BAG = 1, 3, 5


def maps(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.uint8)[:, None, :]


def test_one_pixel_is_enough_and_its_lack_is_absence() -> None:
    truth = maps([0, 0, LEGS], [0, 0, 0])
    assert truth_presence(truth, "legs").tolist() == [1, 0]


@pytest.mark.parametrize(
    ("row", "part", "expected"),
    [
        ([FOREGROUND_ONLY, HEAD, 0], "legs", np.nan),  # a dress may cover them, or stand for them
        ([FOREGROUND_ONLY, HEAD, 0], "head", 1.0),
        ([FOREGROUND_ONLY, HEAD, 0], "belongings", 0.0),  # whatever it is, it is no bag
        ([IGNORE, IGNORE, IGNORE], "belongings", np.nan),
        ([IGNORE, 0, 0], "belongings", 0.0),
    ],
)
def test_truth_that_does_not_say_is_neither_presence_nor_absence(row: list[int], part: str, expected: float) -> None:
    np.testing.assert_equal(truth_presence(maps(row), part), [expected])


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(IspError, match="'tail' is no part"):
        truth_presence(maps([0, 0]), "tail")


def test_rare_absence_counts_as_much_as_common_presence() -> None:
    """Nine of ten pictures show the part; always saying so is right nine times, but worth nothing."""
    presence = np.array([1.0] * 9 + [0.0])
    always = judge_visibility(np.ones(10, np.bool_), presence)
    assert (always.accuracy, always.always_accuracy) == (0.9, 0.9)
    assert always.balanced == always.always_balanced == 0.5
    looking = judge_visibility(np.array([True] * 6 + [False] * 4), presence)
    assert (looking.found, looking.rejected, looking.balanced) == pytest.approx((6 / 9, 1, 5 / 6))
    assert (looking.present, looking.absent) == (9, 1)


def test_without_absent_pictures_there_is_no_balance() -> None:
    found = judge_visibility(np.array([True, False]), np.array([1.0, np.nan]))
    assert (found.found, found.accuracy, found.present, found.absent) == (1, 1, 1, 0)
    assert np.isnan(found.rejected)
    assert np.isnan(found.balanced)
    assert np.isnan(found.always_balanced)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 1.0, np.nan])), max_size=30))
def test_saying_the_opposite_turns_the_balance_round(rows: list[tuple[bool, float]]) -> None:
    visible, presence = np.array([r[0] for r in rows], np.bool_), np.array([r[1] for r in rows], np.float64)
    straight, opposite = judge_visibility(visible, presence), judge_visibility(~visible, presence)
    np.testing.assert_allclose(straight.balanced, 1 - opposite.balanced)


def test_alarms_count_pictures_beyond_the_threshold_only() -> None:
    share = np.array([0.01, 0.011, 0.5, 0.0, 0.3, 0.9])
    presence = np.array([0.0, 0.0, 0.0, 0.0, 1.0, np.nan])
    found = judge_alarms(share, presence)
    assert (found.false.mean, found.false.n) == (0.5, 4)  # exactly 1 % is no alarm
    assert (found.hits.mean, found.hits.n) == (1, 1)
    assert judge_alarms(share, presence, 0.0).false.mean == 0.75
    assert judge_alarms(share, np.ones(6)).false.n == 0


def test_a_threshold_out_of_range_is_refused() -> None:
    with pytest.raises(IspError, match=r"not at 1\.5"):
        judge_alarms(np.zeros(1), np.zeros(1), 1.5)
