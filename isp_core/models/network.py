"""The ISP network: backbone, M_g, part classifier (Eq. 5), weighted pooling (Eq. 2) and three BNNecks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from isp_core.models.backbone import DEPTH, Backbone
from isp_core.models.feature_map import Attention, FeatureMap, adjoint_upsample, upsample
from isp_core.models.weights import adopt_layers
from isp_core.section import MAP_STRIDE

ClassifierKind = Literal["linear", "deep"]

DEEP_WIDTH = 64


@dataclass(frozen=True)
class NetworkSpec:
    """All that fixes the shape of the network; see isp_core.config.ModelConfig for the meaning of each."""

    backbone: str
    output_stride: int
    stages: tuple[int, ...]
    grid: int
    channels: int | None
    level_stages: bool
    attention: Attention
    classifier: ClassifierKind
    global_from: Literal["map", "stages"]
    parts: int
    identities: int
    layers: tuple[str, ...] = ()
    dilated: bool = True
    bias: bool = True
    align_corners: bool = False


@dataclass(frozen=True)
class Representations:
    """Pooled features of a batch: global F_g (B, C_g), foreground F_f (B, C), parts F_k (B, K-1, C)."""

    global_: torch.Tensor
    foreground: torch.Tensor | None
    parts: torch.Tensor | None


@dataclass(frozen=True)
class Output:
    """What one forward pass gives: M_g on its own grid (B, C, h0, w0), the logits of Eq. 5 (B, K, h, w), the pooled
    features before and after the BNNecks, and, in training, identity logits (B, identities) of each group."""

    maps: torch.Tensor
    logits: torch.Tensor | None
    pooled: Representations
    normalised: Representations
    identity_logits: tuple[torch.Tensor, ...]


class BNNeck(nn.Module):
    """Batch normalisation without learned shift between the triplet loss (before) and the classifier (after) [28]."""

    def __init__(self, features: int, identities: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(features)
        self.norm.bias.requires_grad_(False)
        self.classifier = nn.Linear(features, identities, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.001)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        normalised = self.norm(features.float())
        return normalised, self.classifier(normalised)


class ISPNet(nn.Module):
    """Eq. 1, 2 and 5. With parts = 0 it is the baseline: the global representation alone."""

    def __init__(self, spec: NetworkSpec, weights: str = "package") -> None:
        super().__init__()
        self.spec = spec
        self.backbone = Backbone(spec.backbone, spec.output_stride, weights, layers=spec.layers, dilated=spec.dilated)
        self.feature_map = FeatureMap(
            self.backbone.channels,
            range(DEPTH + 1, DEPTH + 1 + len(spec.layers)) if spec.layers else spec.stages,
            spec.grid,
            spec.channels,
            spec.level_stages,
            spec.attention,
            spec.align_corners,
        )
        channels = self.feature_map.channels
        global_channels = channels if spec.global_from == "map" else self.feature_map.stage_channels
        self.neck_global = BNNeck(global_channels, spec.identities)
        if spec.parts:
            self.classifier = part_classifier(spec.classifier, channels, spec.parts, spec.bias)
            self.neck_foreground = BNNeck(channels, spec.identities)
            self.neck_parts = BNNeck(channels * (spec.parts - 1), spec.identities)
        adopt_layers(self, weights)

    def forward(self, pictures: torch.Tensor) -> Output:
        """images (B, 3, H, W), normalised -> Output; h = H / 4, w = W / 4."""
        size = (pictures.shape[2], pictures.shape[3])
        gathered = self.feature_map.gather(self.backbone(pictures), size)
        maps = self.feature_map(gathered)  # (B, C, h0, w0)
        global_ = (maps if self.spec.global_from == "map" else gathered).float().mean((2, 3))
        normalised_global, logits_global = self.neck_global(global_)
        if not self.spec.parts:
            pooled, normalised = Representations(global_, None, None), Representations(normalised_global, None, None)
            return Output(maps, None, pooled, normalised, (logits_global,))
        logits = self.part_logits(maps, size)
        foreground, parts = weighted_pooling(maps.float(), logits.softmax(1), self.spec.align_corners)
        normalised_foreground, logits_foreground = self.neck_foreground(foreground)
        normalised_parts, logits_parts = self.neck_parts(parts.flatten(1))
        return Output(
            maps,
            logits,
            Representations(global_, foreground, parts),
            Representations(normalised_global, normalised_foreground, normalised_parts.view_as(parts)),
            (logits_global, logits_foreground, logits_parts),
        )

    @property
    def group_widths(self) -> tuple[int, ...]:
        """Lengths of the features that identity losses look at: global, and with parts foreground and all parts."""
        necks = [self.neck_global] + ([self.neck_foreground, self.neck_parts] if self.spec.parts else [])
        return tuple(neck.norm.num_features for neck in necks)

    def feature_maps(self, pictures: torch.Tensor) -> torch.Tensor:
        """M_g at a quarter of the input, as the clustering of section 3.2 wants it: (B, C, H / 4, W / 4)."""
        size = map_size((pictures.shape[2], pictures.shape[3]))
        return upsample(self.coarse_maps(pictures), size, self.spec.align_corners)

    def clustered_maps(self, pictures: torch.Tensor) -> torch.Tensor:
        """M_g as the clustering reads it: on its own grid, which the clustering upsamples without aligned corners; at
        a quarter of the input where they are aligned."""
        return self.feature_maps(pictures) if self.spec.align_corners else self.coarse_maps(pictures)

    def coarse_maps(self, pictures: torch.Tensor) -> torch.Tensor:
        """M_g on its own grid, which is all that the clustering needs: (B, C, h0, w0)."""
        return self.coarse_maps_of(self.backbone(pictures), (pictures.shape[2], pictures.shape[3]))

    def coarse_maps_of(self, stages: Sequence[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
        """The same from the backbone's stages, for images of `size` (H, W)."""
        maps: torch.Tensor = self.feature_map(self.feature_map.gather(stages, size))
        return maps

    def part_logits(self, maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """Eq. 5 before its softmax, from M_g on its own grid: (B, K, h, w)."""
        return upsample(self.classifier(maps).float(), map_size(size), self.spec.align_corners)


def part_classifier(kind: ClassifierKind, channels: int, parts: int, bias: bool) -> nn.Module:
    """Eq. 5's linear layer, or ("deep") three convolutions of DEEP_WIDTH channels before it, which look around."""
    if kind == "linear":
        return nn.Conv2d(channels, parts, 1, bias=bias)
    return nn.Sequential(
        *_convolution(channels, 1, 1),
        *_convolution(DEEP_WIDTH, 3, 1),
        *_convolution(DEEP_WIDTH, 3, 2),
        nn.Conv2d(DEEP_WIDTH, parts, 1, bias=bias),
    )


def _convolution(channels: int, kernel: int, dilation: int) -> list[nn.Module]:
    padding = dilation * (kernel // 2)
    convolution = nn.Conv2d(channels, DEEP_WIDTH, kernel, padding=padding, dilation=dilation, bias=False)
    return [convolution, nn.BatchNorm2d(DEEP_WIDTH), nn.ReLU(inplace=True)]


def weighted_pooling(
    maps: torch.Tensor, confidence: torch.Tensor, align_corners: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Eq. 2 and GAP over all h x w pixels: maps M_g (B, C, h0, w0), P (B, K, h, w) -> F_f (B, C), F_k (B, K-1, C).

    Where M_g is on a coarser grid than P, the result is that of M_g upsampled to P's.
    """
    weights = adjoint_upsample(confidence[:, 1:], (maps.shape[2], maps.shape[3]), align_corners)  # (B, K-1, h0, w0)
    pixels = confidence.shape[2] * confidence.shape[3]
    parts = weights.flatten(2) @ maps.flatten(2).transpose(1, 2) / pixels  # (B, K-1, C)
    return parts.sum(1), parts  # M_f is the sum of the M_k


def map_size(size: tuple[int, int]) -> tuple[int, int]:
    """M_g's height and width for images of `size` (H, W)."""
    return size[0] // MAP_STRIDE, size[1] // MAP_STRIDE
