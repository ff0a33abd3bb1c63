"""K-means as the second stage of the cascade needs it: Lloyd's algorithm on many points and few centres.

Pure functions on tensors, the same on CPU and GPU, float32 with float64 where sums grow long. Equal input, equal seed
and equal number of threads give equal labels bit for bit. Nothing here knows about pictures or parts (see
cascade.py).

Where the time goes, and why the code looks as it does: assigning n points of c channels to k centres is one thin
matrix product, (n, c) @ (c, k). So the first centres are found on a sample (all restarts in one product) and settle on
a quarter of the points, both in the few dimensions that hold most of the spread; every point is visited only while it
can still change its cluster (bounds after Hamerly, SDM 2010), and the sums of the clusters are moved by the points that
changed. None of this changes the outcome of Lloyd's algorithm from given centres.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from isp_core.clustering.errors import ClusteringError
from isp_core.clustering.points import DensePoints, Points
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

    Centres are seeded (k-means++) and settled on an even sample of the points, `restarts` times at once; the best of
    them settles on a quarter of the points (both in SKETCH dimensions, if points have many more) and then on all, by at
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
    changes its cluster. The labels belong to the returned centres. A cluster that lost all its points starts anew at
    the point that is farthest from its own centre (lowest index first), unless that distance is 0.
    """
    points, origin = _near_origin(points)
    if initial.ndim != 2 or len(initial) == 0 or initial.shape[1] != points.channels:
        raise ClusteringError(f"centres {tuple(initial.shape)} do not fit points of {points.channels} channels")
    initial = initial.to(points.norms2.device, torch.float32)
    initial = initial if origin is None else initial - origin
    with threads_for(points.matrix.numel()):
        return _moved(_lloyd(points, initial, iterations, settled), origin)


def _lloyd(points: Points, initial: Tensor, iterations: int, settled: float) -> KMeansResult:
    state = _Lloyd(points, initial)
    enough = settled * len(points.norms2)
    moved = 0
    while moved < iterations and state.move():
        moved += 1
        if state.assign() <= enough and bool((state.sizes > 0).all()):
            break
    return KMeansResult(state.labels, state.centres, state.sizes, state.inertia(), moved)


class _Lloyd:
    """Points, their labels and bounds, and the sums of the clusters, kept in step.

    `slack` says how much nearer each point is to its own centre than to any other. As centres move it shrinks by the
    way of its own centre plus the longest way of the others; only points whose slack is used up are looked at again.
    """

    def __init__(self, points: Points, centres: Tensor) -> None:
        self.points, self.centres = points, centres
        self.reach2 = float(points.norms2.max())
        self.labels, self.slack = self._nearest(None)
        self._count()

    def move(self) -> bool:
        """Centres to the means of their points. False if they are there already."""
        sizes = self.sizes[:, None]
        centres = torch.where(sizes > 0, (self.sums / sizes.clamp(min=1)).float(), self.centres)
        if not bool((sizes > 0).all()):
            centres = self._refill(centres)
        ways: list[float] = torch.linalg.vector_norm(centres - self.centres, dim=1).tolist()
        if not any(ways):
            return False
        second, longest = sorted([0.0, *ways])[-2:]
        # a point's lead shrinks by the way of its own centre and at most the longest way of any other
        loss = [(way + (second if way == longest else longest)) * (1 + 1e-5) for way in ways]
        self.slack -= self.slack.new_tensor(loss)[self.labels]
        self.centres = centres
        return True

    def assign(self) -> int:
        """Every point to its nearest centre. How many changed."""
        contested = (self.slack <= 0).nonzero()[:, 0]
        if len(contested) == 0:
            return 0
        before = self.labels
        if len(contested) > self.points.few:
            self.labels, self.slack = self._nearest(None)
        else:
            self.labels = before.clone()
            self.labels[contested], self.slack[contested] = self._nearest(contested)
        changed = (self.labels != before).nonzero()[:, 0]
        if len(changed) > self.points.few:
            self._count()
        elif len(changed):  # sums and sizes follow the points that changed
            step = _one_hot(self.labels[changed], len(self.centres)) - _one_hot(before[changed], len(self.centres))
            self.sums += (step @ self.points.rows(changed)).double()
            self.sizes += step.sum(1, dtype=torch.float64).long()
        return len(changed)

    def inertia(self) -> float:
        """Sum of squared distances, from the sums of the clusters."""
        centres = self.centres.double()  # (k, c)
        spread = self.points.norms2.sum(dtype=torch.float64) + (self.sizes * centres.square().sum(1)).sum()
        return max(0.0, float(spread - 2 * (self.sums * centres).sum()))

    def _nearest(self, subset: Tensor | None) -> tuple[Tensor, Tensor]:
        """Nearest centre and slack of the points in `subset` (all if None)."""
        if subset is None:
            products, norms2 = self.points.products(self.centres), self.points.norms2
        else:
            products, norms2 = (
                (self.points.rows(subset) @ self.centres.t()).t().contiguous(),
                self.points.norms2[subset],
            )
        best, second, labels = _best_two(_scores(products, self.centres))
        rounding = max(_ROUNDING * max(self.reach2, float(self.centres.square().sum(1).max())), 1e-30)
        # d2^2 - d1^2 = 2 (best - second), d1^2 = |x|^2 - 2 best; what rounding may hide is taken off the slack
        nearest, next_nearest = ((norms2 - 2 * s).clamp_(min=0).add_(rounding).sqrt_() for s in (best, second))
        return labels, (2 * (best - second) - rounding) / (nearest + next_nearest)

    def _count(self) -> None:
        """Sums (k, c) and sizes (k,) of the clusters from all points."""
        self.sums = self.points.sums(_one_hot(self.labels, len(self.centres)))
        self.sizes = torch.bincount(self.labels, minlength=len(self.centres))

    def _refill(self, centres: Tensor) -> Tensor:
        """Empty clusters to the points that are farthest from where they belong."""
        norms2 = self.points.norms2
        scores = _scores(self.points.products(centres), centres)
        distances = norms2 - 2 * scores.gather(0, self.labels[None])[0]
        centres = centres.clone()
        for k in (self.sizes == 0).nonzero()[:, 0].tolist():
            farthest = (distances == distances.max()).nonzero()[0]
            if float(distances[farthest]) <= _ROUNDING * self.reach2:
                break  # no more distinct points than clusters
            centres[k] = self.points.rows(farthest)[0]
            distances = torch.minimum(
                distances, norms2 - 2 * _scores(self.points.products(centres[k, None]), centres[k, None])[0]
            )
        return centres


def first_centres(points: Tensor, k: int, restarts: int, generator: torch.Generator) -> Tensor:
    """Centres (k, c) to start from: greedy k-means++ and Lloyd's algorithm, the best of `restarts` made at once.

    points: (m, c), best a sample. Random numbers are drawn on the CPU: a GPU sees the same ones.
    """
    points = points.float()
    origin = points.double().mean(0)
    points = points - origin.float()
    centres = _settle(points, _plus_plus(points, k, restarts, generator), _SETTLING, SETTLED)
    return (centres.double() + origin).float()


def _evenly(n: int, size: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """One of 0 .. n-1 at random from each of `size` equal stretches: every picture and every height is in it."""
    places = torch.arange(size, dtype=torch.float64) + torch.rand(size, generator=generator, dtype=torch.float64)
    chosen = (places * (n / size)).long().clamp_(max=n - 1) if n > size else torch.arange(n)
    return chosen.to(device)


def _principal(witnesses: Tensor) -> Tensor:
    """(m, c) -> (c, d): an orthonormal basis of d = SKETCH dimensions, at most, along which the points extend most."""
    values, vectors = torch.linalg.eigh((witnesses @ witnesses.t()).double().cpu())  # (m,) rising, (m, m)
    kept = max(1, int((values[-SKETCH:] > 1e-6 * values[-1]).sum()))
    scaled = vectors[:, -kept:] * values[-kept:].clamp(min=1e-30).rsqrt()
    basis: Tensor = witnesses.t() @ scaled.to(witnesses.device, witnesses.dtype)
    return basis


def _plus_plus(points: Tensor, k: int, restarts: int, generator: torch.Generator) -> Tensor:
    """Greedy k-means++ (of several draws, the one that lowers the inertia most), all restarts at once: (r, k, c)."""
    m = len(points)
    trials = 2 + int(math.log(k))
    draws = torch.rand(restarts, k, trials, generator=generator, dtype=torch.float64).to(points.device)
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
        rows = torch.arange(restarts, device=points.device)
        chosen.append(candidates[rows, best])
        distances = reach[rows, best]
    return points[torch.stack(chosen, 1)]


def _to_rows(points: Tensor, norms: Tensor, rows: Tensor) -> Tensor:
    """Squared distances of all points to some of them: (len(rows), m), exactly 0 to themselves."""
    products = (points @ points.index_select(0, rows).t()).t()  # (r, m)
    distances = (norms + norms[rows, None] - 2 * products).clamp_(min=0)
    distances.masked_fill_(distances <= 1e-6 * norms, 0.0)
    return distances.scatter_(1, rows[:, None], 0.0)


def _settle(points: Tensor, centres: Tensor, moves: int, settled: float) -> Tensor:
    """Lloyd's algorithm from several sets of centres (r, k, c) in one matrix product; the best set (k, c).

    Where there are few dimensions, looking at every point costs less than bounds that tell which to look at, and the
    product is three times as fast with a row a centre as with a row a point.
    """
    restarts, k, _ = centres.shape
    m = len(points)
    before = torch.full((restarts, m), -1, dtype=torch.int64, device=points.device)
    best = torch.zeros(restarts, dtype=torch.float64, device=points.device)
    for _ in range(moves):
        flat = centres.flatten(0, 1)
        scores = (flat @ points.t()).sub_(0.5 * flat.square().sum(1, keepdim=True)).view(restarts, k, m)
        nearest, labels = scores.max(1)  # (r, m)
        best = nearest.sum(1, dtype=torch.float64)
        if int((labels != before).sum(1).max()) <= settled * m:
            break
        before = labels
        members = torch.zeros_like(scores).scatter_(1, labels[:, None], 1.0).flatten(0, 1)  # (r * k, m)
        sizes = members.sum(1, keepdim=True)
        centres = torch.where(sizes > 0, (members @ points) / sizes.clamp(min=1), flat).view_as(centres)
    return centres[int((best == best.max()).nonzero()[0])]


# ------------------------------------------------------------------------------------------------------------ details


def _near_origin(points: Tensor | Points) -> tuple[Points, Tensor | None]:
    """Points as k-means wants them and what was taken off them.

    Matrices that lie far from 0 for their spread are centred: there float32 products lose their digits.
    """
    if not isinstance(points, Tensor):
        return points, None
    if points.ndim != 2 or len(points) == 0:
        raise ClusteringError(f"k-means needs points of shape (n, c) with n >= 1, got {tuple(points.shape)}")
    points = points.float()
    some = points[:: max(1, len(points) // 256)].double()
    mean = some.mean(0)
    if float(mean.square().sum()) <= 10 * float((some - mean).square().sum(1).mean()):
        return DensePoints(points), None
    return DensePoints(points - mean.float()), mean.float()


def _moved(result: KMeansResult, origin: Tensor | None) -> KMeansResult:
    return result if origin is None else replace(result, centres=result.centres + origin)


def _scores(products: Tensor, centres: Tensor) -> Tensor:
    """(k, n) products, in place: half of |x|^2 minus squared distance to each centre, so the nearest scores highest."""
    return products.sub_((0.5 * centres.double().square().sum(1)).float()[:, None])


def _best_two(scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(k, n) -> largest, second largest (-1e30 for k = 1) and index of the largest, the lowest index among equals."""
    best = scores[0].clone()
    second = torch.full_like(best, -1e30)
    labels = torch.zeros(len(best), dtype=torch.int64, device=scores.device)
    for k, row in enumerate(scores[1:], start=1):
        second = torch.maximum(second, torch.minimum(row, best))
        labels = torch.where(row > best, k, labels)
        best = torch.maximum(best, row)
    return best, second, labels


def _one_hot(labels: Tensor, k: int) -> Tensor:
    """(n,) -> (k, n) float32."""
    return (labels[None] == torch.arange(k, device=labels.device)[:, None]).float()
