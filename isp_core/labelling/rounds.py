"""What the labeller of a source takes and gives. One round labels the whole training set, streamed by identity."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from isp_core.data.pictures import PictureCache
from isp_core.models import ISPNet, Normalisation, map_size

Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class TrainingPictures:
    """The training set as the labelling sees it: un-augmented images, in the order of the records.

    paths: as in the records. identities: (N,) int64, 0..n-1. cameras: (N,) int64, -1 unknown. rank, world_size: this
    process among its equals; each labels its share of the identities.
    """

    pictures: PictureCache
    paths: Sequence[str]
    identities: npt.NDArray[np.int64]
    cameras: npt.NDArray[np.int64]
    normalisation: Normalisation
    device: torch.device
    workers: int = 0
    rank: int = 0
    world_size: int = 1

    @property
    def map_size(self) -> tuple[int, int]:
        """Height and width of label maps."""
        return map_size(self.pictures.size)

    def own_identities(self) -> list[npt.NDArray[np.int64]]:
        """The rows of each identity that is this process's to label."""
        order = np.argsort(self.identities, kind="stable")
        people = np.split(order, np.flatnonzero(np.diff(self.identities[order])) + 1)
        return people[self.rank :: self.world_size]


@dataclass(frozen=True)
class LabelledPictures:
    """Labels of some pictures: rows (n,), labels (n, h, w), activation of Eq. 3 (n, h, w) in [0, 1] or None."""

    rows: npt.NDArray[np.int64]
    labels: Labels
    activation: npt.NDArray[np.float32] | None = None
    seconds_network: float = 0.0
    seconds_clustering: float = 0.0


class MapNetwork(Protocol):
    """A network as far as labels of its feature maps ask: ours, or one that we did not make (isp_core.foreign)."""

    def eval(self) -> object:
        """From here on it does not learn."""
        ...

    @property
    def backbone(self) -> Callable[[torch.Tensor], Sequence[torch.Tensor]]:
        """Images (n, 3, H, W) -> its stages (n, C_i, h_i, w_i), the finest first."""
        ...

    def clustered_maps(self, images: torch.Tensor) -> torch.Tensor:
        """Images (n, 3, H, W) -> the feature map that is clustered, (n, C, h0, w0)."""
        ...


class OneRoundLabeller(Protocol):
    """Makes a training set's labels once, by a network's feature maps as they are."""

    def first_round(self, network: MapNetwork) -> Iterator[LabelledPictures]:
        """Labels for the training images, each once."""
        ...


class Labeller(Protocol):
    """Makes a training set's labels; which epochs have a round is said by the options (LabelOptions.due)."""

    def round(self, network: ISPNet, epoch: int, first: Labels | None = None) -> Iterator[LabelledPictures]:
        """Labels for this process's share of the training images, each once, by the network's state after `epoch`.

        first: the first round's labels of all training images, (N, h, w); None: this is the first.
        """
        ...


@dataclass
class Round:
    """A finished round: all labels (N, h, w), the activations where the source has any, and what it took."""

    labels: Labels
    activation: Labels | None
    seconds_network: float = 0.0
    seconds_clustering: float = 0.0


def collect(stream: Iterator[LabelledPictures], count: int, size: tuple[int, int]) -> Round:
    """The labels of a stream in the records' order; rows that never arrive stay 0 (they are another process's)."""
    whole = Round(np.zeros((count, *size), np.uint8), None)
    for item in stream:
        whole.labels[item.rows] = item.labels
        if item.activation is not None:
            if whole.activation is None:
                whole.activation = np.zeros((count, *size), np.uint8)
            whole.activation[item.rows] = np.round(item.activation * 255)
        whole.seconds_network += item.seconds_network
        whole.seconds_clustering += item.seconds_clustering
    return whole
