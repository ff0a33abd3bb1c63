"""Belongings of one training person pasted onto another, with their labels: more people who carry something.

After copy-paste augmentation (Ghiasi et al., CVPR 2021). A belonging keeps its height and its side of the body: it is
moved from the carrier's body onto the other's, scaled as the bodies are, and mirrored in half of the cases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torchvision.transforms.v2 import functional as F

from isp_core.data.occlusion import Occluder, chance, cover_labels, uniform
from isp_core.data.transforms import BACKGROUND, IGNORE

FEWEST = 8
"""Cells of a label map from which on they count as a belonging: fewer are as often the fringe of a label."""
SCALES = (0.85, 1.2)
"""Range of the belonging's scale, relative to the ratio of the bodies' heights; by eye."""


@dataclass(frozen=True)
class Carrying:
    """probability: that an image which shows no belonging is given one; label: of belongings in label maps."""

    probability: float
    label: int

    def carriers(self, label_maps: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
        """Rows of the label maps (N, h, w) that show a belonging."""
        return np.flatnonzero((label_maps == self.label).sum((1, 2)) >= FEWEST)

    def due(self, label_map: torch.Tensor, generator: torch.Generator) -> bool:
        """Whether an image is given a belonging, by chance and by its label map."""
        return chance(self.probability, generator) and int((label_map == self.label).sum()) < FEWEST


@dataclass(frozen=True)
class _Body:
    """Where a person stands in an image, belongings aside; in pixels."""

    top: float
    height: float
    axis: float

    @classmethod
    def of(cls, label_map: torch.Tensor, label: int, cell: tuple[int, int]) -> _Body | None:
        rows, columns = torch.where((label_map != BACKGROUND) & (label_map != IGNORE) & (label_map != label))
        if not len(rows):
            return None
        top, bottom = int(rows.min()) * cell[0], (int(rows.max()) + 1) * cell[0]
        return cls(top, bottom - top, (float(columns.float().mean()) + 0.5) * cell[1])


def give(
    image: torch.Tensor,
    label_map: torch.Tensor,
    carrier: torch.Tensor,
    its_map: torch.Tensor,
    label: int,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The image with the carrier's belonging pasted over it, and its label map.

    Args:
        image, carrier: uint8 (3, H, W).
        label_map, its_map: uint8 (h, w); H / h and W / w whole numbers.
        label: of belongings.

    Returns:
        Copies of both; the same image and map where one of the maps shows no body, or the carrier no belonging.
    """
    cell = image.shape[1] // label_map.shape[0], image.shape[2] // label_map.shape[1]
    body, its_body = _Body.of(label_map, label, cell), _Body.of(its_map, label, cell)
    rows, columns = torch.where(its_map == label)
    mirrored = chance(0.5, generator)
    factor = uniform(*SCALES, generator)
    if body is None or its_body is None or not len(rows):
        return image, label_map
    scale = factor * body.height / its_body.height
    top, left = int(rows.min()) * cell[0], int(columns.min()) * cell[1]
    bottom, right = (int(rows.max()) + 1) * cell[0], (int(columns.max()) + 1) * cell[1]
    shape = [max(1, round((bottom - top) * scale)), max(1, round((right - left) * scale))]
    mask = (its_map == label).repeat_interleave(cell[0], dim=0).repeat_interleave(cell[1], dim=1)
    pixels = F.resize(carrier[:, top:bottom, left:right], shape, antialias=True)
    covers = F.resize(mask[None, top:bottom, left:right].to(torch.uint8), shape, F.InterpolationMode.NEAREST)[0] > 0
    middle = (left + right) / 2 - its_body.axis
    if mirrored:
        pixels, covers, middle = pixels.flip(2), covers.flip(1), -middle
    # the middle of the belonging keeps its distance from the axis, and its height from head to feet
    down = body.top + ((top + bottom) / 2 - its_body.top) * body.height / its_body.height - shape[0] / 2
    aside = body.axis + middle * body.height / its_body.height - shape[1] / 2
    occluder = _placed(image, pixels, covers, round(down), round(aside))
    pasted = torch.where(occluder.covers, occluder.pixels, image)
    return pasted, cover_labels(label_map, occluder, label)


def _placed(image: torch.Tensor, pixels: torch.Tensor, covers: torch.Tensor, top: int, left: int) -> Occluder:
    """A piece of an image on an empty one, with its upper left corner at (top, left); what lies outside is cut off."""
    height, width = image.shape[1:]
    canvas, covered = torch.zeros_like(image), torch.zeros(height, width, dtype=torch.bool)
    first_row, first_column = max(top, 0), max(left, 0)
    rows, columns = min(top + covers.shape[0], height), min(left + covers.shape[1], width)
    if rows > first_row and columns > first_column:
        there = (slice(first_row, rows), slice(first_column, columns))
        piece = (slice(first_row - top, rows - top), slice(first_column - left, columns - left))
        canvas[:, there[0], there[1]] = pixels[:, piece[0], piece[1]]
        covered[there] = covers[piece]
    return Occluder(canvas, covered)
