"""Labels that do not wait for the network to learn where people are.

Like the paper's cascade (3.2), each round finds the person first and the parts second. Unlike it, M_g is not clustered.

- Foreground. Round 0 uses the backbone before training: words are scored by position and by the contrast between
  identities and cameras, and GrabCut draws the mask along the image's edges. Later rounds use the network's foreground,
  weighted with the first masks. Without them masks would shrink or grow from round to round; with them the foreground
  keeps its size over the training set.
- Body parts. Masks are cut at the heights where garments change, the same heights for all people. Then words vote on
  the parts, from round 1 on together with the network. The votes keep small parts from disappearing.
- Belongings. What one person has and keeps, on one side of the body (isp_core.labelling.position_words.belongings).

In memory for each image: its mask, its colours at the mask's size, the network's part probabilities in 8 bits, and one
level of features in half precision (some 45 kB at 256 x 128 and K = 6).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from isp_core.clustering.maps import activation
from isp_core.errors import IspError
from isp_core.inference import chunks, picture_batches, prepare, probabilities_with_mirror
from isp_core.labelling.garments import cut_garments, garment_correlation, seed_parts
from isp_core.labelling.layouts import BELONGINGS, HEAD, LAYOUTS
from isp_core.labelling.position_words.belongings import find_belongings
from isp_core.labelling.position_words.options import MaskOptions, PositionWordOptions
from isp_core.labelling.position_words.votes import Mask, learn_votes
from isp_core.labelling.position_words.words import (
    Vocabulary,
    enlarge,
    identity_camera_contrast,
    learn_vocabulary,
    middle_and_side,
    standardise,
)
from isp_core.labelling.refine import Certainty, cut_all
from isp_core.labelling.rounds import LabelledPictures, Labels, TrainingPictures
from isp_core.models import ISPNet

BATCH = 16
USUAL = MaskOptions()


@dataclass
class _Seen:
    """What a round keeps of all pictures: masks (n, h, w), colours (n, h, w, 3), activation of Eq. 3 (n, h, w), looks
    (n, C, h0, w0) float16, and Eq. 5's probabilities (n, K, h, w), 0..255 for 0..1, where the network has a say."""

    masks: Mask
    colours: npt.NDArray[np.uint8]
    active: npt.NDArray[np.float32]
    looks: Tensor
    opinion: npt.NDArray[np.uint8] | None


class PositionWordLabeller:
    """See above."""

    def __init__(self, data: TrainingPictures, options: PositionWordOptions, seed: int) -> None:
        self.data, self.options, self.seed = data, options, seed
        self.parts, self.size = options.parts, data.map_size

    @torch.inference_mode()
    def round(self, network: ISPNet, epoch: int, first: Labels | None = None) -> Iterator[LabelledPictures]:
        network.eval()
        start = time.perf_counter()
        # every process looks at all images here: words and garments are learned over all people
        learned = epoch > self.options.start
        seen = self._look(network, learned)
        masks = self.options.masks
        if learned and not masks.plausible_from < seen.masks.mean() < masks.plausible_to:
            seen = self._look(network, False)
        if seen.opinion is not None and first is not None:
            seen.masks = join_masks(seen.opinion, first > 0, masks)
        middle = time.perf_counter()
        carried = self._carried(seen)
        by = self.options.votes
        bodies = self.options.advanced
        correlation = garment_correlation(seen.colours, seen.masks, self.data.identities, by.bins, bodies)
        seeds = seed_parts(seen.masks, cut_garments(correlation, 3), self.parts, by.shoes, bodies)
        sample = self._sample()
        votes = learn_votes(seen.looks[sample], seen.masks[sample], seeds[sample], self.parts, by, bodies, self.seed)
        clustering = time.perf_counter() - middle
        own = self.data.own_identities()
        for rows in own:
            opinion = None
            if seen.opinion is not None:
                opinion = self._of_body_parts(seen.opinion[rows], None if first is None else first[rows])
            labels = votes.label(seen.looks[rows], seen.masks[rows], opinion)
            if carried is not None:
                labels[carried[rows]] = self._belongings
            each = (middle - start) / len(own), clustering / len(own)
            yield LabelledPictures(rows, labels, seen.active[rows], *each)

    # ---------------------------------------------------------------------------------------------------- what is seen

    def _look(self, network: ISPNet, learned: bool) -> _Seen:
        """All images by the network's foreground if it has `learned` any, else by word scores and a little activation;
        cut along each image's colours."""
        by = self.options.words
        words = {} if learned else self._learn_words(network)
        count = len(self.data.identities)
        seen = _Seen(
            np.zeros((count, *self.size), bool),
            np.zeros((count, *self.size, 3), np.uint8),
            np.zeros((count, *self.size), np.float32),
            torch.empty(0),
            np.zeros((count, self.parts, *self.size), np.uint8) if learned else None,
        )
        looks = []
        for rows, pictures in self._pictures(range(count)):
            prepared = prepare(pictures, self.data.normalisation)
            stages = network.backbone(prepared)
            activations = enlarge(activation(stages[by.deep_stage - 1]), self.size)
            if seen.opinion is not None:
                likely = probabilities_with_mirror(network, prepared, stages)
                seen.masks[rows] = (likely.argmax(1) > 0).cpu().numpy()
                seen.opinion[rows] = (likely * 255).round().to(torch.uint8).cpu().numpy()
            else:
                seen.masks[rows] = self._first_masks(network, pictures, words, activations)
            seen.colours[rows] = self._colours(pictures)
            seen.active[rows] = activations.cpu().numpy()
            looks.append(stages[by.coarse_stage - 1].to(torch.float16).cpu())
        seen.looks = torch.cat(looks)
        return seen

    def _first_masks(
        self, network: ISPNet, pictures: Tensor, words: Mapping[int, Vocabulary], activations: Tensor
    ) -> Mask:
        """Masks (n, h, w) of images (n, 3, H, W) by words, with a little activation (n, h, w)."""
        large, masks = self._large_stages(network, pictures), self.options.masks
        levels = [
            weight * enlarge(words[stage].score(large[stage]), self.size) for stage, _, weight in self._vocabularies()
        ]
        scores = standardise(torch.stack(levels).sum(0))
        scores = scores + self.options.words.activation_weight * standardise(activations)
        scores = lift_feet(standardise(scores), masks)
        certainty = Certainty(masks.background, masks.foreground, masks.cuts)
        return cut_all(pictures.permute(0, 2, 3, 1).cpu().numpy(), scores.cpu().numpy(), certainty)

    def _carried(self, seen: _Seen) -> Mask | None:
        """Belongings (n, h, w), or None where K leaves no part for them."""
        if BELONGINGS not in LAYOUTS[self.parts]:
            return None
        identities, cameras = self.data.identities, self.data.cameras
        by = self.options.belongings
        return find_belongings(
            seen.looks, seen.colours, seen.masks, identities, cameras, by, self.options.advanced, self.seed
        )

    @property
    def _belongings(self) -> int:
        return LAYOUTS[self.parts].index(BELONGINGS) + 1

    def _of_body_parts(self, opinion: npt.NDArray[np.uint8], first: Labels | None) -> npt.NDArray[np.float32]:
        """What counts beside the words: Eq. 5 (n, K, h, w) among the body's parts alone, belongings 0, and the heads of
        the first labels (n, h, w) -> (n, K-1, h, w)."""
        votes = opinion[:, 1:].astype(np.float32)
        if BELONGINGS in LAYOUTS[self.parts]:
            votes[:, self._belongings - 1] = 0
        votes /= np.maximum(votes.sum(1, keepdims=True), 1)
        if first is not None:
            votes[:, HEAD] += self.options.votes.first_heads * (first == HEAD + 1)
        return votes

    def _vocabularies(self) -> tuple[tuple[int, int, float], ...]:
        """Stage, number of words and weight of each level of words."""
        by = self.options.words
        return (by.coarse_stage, by.coarse, by.coarse_weight), (by.fine_stage, by.fine, by.fine_weight)

    def _learn_words(self, network: ISPNet) -> dict[int, Vocabulary]:
        sample, by = self._sample(), self.options.words
        held: dict[int, list[Tensor]] = {stage: [] for stage, _, _ in self._vocabularies()}
        for _, pictures in self._pictures(sample):
            large = self._large_stages(network, pictures)
            h, w = large[by.coarse_stage].shape[2:]
            grid = (h // 2, w // 2)  # one for all levels, small enough to be compared
            if not all(columns.any() for columns in middle_and_side(grid[1], by)):
                raise IspError(
                    f"labels.words.rows = {by.rows}: images enlarged to so many rows have feature maps of {w} columns, "
                    "too few to tell the middle from the sides: raise it, or give larger images (data.size)"
                )
            for stage, maps in large.items():
                held[stage].append(F.adaptive_avg_pool2d(maps, grid).to(torch.float16).cpu())
        levels = {stage: torch.cat(maps) for stage, maps in held.items()}
        contrast, fine = None, levels[by.fine_stage]
        people, cameras = self.data.identities[sample], self.data.cameras[sample]
        if by.contrast_weight and by.contrast == "identities":
            contrast = identity_camera_contrast(fine, people, None, by.partners, self.seed)
        elif by.contrast_weight and (cameras > 0).all() and len(np.unique(cameras)) > 1:
            contrast = identity_camera_contrast(fine, people, cameras, by.partners, self.seed)
        return {
            stage: learn_vocabulary(levels[stage], contrast, words, by, self.seed)
            for stage, words, _ in self._vocabularies()
        }

    def _large_stages(self, network: ISPNet, pictures: Tensor) -> dict[int, Tensor]:
        """Features for words, of enlarged images: at 128 x 64 a leg is narrower than a pixel of the coarse level."""
        prepared = prepare(pictures, self.data.normalisation)
        scale = max(self.options.advanced.enlarged, self.options.words.rows / prepared.shape[2])
        large = F.interpolate(prepared, scale_factor=scale, mode="bilinear", align_corners=False)
        stages = network.backbone(large.contiguous(memory_format=torch.channels_last))
        return {stage: stages[stage - 1] for stage, _, _ in self._vocabularies()}

    def _colours(self, pictures: Tensor) -> npt.NDArray[np.uint8]:
        """uint8 (n, 3, H, W) -> (n, h, w, 3)."""
        small = F.adaptive_avg_pool2d(pictures.float(), self.size).round()
        return np.asarray(small.permute(0, 2, 3, 1).to(torch.uint8).cpu().numpy())

    def _sample(self) -> npt.NDArray[np.int64]:
        """The rows of images that words are learned from; the same on every process."""
        return np.sort(
            np.random.default_rng([self.seed, 0]).permutation(len(self.data.identities))[: self.options.words.sample]
        )

    def _pictures(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> Iterator[tuple[list[int], Tensor]]:
        plan = [[int(rows[place]) for place in chunk] for chunk in chunks(len(rows), BATCH)]
        for batch, pictures in picture_batches(self.data.pictures, plan, self.data.workers):
            yield list(batch), pictures.to(self.data.device)


def lift_feet(scores: Tensor, by: MaskOptions = USUAL) -> Tensor:
    """Scores (n, h, w) with the rows below a person's knees raised towards the knees' mean score, image by image.

    Shoes on the ground look like the ground to words, and masks would end at the ankles; but where knees are, there are
    feet below them. Rows that score higher than the knees stay as they are.
    """
    h = scores.shape[1]
    start, end = round(by.knees_from * h), round(by.knees_to * h)
    means = scores.mean(2, keepdim=True)  # (n, h, 1)
    fallen = (means[:, start:end].mean(1, keepdim=True) - means).clamp(min=0)
    fallen[:, :end] = 0
    return scores + by.lift * fallen


def join_masks(opinion: npt.NDArray[np.uint8], first: Mask, by: MaskOptions = USUAL) -> Mask:
    """Foreground from what the network says and the first round's masks, of as many pixels as those have.

    The log odds of the likeliest part against the background, raised inside the first masks and lowered outside, at
    heads most.
    opinion: Eq. 5 (n, K, h, w), 0..255; first: (n, h, w) -> (n, h, w).

    >>> first = np.array([[[False, True, False, True]]])
    >>> join_masks(np.array([[[[250, 140, 120, 10]], [[5, 115, 135, 245]]]], np.uint8), first)
    array([[[False,  True, False,  True]]])
    """
    odds = np.log((opinion[:, 1:].max(1) + np.float32(0.5)) / (opinion[:, 0] + np.float32(0.5)))
    at_heads = opinion[:, 1:].argmax(1) == HEAD
    weight = np.where(at_heads, np.float32(by.first_weight_at_heads), np.float32(by.first_weight)) * odds.std()
    odds += np.where(first, weight, -weight)
    return np.asarray(odds > np.quantile(odds, 1 - first.mean()))
