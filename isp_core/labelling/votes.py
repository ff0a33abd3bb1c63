"""From rough parts to parts that follow the body: visual words vote.

Heights cut at the garments give every foreground pixel a first part; all bands are straight, whatever the pose. Words
of [look, height] are then learnt over everybody, and each passes on to its pixels what most of its pixels were given:
a hand that hangs as low as the hip goes with the arms, a bent head with the heads. Several vocabularies vote.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from torch.nn import functional as F

from isp_core.clustering.kmeans import kmeans
from isp_core.labelling.body import BELONGINGS, LAYOUTS, body_height, distance_from_axis
from isp_core.labelling.source import Labels

Mask = npt.NDArray[np.bool_]
SHOES = 0.92
"""Height below which shoes are: garments do not tell them, too few of their pixels are seen as foreground at first."""
HEIGHT_WEIGHTS, VOCABULARIES = (1.0, 1.5, 2.0), (24, 36, 48)
SAMPLED_PIXELS = 80_000


def seed_parts(masks: Mask, cuts: npt.NDArray[np.float64], parts: int) -> Labels:
    """First parts of the body by height, numbered as in LAYOUTS; belongings are not among them.

    masks: (n, h, w) foreground; cuts: the two heights at which upper body and legs begin.
    """
    upper, legs = float(cuts[0]), min(float(cuts[1]), SHOES - 0.05)
    begins = {"upper": upper, "waist": (upper + legs) / 2, "legs": legs, "shins": (legs + SHOES) / 2, "shoes": SHOES}
    names = LAYOUTS[parts]
    body = [number for number, name in enumerate(names, start=1) if name != BELONGINGS]
    band = np.digitize(body_height(masks), [begins[names[number - 1]] for number in body[1:]])  # (n, h, w)
    return np.where(masks, np.array(body, np.uint8)[band], 0).astype(np.uint8)


@dataclass(frozen=True)
class Votes:
    """Vocabularies of [look, height, distance from the body's axis] and the parts that their words stand for.

    origins: mean and second mean that looks are centred by, (C,) each. words: (centres (W, C + 2), height weight,
    shares (W, K-1)) of each vocabulary.
    """

    origin: Tensor
    foreground_origin: Tensor
    words: tuple[tuple[Tensor, float, Tensor], ...]

    def label(self, looks: Tensor, masks: Mask, opinion: npt.NDArray[np.float32] | None = None) -> Labels:
        """Parts of the foreground: looks (n, C, h0, w0), masks (n, h, w) -> (n, h, w), 0 outside the masks.

        Votes are taken on half the masks' grid. opinion: probabilities (n, K-1, h, w) that count as much as all votes
        together; without it, pixels that the half grid misses take the nearest part.
        """
        coarse = _halve(masks)
        chosen = torch.from_numpy(coarse)
        n, h, w = coarse.shape
        shares = np.zeros((n, h, w, self.words[0][2].shape[1]), np.float32)
        if chosen.any():
            points = _points(looks, coarse, self.origin, self.foreground_origin)
            votes = [table[_nearest(points, weight, centres)] for centres, weight, table in self.words]
            shares[coarse] = torch.stack(votes).mean(0).numpy()
        if opinion is None:
            labels = np.where(coarse, shares.argmax(3) + 1, 0).astype(np.uint8)
            return np.stack([_fill(label, mask) for label, mask in zip(labels, masks, strict=True)])
        joined = shares.repeat(2, 1).repeat(2, 2) + opinion.transpose(0, 2, 3, 1)  # (n, h, w, K-1)
        return np.where(masks, joined.argmax(3) + 1, 0).astype(np.uint8)


def learn_votes(looks: Tensor, masks: Mask, seeds: Labels, parts: int, seed: int = 0) -> Votes:
    """Vocabularies from sample pictures: looks (n, C, h0, w0) of one level, masks and first parts (n, h, w)."""
    coarse = _halve(masks)
    origin = looks.float().mean((0, 2, 3))
    nothing = torch.zeros_like(origin)
    foreground_origin = _points(looks, coarse, origin, nothing)[:, :-2].mean(0)
    points = _points(looks, coarse, origin, foreground_origin)
    given = torch.from_numpy(_halve_labels(seeds, coarse)[coarse].astype(np.int64))  # (pixels,)
    words = []
    for weight in HEIGHT_WEIGHTS:
        for count in VOCABULARIES:
            generator = torch.Generator().manual_seed(seed + count)
            sample = torch.randperm(len(points), generator=generator)[:SAMPLED_PIXELS]
            centres = kmeans(_weighted(points[sample], weight), count, seed=seed + count, iterations=12).centres
            found = _nearest(points, weight, centres)
            table = torch.zeros(len(centres), parts)
            table.index_put_((found, given), torch.ones(len(given)), accumulate=True)
            table = table[:, 1:] / table[:, 1:].sum(1, keepdim=True).clamp(min=1)
            words.append((centres, weight, table))
    return Votes(origin, foreground_origin, tuple(words))


def _points(looks: Tensor, masks: Mask, origin: Tensor, foreground_origin: Tensor) -> Tensor:
    """Look, height and distance from the axis of all foreground pixels: (pixels, C + 2)."""
    large = F.interpolate(looks.float(), size=masks.shape[1:], mode="bilinear", align_corners=False)
    pixels = (large - origin[None, :, None, None]).permute(0, 2, 3, 1)[torch.from_numpy(masks)]
    look = F.normalize(F.normalize(pixels, dim=1) - foreground_origin, dim=1)
    height = torch.from_numpy(body_height(masks)[masks]).float()
    aside = torch.from_numpy(distance_from_axis(masks)[masks]).float()
    return torch.cat([look, height[:, None], aside[:, None]], dim=1)


def _weighted(points: Tensor, weight: float) -> Tensor:
    scale = torch.ones(points.shape[1])
    scale[-2], scale[-1] = weight, 0.1 * weight
    return points * scale


def _nearest(points: Tensor, weight: float, centres: Tensor) -> Tensor:
    return (_weighted(points, weight) @ centres.T - centres.square().sum(1) / 2).argmax(1)


def _halve(masks: Mask) -> Mask:
    """Half the size, by majority (half counts): (n, h, w) -> (n, h / 2, w / 2)."""
    n, h, w = masks.shape
    return np.asarray(masks.reshape(n, h // 2, 2, w // 2, 2).mean((2, 4)) >= 0.5)


def _halve_labels(labels: Labels, masks: Mask) -> Labels:
    """The part of each foreground cell of half the size: the largest of its four, so that none is background."""
    n, h, w = labels.shape
    return np.where(masks, labels.reshape(n, h // 2, 2, w // 2, 2).max((2, 4)), 0).astype(np.uint8)


def _fill(labels: Labels, mask: Mask) -> Labels:
    """Half-size labels at the mask's size, missed foreground pixels by their nearest labelled one."""
    large = labels.repeat(2, 0).repeat(2, 1)
    if (mask & (large == 0)).any() and (large > 0).any():
        nearest = distance_transform_edt(large == 0, return_distances=False, return_indices=True)
        large = large[tuple(nearest)]
    return np.where(mask, large, 0).astype(np.uint8)
