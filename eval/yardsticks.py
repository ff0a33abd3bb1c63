"""Foreground masks that use neither identities nor training: what a method has to be better than, image by image.

The constant mask (isp_core.metrics.part_scores) looks at nothing. Two more look at the image, and come
far:

- ellipse + GrabCut: a central ellipse, cut along the image's colours. Uses that crops are centred.
- position words + GrabCut: visual words of an ImageNet backbone that has seen no person of the data set, each scored by
  how much more often it lies in the middle of an image than at its sides, cut along the image's colours.

Neither has parts: they are compared on the foreground. What they score is no one's achievement, so it is shown next to
every run's IoU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F
from tqdm import tqdm

from isp_core.data import PictureCache
from isp_core.inference import chunks, picture_batches, prepare
from isp_core.labelling.position_words.options import PositionWordOptions
from isp_core.labelling.position_words.words import enlarge, learn_vocabulary, standardise
from isp_core.labelling.refine import Certainty, cut_all
from isp_core.models import normalisation
from isp_core.models.backbone import Backbone

Masks = npt.NDArray[np.bool_]
Size = tuple[int, int]

AXES = 0.45, 0.3
"""Half the height and width of the ellipse, as shares of the image's: a person who fills the crop."""
ELLIPSE_CERTAINTY = Certainty(background=-0.5, foreground=0.75)
BACKBONE = "mobilenetv2_100"
POSITION_WORDS = PositionWordOptions()
"""The source of labels whose words these are, with its defaults."""
_BY, _MASKS = POSITION_WORDS.words, POSITION_WORDS.masks
WORDS = {_BY.coarse_stage: _BY.coarse, _BY.fine_stage: _BY.fine}
LEVEL_WEIGHTS = {_BY.coarse_stage: _BY.coarse_weight, _BY.fine_stage: _BY.fine_weight}
"""Stages of the backbone (strides 16 and 8): how many words each has, and the weight of its scores."""
WORD_CERTAINTY = Certainty(_MASKS.background, _MASKS.foreground, _MASKS.cuts)
SAMPLE, BATCH = 400, 16
"""Images that words are learned from; images at a time."""


def ellipse_scores(size: Size) -> npt.NDArray[np.float32]:
    """(h, w): 1 in the middle, 0 on the ellipse, negative outside.

    >>> (ellipse_scores((3, 3)) > 0).tolist()
    [[False, True, False], [False, True, False], [False, True, False]]
    """
    rows, columns = ((np.arange(n) + 0.5) / n - 0.5 for n in size)
    distance = (rows[:, None] / AXES[0]) ** 2 + (columns / AXES[1]) ** 2
    return (1 - distance).astype(np.float32)


def _ellipse(pictures: PictureCache, size: Size, progress: bool) -> Masks:
    """GrabCut from the ellipse: masks (N, h, w)."""
    scores = ellipse_scores(size)
    masks = []
    for batch, images in picture_batches(pictures, chunks(len(pictures), BATCH)):
        masks.append(cut_all(_channels_last(images), np.broadcast_to(scores, (len(batch), *size)), ELLIPSE_CERTAINTY))
    return np.concatenate(masks)


@torch.inference_mode()
def _position_words(pictures: PictureCache, size: Size, progress: bool) -> Masks:
    """Words learned from a sample of these very images, which needs no label: masks (N, h, w)."""
    backbone, by = Backbone(BACKBONE, weights="package").eval(), normalisation(BACKBONE)

    def levels(images: torch.Tensor) -> dict[int, torch.Tensor]:
        scale = max(POSITION_WORDS.advanced.enlarged, _BY.rows / images.shape[2])
        large = F.interpolate(prepare(images, by), scale_factor=scale, mode="bilinear", align_corners=False)
        stages = backbone(large.contiguous(memory_format=torch.channels_last))
        return {stage: stages[stage - 1] for stage in WORDS}

    sample = np.sort(np.random.default_rng(0).permutation(len(pictures))[:SAMPLE])
    plan = [[int(sample[i]) for i in chunk] for chunk in chunks(len(sample), BATCH)]
    held: dict[int, list[torch.Tensor]] = {stage: [] for stage in WORDS}
    for _, images in tqdm(
        picture_batches(pictures, plan), "words", len(plan), leave=False, delay=2, disable=not progress
    ):
        found = levels(images)
        coarse = found[_BY.coarse_stage]
        grid = (coarse.shape[2] // 2, coarse.shape[3] // 2)  # enough to tell what is in the middle
        for stage, maps in found.items():
            held[stage].append(F.adaptive_avg_pool2d(maps, grid))
    words = {stage: learn_vocabulary(torch.cat(held[stage]), None, count, _BY) for stage, count in WORDS.items()}

    masks, plan = [], [list(chunk) for chunk in chunks(len(pictures), BATCH)]
    for _, images in tqdm(
        picture_batches(pictures, plan), "masks", len(plan), leave=False, delay=2, disable=not progress
    ):
        found = levels(images)
        scored = [LEVEL_WEIGHTS[stage] * enlarge(words[stage].score(found[stage]), size) for stage in WORDS]
        scores = standardise(torch.stack(scored).sum(0))
        masks.append(cut_all(_channels_last(images), scores.numpy(), WORD_CERTAINTY))
    return np.concatenate(masks)


def _channels_last(images: torch.Tensor) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())


YARDSTICKS: Mapping[str, Callable[[PictureCache, Size, bool], Masks]] = {
    "ellipse + GrabCut": _ellipse,
    "position words + GrabCut": _position_words,
}


def yardstick_masks(
    name: str, root: Path, paths: tuple[str, ...], image_size: Size, size: Size, progress: bool = False
) -> Masks:
    """Foreground masks (N, *size) of the images root/path by one of YARDSTICKS, at `image_size` as a run sees them.

    The last few are kept, since the runs of a study are evaluated on the same images. WeightsError where the backbone's
    weights are not installed.
    """
    return _kept(name, root, paths, image_size, size, progress)


@lru_cache(maxsize=8)
def _kept(name: str, root: Path, paths: tuple[str, ...], image_size: Size, size: Size, progress: bool) -> Masks:
    return YARDSTICKS[name](PictureCache([root / path for path in paths], image_size, 0), size, progress)
