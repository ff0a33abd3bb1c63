"""Pictures and label maps move together, to the pixel; chance hangs on (seed, epoch, place) alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from isp_core.data.transforms import (
    Box,
    Move,
    TrainTransform,
    TransformError,
    normalise,
    picture_generator,
)

MEAN, STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
TRANSFORM = TrainTransform(size=(64, 32), map_size=(16, 8), mean=MEAN, std=STD)
PLAIN = replace(TRANSFORM, pad=0, flip=0.0, erase=0.0)


def moves() -> st.SearchStrategy[Move]:
    boxes = st.builds(Box, st.integers(0, 30), st.integers(0, 15), st.integers(1, 34), st.integers(1, 17))
    return st.builds(Move, st.integers(0, 20), st.integers(0, 20), st.booleans(), st.none() | boxes)


def painted(label_map: torch.Tensor) -> torch.Tensor:
    """A picture (3, H, W) that shows the label map itself: its pixel values are the labels of its cells."""
    full = label_map.repeat_interleave(4, 0).repeat_interleave(4, 1)
    return full.expand(3, -1, -1).contiguous()


@settings(max_examples=200, deadline=None)
@given(moves(), st.integers(0, 2**31))
def test_a_cells_label_is_that_of_its_pixel_in_the_moved_picture(move: Move, seed: int) -> None:
    # labels 1..100, so that 0 (mean colour, background) and 255 stay apart
    label_map = torch.randint(1, 101, (16, 8), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    moved = TRANSFORM.move_picture(painted(label_map), move)
    labels = TRANSFORM.move_label_map(label_map, move)

    shown = ((moved[0] * 0.5 + 0.5) * 255).round().to(torch.int64)  # undoes normalisation
    padded = _padded(move)
    erased = torch.zeros(64, 32, dtype=torch.bool)
    if move.erase is not None:
        box = move.erase
        erased[box.top : box.top + box.height, box.left : box.left + box.width] = True
    expected = shown.masked_fill(padded, 255).masked_fill(erased, 0)
    assert torch.equal(labels.to(torch.int64), expected[2::4, 2::4])


def _padded(move: Move) -> torch.Tensor:
    """(H, W) whether the pixel lies outside the picture, counted by hand from the crop's corner."""
    rows, columns = torch.arange(64) + move.top - 10, torch.arange(32) + move.left - 10
    outside = ((rows < 0) | (rows >= 64))[:, None] | ((columns < 0) | (columns >= 32))[None]
    return outside.flip(1) if move.flip else outside


def test_a_shift_by_whole_cells_shifts_the_map_by_cells_and_ignores_what_is_new() -> None:
    label_map = torch.arange(16 * 8, dtype=torch.uint8).reshape(16, 8)
    # from 10 (no shift) to 14: the crop starts 4 pixels lower and ends 4 pixels outside
    moved = TRANSFORM.move_label_map(label_map, Move(top=14, left=10, flip=False, erase=None))
    assert torch.equal(moved[:-1], label_map[1:])
    assert (moved[-1] == 255).all()


def test_a_flip_mirrors_the_map_exactly_and_swaps_no_labels() -> None:
    label_map = torch.arange(16 * 8, dtype=torch.uint8).reshape(16, 8)
    assert torch.equal(TRANSFORM.move_label_map(label_map, Move(10, 10, True, None)), label_map.flip(1))


@pytest.mark.parametrize(("labels", "expected"), [("background", 0), ("ignore", 255)])
def test_erased_pixels_are_background_or_ignored(labels: str, expected: int) -> None:
    transform = replace(TRANSFORM, erased_labels=labels)
    moved = transform.move_label_map(torch.full((16, 8), 3, dtype=torch.uint8), Move(10, 10, False, Box(8, 4, 16, 12)))
    assert (moved[2:6, 1:4] == expected).all()
    assert int((moved == expected).sum()) == 4 * 3


def test_nothing_moves_when_everything_is_switched_off() -> None:
    picture = torch.randint(0, 256, (3, 64, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    label_map = torch.randint(0, 6, (16, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    moved, labels = PLAIN(picture, label_map, picture_generator(0, 0, 0))
    assert torch.equal(moved, normalise(picture, MEAN, STD))
    assert labels is not None
    assert torch.equal(labels, label_map)


def test_the_same_place_gives_the_same_picture_with_or_without_labels() -> None:
    picture = torch.randint(0, 256, (3, 64, 32), dtype=torch.uint8)
    noisy = replace(TRANSFORM, erase=1.0, erase_fill="image-mean")
    torch.manual_seed(1)
    first, labels = noisy(picture, torch.zeros(16, 8, dtype=torch.uint8), picture_generator(5, 2, 7))
    torch.manual_seed(2)  # torch's own stream plays no part
    second, none = noisy(picture, None, picture_generator(5, 2, 7))
    assert torch.equal(first, second)
    assert labels is not None
    assert none is None


def test_an_erased_rectangle_may_show_the_images_own_mean() -> None:
    picture = torch.full((3, 64, 32), 10, dtype=torch.uint8)
    picture[:, 32:] = 200
    transform = replace(PLAIN, erase=1.0, erase_fill="image-mean")
    move = Move(0, 0, False, Box(10, 5, 20, 10))
    shown = transform.move_picture(picture, move)
    torch.testing.assert_close(
        shown[:, 10:30, 5:15],
        shown.new_tensor(normalise(picture, MEAN, STD).mean((1, 2)))[:, None, None].expand(3, 20, 10),
    )


def test_ratios_are_uniform_where_asked() -> None:
    """Of ratios uniform in 0.3 .. 3.33 most are taller than wide; of log-uniform ones half."""
    taller = {}
    for kind in ("uniform", "log-uniform"):
        transform = replace(TRANSFORM, erase=1.0, erase_ratio=kind)
        boxes = [transform.draw(picture_generator(0, 0, i)).erase for i in range(600)]
        assert None not in boxes
        taller[kind] = np.mean([box.height > box.width for box in boxes if box is not None])
    assert taller["uniform"] > 0.75
    assert 0.4 < taller["log-uniform"] < 0.75


def test_seed_epoch_and_place_each_change_the_numbers() -> None:
    drawn = [
        torch.rand(2, generator=picture_generator(*key)).tolist()
        for key in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    ]
    assert len({tuple(numbers) for numbers in drawn}) == 4


def test_the_frequencies_are_those_asked_for() -> None:
    drawn = [TRANSFORM.draw(picture_generator(0, 0, i)) for i in range(2000)]
    assert abs(np.mean([move.flip for move in drawn]) - 0.5) < 0.04
    assert abs(np.mean([move.erase is not None for move in drawn]) - 0.5) < 0.05
    assert {move.top for move in drawn} == {move.left for move in drawn} == set(range(21))
    boxes = [move.erase for move in drawn if move.erase is not None]
    shares = np.array([box.height * box.width for box in boxes]) / (64 * 32)
    assert 0.015 < shares.min() < 0.03
    assert 0.35 < shares.max() < 0.42
    assert all(0 <= box.top <= 64 - box.height and 0 <= box.left <= 32 - box.width for box in boxes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"map_size": (15, 8)}, "64x32 do not divide into label maps of 15x8"),
        ({"pad": -1}, "pad -1"),
        ({"flip": 1.5}, "flip 1.5"),
    ],
)
def test_sizes_and_probabilities_that_do_not_fit_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(TransformError, match=message):
        replace(TRANSFORM, **changes)  # type: ignore[arg-type]


def test_a_picture_or_map_of_another_size_is_refused() -> None:
    generator = picture_generator(0, 0, 0)
    with pytest.raises(TransformError, match=r"shape \(3, 32, 64\); expected \(3, 64, 32\)"):
        TRANSFORM(torch.zeros(3, 32, 64, dtype=torch.uint8), None, generator)
    with pytest.raises(TransformError, match=r"label map of \(64, 32\)"):
        TRANSFORM(torch.zeros(3, 64, 32, dtype=torch.uint8), torch.zeros(64, 32, dtype=torch.uint8), generator)
