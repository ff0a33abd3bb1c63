"""From a backbone's stages to the one global feature map M_g (Eq. 1), kept on its own grid until pixels are needed.

M_g is defined at a quarter of the input for every backbone. What comes after it is either linear in M_g (Eq. 5 with a
linear classifier, the pooling of Eq. 2), and then commutes with the bilinear upsampling, or looks at single pixels (the
clustering); only the latter needs the large map.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import torch
from torch import nn
from torch.nn import functional as F

from isp_core.errors import IspError

Attention = Literal["none", "spatial", "pixel"]


class FeatureMap(nn.Module):
    """Chosen stages, brought to one grid, concatenated; then, as options, reduced and weighted by attention.

    stages: numbers 1..5 of the backbone's stages. (5,) is the paper's form for ResNet, (2, 3, 4, 5) on grid 4 HRNet's.
    grid: the stride on which they meet (coarser ones are upsampled bilinearly, finer ones averaged).
    level_stages: l2-normalises each stage per pixel, times the root of its channels, so that none drowns another.
    channels: 1x1 convolution, BN and ReLU to so many channels (the authors' 256), or None for the plain concatenation.
    attention: see `attention_module`. align_corners: of the upsampling onto the grid.
    """

    def __init__(
        self,
        stage_channels: Sequence[int],
        stages: Sequence[int],
        grid: int,
        channels: int | None,
        level_stages: bool,
        attention: Attention = "none",
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        if not stages or min(stages) < 1 or max(stages) > len(stage_channels):
            raise IspError(f"model.stages {tuple(stages)}: this backbone has the stages 1 to {len(stage_channels)}")
        self.stages = tuple(sorted(stages))
        self.grid = grid
        self.level_stages = level_stages
        self.stage_channels = sum(stage_channels[stage - 1] for stage in self.stages)
        self.reduce: nn.Module = nn.Identity()
        if channels is not None:
            self.reduce = nn.Sequential(
                nn.Conv2d(self.stage_channels, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
            )
        self.channels = channels or self.stage_channels
        self.align_corners = align_corners
        self.attention = attention_module(attention, self.channels, align_corners)

    def gather(self, stage_maps: Sequence[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
        """The chosen stages side by side: (B, sum C_i, H / grid, W / grid); `size` is the images' (H, W)."""
        target = (-(-size[0] // self.grid), -(-size[1] // self.grid))
        return torch.cat([self._fit(stage_maps[stage - 1], target) for stage in self.stages], dim=1)

    def forward(self, gathered: torch.Tensor) -> torch.Tensor:
        """M_g on its own grid: (B, C, H / grid, W / grid)."""
        maps = cast(torch.Tensor, self.reduce(gathered))
        return maps if self.attention is None else maps * torch.sigmoid(self.attention(maps))

    def _fit(self, maps: torch.Tensor, target: tuple[int, int]) -> torch.Tensor:
        if maps.shape[2] > target[0]:
            maps = F.adaptive_avg_pool2d(maps, target)
        elif maps.shape[2:] != target:
            maps = upsample(maps, target, self.align_corners)
        if self.level_stages:
            maps = F.normalize(maps.float(), dim=1) * maps.shape[1] ** 0.5
        return maps


class SpatialAttention(nn.Module):
    """The authors' logits of attention: 3x3 convolution of stride 2 to one channel, BN, ReLU, bilinear back to the
    map's size, 1x1 convolution, BN: (B, C, h, w) -> (B, 1, h, w)."""

    def __init__(self, channels: int, align_corners: bool) -> None:
        super().__init__()
        self.align_corners = align_corners
        self.narrow = nn.Sequential(
            nn.Conv2d(channels, 1, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(1), nn.ReLU(inplace=True)
        )
        self.weigh = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        size = (maps.shape[2], maps.shape[3])
        return cast(torch.Tensor, self.weigh(upsample(self.narrow(maps), size, self.align_corners)))


def attention_module(kind: Attention, channels: int, align_corners: bool) -> nn.Module | None:
    """What makes the logits of M_g's sigmoid attention: "spatial" the authors' form, "pixel" a 1x1 convolution (runs
    before isp-run/2), "none" nothing."""
    if kind == "none":
        return None
    return SpatialAttention(channels, align_corners) if kind == "spatial" else nn.Conv2d(channels, 1, 1)


def upsample(maps: torch.Tensor, size: tuple[int, int], align_corners: bool = False) -> torch.Tensor:
    """Bilinear upsampling (B, C, h0, w0) -> (B, C, *size)."""
    if tuple(maps.shape[2:]) == tuple(size):
        return maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=align_corners)


def adjoint_upsample(maps: torch.Tensor, size: tuple[int, int], align_corners: bool = False) -> torch.Tensor:
    """The transpose of `upsample` from `size` (h0, w0): (B, K, h, w) -> (B, K, h0, w0).

    With U the upsampling, sum_xy P(x, y) (U M)(x, y) = sum_ij (U^T P)(i, j) M(i, j): pooling over the large map without
    making it.
    """
    if tuple(maps.shape[2:]) == tuple(size):
        return maps
    rows = _interpolation(size[0], maps.shape[2], maps, align_corners)  # (h, h0)
    columns = _interpolation(size[1], maps.shape[3], maps, align_corners)  # (w, w0)
    return rows.T @ maps @ columns


def _interpolation(source: int, target: int, like: torch.Tensor, align_corners: bool) -> torch.Tensor:
    """The matrix (target, source) of bilinear upsampling along one axis."""
    eye = torch.eye(source, dtype=like.dtype, device=like.device)[None]  # (1, source, source): channel i is unit i
    return F.interpolate(eye, size=target, mode="linear", align_corners=align_corners)[0].T
