"""One prototype each of the background and of every part, shared by all people, in features and in position.

Features of a class are taken for Gaussian around its prototype, with one covariance for all classes (Fisher's linear
discriminant); where in the image a class lies is counted. Learned from labels and applied to the same images, that is a
step of expectation maximisation: what labels got wrong in some images and right in most is corrected, and an image need
not show every part.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from isp_core.labelling.prototypes.options import PrototypeConstants
from isp_core.labelling.rounds import Labels

USUAL = PrototypeConstants()


@dataclass(frozen=True)
class Prototypes:
    """weight (C, K) and bias (K,) of the discriminant; position (h, w, K): log frequency of each class."""

    weight: Tensor
    bias: Tensor
    position: Tensor

    def probabilities(self, features: Tensor) -> npt.NDArray[np.float32]:
        """Of every class at every pixel: features (n, h, w, C) -> (n, h, w, K); they sum to 1."""
        logits = features.float() @ self.weight + self.bias + self.position
        return np.asarray(logits.softmax(-1).numpy())


def learn_prototypes(
    features: Tensor, labels: Labels, classes: int, by: PrototypeConstants = USUAL, seed: int = 0
) -> Prototypes:
    """From a sample of images: features (n, h, w, C), labels (n, h, w) in 0 .. classes-1.

    The discriminant is learned from `by.pixels` of their pixels, drawn by the seed. A class without pixels never wins.
    """
    flat = features.flatten(0, 2)
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(flat), generator=generator)[: by.pixels]
    points, given = flat[chosen].float(), torch.from_numpy(labels.reshape(-1))[chosen].long()
    counts = torch.bincount(given, minlength=classes)
    sums = torch.zeros(classes, points.shape[1]).index_add_(0, given, points)
    means = sums / counts[:, None].clamp(min=1)  # (K, C)
    within = points - means[given]
    covariance = within.T @ within / len(points)
    covariance.diagonal().add_(by.ridge * covariance.diagonal().mean() + 1e-12)
    weight = torch.linalg.solve(covariance, means.T)  # (C, K)
    bias = -(means.T * weight).sum(0) / 2
    bias[counts == 0] = -torch.inf
    return Prototypes(weight, bias, _positions(labels, classes, by))


def _positions(labels: Labels, classes: int, by: PrototypeConstants) -> Tensor:
    """Log share of the images that have a class at a position, the same to the left and to the right: (h, w, K)."""
    shares = np.stack([(labels == number).mean(0) for number in range(classes)])  # (K, h, w)
    blurred = np.stack([cv2.GaussianBlur(share, (0, 0), by.blur * labels.shape[1]) for share in shares])
    even = (blurred + blurred[:, :, ::-1]) / 2
    return torch.from_numpy(np.log(even + by.rare)).float().permute(1, 2, 0)
