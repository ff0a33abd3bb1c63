"""One epoch's training batches as a map-style data set for torch's DataLoader: item b is the whole batch b.

Loading by batches keeps each image's place in the epoch known, and with it its random numbers: any number of
loader workers gives the same tensors. Make a new one per epoch; the image cache is shared between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from isp_core.data.carrying import Carrying, give
from isp_core.data.occlusion import draw_occluder, paste
from isp_core.data.pictures import PictureCache
from isp_core.data.transforms import TrainTransform, picture_generator


@dataclass(frozen=True)
class Batch:
    """B images ready for the network."""

    pictures: torch.Tensor  # (B, 3, H, W) float32, normalised
    targets: torch.Tensor  # (B,) int64, identity as 0..number of training identities - 1
    label_maps: torch.Tensor | None  # (B, h, w) uint8, 255 = ignore
    rows: torch.Tensor  # (B,) int64, rows of the training table

    def to(self, device: torch.device | str) -> Batch:
        """On another device, without waiting where the memory is pinned."""
        maps = None if self.label_maps is None else self.label_maps.to(device, non_blocking=True)
        return Batch(
            self.pictures.to(device, non_blocking=True),
            self.targets.to(device, non_blocking=True),
            maps,
            self.rows.to(device, non_blocking=True),
        )


class EpochBatches(Dataset[Batch]):
    """The batches of one epoch; use as `DataLoader(EpochBatches(...), batch_size=None, num_workers=n)`.

    Args:
        cache: the training images, in the order of `records("train")`.
        targets: (N,) class number of each image's identity.
        label_maps: (N, h, w) uint8 pseudo-labels, or None where none are made (baseline).
        batches: rows of each batch, from `IdentityBatches.batches(epoch)`.
        transform: the augmentation.
        seed, epoch: with the place in the epoch, what the augmentation is drawn from.
        occlude: probability that an occluder made of another identity's image is pasted over an image, and over its
            label map as background, before it is augmented.
        carrying: which images are given another person's belonging before that, or None.
        first_draw: this rank's first place in the epoch, so that ranks do not augment alike
            (rank * number of places per rank).
    """

    def __init__(
        self,
        cache: PictureCache,
        targets: NDArray[np.int64],
        label_maps: NDArray[np.uint8] | None,
        batches: Sequence[Sequence[int]],
        transform: TrainTransform,
        seed: int,
        epoch: int,
        first_draw: int = 0,
        occlude: float = 0.0,
        carrying: Carrying | None = None,
    ) -> None:
        self._cache, self._targets, self._label_maps = cache, targets, label_maps
        self._batches, self._transform = batches, transform
        self._seed, self._epoch, self._occlude = seed, epoch, occlude
        self._carrying = carrying if label_maps is not None else None
        self._carriers = np.zeros(0, np.int64)
        if self._carrying is not None and label_maps is not None:
            self._carriers = self._carrying.carriers(label_maps)
        self._first_draws = first_draw + np.cumsum([0, *(len(batch) for batch in batches)])

    def __len__(self) -> int:
        return len(self._batches)

    def _carried(self, row: int, draw: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """An image and its label map, with another person's belonging where chance says so."""
        image, label_map = self._cache[row], self._label_map(row)
        if self._carrying is None or label_map is None:
            return image, label_map
        generator = picture_generator(self._seed, self._epoch, draw, stream=2)
        others = self._carriers[self._targets[self._carriers] != self._targets[row]]
        if not len(others) or not self._carrying.due(label_map, generator):
            return image, label_map
        other = int(others[int(torch.randint(len(others), (), generator=generator))])
        its_map = self._label_map(other)
        assert its_map is not None
        return give(image, label_map, self._cache[other], its_map, self._carrying.label, generator)

    def _occluded(self, row: int, draw: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """An image and its label map, behind an occluder where chance says so. Chance is its own, so that crop, flip
        and erasing are the same with and without occluders."""
        image, label_map = self._carried(row, draw)
        if not self._occlude:
            return image, label_map
        generator = picture_generator(self._seed, self._epoch, draw, stream=1)
        if float(torch.rand((), generator=generator)) >= self._occlude:
            return image, label_map
        others = np.flatnonzero(self._targets != self._targets[row])
        if not len(others):
            return image, label_map
        other = int(others[int(torch.randint(len(others), (), generator=generator))])
        return paste(image, label_map, draw_occluder(self._cache[other], self._label_map(other), generator))

    def _label_map(self, row: int) -> torch.Tensor | None:
        return None if self._label_maps is None else torch.from_numpy(self._label_maps[row])

    def __getitem__(self, index: int) -> Batch:
        rows = self._batches[index]
        pictures, maps = [], []
        for place, row in enumerate(rows):
            draw = int(self._first_draws[index]) + place
            generator = picture_generator(self._seed, self._epoch, draw)
            picture, moved = self._transform(*self._occluded(row, draw), generator)
            pictures.append(picture)
            if moved is not None:
                maps.append(moved)
        return Batch(
            torch.stack(pictures),
            torch.from_numpy(self._targets[list(rows)]),
            torch.stack(maps) if maps else None,
            torch.tensor(list(rows), dtype=torch.int64),
        )
