"""Intervals and paired tests over queries or pictures: how much of a figure is luck of the draw.

Values in, intervals out; what the values are is the caller's business. Randomness is a seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isp_core.errors import IspError

Floats = npt.NDArray[np.float64]

_BLOCK = 1 << 22  # numbers drawn at once


@dataclass(frozen=True)
class Interval:
    """A mean and the percentile interval that holds it with probability `level` over resamples; NaN without values."""

    mean: float
    low: float
    high: float
    level: float
    n: int


@dataclass(frozen=True)
class PairedTest:
    """Mean difference b - a over the n common values, its interval, and how often chance alone makes as large a one.

    p_value is that of a two-sided sign-flip test: under "no difference" each pair's difference is as likely to have the
    other sign.
    """

    difference: Interval
    p_value: float


def bootstrap_interval(
    values: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile interval of the mean. values (N,): one per query; NaN (queries without a match) are left out.

    groups (N,): where given, whole groups are drawn instead of single values. Queries of one identity share a gallery
    and rise and fall together; grouped by identity the interval is wider, and says more about other people.

    >>> found = bootstrap_interval([1, 0, 1, 1] * 50)
    >>> found.mean, found.low < 0.75 < found.high
    (0.75, True)
    """
    _check_level(level)
    x, members = _kept(values, groups)
    if len(x) == 0:
        return Interval(float("nan"), float("nan"), float("nan"), level, 0)
    sums, sizes = np.bincount(members, weights=x), np.bincount(members).astype(np.float64)
    means = np.concatenate(
        [(drawn @ sums) / (drawn @ sizes) for drawn in _draws(len(sums), resamples, np.random.default_rng(seed))]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(x.mean()), float(low), float(high), level, len(x))


def paired_test(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    resamples: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> PairedTest:
    """Is b better than a on the same queries? a, b (N,) in the same order; pairs with a NaN are left out.

    >>> test = paired_test([0.0] * 40, [0.1] * 40)
    >>> round(test.difference.mean, 3), test.p_value < 0.001
    (0.1, True)
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape:
        raise IspError(f"a paired test needs the same queries on both sides; got {len(first)} and {len(second)}")
    interval = bootstrap_interval(second - first, groups, resamples, level, seed)
    x, members = _kept(second - first, groups)
    if len(x) == 0:
        return PairedTest(interval, float("nan"))
    sums = np.bincount(members, weights=x)
    observed = abs(sums.sum())
    rng, as_large = np.random.default_rng([seed, 1]), 0
    for rows in _chunks(len(sums), resamples):
        flipped = rng.choice((-1.0, 1.0), (rows, len(sums))) @ sums
        as_large += int((np.abs(flipped) >= observed * (1 - 1e-12)).sum())
    return PairedTest(interval, (as_large + 1) / (resamples + 1))


def _kept(values: npt.ArrayLike, groups: npt.ArrayLike | None) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Values that are numbers, and the index of the group of each."""
    x = np.asarray(values, np.float64)
    members = np.arange(len(x)) if groups is None else np.asarray(groups)
    if members.shape != x.shape:
        raise IspError(f"{len(x)} values with groups of shape {members.shape}: one group per value is needed")
    kept = ~np.isnan(x)
    return x[kept], np.unique(members[kept], return_inverse=True)[1]


def _draws(n: int, resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
    """How often each of n units is drawn: blocks (rows, n) that together have `resamples` rows."""
    for rows in _chunks(n, resamples):
        yield rng.multinomial(n, np.full(n, 1 / n), size=rows).astype(np.float64)


def _chunks(n: int, resamples: int) -> Iterator[int]:
    step = max(1, _BLOCK // n)
    return (min(step, resamples - start) for start in range(0, resamples, step))


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise IspError(f"a confidence level lies between 0 and 1, not at {level}")
