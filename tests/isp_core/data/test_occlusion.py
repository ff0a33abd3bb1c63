"""Occluders: image and label map stay in step, and chance is the draw's own."""

import numpy as np
import pytest
import torch

from isp_core.data.occlusion import OCCLUDERS, box_over, cover, draw_occluder, paste
from isp_core.data.transforms import picture_generator


def scene(colour: int, rows: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """An image (3, 64, 32) of one colour and a map (16, 8) whose middle columns are part 1 in some rows."""
    label_map = torch.zeros(16, 8, dtype=torch.uint8)
    label_map[rows[0] : rows[1], 3:5] = 1
    return torch.full((3, 64, 32), colour, dtype=torch.uint8), label_map


@pytest.mark.parametrize("kind", OCCLUDERS)
@pytest.mark.parametrize("seed", range(8))
def test_image_and_label_map_are_covered_at_the_same_places(kind: str, seed: int) -> None:
    image, label_map = torch.full((3, 64, 32), 7, dtype=torch.uint8), torch.ones(16, 8, dtype=torch.uint8)
    other, its_map = scene(200, (2, 15))
    occluder = OCCLUDERS[kind](other, its_map, picture_generator(0, 1, seed))
    assert occluder is not None
    pasted, covered = paste(image, label_map, occluder)
    assert covered is not None
    assert occluder.covers.any()
    changed = (pasted != image).any(0)
    assert not (changed & ~occluder.covers).any()
    middle = occluder.covers[2::4, 2::4]
    assert torch.equal(covered == 0, middle)
    assert image.unique().tolist() == [7]  # the cached image itself is untouched


def test_another_person_is_pasted_in_its_own_outline() -> None:
    other, its_map = scene(200, (2, 15))
    occluder = OCCLUDERS["person"](other, its_map, picture_generator(0, 0, 3))
    assert occluder is not None
    assert (occluder.pixels[:, occluder.covers] == 200).all()
    assert 0 < occluder.covers.sum() <= 13 * 2 * 16
    assert OCCLUDERS["person"](other, None, picture_generator(0, 0, 3)) is None
    assert OCCLUDERS["person"](other, torch.zeros_like(its_map), picture_generator(0, 0, 3)) is None


def test_without_label_maps_a_block_takes_the_persons_place() -> None:
    other, _ = scene(200, (2, 15))
    for seed in range(12):
        occluder = draw_occluder(other, None, picture_generator(0, 0, seed))
        rows, columns = np.nonzero(occluder.covers.numpy())
        assert occluder.covers[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()


@pytest.mark.parametrize("seed", range(8))
def test_a_covered_part_is_gone_from_the_map(seed: int) -> None:
    image, label_map = scene(7, (4, 9))
    label_map[12:15, 2:6] = 2
    generator = picture_generator(5, 0, seed)
    box = box_over(label_map == 1, image, generator)
    _, covered = cover(image, label_map, box, image, generator)
    assert not (covered == 1).any()
    assert box.top == 16
    assert box.top + box.height in (36, 64)
    assert box.left <= 12
    assert box.left + box.width >= 20


def test_the_same_draw_gives_the_same_occluder_and_others_differ() -> None:
    other, its_map = scene(200, (2, 15))
    first, again, another = (draw_occluder(other, its_map, picture_generator(1, 2, n, stream=1)) for n in (3, 3, 4))
    assert torch.equal(first.covers, again.covers)
    assert torch.equal(first.pixels, again.pixels)
    assert not (torch.equal(first.covers, another.covers) and torch.equal(first.pixels, another.pixels))
