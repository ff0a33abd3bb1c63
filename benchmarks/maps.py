"""Made-up feature maps that are about as hard to cluster as a network's.

Calibrated on ImageNet features of re-ID images (EfficientNet-Lite0, 256 x 128): there, too, about half of the
pixels are foreground, Lloyd's algorithm wants 30 moves or more, and the inertia is 0.43 a pixel after
l2-normalisation.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LATENT = 48  # features of a network live on far fewer dimensions than it has channels


def identity_maps(pictures: int, channels: int, size: tuple[int, int], *, seed: int = 0) -> Tensor:
    """Channels-last maps (images, channels, *size) of one person, upsampled from a grid four times coarser."""
    return upsample(coarse_maps(pictures, channels, (size[0] // 4, size[1] // 4), seed=seed), size)


def upsample(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)


def coarse_maps(pictures: int, channels: int, grid: tuple[int, int], *, seed: int = 0) -> Tensor:
    """(images, channels, *grid), channels-last: bands from head to feet, each image's own light, noise, ReLU."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    y = torch.linspace(0, 1, grid[0])[None, :, None]
    x = torch.linspace(-1, 1, grid[1])[None, None, :]
    top = 0.1 * torch.rand(pictures, 1, 1, generator=generator)
    width = 0.5 + 0.25 * torch.rand(pictures, 1, 1, generator=generator)
    band = 1 + ((y - top) / (1 - top) * 6).clamp(0, 5.99).long()  # (n, h, 1): six bands from head to feet
    part = torch.where((x.abs() < width) & (y >= top), band, 0)  # (n, h, w)
    hidden = 0.7 * normal(7, LATENT)[part] + normal(pictures, *grid, LATENT) + 0.8 * normal(pictures, 1, 1, LATENT)
    hidden = hidden * torch.where(part > 0, 1.0, 0.5)[..., None]
    features: Tensor = (hidden @ normal(LATENT, channels) / LATENT**0.5).relu()
    return features.permute(0, 3, 1, 2)
