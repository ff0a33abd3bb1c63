"""Rough parts by height become parts that follow the body; feet are found row by row."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isp_core.labelling.garments import seed_parts
from isp_core.labelling.layouts import LAYOUTS
from isp_core.labelling.position_words.votes import learn_votes

CUTS, SHOES = np.array([0.2, 0.6]), 0.95


def upright(count: int = 4) -> np.ndarray:
    masks = np.zeros((count, 64, 32), bool)
    masks[:, 4:60, 8:24] = True
    return masks


@pytest.mark.parametrize("parts", [4, 5, 6, 7, 8])
def test_seeds_lie_from_top_to_bottom(parts: int) -> None:
    masks = upright()
    seeds = seed_parts(masks, CUTS, parts, SHOES)
    body = [part for part, name in enumerate(LAYOUTS[parts], start=1) if name != "belongings"]
    assert ((seeds > 0) == masks).all()
    assert sorted(set(np.unique(seeds)) - {0}) == body  # belongings are found otherwise
    rows = np.arange(64)[None, :, None]
    heights = [np.broadcast_to(rows, seeds.shape)[seeds == part].mean() for part in body]
    assert heights == sorted(heights)


def test_words_give_a_low_hand_to_the_hands() -> None:
    """A look that is mostly seen above the cut stays one part where a few of its pixels lie below it."""
    masks = upright(12)
    looks = torch.zeros(12, 3, 32, 16)
    looks[:, 0, :7], looks[:, 1, 7:19], looks[:, 2, 19:] = 1, 1, 1  # head, upper, legs
    looks[0, :, 19:22, 4:6] = torch.tensor([0.0, 1.0, 0.0])[:, None, None]  # a sleeve that hangs low
    looks = looks + 0.05 * torch.randn(looks.shape, generator=torch.Generator().manual_seed(0))
    seeds = seed_parts(masks, CUTS, 4, SHOES)
    labels = learn_votes(looks, masks, seeds, 4).label(looks, masks)
    assert ((labels > 0) == masks).all()
    sleeve = np.s_[0, 39:43, 9:11]
    assert (seeds[sleeve] == 3).all()
    assert (labels[sleeve] == 2).mean() > 0.7
    assert (labels[1:] == seeds[1:])[masks[1:]].mean() > 0.9


def test_an_empty_mask_stays_empty() -> None:
    masks = upright(3)
    masks[1] = False
    looks = torch.randn(3, 3, 16, 8, generator=torch.Generator().manual_seed(0))
    labels = learn_votes(looks, masks, seed_parts(masks, CUTS, 5, SHOES), 5).label(looks, masks)
    assert (labels[1] == 0).all()
    assert (labels[0] > 0).any()


def test_a_sure_network_overrules_divided_votes_inside_the_mask_only() -> None:
    masks = upright(8)
    looks = torch.randn(8, 3, 32, 16, generator=torch.Generator().manual_seed(0))  # words that say nothing but height
    votes = learn_votes(looks, masks, seed_parts(masks, CUTS, 4, SHOES), 4)
    opinion = np.zeros((8, 3, 64, 32), np.float32)
    opinion[:, 1] = 1.0  # all is the upper body
    labels = votes.label(looks, masks, opinion)
    assert ((labels > 0) == masks).all()
    assert (labels[masks] == 2).mean() > (votes.label(looks, masks)[masks] == 2).mean()
