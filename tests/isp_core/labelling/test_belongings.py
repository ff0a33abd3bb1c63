"""A thing that stays with one person, on one side of the body, is found; what everybody has is not."""

from __future__ import annotations

import numpy as np
import torch

from isp_core.labelling.position_words.belongings import find_belongings

PEOPLE, PICTURES, SIZE = 6, 4, (24, 12)


def crowd(bag_of: int | None) -> tuple[torch.Tensor, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """People of two body looks before a background of a third; one of them carries a box beside the hip."""
    generator = torch.Generator().manual_seed(0)
    body, legs, floor, bag = torch.eye(16)[:4] * 3
    looks, colours, masks, identities, cameras, bags = [], [], [], [], [], []
    for person in range(PEOPLE):
        for picture in range(PICTURES):
            look = floor[:, None, None].repeat(1, *SIZE)
            colour, mask, carried = np.full((*SIZE, 3), 90, np.uint8), np.zeros(SIZE, bool), np.zeros(SIZE, bool)
            look[:, 2:12, 4:8], look[:, 12:22, 4:8] = body[:, None, None], legs[:, None, None]
            colour[2:12, 4:8], colour[12:22, 4:8] = (30 * person, 60, 150), (40, 20 * person, 60)
            mask[2:22, 4:8] = True
            if person == bag_of:
                look[:, 11:16, 8:11], colour[11:16, 8:11] = bag[:, None, None], (200, 30, 30)
                mask[11:16, 8:11] = carried[11:16, 8:11] = True
            looks.append(look + 0.3 * torch.randn(look.shape, generator=generator))
            colours.append(colour)
            masks.append(mask)
            bags.append(carried)
            identities.append(person)
            cameras.append(1 + picture % 2)
    return (
        torch.stack(looks), np.stack(colours), np.stack(masks), np.array(identities), np.array(cameras), np.stack(bags)
    )  # fmt: skip


def test_the_bag_of_one_person_is_found() -> None:
    *everything, bags = crowd(bag_of=2)
    found = find_belongings(*everything)
    assert (found & bags).sum() / (found | bags).sum() > 0.8


def test_body_parts_of_everybody_are_no_belongings() -> None:
    *everything, _ = crowd(bag_of=None)
    masks = everything[2]
    assert find_belongings(*everything)[masks].mean() < 0.2


def test_nothing_is_found_among_two_people_or_in_empty_masks() -> None:
    looks, colours, masks, identities, cameras, _ = crowd(bag_of=1)
    two = identities < 2
    assert not find_belongings(looks[two], colours[two], masks[two], identities[two], cameras[two]).any()
    assert not find_belongings(looks, colours, np.zeros_like(masks), identities, cameras).any()


def test_equal_seeds_give_equal_belongings_and_unknown_cameras_do_not_matter_to_shape() -> None:
    looks, colours, masks, identities, cameras, _ = crowd(bag_of=3)
    first = find_belongings(looks, colours, masks, identities, cameras, seed=1)
    np.testing.assert_array_equal(first, find_belongings(looks, colours, masks, identities, cameras, seed=1))
    unknown = find_belongings(looks, colours, masks, identities, np.full_like(cameras, -1))
    assert not unknown[~masks].any()


def test_sleeves_on_both_sides_and_whoever_is_in_one_picture_are_no_belongings() -> None:
    looks, colours, masks, identities, cameras, bags = crowd(bag_of=2)
    passed = np.flatnonzero(identities == 4)[0]
    sleeves = np.zeros_like(masks)
    sleeves[:, 4:11, 1:4] = sleeves[:, 4:11, 8:11] = True
    passer = np.zeros_like(masks)
    passer[passed, 12:20, 8:11] = True
    for channel, thing, colour in ((6, sleeves, (20, 200, 90)), (7, passer, (90, 20, 200))):
        looks.permute(0, 2, 3, 1)[torch.from_numpy(thing)] = 3 * torch.eye(16)[channel]
        colours[thing] = colour
        masks |= thing
    found = find_belongings(looks, colours, masks, identities, cameras)
    assert found[bags].mean() > 0.8
    assert not found[sleeves].any()
    assert not found[passer].any()
