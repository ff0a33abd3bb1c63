"""Exact two-means of numbers on a line: the first stage of the cascade (section 3.2), without a start or a seed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from isp_core.clustering.errors import ClusteringError


@dataclass(frozen=True)
class Split:
    """The best cut of numbers on a line into two groups: high is what is strictly greater than `threshold`."""

    threshold: float
    low: float
    """Mean of the low group."""
    high: float
    """Mean of the high group; equal to `low` where all values are equal and nothing is high."""


def two_means_1d(values: Tensor, weights: Tensor | None = None) -> Split:
    """Exact two-means of numbers: the cut with the least sum of squares within both groups, over all cuts.

    values: (n,) finite floats; weights: (n,) >= 0, how often each value counts. The optimum never parts equal values,
    so `values > threshold` is the high group. Of equally good cuts the lowest wins; if all values are equal nothing
    is high. Sorting and float64 prefix sums: no start, no iterations, no seed.

    >>> two_means_1d(torch.tensor([0.0, 0.1, 0.9, 1.0]))
    Split(threshold=0.10000000149011612, low=0.05000000074505806, high=0.949999988079071)
    """
    if values.ndim != 1 or len(values) == 0:
        raise ClusteringError(f"two-means needs one row of at least one value, got shape {tuple(values.shape)}")
    if weights is None:
        ordered, mass = _sorted(values).double(), None
    else:
        if weights.shape != values.shape or not bool((weights >= 0).all()) or not bool((weights > 0).any()):
            raise ClusteringError("weights of two-means: one for each value, none below 0 and not all of them 0")
        positive = weights > 0
        ordered, order = values[positive].double().sort(stable=True)
        mass = weights[positive].double()[order]
    if not bool(ordered[[0, -1]].isfinite().all()):  # sorting puts infinities and NaN at the ends
        raise ClusteringError("two-means needs finite values, got NaN or infinity")

    n = len(ordered)
    if mass is None:
        low_mass = torch.arange(1, n, dtype=torch.float64, device=ordered.device)
        total_mass = float(n)
        mean = ordered.mean()
        sums = (ordered - mean).cumsum(0)
    else:
        cumulated = mass.cumsum(0)
        low_mass, total_mass = cumulated[:-1], float(cumulated[-1])
        mean = (mass * ordered).sum() / total_mass
        sums = (mass * (ordered - mean)).cumsum(0)
    # With values centred, the spread between the groups is s_low^2 / m_low + s_high^2 / m_high, and s_high = -s_low.
    low_sum = sums[:-1]
    between = low_sum.square() * (1.0 / low_mass + 1.0 / (total_mass - low_mass))  # (n - 1,)
    between = between.masked_fill(ordered[1:] == ordered[:-1], -1.0)
    if n == 1 or float(best := between.max()) < 0:
        return Split(float(ordered[0]), float(mean), float(mean))
    cut = int((between == best).nonzero()[0])
    low_share = float(low_mass[cut])
    offset = float(low_sum[cut])
    return Split(float(ordered[cut]), float(mean) + offset / low_share, float(mean) - offset / (total_mass - low_share))


def _sorted(values: Tensor) -> Tensor:
    if values.device.type == "cpu" and values.dtype in (torch.float32, torch.float64):
        # numpy sorts numbers with vector instructions: 49,152 floats in 0.2 ms where torch takes 4 ms
        copy = values.detach().numpy().copy()
        copy.sort()
        return torch.from_numpy(copy)
    return values.sort().values
