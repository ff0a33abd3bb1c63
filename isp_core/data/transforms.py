"""Augmentation that moves an image and its label map together, and normalisation (Section 4.2).

Out of scope: which images make a batch (sampling.py), where label maps come from (clustering).

A label map lies at a quarter of the image's size, a crop by single pixels does not: it cannot be moved exactly at
its own resolution. So a map is raised to the image's size (each cell a block of 4 x 4 pixels), cropped and flipped
with the very same numbers as the image, and then reduced again by taking, of each block, one of the four pixels
around its middle. A cell's label is thereby exactly the label of that pixel in the moved image, and lies never more
than half a cell from the cell's centre. Flipping does not exchange labels: parts have no left and right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

from isp_core.errors import IspError

IGNORE = 255  # a label that no loss looks at
BACKGROUND = 0

# Random erasing as in its paper (Zhong et al., AAAI 2020): share of the area and ratio of height to width
ERASED_AREA = (0.02, 0.4)
ERASED_RATIO = (0.3, 1 / 0.3)
_ERASE_ATTEMPTS = 100


class TransformError(IspError):
    """Sizes or probabilities that do not fit together."""


def picture_generator(seed: int, epoch: int, draw: int, stream: int = 0) -> torch.Generator:
    """The random numbers of one draw: the `draw`-th image of the epoch's batches, over all of them.

    By its place in the epoch, not by the picture: an image drawn twice is augmented in two ways. Neither the number
    of loader workers nor what was drawn before changes anything, so that a resumed run is exact to the bit. Another
    `stream` gives other numbers for the same draw.
    """
    place = [seed, epoch, draw] + ([stream] if stream else [])
    state = np.random.SeedSequence(place).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))


def normalise(picture: torch.Tensor, mean: Sequence[float], std: Sequence[float]) -> torch.Tensor:
    """uint8 (..., 3, H, W) -> float32 (image / 255 - mean) / std, as the backbone's weights were trained.

    >>> normalise(torch.full((3, 1, 1), 255, dtype=torch.uint8), [0.5] * 3, [0.5] * 3).flatten()
    tensor([1., 1., 1.])
    """
    normalised: torch.Tensor = F.normalize(F.to_dtype(picture, torch.float32, scale=True), list(mean), list(std))
    return normalised


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class Move:
    """What one draw does to an image and its label map: numbers only, in pixels of the image."""

    top: int  # of the crop within the padded image
    left: int
    flip: bool
    erase: Box | None  # within the cropped and flipped image


@dataclass(frozen=True)
class TrainTransform:
    """Pad and random crop, horizontal flip, normalisation, random erasing: of an image, and of its label map alike.

    Padded pixels take the mean colour (0 after normalising) and the label 255: nothing is known of them. Erasing
    imitates an occluder, and what is occluded is not visible (Eq. 8): by default erased pixels are labelled
    background, so that the network learns to see no part there; "ignore" leaves them out of the parsing loss.

    Attributes:
        size: (H, W) of images.
        map_size: (h, w) of label maps; H / h and W / w are whole numbers (4 in the paper).
        mean, std: of the backbone's weights, per channel, for pixels in 0..1.
        pad: pixels added on every side before cropping back to `size`; 0 switches it off.
        flip: probability of a horizontal flip.
        erase: probability of erasing a rectangle.
        erase_ratio: how its height : width is drawn; "log-uniform" is as often twice as tall as twice as wide.
        erase_fill: what it shows: the mean colour of the backbone's weights, or the mean of the image itself.
        erased_labels: see above.
    """

    size: tuple[int, int]
    map_size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    pad: int = 10
    flip: float = 0.5
    erase: float = 0.5
    erase_ratio: Literal["log-uniform", "uniform"] = "log-uniform"
    erase_fill: Literal["mean-colour", "image-mean"] = "mean-colour"
    erased_labels: Literal["background", "ignore"] = "background"

    def __post_init__(self) -> None:
        if min(*self.size, *self.map_size) < 1 or self.size[0] % self.map_size[0] or self.size[1] % self.map_size[1]:
            raise TransformError(
                f"images of {self.size[0]}x{self.size[1]} do not divide into label maps of "
                f"{self.map_size[0]}x{self.map_size[1]}: choose a size that is a multiple of the map's"
            )
        if self.pad < 0 or not 0 <= self.flip <= 1 or not 0 <= self.erase <= 1:
            raise TransformError(
                f"pad {self.pad}, flip {self.flip}, erase {self.erase}: pad counts pixels, the others are probabilities"
            )

    def __call__(
        self, picture: torch.Tensor, label_map: torch.Tensor | None, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """One augmented image, and its label map moved alike.

        Args:
            picture: uint8 (3, H, W).
            label_map: uint8 (h, w), or None where there is none (the same generator then gives the same image).
            generator: see `picture_generator`.

        Returns:
            float32 (3, H, W), normalised; uint8 (h, w) or None.
        """
        if tuple(picture.shape) != (3, *self.size):
            raise TransformError(
                f"an image of shape {tuple(picture.shape)}; expected (3, {self.size[0]}, {self.size[1]})"
            )
        move = self.draw(generator)
        moved = self.move_picture(picture, move)
        return moved, None if label_map is None else self.move_label_map(label_map, move)

    def draw(self, generator: torch.Generator) -> Move:
        """The numbers of one augmentation; always the same count of them is drawn for crop and flip."""
        top, left = (int(torch.randint(2 * self.pad + 1, (), generator=generator)) for _ in range(2))
        flip = bool(torch.rand((), generator=generator) < self.flip)
        erase = bool(torch.rand((), generator=generator) < self.erase)
        return Move(top, left, flip, self._draw_box(generator) if erase else None)

    def _draw_box(self, generator: torch.Generator) -> Box | None:
        """A rectangle to erase; None where no attempt fits into the image (a few in a thousand)."""
        height, width = self.size
        for _ in range(_ERASE_ATTEMPTS):
            u, v, y, x = torch.rand(4, generator=generator, dtype=torch.float64).tolist()
            area = height * width * (ERASED_AREA[0] + u * (ERASED_AREA[1] - ERASED_AREA[0]))
            least, most = ERASED_RATIO
            ratio = least * (most / least) ** v if self.erase_ratio == "log-uniform" else least + v * (most - least)
            tall, wide = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 1 <= tall < height and 1 <= wide < width:
                return Box(int(y * (height - tall + 1)), int(x * (width - wide + 1)), tall, wide)
        return None

    def move_picture(self, picture: torch.Tensor, move: Move) -> torch.Tensor:
        """uint8 (3, H, W) -> float32 (3, H, W): normalised, moved; padding is 0, the mean colour."""
        image = tv_tensors.Image(normalise(picture, self.mean, self.std))
        moved = self._crop_and_flip(image, move, fill=0).as_subclass(torch.Tensor)
        if move.erase is not None:
            box = move.erase
            colour = moved.new_zeros(3) if self.erase_fill == "mean-colour" else moved.mean((1, 2))
            fill = colour[:, None, None].expand(3, box.height, box.width)
            moved = F.erase(moved, box.top, box.left, box.height, box.width, fill)
        return moved

    def move_label_map(self, label_map: torch.Tensor, move: Move) -> torch.Tensor:
        """uint8 (h, w) -> uint8 (h, w), moved as the picture: padding 255, erasure as `erased_labels` says."""
        if tuple(label_map.shape) != self.map_size:
            raise TransformError(f"a label map of {tuple(label_map.shape)}; expected {self.map_size}")
        rows, columns = self.size[0] // self.map_size[0], self.size[1] // self.map_size[1]
        # (h, w) -> (H, W): every cell a block
        full = label_map.repeat_interleave(rows, dim=0).repeat_interleave(columns, dim=1)
        mask = tv_tensors.Mask(full[None])
        moved = self._crop_and_flip(mask, move, fill=IGNORE).as_subclass(torch.Tensor)[0]
        if move.erase is not None:
            box = move.erase
            label = BACKGROUND if self.erased_labels == "background" else IGNORE
            moved[box.top : box.top + box.height, box.left : box.left + box.width] = label
        # (H, W) -> (h, w): the pixel at the middle of each block
        return moved[rows // 2 :: rows, columns // 2 :: columns].contiguous()

    def _crop_and_flip(self, image: torch.Tensor, move: Move, fill: int) -> torch.Tensor:
        """The geometric part, the same call for images and masks (..., H, W)."""
        padded = F.pad(image, [self.pad], fill=fill)
        cropped = F.crop(padded, move.top, move.left, *self.size)
        flipped: torch.Tensor = F.horizontal_flip(cropped) if move.flip else cropped
        return flipped
