"""Eq. 6-7: what a batch costs. Triplet mining is pytorch-metric-learning's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from pytorch_metric_learning.reducers import MeanReducer
from torch import nn
from torch.nn import functional as F

from isp_core.losses.part_triplet import part_triplet_loss
from isp_core.models import Output

TripletOf = Literal["groups", "parts", "both"]
IGNORED = 255
"""The label of pixels that count in no loss and no measure: padding, and what a truth leaves open."""


@dataclass(frozen=True)
class LossTerms:
    """The terms of Eq. 7, each a scalar; `total` is their weighted sum."""

    total: torch.Tensor
    identity: torch.Tensor
    triplet: torch.Tensor
    parsing: torch.Tensor
    center: torch.Tensor

    def detached(self) -> dict[str, float]:
        """The terms as numbers, for logging."""
        names = ("total", "identity", "triplet", "parsing", "center")
        return {f"loss_{name}": float(getattr(self, name).detach()) for name in names}


def parsing_loss(
    logits: torch.Tensor, labels: torch.Tensor, reduction: Literal["mean", "sum"] = "mean"
) -> torch.Tensor:
    """Eq. 6, averaged over the batch: logits (B, K, h, w), labels (B, h, w) int64 with 255 ignored -> scalar.

    "sum" adds the pixels of an image up, as the equation is written; "mean" divides by the pixels that count.

    >>> flat = torch.zeros(1, 2, 1, 2)  # two pixels, P = 1/2 everywhere
    >>> round(parsing_loss(flat, torch.tensor([[[0, 1]]]), "sum").item(), 4)
    1.3863
    >>> round(parsing_loss(flat, torch.tensor([[[0, 255]]]), "mean").item(), 4)
    0.6931
    """
    total = F.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")
    if reduction == "sum":
        return total / len(logits)
    return total / (labels != IGNORED).sum().clamp(min=1)


def balancing_shift(sizes: torch.Tensor, balance: float) -> torch.Tensor:
    """What the parsing loss adds to Eq. 5's logits, so that without it rare parts are not outvoted: balance times the
    log of each part's share of the labelled pixels (logit adjustment; Menon et al., ICLR 2021).

    Among the parts alone: the background gets the parts' mean, weighted by their pixels. With its own share it would be
    held back against all of them, and every part would grow.

    sizes (K,): shares that sum to one, background first; a part of no pixels counts as 1e-4.

    >>> balancing_shift(torch.tensor([0.5, 0.25, 0.25]), 1.0).exp()
    tensor([0.2500, 0.2500, 0.2500])
    """
    shift = balance * sizes.float().clamp(min=1e-4).log()
    parts = sizes[1:].float()
    shift[0] = (parts * shift[1:]).sum() / parts.sum().clamp(min=1e-4)
    return shift


class CenterLoss(nn.Module):
    """Mean squared distance to a learned centre per identity (the authors' extra on Market-1501), drawn from a normal
    distribution at first.

    The centres follow by plain descent at a rate of their own, whatever the loss weighs: see training/optimisation.py.
    """

    def __init__(self, identities: int, features: int) -> None:
        super().__init__()
        self.centers = nn.Parameter(torch.randn(identities, features))

    def forward(self, features: torch.Tensor, identities: torch.Tensor) -> torch.Tensor:
        return (features.float() - self.centers[identities]).square().sum(1).mean()


class Objective(nn.Module):
    """Eq. 7: for the global, foreground and part groups label-smoothed cross-entropy and batch-hard triplet loss, plus
    alpha times the parsing loss; `centers`: none, or a centre loss for each group.

    triplet_of: what the triplet loss looks at: each of the groups ("groups", the paper), the distance averaged over
    visible parts ("parts", see isp_core.losses.part_triplet), or "both", added up. The baseline has groups alone.
    """

    def __init__(
        self,
        alpha: float,
        reduction: Literal["mean", "sum"],
        smoothing: float,
        margin: float,
        centers: Sequence[CenterLoss] = (),
        center_weight: float = 0.0,
        triplet_of: TripletOf = "groups",
    ) -> None:
        super().__init__()
        self.triplet_of = triplet_of
        self.alpha, self.reduction, self.smoothing = alpha, reduction, smoothing
        self._margin = margin
        self.centers, self.center_weight = nn.ModuleList(centers), center_weight
        distance = LpDistance(normalize_embeddings=False)  # Euclidean, before the BNNeck [28]
        self._mine = BatchHardMiner(distance=distance)
        self._triplet = TripletMarginLoss(margin=margin, distance=distance, reducer=MeanReducer())

    def forward(
        self,
        output: Output,
        identities: torch.Tensor,
        labels: torch.Tensor | None,
        shift: torch.Tensor | None = None,
    ) -> LossTerms:
        """identities (B,) int64 in 0..n-1; labels (B, h, w) int64 pseudo-labels, or None for the baseline; shift (K,):
        see `balancing_shift`."""
        groups = [output.pooled.global_]
        if output.pooled.foreground is not None and output.pooled.parts is not None:
            groups += [output.pooled.foreground, output.pooled.parts.flatten(1)]
        identity = torch.stack(
            [F.cross_entropy(logits, identities, label_smoothing=self.smoothing) for logits in output.identity_logits]
        ).sum()
        triplet = self._triplets(output, groups, identities)
        zero = identity.new_zeros(())
        parsing, center = zero, zero
        if output.logits is not None and labels is not None:
            logits = output.logits if shift is None else output.logits + shift[:, None, None]
            parsing = parsing_loss(logits, labels, self.reduction)
        if len(self.centers):
            pairs = zip(self.centers, groups, strict=True)
            center = torch.stack([loss(group, identities) for loss, group in pairs]).sum()
        total = identity + triplet + self.alpha * parsing + self.center_weight * center
        return LossTerms(total, identity, triplet, parsing, center)

    def _triplets(self, output: Output, groups: Sequence[torch.Tensor], identities: torch.Tensor) -> torch.Tensor:
        """What `triplet_of` names, a scalar."""
        parts, logits = output.pooled.parts, output.logits
        terms = []
        if self.triplet_of != "parts" or parts is None:
            terms += [self.triplet(group, identities) for group in groups]
        if self.triplet_of != "groups" and parts is not None and logits is not None:
            terms.append(part_triplet_loss(parts, logits, identities, self._margin))
        return torch.stack(terms).sum()

    def triplet(self, features: torch.Tensor, identities: torch.Tensor) -> torch.Tensor:
        """Batch-hard triplet loss: features (B, C), identities (B,) -> mean of max(0, d+ - d- + margin), a scalar."""
        features = features.float()
        triplets = self._mine(features, identities)
        loss: torch.Tensor = self._triplet(features, identities, triplets)
        return loss
