"""Labels from contrast once a network has learnt people: it says where they are, the round before how much there is."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from isp_core.inference import prepare
from isp_core.labelling.contrast import ContrastLabeller, masks_of_share
from isp_core.labelling.source import TrainingPictures, collect
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


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6])
def test_foreground_keeps_its_share(learnt: ISPNet, data: TrainingPictures, share: float) -> None:
    labeller = ContrastLabeller(data, 4, (16, 8), every=1, seed=0)
    labels = collect(labeller.round(learnt, 1, share), len(OWNERS), (16, 8)).labels
    assert abs((labels > 0).mean() - share) < 0.02


def test_pixels_become_foreground_in_the_order_of_their_odds() -> None:
    opinion = np.random.default_rng(0).integers(0, 256, (3, 4, 8, 6), dtype=np.uint8)
    small, large = (masks_of_share(opinion, share) for share in (0.25, 0.5))
    assert (large | ~small).all()
    odds = (opinion[:, 1:].max(1) + 0.5) / (opinion[:, 0] + 0.5)
    assert odds[large].min() >= odds[~large].max()


def test_rounds_are_equal_bit_for_bit(learnt: ISPNet, data: TrainingPictures) -> None:
    labeller = ContrastLabeller(data, 4, (16, 8), every=1, seed=0)
    first, second = (collect(labeller.round(learnt, 1, 0.3), len(OWNERS), (16, 8)).labels for _ in range(2))
    np.testing.assert_array_equal(first, second)
