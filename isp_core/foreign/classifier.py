"""Eq. 5 on a frozen feature map, in closed form: predictions for images whose identities are not used.

The features of a class are taken for Gaussian around its mean, with one covariance for all classes (Fisher's linear
discriminant, Hastie et al., The Elements of Statistical Learning, 4.3). Solved from sums over pixels of the labelled
images, without gradients: the same labels give the same classifier.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from isp_core.models import Output, Representations, map_size, weighted_pooling
from isp_core.models.feature_map import upsample

PIXELS = 50_000
"""Pixels that the classifier is solved from at most; bounds time."""
RIDGE = 1e-3
"""Share of the mean variance that is added to the covariance's diagonal."""


@dataclass(frozen=True)
class PartClassifier:
    """weight (K, C), bias (K,): logits of Eq. 5 at each pixel, background first. A class without pixels never wins."""

    weight: torch.Tensor
    bias: torch.Tensor

    def logits(self, maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """Maps (n, C, h0, w0) -> (n, K, *size)."""
        scores = torch.einsum("kc,nchw->nkhw", self.weight, maps)
        return upsample(scores, size) + self.bias[:, None, None]

    def output(self, maps: torch.Tensor, own: torch.Tensor | None, size: tuple[int, int]) -> Output:
        """What a network of ours would say of images of `size` (H, W): Eq. 5, and the features of Eq. 2.

        own (n, D): the global feature; None: the mean of the map.
        """
        logits = self.logits(maps, map_size(size))
        foreground, parts = weighted_pooling(maps, logits.softmax(1))
        found = Representations(maps.mean((2, 3)) if own is None else own, foreground, parts)
        return Output(maps, logits, found, found, ())


def solve_classifier(
    batches: Iterable[tuple[torch.Tensor, npt.NDArray[np.uint8]]], classes: int, images: int, seed: int = 0
) -> PartClassifier:
    """From maps (n, C, h0, w0) and labels (n, h, w) of labelled images, batch by batch; labels from `classes` on are
    left out.

    Args:
        classes: K.
        images: their number; the same share of pixels is drawn from each.
        seed: of the drawn pixels.
    """
    generator = torch.Generator().manual_seed(seed)
    counts = torch.zeros(classes, dtype=torch.float64)
    sums = moments = torch.zeros(0)
    for maps, labels in batches:
        (h, w), channels = labels.shape[1:], maps.shape[1]
        if not len(sums):
            sums = torch.zeros(classes, channels, dtype=torch.float64)
            moments = torch.zeros(channels, channels, dtype=torch.float64)
        points = upsample(maps.float(), (h, w)).permute(0, 2, 3, 1).flatten(0, 2)
        given = torch.from_numpy(labels.reshape(-1)).long()
        share = min(len(given), -(-PIXELS * len(labels) // images))
        drawn = torch.randperm(len(given), generator=generator)[:share]
        drawn = drawn[given[drawn] < classes]
        points, given = points[drawn], given[drawn]
        counts += torch.bincount(given, minlength=classes)
        sums.index_add_(0, given, points.double())
        moments += (points.T @ points).double()
    means = sums / counts[:, None].clamp(min=1)
    total = counts.sum().clamp(min=1)
    covariance = moments / total - (means.T * counts) @ means / total
    covariance.diagonal().add_(RIDGE * covariance.diagonal().mean().clamp(min=0) + 1e-12)
    weight = torch.linalg.solve(covariance, means.T).T  # (K, C)
    bias = (counts / total).log() - (weight * means).sum(1) / 2
    return PartClassifier(weight.float(), bias.float())
