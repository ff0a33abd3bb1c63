"""Triplet loss of the distance averaged over visible parts: the "local triplet" of BPBReID's training (GiLt; Somers et
al., Body Part-Based Representation Learning for Occluded Person Re-Identification, WACV 2023, section 3.3).

Its other half, identity losses of the global, foreground and concatenated part features, is the paper's own.
"""

from __future__ import annotations

import torch

SMALLEST_SHARE = 1e-3
"""Of the pixels. A part that covers less is taken to cover as much, so that its mean and its gradient stay bounded."""


def part_means(parts: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """The mean of M_g over each part's own pixels: F_k of Eq. 2, which is the mean over all pixels, divided by the
    part's share of them. F_k (B, K-1, C), logits of Eq. 5 (B, K, h, w) -> (B, K-1, C)."""
    shares = logits.float().softmax(1)[:, 1:].mean((2, 3))
    return parts.float() / shares.clamp(min=SMALLEST_SHARE)[..., None]


def visible_parts(logits: torch.Tensor) -> torch.Tensor:
    """Eq. 8: whether the part is the most likely label of some pixel; logits (B, K, h, w) -> (B, K-1) bool."""
    argmax = logits.argmax(1).flatten(1)
    parts = torch.arange(1, logits.shape[1], device=logits.device)
    return (argmax[:, None] == parts[:, None]).any(2)


def part_distances(parts: torch.Tensor, visible: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Euclidean distance of every two images' parts, averaged over the parts that both show.

    Args:
        parts: (B, K-1, C) features.
        visible: (B, K-1) bool.

    Returns:
        Distances (B, B), and whether the two images share a part (B, B) bool; where they do not, the distance is 0.

    >>> parts = torch.tensor([[[0.0], [0.0]], [[3.0], [1.0]], [[1.0], [1.0]]])
    >>> distances, known = part_distances(parts, torch.tensor([[True, True], [True, False], [False, True]]))
    >>> [round(value, 3) for value in distances[0].tolist()], known[1].tolist()
    ([0.0, 3.0, 1.0], [True, True, False])
    """
    by_part = parts.float().transpose(0, 1)  # (K-1, B, C)
    gaps = by_part[:, :, None] - by_part[:, None]  # (K-1, B, B, C)
    squares = gaps.square().sum(3)
    each = torch.where(squares > 0, squares, 1).sqrt() * (squares > 0)  # the root has no gradient at 0
    shared = (visible[:, None] & visible[None]).permute(2, 0, 1)  # (K-1, B, B)
    return (each * shared).sum(0) / shared.sum(0).clamp(min=1), shared.any(0)


def hardest_triplets(
    distances: torch.Tensor, known: torch.Tensor, identities: torch.Tensor, margin: float
) -> torch.Tensor:
    """Mean of max(0, d+ - d- + margin) over images, with the farthest image of the same person and the nearest of
    another among `known` (B, B); images that lack either are left out. A scalar, 0 where all are.

    >>> line = torch.tensor([[0.0], [2.0], [3.0], [3.5]])
    >>> distances = (line - line.T).abs()
    >>> round(hardest_triplets(distances, distances >= 0, torch.tensor([0, 0, 1, 1]), 0.3).item(), 3)
    0.325
    """
    same = identities[:, None] == identities[None]
    alone = torch.eye(len(identities), dtype=torch.bool, device=identities.device)
    friends, strangers = known & same & ~alone, known & ~same
    farthest = distances.masked_fill(~friends, -torch.inf).amax(1)
    nearest = distances.masked_fill(~strangers, torch.inf).amin(1)
    usable = friends.any(1) & strangers.any(1)
    if not usable.any():
        return distances.sum() * 0
    return (farthest[usable] - nearest[usable] + margin).clamp(min=0).mean()


def part_triplet_loss(
    parts: torch.Tensor, logits: torch.Tensor, identities: torch.Tensor, margin: float
) -> torch.Tensor:
    """The loss of a batch: F_k (B, K-1, C) of Eq. 2, logits of Eq. 5 (B, K, h, w), identities (B,) -> a scalar."""
    distances, known = part_distances(part_means(parts, logits), visible_parts(logits))
    return hardest_triplets(distances, known, identities, margin)
