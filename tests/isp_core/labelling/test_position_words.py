"""Labels from position words once a network has learned people: it says where, the first round how much there is."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from isp_core.errors import IspError
from isp_core.inference import prepare
from isp_core.labelling.layouts import HEAD, LAYOUTS
from isp_core.labelling.position_words.labeller import PositionWordLabeller, join_masks, lift_feet
from isp_core.labelling.position_words.options import (
    MaskOptions,
    PositionWordConstants,
    PositionWordOptions,
    WordOptions,
)
from isp_core.labelling.rounds import TrainingPictures, collect
from isp_core.models import ISPNet
from tests.isp_core.labelling.conftest import OWNERS


@pytest.fixture(scope="module")
def learnt(network: ISPNet, data: TrainingPictures) -> ISPNet:
    """Takes half of all pixels for background, as a network may that has learnt people."""
    half = copy.deepcopy(network)
    pictures = torch.stack([data.pictures[row] for row in range(len(OWNERS))])
    with torch.inference_mode():
        logits = half(prepare(pictures, data.normalisation)).logits
        half.classifier.bias[0] += (logits[:, 1:].amax(1) - logits[:, 0]).median()
    return half


def first_labels(share: float) -> np.ndarray:
    return (np.random.default_rng(0).random((len(OWNERS), 16, 8)) < share).astype(np.uint8)


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6])
def test_foreground_keeps_its_size(learnt: ISPNet, data: TrainingPictures, share: float) -> None:
    labeller, first = PositionWordLabeller(data, PositionWordOptions(parts=4), seed=0), first_labels(share)
    labels = collect(labeller.round(learnt, 1, first), len(OWNERS), (16, 8)).labels
    assert abs((labels > 0).mean() - (first > 0).mean()) < 0.02


def test_first_masks_decide_where_the_network_is_in_doubt() -> None:
    opinion = np.full((1, 3, 2, 4), 85, np.uint8)
    opinion[0, 0, 0], opinion[0, 1, 0] = [250, 20, 128, 127], [5, 235, 127, 128]  # sure, sure, in doubt, in doubt
    first = np.zeros((1, 2, 4), bool)
    first[0, 0, [0, 2]] = True
    np.testing.assert_array_equal(np.flatnonzero(join_masks(opinion, first)), [1, 2])


def test_first_masks_count_more_where_the_network_sees_a_head() -> None:
    """Four likely pixels: of the head one in the first mask and one outside, of the torso too. Three are kept."""
    opinion = np.zeros((1, 3, 2, 4), np.uint8)
    opinion[0, :, 0] = [[20] * 4, [215, 215, 20, 20], [20, 20, 215, 215]]
    opinion[0, :, 1] = [[235] * 4, [10] * 4, [10] * 4]
    first = np.zeros((1, 2, 4), bool)
    first[0, 0, [0, 2]] = first[0, 1, 3] = True
    np.testing.assert_array_equal(np.flatnonzero(join_masks(opinion, first)), [0, 2, 3])


@pytest.mark.parametrize("parts", LAYOUTS)
def test_every_layout_begins_with_the_head(parts: int) -> None:
    assert LAYOUTS[parts][HEAD] == "head"


def test_first_heads_keep_a_say(learnt: ISPNet, data: TrainingPictures) -> None:
    labeller = PositionWordLabeller(data, PositionWordOptions(parts=4), seed=0)
    head, upper = HEAD + 1, LAYOUTS[4].index("upper") + 1
    first = first_labels(0.3)
    without, labels = (
        collect(labeller.round(learnt, 1, first * part), len(OWNERS), (16, 8)).labels for part in (upper, head)
    )
    changed = labels != without
    assert changed.any()
    assert (labels[changed] == head).all()
    assert (first[changed] == 1).all()


def test_rounds_are_equal_bit_for_bit(learnt: ISPNet, data: TrainingPictures) -> None:
    labeller, before = PositionWordLabeller(data, PositionWordOptions(parts=4), seed=0), first_labels(0.3)
    first, second = (collect(labeller.round(learnt, 1, before), len(OWNERS), (16, 8)).labels for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("rows", [1, 64, 128])
def test_images_too_small_for_words_are_refused_with_the_option_that_helps(
    network: ISPNet, data: TrainingPictures, rows: int
) -> None:
    options = PositionWordOptions(parts=4, words=WordOptions(rows=rows), advanced=PositionWordConstants(enlarged=1))
    with pytest.raises(
        IspError, match=rf"labels.words.rows = {rows}: images .* too few to tell the middle from the sides"
    ):
        collect(PositionWordLabeller(data, options, seed=0).round(network, 0), len(OWNERS), (16, 8))


def test_feet_get_back_a_part_of_what_scores_fall_by_below_the_knees() -> None:
    scores = torch.ones(1, 100, 4)
    scores[0, 80:] = -1.0  # falls by 2 below the calves
    scores[0, 95:, 0] = 7.0  # ... but row means are those of the knees at the feet
    lifted = lift_feet(scores)
    np.testing.assert_array_equal(lifted[0, :80], scores[0, :80])
    torch.testing.assert_close(lifted[0, 80:95], torch.full((15, 4), -1 + 2 * MaskOptions().lift))
    np.testing.assert_array_equal(lifted[0, 95:], scores[0, 95:])
