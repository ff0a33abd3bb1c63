"""Is a part there at all? The visibility of Eq. 8 against ground truth, and false alarms of a part on people without
it.

Maps and flags in, numbers out. Out of scope: how much of a part is found where it is (isp_core.metrics.part_scores).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isp_core.errors import IspError
from isp_core.metrics.bootstrap import Interval, bootstrap_interval
from isp_core.metrics.spaces import FOREGROUND_ONLY, PARTS

Labels = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

ALARM_SHARE = 0.01
"""A part is a false alarm from more than this share of an image's pixels on."""


@dataclass(frozen=True)
class Visibility:
    """How well "the part is visible" agrees with ground truth over images; shares in [0, 1], NaN where nothing was
    counted.

    present, absent: images that ground truth says show the part or do not. found: share of the present that are called
    visible; rejected: share of the absent that are called hidden; balanced: the mean of the two, which is 0.5 for
    whoever always says "visible". accuracy: share of all calls that are right; always_accuracy: that of always saying
    "visible".
    """

    present: int
    absent: int
    found: float
    rejected: float
    balanced: float
    always_balanced: float
    accuracy: float
    always_accuracy: float


@dataclass(frozen=True)
class Alarms:
    """A part on images whose ground truth has none of it (false), and on those that have some (hits).

    threshold: the share of an image's pixels that the part must exceed to count.
    """

    threshold: float
    false: Interval
    hits: Interval


def truth_presence(targets: Labels, part: str) -> Floats:
    """Whether each image shows `part`: 1 from one pixel on, 0 for none, NaN where ground truth does not say. (N,).

    targets (N, H, W): codes of isp_core.metrics.spaces. Truth does not say where a person wears a dress or the like
    (code 6: person, but of no stated part), which may be the missing part of the body; a bag it cannot be. Nor does it
    where all pixels are ignored.

    >>> maps = np.array([[[1, 3]], [[3, 0]], [[6, 3]], [[255, 255]]], np.uint8)
    >>> truth_presence(maps, "head").tolist(), truth_presence(maps, "belongings").tolist()
    ([1.0, 0.0, nan, nan], [0.0, 0.0, 0.0, nan])
    """
    if part not in PARTS:
        raise IspError(f"{part!r} is no part; allowed: {', '.join(PARTS)}")
    flat = targets.reshape(len(targets), -1)
    there = (flat == PARTS.index(part) + 1).any(axis=1)
    known = (flat <= FOREGROUND_ONLY).any(axis=1)
    if part != "belongings":
        known &= ~(flat == FOREGROUND_ONLY).any(axis=1)
    return np.where(there, 1.0, np.where(known, 0.0, np.nan))


def judge_visibility(visible: Flags, presence: Floats) -> Visibility:
    """visible (N,): what Eq. 8 says. presence (N,): `truth_presence`; images with NaN are left out.

    >>> found = judge_visibility(np.array([True, True, True, False]), np.array([1.0, 1.0, 0.0, 0.0]))
    >>> found.balanced, found.always_balanced, found.accuracy, found.always_accuracy
    (0.75, 0.5, 0.75, 0.5)
    """
    present, absent = presence == 1, presence == 0
    found, rejected = _share(visible[present]), _share(~visible[absent])
    n, m = int(present.sum()), int(absent.sum())
    right = float(visible[present].sum() + (~visible[absent]).sum())
    total = n + m
    return Visibility(
        n,
        m,
        found,
        rejected,
        (found + rejected) / 2,
        0.5 if n and m else float("nan"),
        right / total if total else float("nan"),
        n / total if total else float("nan"),
    )


def judge_alarms(
    share: npt.NDArray[np.floating],
    presence: Floats,
    threshold: float = ALARM_SHARE,
    groups: npt.NDArray[np.int64] | None = None,
) -> Alarms:
    """share (N,): of each image's pixels that are called the part. presence (N,): `truth_presence`. groups (N,): the
    identity of each, whose images the intervals draw together.

    >>> found = judge_alarms(np.array([0.2, 0.005, 0.1, 0.0]), np.array([0.0, 0.0, 1.0, 1.0]))
    >>> found.false.mean, found.false.n, found.hits.mean
    (0.5, 2, 0.5)
    """
    if not 0 <= threshold < 1:
        raise IspError(f"the share of pixels that makes an alarm lies in [0, 1), not at {threshold}")
    called = share > threshold

    def interval(there: Flags) -> Interval:
        return bootstrap_interval(called[there], None if groups is None else groups[there], resamples=1000)

    return Alarms(threshold, interval(presence == 0), interval(presence == 1))


def _share(flags: Flags) -> float:
    return float(flags.mean()) if len(flags) else float("nan")
