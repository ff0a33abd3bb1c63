"""Cascaded clustering (section 3.2): the feature maps of one identity in, pseudo-labels of human parts out.

The paper's two stages as pure functions: foreground by activation (Eq. 3), parts by l2-normalised features (Eq. 4),
named from top to bottom. Each stage takes any input of the right shape, so that other foreground scores or other
features fit the same cascade. Streaming a training set through it, and everything that needs cameras or other
identities, is done elsewhere.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from isp_core.clustering.config import CascadeConfig, FirstStage, Variant
from isp_core.clustering.errors import ClusteringError
from isp_core.clustering.kmeans import KMeansResult, kmeans
from isp_core.clustering.line import two_means_1d
from isp_core.clustering.maps import by_peak, check_finite, check_maps, norms, pixels, sharpen
from isp_core.clustering.normalised_cut import normalised_cut
from isp_core.clustering.points import Points
from isp_core.clustering.threads import threads_for

BACKGROUND = 0


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
    activation: Tensor
    """(n, h, w) float32, Eq. 3 (not sharpened)."""


# ---------------------------------------------------------------------------------------------------------- the whole


@torch.no_grad()
def label_identity(
    maps: Tensor,
    config: CascadeConfig,
    *,
    size: tuple[int, int] | None = None,
    seed: int = 0,
) -> IdentityLabels:
    """Part labels for all images of one identity.

    maps: (n, c, h0, w0), M_g of its n >= 1 images, float32, float16 or bfloat16, any memory format (channels-last is
    read fastest). size: (h, w) of the labels if M_g means these maps upsampled bilinearly (aligned corners off); the
    labels are the same as if they were, in less time and memory. Equal input and equal seed give equal labels. Raises
    ClusteringError naming the image for NaN or infinite features.
    """
    start = time.perf_counter()
    with threads_for(maps.numel()):
        active, found = _label(maps, config, tuple(size or maps.shape[2:]), seed)
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


def _label(maps: Tensor, config: CascadeConfig, size: tuple[int, ...], seed: int) -> tuple[Tensor, Clusters]:
    """Eq. 3 and the parts."""
    check_maps(maps)
    lengths = norms(maps, size)
    active = by_peak(lengths)
    scores = sharpen(active) if config.sharpen else active
    inner = inside(size, config.border, maps.device)
    if config.variant is Variant.ONE_STEP:
        found = cluster_all(maps, scores, config, seed=seed, lengths=lengths)
        found.labels.masked_fill_(~inner, BACKGROUND)
        return active, found
    mask = split_foreground(scores) if config.first_stage is FirstStage.ACTIVATION else normalised_cut(maps, size)
    return active, cluster_parts(maps, mask & inner, config, seed=seed, lengths=lengths)


# -------------------------------------------------------------------------------------------- first stage: foreground


def inside(size: tuple[int, ...], border: int, device: torch.device) -> Tensor:
    """(h, w) bool: false for `border` cells along each side. ClusteringError where nothing would be left."""
    if 2 * border >= min(size):
        raise ClusteringError(f"a border of {border} cells leaves nothing of label maps of {size[0]} x {size[1]}")
    mask = torch.zeros(*size, dtype=torch.bool, device=device)
    mask[border : size[0] - border, border : size[1] - border] = True
    return mask


@torch.no_grad()
def split_foreground(scores: Tensor) -> Tensor:
    """First stage: the exact two-means split of all pixels of an identity. (n, h, w) floats -> bool, True = foreground.

    If all scores are equal there is nothing to split, and all is background.
    """
    if scores.ndim != 3 or scores.numel() == 0:
        raise ClusteringError(f"scores must have shape (n, h, w) and some pixels, got {tuple(scores.shape)}")
    scores = scores.float()
    check_finite(scores.flatten(1).sum(1))
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
    lengths: Tensor | None = None,
) -> Clusters:
    """Second stage: the foreground pixels of all images into K-1 parts, labelled 1 .. K-1 from top to bottom.

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
    result = _kmeans(points, k, config, seed)
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
    lengths: Tensor | None = None,
) -> Clusters:
    """Variant 1: all pixels into K clusters on their raw features; label 0 for the cluster of lowest mean score.

    The other clusters are ordered as in `cluster_parts`. Of equally low ones the larger is the background.
    """
    k = config.parts
    everywhere = torch.ones_like(scores, dtype=torch.bool)
    result = _kmeans(pixels(maps, everywhere, config, lengths), k, config, seed)
    totals = torch.zeros(k, dtype=torch.float64).scatter_add_(0, result.labels.cpu(), scores.flatten().double().cpu())
    sizes = result.sizes.cpu()
    means = (totals / sizes.clamp(min=1)).tolist()
    found = [i for i in range(k) if int(sizes[i])]
    background = min(found, key=lambda i: (means[i], -int(sizes[i]), i))
    by_height = top_to_bottom(result.labels, everywhere.nonzero()[:, 1:], k)
    order = torch.cat([by_height[by_height == background], by_height[by_height != background]])
    labels = _ranks(order)[result.labels].to(torch.uint8).view(scores.shape)
    return Clusters(labels, _centres_in_order(result, order), result.inertia, result.iterations)


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


def _kmeans(points: Points, k: int, config: CascadeConfig, seed: int) -> KMeansResult:
    return kmeans(points, k, seed=seed, restarts=config.restarts, iterations=config.iterations)


def _ranks(order: Tensor) -> Tensor:
    """Place of each cluster in the order."""
    return torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))


def _centres_in_order(result: KMeansResult, order: Tensor) -> Tensor:
    return (result.centres * (result.sizes > 0)[:, None])[order]
