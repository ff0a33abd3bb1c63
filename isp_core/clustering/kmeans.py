"""K-means as the second stage of the cascade needs it: Lloyd's algorithm on many points and few centres.

Pure functions on tensors, the same on CPU and GPU, float32 with float64 where sums grow long. Equal input, equal seed
and equal number of threads give equal labels bit for bit. Nothing here knows about images or parts (see
cascade.py).

Where the time goes, and why the code looks as it does: a move of the centres reads all points, n numbers of c channels,
and the first moves need not be exact. So the first centres are found on a sample and settle on a quarter of the points,
both in the few dimensions that hold most of the spread; only then all points are in view, usually once or twice. What
a move costs is the matter of points.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from isp_core.clustering import kernels
from isp_core.clustering.errors import ClusteringError
from isp_core.clustering.points import DensePoints, Points, Visit
from isp_core.clustering.threads import threads_for

SAMPLE = 1024
"""Points on which first centres are sought."""

SKETCH, WITNESSES = 64, 128
"""Dimensions in which first centres are sought where points have many more, and points that choose them."""

SETTLED = 0.004
"""Centres have settled once at most this share of the points changes its cluster: the rest is 0.01 % of the inertia."""
_AFTER_SAMPLE = 2.5  # times this share, where the centres come settled from a quarter of the points: 0.02 %

_SETTLING = 10  # moves of the centres on the sample; more of them changed the inertia by less than 0.05 %
_ROUNDING = 4e-6  # how far a squared distance may be off, as a share of the largest squared norm


@dataclass(frozen=True)
class KMeansResult:
    """Clusters of n points."""

    labels: Tensor
    """(n,) int64: the nearest of `centres`, the lowest index among equally near ones."""
    centres: Tensor
    """(k, c) float32. An empty cluster (fewer distinct points than k) keeps the place where it began."""
    sizes: Tensor
    """(k,) int64: points of each cluster."""
    inertia: float
    """Sum of squared distances of the points to their centres."""
    iterations: int
    """Times the centres were moved with all points in view."""


@torch.no_grad()
def kmeans(
    points: Tensor | Points,
    k: int,
    *,
    seed: int = 0,
    restarts: int = 1,
    iterations: int = 20,
    sample: int = SAMPLE,
    settled: float = SETTLED,
) -> KMeansResult:
    """K-means of points (n, c) into k clusters, squared Euclidean distance. From given centres: see `lloyd`.

    Centres are seeded (k-means++) and settled on an even sample of the points, `restarts` times; the best of them
    settles on a quarter of the points (both in SKETCH dimensions, if points have many more) and then on all, by at
    most `iterations` moves each.

    Fewer points, or fewer distinct ones, than k: the superfluous clusters stay empty. Raises ClusteringError for no
    points at all, k < 1 or shapes that do not fit.
    """
    if k < 1:
        raise ClusteringError(f"k-means needs k >= 1, got {k}")
    if restarts < 1 or sample < k:
        raise ClusteringError(f"restarts must be at least 1 and the sample at least k points: {restarts}, {sample}")
    points, origin = _near_origin(points)
    generator = torch.Generator().manual_seed(seed)
    with threads_for(points.matrix.numel()):
        return _moved(_kmeans(points, k, generator, restarts, iterations, sample, settled), origin)


def _kmeans(
    points: Points, k: int, generator: torch.Generator, restarts: int, iterations: int, sample: int, settled: float
) -> KMeansResult:
    n, device = len(points.norms2), points.norms2.device
    if n <= 4 * sample:
        centres = first_centres(points.rows(_evenly(n, sample, generator, device)), k, restarts, generator)
        return _lloyd(points, centres, iterations, settled)
    basis = None
    chosen = _evenly(n, n // 4, generator, device)
    if points.channels > 2 * SKETCH:
        basis = _principal(points.rows(_evenly(n, WITNESSES, generator, device)))  # (c, d)
    quarter = points.rows(chosen) if basis is None else points.projected(chosen, basis)
    some = quarter[_evenly(len(quarter), sample, generator, device)]
    centres = first_centres(some, k, restarts, generator)
    centres = _settle(quarter, centres[None], iterations, settled)
    centres = centres if basis is None else centres @ basis.t()
    return _lloyd(points, centres, iterations, _AFTER_SAMPLE * settled)


@torch.no_grad()
def lloyd(points: Tensor | Points, initial: Tensor, *, iterations: int = 20, settled: float = 0.0) -> KMeansResult:
    """Lloyd's algorithm from given centres, until they settled or were moved `iterations` times.

    points: (n, c), any float dtype; initial: (k, c). Centres have settled once at most a share `settled` of the points
    changes its cluster. The labels belong to the returned centres. A cluster that lost all its points starts again at
    the point that is farthest from all centres (lowest index first), unless that distance is 0.
    """
    points, origin = _near_origin(points)
    if initial.ndim != 2 or len(initial) == 0 or initial.shape[1] != points.channels:
        raise ClusteringError(f"centres {tuple(initial.shape)} do not fit points of {points.channels} channels")
    initial = initial.detach().to(points.norms2.device, torch.float32)
    initial = initial if origin is None else initial - origin
    with threads_for(points.matrix.numel()):
        return _moved(_lloyd(points, initial, iterations, settled), origin)


def _lloyd(points: Points, centres: Tensor, iterations: int, settled: float) -> KMeansResult:
    enough = settled * len(points.norms2)
    visit, moves = points.visit(centres), 0
    while moves < iterations:
        means = _means(points, visit, centres)
        if torch.equal(means, centres):
            break
        centres, moves = means, moves + 1
        visit = points.visit(centres, visit.labels)
        if visit.changed <= enough and int(visit.sizes.min()) > 0:
            break
    inertia = float((points.norms2 - 2 * visit.scores.double()).sum())
    return KMeansResult(visit.labels, centres, visit.sizes, max(0.0, inertia), moves)


def _means(points: Points, visit: Visit, centres: Tensor) -> Tensor:
    """(k, c): the mean of each cluster; empty ones go, one by one, to the point that is farthest from all others."""
    if int(visit.sizes.min()) > 0:
        return (visit.sums / visit.sizes[:, None]).float()
    full = visit.sizes > 0
    means = torch.where(full[:, None], (visit.sums / visit.sizes.clamp(min=1)[:, None]).float(), centres)
    distances = points.norms2 - 2 * points.visit(means[full]).scores
    for k in (~full).nonzero()[:, 0].tolist():
        farthest = distances.argmax()
        if float(distances[farthest]) <= _ROUNDING * float(points.norms2.max()):
            break  # no more distinct points than clusters
        means[k] = points.rows(farthest[None])[0]
        distances = torch.minimum(distances, points.norms2 - 2 * points.visit(means[k, None]).scores)
    return means


def first_centres(points: Tensor, k: int, restarts: int, generator: torch.Generator) -> Tensor:
    """Centres (k, c) to start from: greedy k-means++ and some moves of Lloyd's algorithm, the best of `restarts`.

    points: (m, c), best a sample. All of it happens on the CPU: these are many small steps.
    """
    device, points = points.device, points.float().cpu()
    origin = points.double().mean(0)
    points = points - origin.float()
    centres = _settle(points, _plus_plus(points, k, restarts, generator), _SETTLING, SETTLED)
    return (centres.double() + origin).float().to(device)


def _settle(points: Tensor, starts: Tensor, moves: int, settled: float) -> Tensor:
    """Lloyd's algorithm on a sample (m, c) from several starts (r, k, c): the best centres (k, c). On the CPU."""
    rows = points.cpu().contiguous().numpy()
    best = kernels.settle(rows, starts.cpu().contiguous().numpy(), moves, settled * len(points))
    return torch.from_numpy(best).to(points.device)


def _evenly(n: int, size: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """One of 0 .. n-1 at random from each of `size` equal stretches: every image and every height is in it."""
    places = torch.arange(size, dtype=torch.float64) + torch.rand(size, generator=generator, dtype=torch.float64)
    chosen = (places * (n / size)).long().clamp_(max=n - 1) if n > size else torch.arange(n)
    return chosen.to(device)


def _principal(witnesses: Tensor) -> Tensor:
    """(m, c) -> (c, d): an orthonormal basis of d = SKETCH dimensions, at most, along which the points extend most."""
    values, vectors = torch.linalg.eigh((witnesses @ witnesses.t()).cpu())  # (m,) rising, (m, m)
    kept = max(1, int((values[-SKETCH:] > 1e-5 * values[-1]).sum()))
    scaled = vectors[:, -kept:] * values[-kept:].clamp(min=1e-30).rsqrt()
    basis: Tensor = witnesses.t() @ scaled.to(witnesses.device)
    return basis


def _plus_plus(points: Tensor, k: int, restarts: int, generator: torch.Generator) -> Tensor:
    """Greedy k-means++ (of several draws, the one that lowers the inertia most), all restarts at once: (r, k, c)."""
    m = len(points)
    trials = 2 + int(math.log(k))
    draws = torch.rand(restarts, k, trials, generator=generator, dtype=torch.float64)
    norms = points.square().sum(1)  # (m,)
    chosen = [(draws[:, 0, 0] * m).long().clamp_(max=m - 1)]  # (r,) each
    distances = _to_rows(points, norms, chosen[0])  # (r, m)
    for step in range(1, k):
        cumulated = distances.double().cumsum(1)
        total = cumulated[:, -1:]
        candidates = torch.searchsorted(cumulated, draws[:, step] * total, right=True).clamp_(max=m - 1)  # (r, t)
        reach = torch.minimum(
            distances[:, None], _to_rows(points, norms, candidates.flatten()).view(restarts, trials, m)
        )
        best = reach.sum(2, dtype=torch.float64).argmin(1)  # (r,)
        rows = torch.arange(restarts)
        chosen.append(candidates[rows, best])
        distances = reach[rows, best]
    return points[torch.stack(chosen, 1)]


def _to_rows(points: Tensor, norms: Tensor, rows: Tensor) -> Tensor:
    """Squared distances of all points to some of them: (len(rows), m), exactly 0 to themselves."""
    products = (points @ points.index_select(0, rows).t()).t()  # (r, m)
    distances = (norms + norms[rows, None] - 2 * products).clamp_(min=0)
    distances.masked_fill_(distances <= 1e-6 * norms, 0.0)
    return distances.scatter_(1, rows[:, None], 0.0)


# ------------------------------------------------------------------------------------------------------------ details


def _near_origin(points: Tensor | Points) -> tuple[Points, Tensor | None]:
    """Points as k-means wants them and what was taken off them.

    Matrices that lie far from 0 for their spread are centred: there float32 products lose their digits.
    """
    if not isinstance(points, Tensor):
        return points, None
    if points.ndim != 2 or len(points) == 0:
        raise ClusteringError(f"k-means needs points of shape (n, c) with n >= 1, got {tuple(points.shape)}")
    points = points.detach().float()
    some = points[:: max(1, len(points) // 256)].double()
    mean = some.mean(0)
    if float(mean.square().sum()) <= 10 * float((some - mean).square().sum(1).mean()):
        return DensePoints(points), None
    return DensePoints(points - mean.float()), mean.float()


def _moved(result: KMeansResult, origin: Tensor | None) -> KMeansResult:
    return result if origin is None else replace(result, centres=result.centres + origin)
