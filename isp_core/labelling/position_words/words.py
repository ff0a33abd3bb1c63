"""Foreground from visual words: which local looks belong to people, told by identities, cameras and position alone.

The pixels of a data set, as an untrained backbone describes them, fall into a few hundred visual words. A single pixel
says little about being a person; a word, seen in thousands of places, says much. Each word is scored by

- position: how much likelier it is in the middle third of the images' columns than at their sides, since detectors
  centre people;
- identity-camera contrast: a person's looks are found again in other cameras, the background's in other people's
  images of the same camera.

The scores stand in for Eq. 3 in the first round; a little of Eq. 3 is added to them (`words.activation_weight`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from isp_core.clustering.kmeans import kmeans
from isp_core.labelling.position_words.options import WordOptions

USUAL = WordOptions()


@dataclass(frozen=True)
class Vocabulary:
    """Visual words of one level of a backbone: origin (C,) and centres (k, C) of l2-normalised features, and how much
    each word is a person's: score (k,), mean 0 and deviation 1 over pixels for each of its ingredients."""

    origin: Tensor
    centres: Tensor
    scores: Tensor

    def score(self, maps: Tensor) -> Tensor:
        """Features (n, C, h, w) -> the scores of their words (n, h, w)."""
        return self.scores[words_of(maps, self.origin, self.centres)]


def learn_vocabulary(
    maps: Tensor,
    contrast: Tensor | None,
    words: int,
    options: WordOptions = USUAL,
    seed: int = 0,
) -> Vocabulary:
    """Words and their scores from sample images.

    maps: (n, C, h, w), one level's features of the sample. contrast: (n, h, w) of `identity_camera_contrast`, at any
    level's size h x w, or None where cameras are unknown: position alone then scores the words.
    """
    origin = maps.float().mean((0, 2, 3))  # (C,)
    pixels = _pixels(maps, origin)
    generator = torch.Generator().manual_seed(seed)
    sample = pixels[torch.randperm(len(pixels), generator=generator)[: options.pixels]]
    centres = kmeans(sample, words, seed=seed, iterations=options.iterations).centres
    found = words_of(maps, origin, centres)  # (n, h, w)
    counts = torch.bincount(found.flatten(), minlength=words).float()
    scores = _standardised(position_ratio(found, words, options), counts)
    if contrast is not None:
        total = torch.zeros(words).index_add_(0, found.flatten(), contrast.flatten())
        scores = scores + options.contrast_weight * _standardised(total / counts.clamp(min=1), counts)
    return Vocabulary(origin, centres, scores)


def words_of(maps: Tensor, origin: Tensor, centres: Tensor) -> Tensor:
    """The nearest word of each pixel: (n, C, h, w) -> (n, h, w) int64."""
    n, _, h, w = maps.shape
    pixels = _pixels(maps, origin)
    return (pixels @ centres.T - centres.square().sum(1) / 2).argmax(1).view(n, h, w)


def position_ratio(found: Tensor, words: int, options: WordOptions = USUAL) -> Tensor:
    """log p(word | middle columns) - log p(word | side columns): words (n, h, w) -> (k,)."""
    middle, side = middle_and_side(found.shape[2], options)

    def share(columns: Tensor) -> Tensor:
        counts = torch.bincount(found[:, :, columns].flatten(), minlength=words).float()
        return counts / counts.sum() + options.smallest

    return (share(middle) / share(side)).log()


def middle_and_side(width: int, options: WordOptions = USUAL) -> tuple[Tensor, Tensor]:
    """Which of `width` columns lie in the middle, and which at the sides: two masks (width,)."""
    column = (torch.arange(width) + 0.5) / max(width, 1)
    return (column - 0.5).abs() < options.middle, (column < options.side) | (column > 1 - options.side)


def identity_camera_contrast(
    maps: Tensor,
    identities: npt.NDArray[np.int64],
    cameras: npt.NDArray[np.int64] | None,
    partners: int = USUAL.partners,
    seed: int = 0,
) -> Tensor:
    """How much better a pixel is found again in the same person's other cameras, and in other people's other cameras,
    than in other people's images of its own camera; standardised within each image. Without cameras: in the same
    person's other images than in other people's.

    maps: (n, C, h, w); identities, cameras: (n,) -> (n, h, w). For each kind of partner the best cosine in an image,
    averaged over up to `partners` of them (seeded); a kind that an image lacks counts as 0.
    """
    n, channels, h, w = maps.shape
    origin = maps.float().mean((0, 2, 3))
    features = _pixels(maps, origin).view(n, h * w, channels)
    generator = torch.Generator().manual_seed(seed)
    persons = torch.from_numpy(identities)
    views = torch.arange(n) if cameras is None else torch.from_numpy(cameras)  # without cameras: one of each image
    rows = []
    for i in range(n):
        same, here = persons == persons[i], views == views[i]

        def found_in(candidates: Tensor, own: Tensor = features[i]) -> Tensor:
            others = candidates.nonzero()[:, 0]
            others = others[torch.randperm(len(others), generator=generator)[:partners]]
            if not len(others):
                return torch.zeros(h * w)
            cosines = own @ features[others].flatten(0, 1).T  # (P, others * P)
            return cosines.view(h * w, len(others), h * w).amax(2).float().mean(1)

        if cameras is None:
            rows.append(found_in(same & ~here) - found_in(~same))
        else:
            rows.append(found_in(same & ~here) + found_in(~same & ~here) - 2 * found_in(~same & here))
    return standardise(torch.stack(rows).view(n, h, w))


def standardise(scores: Tensor) -> Tensor:
    """Mean 0 and deviation 1 within each image: (n, h, w); a flat image becomes 0."""
    flat = scores.flatten(1).float()
    centred = flat - flat.mean(1, keepdim=True)
    return (centred / flat.std(1, keepdim=True).clamp(min=1e-6)).view_as(scores)


def enlarge(scores: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear to (h, w): (n, h0, w0) -> (n, *size)."""
    return F.interpolate(scores[:, None].float(), size=size, mode="bilinear", align_corners=False)[:, 0]


def _pixels(maps: Tensor, origin: Tensor) -> Tensor:
    """Centred and l2-normalised features of all pixels: (n, C, h, w) -> (n * h * w, C)."""
    centred = maps.float() - origin[None, :, None, None]
    return F.normalize(centred, dim=1).permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


def _standardised(values: Tensor, counts: Tensor) -> Tensor:
    """Mean 0 and deviation 1 over pixels: values (k,) of words that occur counts (k,) times."""
    share = counts / counts.sum().clamp(min=1)
    centred = values - (values * share).sum()
    return centred / (centred.square() * share).sum().sqrt().clamp(min=1e-6)
