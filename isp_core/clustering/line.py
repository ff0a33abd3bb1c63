"""Exact two-means of numbers on a line: the first stage of the cascade (section 3.2), without a start or a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isp_core.clustering.errors import ClusteringError
from isp_core.compiled import compiled

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Split:
    """The best cut of numbers on a line into two groups: high is what is strictly greater than `threshold`."""

    threshold: float
    low: float
    """Mean of the low group."""
    high: float
    """Mean of the high group; equal to `low` where all values are equal and nothing is high."""


def two_means_1d(values: Tensor) -> Split:
    """Exact two-means of numbers: the cut with the least sum of squares within both groups, over all cuts.

    values: (n,) finite floats. The optimum never parts equal values, so `values > threshold` is the high group. Of
    equally good cuts the lowest wins; if all values are equal nothing is high. Sorting and float64 prefix sums: no
    start, no iterations, no seed.

    >>> two_means_1d(torch.tensor([0.0, 0.1, 0.9, 1.0]))
    Split(threshold=0.10000000149011612, low=0.05000000074505806, high=0.949999988079071)
    """
    if values.ndim != 1 or len(values) == 0:
        raise ClusteringError(f"two-means needs one row of at least one value, got shape {tuple(values.shape)}")
    numbers = (values if values.dtype == torch.float64 else values.float()).detach().cpu().numpy()
    ordered = np.sort(numbers).astype(np.float64)  # float32 is sorted by vector instructions
    if not np.isfinite(ordered[[0, -1]]).all():  # sorting puts infinities and NaN at the ends
        raise ClusteringError("two-means needs finite values, got NaN or infinity")
    mean = float(ordered.mean())
    cut, low, high = _best_cut(ordered - mean)
    return Split(float(ordered[cut]), mean + low, mean + high)


@compiled
def _best_cut(offsets: Doubles) -> tuple[int, float, float]:
    """Rising offsets (n,) from the mean of all: the last of the low group, and the mean offset of either group."""
    total = float(len(offsets))
    cut, best, low, high = 0, 0.0, 0.0, 0.0
    low_mass = low_sum = 0.0
    for i in range(len(offsets) - 1):
        low_mass += 1.0
        low_sum += offsets[i]
        if offsets[i] == offsets[i + 1]:
            continue
        # offsets of all sum up to 0: s_high = -s_low, and the spread between is s_low^2 / m_low + s_high^2 / m_high
        between = low_sum**2 * (1.0 / low_mass + 1.0 / (total - low_mass))
        if between > best:
            cut, best, low, high = i, between, low_sum / low_mass, -low_sum / (total - low_mass)
    return cut, low, high
