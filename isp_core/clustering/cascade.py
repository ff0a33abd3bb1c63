"""Cascaded clustering (section 3.2): the feature maps of one identity in, pseudo-labels of human parts out.

The paper's two stages as pure functions: foreground by activation (Eq. 3), parts by l2-normalised features (Eq. 4),
named from top to bottom. Each stage takes any input of the right shape, so that other foreground scores or other
features fit the same cascade. Streaming a training set through it, and everything that needs cameras or other
identities, is done elsewhere.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from isp_core.clustering.errors import ClusteringError
from isp_core.clustering.kmeans import SETTLED, KMeansResult, kmeans, lloyd
from isp_core.clustering.line import two_means_1d
from isp_core.clustering.points import DensePoints, Points, UpsampledPoints, squared_norms
from isp_core.clustering.threads import threads_for

BACKGROUND = 0

_COLLAPSED = 0.1  # a warm-started cluster below this share of its fair size is not trusted


class Variant(StrEnum):
    """The cascade and its two ablations (Figure 5)."""

    CASCADE = "cascade"
    """Two stages, parts from l2-normalised features: the paper's method."""
    ONE_STEP = "one-step"
    """Variant 1: all pixels into K clusters at once, the one of lowest mean activation is the background."""
    UNNORMALISED = "unnormalised"
    """Variant 2: two stages, parts from the features as they are."""


@dataclass(frozen=True)
class CascadeConfig:
    """How one identity is clustered. Defaults: the paper's cascade with Market-1501's K."""

    parts: int = 7
    """K, the background counted: labels are 0 .. K-1."""
    variant: Variant = Variant.CASCADE
    sharpen: bool = False
    """Put activations through the authors' sigmoid before the first stage (not in the paper)."""
    restarts: int = 4
    """Sets of first centres tried on a sample."""
    iterations: int = 20
    """Upper bound for the moves of the centres with all pixels in view."""
    height_weight: float = 0.0
    """Weight of a pixel's height within its picture's foreground (0 top, 1 bottom) as one more channel of Eq. 4."""

    def __post_init__(self) -> None:
        if not 2 <= self.parts <= 255:
            raise ClusteringError(f"parts (K, background counted) must lie in 2 .. 255, got {self.parts}")
        if self.restarts < 1 or self.iterations < 1:
            raise ClusteringError(f"restarts and iterations must be at least 1: {self.restarts}, {self.iterations}")
        if not 0 <= self.height_weight < float("inf"):
            raise ClusteringError(f"height_weight must be 0 or more, got {self.height_weight}")


@dataclass(frozen=True)
class IdentityLabels:
    """Pseudo-labels of one identity and what is worth logging about them."""

    labels: Tensor
    """(n, h, w) uint8, 0 = background, 1 .. K-1 parts from top to bottom."""
    sizes: Tensor
    """(K,) int64 on the CPU, pixels of each label; a part that was not found has 0."""
    centres: Tensor
    """float32, one row per label: (K-1, c) for labels 1 .. K-1, with ONE_STEP (K, c) for 0 .. K-1. Rows of parts that
    were not found are 0. With a height term the last column is the weighted height."""
    inertia: float
    """Sum of squared distances of the clustered pixels to their centres."""
    foreground_share: float
    """Share of pixels that are not background."""
    iterations: int
    seconds: float
    activation: Tensor | None = None
    """(n, h, w) float32, Eq. 3 (not sharpened); None where other scores took its place."""


# ---------------------------------------------------------------------------------------------------------- the whole


@torch.no_grad()
def label_identity(
    maps: Tensor,
    config: CascadeConfig,
    *,
    size: tuple[int, int] | None = None,
    seed: int = 0,
    scores: Tensor | None = None,
    initial: Tensor | None = None,
) -> IdentityLabels:
    """Part labels for all pictures of one identity.

    maps: (n, c, h0, w0), M_g of its n >= 1 pictures, float32, float16 or bfloat16, any memory format (channels-last is
    read fastest). size: (h, w) of the labels if M_g means these maps upsampled bilinearly (aligned corners off); the
    labels are the same as if they were, in less time and memory. scores: (n, h, w), high on people, takes the place of
    Eq. 3 in the first stage (ONE_STEP: picks the background). initial: centres to start from, as returned for the last
    epoch or shared by all identities. Equal input and equal seed give equal labels. Raises ClusteringError naming the
    picture for NaN or infinite features.
    """
    start = time.perf_counter()
    with threads_for(maps.numel()):
        active, found = _label(maps, config, tuple(size or maps.shape[2:]), seed, scores, initial)
        sizes = torch.bincount(found.labels.flatten(), minlength=config.parts).cpu()
    return IdentityLabels(
        labels=found.labels,
        sizes=sizes,
        centres=found.centres,
        inertia=found.inertia,
        foreground_share=1.0 - int(sizes[BACKGROUND]) / found.labels.numel(),
        iterations=found.iterations,
        seconds=time.perf_counter() - start,
        activation=active,
    )


def _label(
    maps: Tensor,
    config: CascadeConfig,
    size: tuple[int, ...],
    seed: int,
    scores: Tensor | None,
    initial: Tensor | None,
) -> tuple[Tensor | None, Clusters]:
    """Eq. 3 where no scores are given, and the parts."""
    lengths = active = None
    if scores is None:
        _check_maps(maps)
        lengths = norms(maps, size)
        active = _by_peak(lengths)
        scores = sharpen(active) if config.sharpen else active
    elif scores.shape != (maps.shape[0], *size):
        raise ClusteringError(f"scores {tuple(scores.shape)} do not fit maps {tuple(maps.shape)} and size {size}")
    if config.variant is Variant.ONE_STEP:
        return active, cluster_all(maps, scores, config, seed=seed, initial=initial, lengths=lengths)
    return active, cluster_parts(maps, split_foreground(scores), config, seed=seed, initial=initial, lengths=lengths)


# -------------------------------------------------------------------------------------------- first stage: foreground


@torch.no_grad()
def activation(maps: Tensor, size: tuple[int, int] | None = None) -> Tensor:
    """Eq. 3: a(x, y), the l2-norm over channels divided by each picture's largest.

    maps: (n, c, h, w) -> (n, h, w) float32 in [0, 1]. A picture of zeros has activation 0 everywhere. With size, that
    of the maps upsampled bilinearly.
    """
    _check_maps(maps)
    return _by_peak(norms(maps, tuple(size or maps.shape[2:])))


def norms(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """(n, c, h0, w0) -> (n, *size): l2-norms over channels, of the upsampled maps where size is another one."""
    n, c, h, w = maps.shape
    if size != (h, w):
        if size[0] < h or size[1] < w:
            raise ClusteringError(f"maps of {h} x {w} cannot be clustered at the smaller size {size[0]} x {size[1]}")
        return squared_norms(_coarse(maps), size).sqrt_()
    lengths = torch.empty(n, h * w, device=maps.device)
    squares = torch.empty(c, h * w, device=maps.device)  # one buffer for all pictures stays in the cache
    for picture, row in zip(maps, lengths, strict=True):
        flat = picture.float().flatten(1)  # (c, h * w), a view where it can be
        if flat.stride(0) == 1:  # channels-last
            torch.linalg.vector_norm(flat.t(), dim=1, out=row)
        else:
            torch.sum(torch.mul(flat, flat, out=squares), 0, out=row).sqrt_()
    return lengths.view(n, h, w)


def _by_peak(lengths: Tensor) -> Tensor:
    """(n, h, w) norms -> shares of each picture's largest."""
    peaks = lengths.flatten(1).amax(1)  # (n,)
    _check_finite(peaks)
    return lengths / peaks.masked_fill(peaks == 0, 1.0)[:, None, None]


def sharpen(activations: Tensor) -> Tensor:
    """The authors' sigmoid(5 (2a - 1) + 3), which moves the split towards a = 0.2."""
    return torch.sigmoid(5 * (2 * activations - 1) + 3)


@torch.no_grad()
def split_foreground(scores: Tensor) -> Tensor:
    """First stage: the exact two-means split of all pixels of an identity. (n, h, w) floats -> bool, True = foreground.

    If all scores are equal there is nothing to split, and all is background.
    """
    if scores.ndim != 3 or scores.numel() == 0:
        raise ClusteringError(f"scores must have shape (n, h, w) and some pixels, got {tuple(scores.shape)}")
    scores = scores.float()
    _check_finite(scores.flatten(1).sum(1))
    return scores > two_means_1d(scores.flatten()).threshold


# ------------------------------------------------------------------------------------------------ second stage: parts


@dataclass(frozen=True)
class Clusters:
    """Clustered pixels as a label map."""

    labels: Tensor
    """(n, h, w) uint8."""
    centres: Tensor
    inertia: float
    iterations: int


@torch.no_grad()
def cluster_parts(
    maps: Tensor,
    mask: Tensor,
    config: CascadeConfig,
    *,
    seed: int = 0,
    initial: Tensor | None = None,
    lengths: Tensor | None = None,
) -> Clusters:
    """Second stage: the foreground pixels of all pictures into K-1 parts, labelled 1 .. K-1 from top to bottom.

    maps: (n, c, h, w), or coarser if the pixels are those of maps upsampled to the mask's (n, h, w). lengths: their
    `norms`, where they are known. Features follow Eq. 4 (UNNORMALISED: as they are). Parts are ordered by the mean row
    of their pixels, then mean column, then size; parts that found no pixels (fewer distinct pixels than parts) come
    last.
    """
    k = config.parts - 1
    labels = torch.zeros(mask.shape, dtype=torch.uint8, device=maps.device)
    points = pixels(maps, mask, config, lengths)
    if not bool(mask.any()):
        return Clusters(labels, torch.zeros(k, points.channels, device=maps.device), 0.0, 0)
    result = _kmeans(points, k, config, seed, initial)
    order = top_to_bottom(result.labels, mask.nonzero()[:, 1:], k)  # (k,) clusters, topmost first
    labels[mask] = (_ranks(order)[result.labels] + 1).to(torch.uint8)
    return Clusters(labels, _centres_in_order(result, order), result.inertia, result.iterations)


@torch.no_grad()
def cluster_all(
    maps: Tensor,
    scores: Tensor,
    config: CascadeConfig,
    *,
    seed: int = 0,
    initial: Tensor | None = None,
    lengths: Tensor | None = None,
) -> Clusters:
    """Variant 1: all pixels into K clusters on their raw features; label 0 for the cluster of lowest mean score.

    The other clusters are ordered as in `cluster_parts`. Of equally low ones the larger is the background.
    """
    k = config.parts
    everywhere = torch.ones_like(scores, dtype=torch.bool)
    result = _kmeans(pixels(maps, everywhere, config, lengths), k, config, seed, initial)
    totals = torch.zeros(k, dtype=torch.float64).scatter_add_(0, result.labels.cpu(), scores.flatten().double().cpu())
    sizes = result.sizes.cpu()
    means = (totals / sizes.clamp(min=1)).tolist()
    found = [i for i in range(k) if int(sizes[i])]
    background = min(found, key=lambda i: (means[i], -int(sizes[i]), i))
    by_height = top_to_bottom(result.labels, everywhere.nonzero()[:, 1:], k)
    order = torch.cat([by_height[by_height == background], by_height[by_height != background]])
    labels = _ranks(order)[result.labels].to(torch.uint8).view(scores.shape)
    return Clusters(labels, _centres_in_order(result, order), result.inertia, result.iterations)


def pixels(maps: Tensor, mask: Tensor, config: CascadeConfig, lengths: Tensor | None = None) -> Points:
    """What the second stage clusters, in whichever form is faster: see `pixel_features`.

    maps: (n, c, h0, w0); mask: (n, h, w) bool, as large as the maps or larger; lengths: (n, h, w) `norms`, if known.
    """
    _check_maps(maps)
    n, _, *grid = maps.shape
    if (
        mask.dtype != torch.bool
        or mask.ndim != 3
        or len(mask) != n
        or mask.shape[1] < grid[0]
        or mask.shape[2] < grid[1]
    ):
        raise ClusteringError(
            f"the mask must be bool (n, h, w) and no smaller than the maps {tuple(maps.shape)}, "
            f"got {mask.dtype} {tuple(mask.shape)}"
        )
    if list(mask.shape[1:]) == grid:
        if lengths is None or config.height_weight or config.variant is not Variant.CASCADE:
            return DensePoints(pixel_features(maps, mask, config))
        return DensePoints(_gather(maps, mask), lengths[mask])  # Eq. 4's division is left to the points
    maps = _coarse(maps)
    lengths = norms(maps, tuple(mask.shape[1:])) if lengths is None else lengths
    _check_finite(lengths.flatten(1).amax(1))
    lengths = lengths[mask]  # (m,)
    divisors = lengths.masked_fill(lengths == 0, 1.0) if config.variant is Variant.CASCADE else torch.ones_like(lengths)
    heights = torch.cat([_heights(picture, config) for picture in mask]) if config.height_weight else None
    return UpsampledPoints(maps, mask, lengths, divisors, heights)


@torch.no_grad()
def pixel_features(maps: Tensor, mask: Tensor, config: CascadeConfig) -> Tensor:
    """Features (m, c) float32 of the m pixels in mask (n, h, w), picture by picture, row by row.

    Eq. 4 for the cascade: D(x, y) = M_g / |M_g|; a pixel of norm 0 stays 0. The variants take M_g as it is. With a
    height weight, one more channel: weight x height within the picture's foreground, 0 at its top row and 1 at its
    bottom row.
    """
    n, c = maps.shape[:2]
    height = config.height_weight > 0
    counts = mask.flatten(1).sum(1).tolist()
    features = torch.empty(sum(counts), c + height, device=maps.device)
    totals = torch.zeros(n, device=maps.device)
    for i, rows in enumerate(torch.split(features, counts)):  # rows: (m_i, c), finished while they are in the cache
        if not len(rows):
            continue
        chosen = mask[i].flatten().nonzero()[:, 0]
        values = rows[:, :c]
        if height:
            values.copy_(_rows(maps[i]).index_select(0, chosen))
            rows[:, c] = _heights(mask[i], config)
        else:
            torch.index_select(_rows(maps[i]), 0, chosen, out=rows)
        lengths = torch.linalg.vector_norm(values, dim=1, keepdim=True)  # (m_i, 1)
        totals[i] = lengths.sum()
        if config.variant is Variant.CASCADE:
            values.div_(lengths.masked_fill_(lengths == 0, 1.0))
    _check_finite(totals)
    return features


def top_to_bottom(labels: Tensor, positions: Tensor, k: int) -> Tensor:
    """Clusters by mean row, then mean column, then size (large first), then index; empty ones last.

    labels: (m,) in 0 .. k-1; positions: (m, 2) rows and columns -> (k,) int64, cluster indices from the top down.
    """
    sizes = torch.bincount(labels, minlength=k)
    # whole numbers below 2^53: sums are exact in any order, so ties are ties
    sums = [torch.bincount(labels, weights=positions[:, axis].double(), minlength=k) for axis in (0, 1)]
    rows, columns = ((total / sizes.clamp(min=1)).tolist() for total in sums)
    counted = sizes.tolist()
    order = sorted(range(k), key=lambda i: (counted[i] == 0, rows[i], columns[i], -counted[i], i))
    return torch.tensor(order, dtype=torch.int64, device=labels.device)


# ------------------------------------------------------------------------------------------------------------ details


def _kmeans(points: Points, k: int, config: CascadeConfig, seed: int, initial: Tensor | None) -> KMeansResult:
    """K-means from `initial` where given; where a cluster of it collapsed, also afresh, and the better of both."""
    warm = None
    if initial is not None:
        if initial.shape != (k, points.channels):
            raise ClusteringError(f"first centres must be {(k, points.channels)}, got {tuple(initial.shape)}")
        warm = lloyd(points, initial, iterations=config.iterations, settled=SETTLED)
        if int(warm.sizes.min()) >= _COLLAPSED * len(points.norms2) / k:
            return warm
    fresh = kmeans(points, k, seed=seed, restarts=config.restarts, iterations=config.iterations)
    return fresh if warm is None or fresh.inertia < warm.inertia else warm


def _ranks(order: Tensor) -> Tensor:
    """Place of each cluster in the order."""
    return torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))


def _centres_in_order(result: KMeansResult, order: Tensor) -> Tensor:
    return (result.centres * (result.sizes > 0)[:, None])[order]


def _heights(mask: Tensor, config: CascadeConfig) -> Tensor:
    """(h, w) bool -> (m_i,): the weighted height of each pixel in the mask."""
    y = mask.nonzero()[:, 0]
    return config.height_weight * (y - y[:1]) / (y[-1:] - y[:1]).clamp(min=1)


def _coarse(maps: Tensor) -> Tensor:
    return maps.float().contiguous(memory_format=torch.channels_last)


def _rows(picture: Tensor) -> Tensor:
    """(c, h, w) -> (h * w, c) float32, contiguous; a view of channels-last float32."""
    return picture.float().flatten(1).t().contiguous()


def _gather(maps: Tensor, mask: Tensor) -> Tensor:
    """(n, c, h, w), (n, h, w) bool with m pixels set -> (m, c) their features as they are."""
    counts = mask.flatten(1).sum(1).tolist()
    features = torch.empty(sum(counts), maps.shape[1], device=maps.device)
    for picture, chosen, rows in zip(maps, mask, torch.split(features, counts), strict=True):
        torch.index_select(_rows(picture), 0, chosen.flatten().nonzero()[:, 0], out=rows)
    return features


def _check_maps(maps: Tensor) -> None:
    if maps.ndim != 4 or maps.numel() == 0 or not maps.is_floating_point():
        raise ClusteringError(
            f"maps must be floats of shape (n, c, h, w), none of them 0, got {maps.dtype} {tuple(maps.shape)}"
        )


def _check_finite(of_pictures: Tensor) -> None:
    """One number per picture that is finite only if all of the picture is."""
    bad = (~of_pictures.isfinite()).nonzero()[:, 0].tolist()
    if bad:
        raise ClusteringError(
            f"picture {bad[0]} of the identity has NaN or infinite features"
            + (f", and so have {len(bad) - 1} more" if len(bad) > 1 else "")
            + ": look at the loss (did it diverge?) or lower the learning rate"
        )
