"""Belongings pasted between people: image and label map stay in step, height and side are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from isp_core.data import IdentityBatches, PictureCache
from isp_core.data.batches import Batch, EpochBatches
from isp_core.data.carrying import Carrying, give
from isp_core.data.transforms import TrainTransform, picture_generator

BAG = 3


def person(colour: int, bag: int | None = None, moved: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """An image (3, 64, 32) and its map (16, 8): a body of part 1 in columns 3 and 4, and a bag of another colour to its
    right in rows 6 to 8, where `bag` gives one."""
    image, label_map = torch.zeros(3, 64, 32, dtype=torch.uint8), torch.zeros(16, 8, dtype=torch.uint8)
    label_map[2:14, 3 + moved : 5 + moved] = 1
    image[:, 8:56, 12 + 4 * moved : 20 + 4 * moved] = colour
    if bag is not None:
        label_map[6:9, 5 + moved : 7 + moved] = BAG
        image[:, 24:36, 20 + 4 * moved : 28 + 4 * moved] = bag
    return image, label_map


@pytest.mark.parametrize("seed", range(12))
def test_the_pasted_pixels_are_the_belongings_and_are_labelled_so(seed: int) -> None:
    (image, label_map), (carrier, its_map) = person(50), person(90, bag=200)
    pasted, labels = give(image, label_map, carrier, its_map, BAG, picture_generator(0, 0, seed))
    changed = (pasted != image).any(0)
    assert (pasted[:, changed] == 200).all()
    assert torch.equal(labels == BAG, changed[2::4, 2::4])
    assert torch.equal(labels[labels != BAG], label_map[labels != BAG])
    rows, columns = torch.where(changed)
    assert 22 <= rows.min() <= rows.max() <= 38  # the height it was carried at, give or take its scale
    aside = columns.float().mean() - 15.5
    assert 5 <= aside.abs() <= 11  # beside the axis as before, on either side
    assert image.unique().tolist() == [0, 50]  # the cached images themselves are untouched


def test_both_sides_occur() -> None:
    (image, label_map), (carrier, its_map) = person(50), person(90, bag=200)
    sides = set()
    for seed in range(12):
        pasted, _ = give(image, label_map, carrier, its_map, BAG, picture_generator(0, 0, seed))
        sides.add(bool(torch.where((pasted != image).any(0))[1].float().mean() > 16))
    assert sides == {True, False}


def test_what_leaves_the_image_is_cut_off() -> None:
    (image, label_map), (carrier, its_map) = person(50, moved=3), person(90, bag=200)
    pasted = [give(image, label_map, carrier, its_map, BAG, picture_generator(0, 0, seed)) for seed in range(12)]
    sizes = [int((changed != image).any(0).sum()) for changed, _ in pasted]
    assert min(sizes) == 0 < max(sizes)


@pytest.mark.parametrize("which", ["no body", "no body of the carrier", "no belonging"])
def test_without_body_or_belonging_nothing_is_pasted(which: str) -> None:
    (image, label_map), (carrier, its_map) = person(50), person(90, bag=200)
    if which == "no body":
        label_map = torch.zeros_like(label_map)
    elif which == "no belonging":
        its_map = torch.where(its_map == BAG, 0, its_map)
    else:
        its_map = torch.where(its_map == 1, 255, its_map)
    pasted, labels = give(image, label_map, carrier, its_map, BAG, picture_generator(0, 0, 0))
    assert torch.equal(pasted, image)
    assert torch.equal(labels, label_map)


def epoch(tmp_path: Path, carrying: Carrying | None) -> list[Batch]:
    """An epoch of three people, the third of whom carries a bag, without augmentation."""
    paths, maps = [], []
    for i in range(6):
        image, label_map = person(40 + 30 * (i // 2), bag=200 if i > 3 else None)
        maps.append(label_map.numpy())
        if i > 3:
            maps[-1][9, 5:7] = BAG  # eight cells: enough to be taken for a belonging
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(paths[-1])
    cache = PictureCache(paths, (64, 32))
    transform = TrainTransform((64, 32), (16, 8), (0.0,) * 3, (1.0,) * 3, pad=0, flip=0.0, erase=0.0)  # type: ignore[arg-type]
    identities = np.array([1, 1, 2, 2, 3, 3])
    batches = IdentityBatches(identities, 3, 2, seed=0).batches(1)
    return list(EpochBatches(cache, identities - 1, np.stack(maps), batches, transform, 0, 1, carrying=carrying))  # type: ignore[arg-type]


def test_people_without_belongings_are_given_some_and_carriers_are_left_alone(tmp_path: Path) -> None:
    plain, given = epoch(tmp_path, None)[0], epoch(tmp_path, Carrying(1.0, BAG))[0]
    assert plain.label_maps is not None
    assert given.label_maps is not None
    for place, row in enumerate(plain.rows.tolist()):
        before, after = plain.label_maps[place], given.label_maps[place]
        assert (after == BAG).any()
        assert torch.equal(before, after) == (row > 3)
        assert torch.equal(plain.pictures[place], given.pictures[place]) == (row > 3)


def test_what_chance_leaves_out_is_as_without_the_option(tmp_path: Path) -> None:
    plain, some = epoch(tmp_path, None)[0], epoch(tmp_path, Carrying(0.5, BAG))[0]
    assert plain.label_maps is not None
    assert some.label_maps is not None
    same = [torch.equal(a, b) for a, b in zip(plain.pictures, some.pictures, strict=True)]
    assert set(same) == {True, False}
    maps = [torch.equal(a, b) for a, b in zip(plain.label_maps, some.label_maps, strict=True)]
    assert maps == same
