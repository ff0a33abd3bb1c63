"""From rough parts to parts that follow the body: visual words vote.

Heights cut at the garments give every foreground pixel a first part; all bands are straight, whatever the pose. Words
of [look, height] are then learned over all people, and each passes on to its pixels what most of its pixels were given:
a hand that hangs as low as the hip goes with the arms, a bent head with the heads. Several vocabularies vote.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from isp_core.clustering.kmeans import kmeans
from isp_core.labelling.body import body_height, offset_from_axis
from isp_core.labelling.constants import BODY, BodyConstants
from isp_core.labelling.position_words.options import VoteOptions
from isp_core.labelling.rounds import Labels

Mask = npt.NDArray[np.bool_]
USUAL = VoteOptions()
AT_A_TIME = 64
"""Images whose looks are enlarged at once."""


@dataclass(frozen=True)
class Votes:
    """Vocabularies of [look, height, distance from the body's axis] and the parts that their words stand for.

    origins: mean and second mean that looks are centred by, (C,) each. aside: weight of the distance from the axis.
    words: (centres (W, C + 2), height weight, shares (W, K-1)) of each vocabulary.
    """

    origin: Tensor
    foreground_origin: Tensor
    aside: float
    words: tuple[tuple[Tensor, float, Tensor], ...]
    bodies: BodyConstants = BODY

    def label(self, looks: Tensor, masks: Mask, opinion: npt.NDArray[np.float32] | None = None) -> Labels:
        """Parts of the foreground: looks (n, C, h0, w0), masks (n, h, w) -> (n, h, w), 0 outside the masks.

        opinion: probabilities (n, K-1, h, w) that count as much as all votes together.
        """
        labels = np.zeros(masks.shape, np.uint8)
        if masks.any():
            points = _points(looks, masks, self.origin, self.foreground_origin, masks, self.bodies)
            votes = [table[_nearest(points, weight, self.aside, centres)] for centres, weight, table in self.words]
            shares = torch.stack(votes).mean(0).numpy()  # (pixels, K-1)
            if opinion is not None:
                shares = shares + opinion.transpose(0, 2, 3, 1)[masks]
            labels[masks] = shares.argmax(1) + 1
        return labels


def learn_votes(
    looks: Tensor,
    masks: Mask,
    seeds: Labels,
    parts: int,
    options: VoteOptions = USUAL,
    bodies: BodyConstants = BODY,
    seed: int = 0,
) -> Votes:
    """Vocabularies from sample pictures: looks (n, C, h0, w0) of one level, masks and first parts (n, h, w)."""
    origin = looks.float().mean((0, 2, 3))
    share = min(1.0, options.counted_pixels / max(int(masks.sum()), 1))
    counted = masks & (np.random.default_rng(seed).random(masks.shape, np.float32) <= share)
    foreground_origin = _points(looks, masks, origin, torch.zeros_like(origin), counted, bodies)[:, :-2].mean(0)
    points = _points(looks, masks, origin, foreground_origin, counted, bodies)
    given = torch.from_numpy(seeds[counted].astype(np.int64))  # (pixels,)
    words = []
    for weight in options.height_weights:
        for count in options.vocabularies:
            generator = torch.Generator().manual_seed(seed + count)
            sample = torch.randperm(len(points), generator=generator)[: options.learned_pixels]
            weighted = _weighted(points[sample], weight, options.aside)
            centres = kmeans(weighted, count, seed=seed + count, iterations=options.iterations).centres
            found = _nearest(points, weight, options.aside, centres)
            table = torch.zeros(len(centres), parts)
            table.index_put_((found, given), torch.ones(len(given)), accumulate=True)
            table = table[:, 1:] / table[:, 1:].sum(1, keepdim=True).clamp(min=1)
            words.append((centres, weight, table))
    return Votes(origin, foreground_origin, options.aside, tuple(words), bodies)


def _points(
    looks: Tensor, masks: Mask, origin: Tensor, foreground_origin: Tensor, chosen: Mask, bodies: BodyConstants
) -> Tensor:
    """Look, height and distance from the axis of the chosen pixels (n, h, w) of the foreground: (pixels, C + 2)."""
    size = masks.shape[1:]
    enlarged = []
    for start in range(0, len(looks), AT_A_TIME):
        pictures = slice(start, start + AT_A_TIME)
        large = F.interpolate(looks[pictures].float(), size=size, mode="bilinear", align_corners=False)
        enlarged.append(large.permute(0, 2, 3, 1)[torch.from_numpy(chosen[pictures])] - origin)
    look = F.normalize(F.normalize(torch.cat(enlarged), dim=1) - foreground_origin, dim=1)
    height = torch.from_numpy(body_height(masks, bodies)[chosen]).float()
    aside = torch.from_numpy(np.abs(offset_from_axis(masks)[chosen]))
    return torch.cat([look, height[:, None], aside[:, None]], dim=1)


def _weighted(points: Tensor, weight: float, aside: float) -> Tensor:
    scale = torch.ones(points.shape[1])
    scale[-2], scale[-1] = weight, aside * weight
    return points * scale


def _nearest(points: Tensor, weight: float, aside: float, centres: Tensor) -> Tensor:
    return (_weighted(points, weight, aside) @ centres.T - centres.square().sum(1) / 2).argmax(1)
