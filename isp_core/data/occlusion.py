"""Occluders pasted into training images and their label maps: other people, furniture-like blocks, erased blocks.

What an occluder covers is background in the label map, so that a network learns to give hidden parts low probability.
Out of scope: random erasing as its paper describes it (transforms.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torchvision.transforms.v2 import functional as F

from isp_core.data.transforms import BACKGROUND, IGNORE, Box


@dataclass(frozen=True)
class Occluder:
    """pixels: uint8 (3, H, W), as large as an image; covers: bool (H, W), where they hide it."""

    pixels: torch.Tensor
    covers: torch.Tensor


def paste(
    image: torch.Tensor, label_map: torch.Tensor | None, occluder: Occluder
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The image behind the occluder, and its label map: background where the pixel in the middle of a cell is covered.

    Args:
        image: uint8 (3, H, W).
        label_map: uint8 (h, w), H / h and W / w whole numbers; or None.

    Returns:
        Copies of both; None where there is no map.
    """
    pasted = torch.where(occluder.covers, occluder.pixels, image)
    if label_map is None:
        return pasted, None
    return pasted, cover_labels(label_map, occluder, BACKGROUND)


def cover_labels(label_map: torch.Tensor, occluder: Occluder, label: int) -> torch.Tensor:
    """The label map with `label` where the pixel in the middle of a cell is covered; uint8 (h, w)."""
    height, width = occluder.covers.shape
    rows, columns = height // label_map.shape[0], width // label_map.shape[1]
    covered = occluder.covers[rows // 2 :: rows, columns // 2 :: columns]
    return torch.where(covered, torch.full_like(label_map, label), label_map)


def person(other: torch.Tensor, its_map: torch.Tensor | None, generator: torch.Generator) -> Occluder | None:
    """Another image's foreground, moved aside by 15 to 60 % of the width and down by up to 30 % of the height, mirrored
    in half of the cases. None where it has no label map, or no foreground."""
    if its_map is None:
        return None
    height, width = other.shape[1:]
    rows, columns = height // its_map.shape[0], width // its_map.shape[1]
    there = (its_map != BACKGROUND) & (its_map != IGNORE)
    covers = there.repeat_interleave(rows, dim=0).repeat_interleave(columns, dim=1)
    aside = int(uniform(0.15, 0.60, generator) * width) * (1 if chance(0.5, generator) else -1)
    down = int(uniform(0.0, 0.30, generator) * height)
    pixels = other
    if chance(0.5, generator):
        covers, pixels = covers.flip(1), pixels.flip(2)
    covers, pixels = _shifted(covers, down, aside), _shifted(pixels, down, aside)
    return Occluder(pixels, covers) if covers.any() else None


def block(other: torch.Tensor, _: torch.Tensor | None, generator: torch.Generator) -> Occluder:
    """Something that stands before the person: a wide, low block, or a narrow, high one, with the surface of the other
    image's left or right edge."""
    return _filled(other, standing_box(other, generator), surface(other, generator))


def erased(other: torch.Tensor, _: torch.Tensor | None, generator: torch.Generator) -> Occluder:
    """Such a block in one colour, with a little noise."""
    return _filled(other, standing_box(other, generator), plain(other, generator))


OCCLUDERS: dict[str, Callable[[torch.Tensor, torch.Tensor | None, torch.Generator], Occluder | None]] = {
    "person": person,
    "block": block,
    "erased": erased,
}
"""Occluders by name: each takes another training image (uint8 (3, H, W)) and its label map (or None)."""


def draw_occluder(other: torch.Tensor, its_map: torch.Tensor | None, generator: torch.Generator) -> Occluder:
    """One of OCCLUDERS at random; a block where another person cannot be cut out."""
    kinds = list(OCCLUDERS.values())
    drawn = kinds[int(torch.randint(len(kinds), (), generator=generator))](other, its_map, generator)
    return block(other, its_map, generator) if drawn is None else drawn


def standing_box(image: torch.Tensor, generator: torch.Generator) -> Box:
    """Where a block stands: on the lower edge, 15 to 65 % high and 40 to 100 % wide, or (one in three) 60 to 100 % high
    and 12 to 40 % wide."""
    height, width = image.shape[1:]
    low = not chance(1 / 3, generator)
    tall = round(height * (uniform(0.15, 0.65, generator) if low else uniform(0.6, 1.0, generator)))
    wide = round(width * (uniform(0.4, 1.0, generator) if low else uniform(0.12, 0.4, generator)))
    left = int(torch.randint(width - wide + 1, (), generator=generator))
    return Box(height - tall, left, tall, wide)


def box_over(cells: torch.Tensor, image: torch.Tensor, generator: torch.Generator) -> Box:
    """A rectangle of pixels that covers all of `cells` (bool (h, w), at least one), widened at random to both sides; in
    half of the cases it reaches down to the lower edge."""
    height, width = image.shape[1:]
    rows, columns = height // cells.shape[0], width // cells.shape[1]
    down, across = np.flatnonzero(cells.any(1)), np.flatnonzero(cells.any(0))
    left = int(uniform(0.0, 1.0, generator) * across[0] * columns)
    right = width - int(uniform(0.0, 1.0, generator) * (width - (across[-1] + 1) * columns))
    top, bottom = int(down[0]) * rows, int(down[-1] + 1) * rows
    if chance(0.5, generator):
        bottom = height
    return Box(top, left, bottom - top, right - left)


def cover(image: torch.Tensor, label_map: torch.Tensor, box: Box, other: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """`image` and its label map behind a block at `box`, in a plain colour or the other image's surface."""
    fill = plain(other, generator) if chance(0.5, generator) else surface(other, generator)
    pasted, its_map = paste(image, label_map, _filled(image, box, fill))
    assert its_map is not None
    return pasted, its_map


def surface(other: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """uint8 (3, h, w): a piece of the left or right sixth of an image, which rarely shows a person."""
    height, width = other.shape[1:]
    strip = other[:, :, : max(1, width // 6)] if chance(0.5, generator) else other[:, :, -max(1, width // 6) :]
    top = int(uniform(0.0, 0.5, generator) * height)
    return strip[:, top : top + max(1, height // 2)]


def plain(other: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """uint8 (3, H, W): one colour with a little noise."""
    colour = torch.randint(0, 200, (3, 1, 1), generator=generator).float()
    noise = 8 * torch.randn(other.shape, generator=generator)
    return (colour + noise).clamp(0, 255).to(torch.uint8)


def _filled(image: torch.Tensor, box: Box, fill: torch.Tensor) -> Occluder:
    rows, columns = slice(box.top, box.top + box.height), slice(box.left, box.left + box.width)
    pixels, covers = torch.zeros_like(image), torch.zeros(image.shape[1:], dtype=torch.bool)
    pixels[:, rows, columns] = F.resize(fill, [box.height, box.width], antialias=True)
    covers[rows, columns] = True
    return Occluder(pixels, covers)


def _shifted(image: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """(..., H, W) moved down (>= 0) and to the right (or left); what comes in is 0."""
    height, width = image.shape[-2:]
    out = torch.zeros_like(image)
    taken = image[..., : height - down, max(0, -right) : width - max(0, right)]
    out[..., down:, max(0, right) : width - max(0, -right)] = taken
    return out


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    """A number between `low` and `high`."""
    return low + (high - low) * float(torch.rand((), generator=generator))


def chance(share: float, generator: torch.Generator) -> bool:
    """True in a share of the cases."""
    return bool(torch.rand((), generator=generator) < share)
