"""How label maps change from one labelling to the next, and how large their parts are. No ground truth is needed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isp_core.errors import IspError
from isp_core.metrics.spaces import IGNORE

Labels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]


def churn(before: Labels, after: Labels) -> float:
    """Share of pixels whose label changed, in [0, 1]; pixels ignored (255) on either side do not count.

    before, after: the same images in the same order, any equal shape. NaN where nothing is left to compare.

    >>> churn(np.array([[0, 1, 2, 255]], np.uint8), np.array([[0, 2, 2, 1]], np.uint8))
    0.3333333333333333
    """
    return float(_share(*_compared(before, after), axis=None))


def churn_per_picture(before: Labels, after: Labels) -> Floats:
    """`churn` of each picture: (N, H, W) -> (N,)."""
    changed, kept = _compared(before, after)
    return _share(changed, kept, axis=tuple(range(1, changed.ndim)))


def part_sizes(labels: Labels, parts: int) -> Floats:
    """Share of all labelled pixels in each of the K clusters, background first: (K,); NaN where nothing is labelled.

    >>> part_sizes(np.array([[0, 0, 1, 255]], np.uint8), parts=3).round(2).tolist()
    [0.67, 0.33, 0.0]
    """
    counts = np.bincount(np.asarray(labels).reshape(-1), minlength=256)[:IGNORE]
    if counts[parts:].any():
        raise IspError(
            f"label maps hold part {int(np.flatnonzero(counts)[-1])}; with K = {parts} the last is {parts - 1}"
        )
    total = counts.sum()
    return counts[:parts] / total if total else np.full(parts, np.nan)


def _compared(before: Labels, after: Labels) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    if before.shape != after.shape:
        raise IspError(f"label maps of shapes {before.shape} and {after.shape} cannot be compared pixel by pixel")
    kept = (before != IGNORE) & (after != IGNORE)
    return (before != after) & kept, kept


def _share(
    changed: npt.NDArray[np.bool_], kept: npt.NDArray[np.bool_], axis: tuple[int, ...] | None
) -> npt.NDArray[np.float64]:
    counted = np.asarray(kept.sum(axis=axis))
    return np.where(counted > 0, changed.sum(axis=axis) / np.maximum(counted, 1), np.nan)
