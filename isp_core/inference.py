"""Runs a network over many images, without gradients, a batch at a time; it holds nothing but the batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader

from isp_core.data.pictures import PictureCache
from isp_core.data.transforms import normalise
from isp_core.matching import Embeddings, part_peak, part_share
from isp_core.models import ISPNet, Normalisation, Output, map_size
from isp_core.prediction import BATCH as BATCH

Features = Literal["after-bn", "before-bn"]
"""Which of a group's features embeddings hold: those after the BNNeck, or those before it."""
Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Reading:
    """What a network says of some pictures: label maps (n, h, w) uint8, argmax of Eq. 5 (all 0 without parts), the
    foreground's probability 1 - P_0 (n, h, w) and embeddings, both in half precision."""

    labels: Labels
    foreground: npt.NDArray[np.float16]
    embeddings: Embeddings


def prepare(pictures: torch.Tensor, by: Normalisation) -> torch.Tensor:
    """uint8 (B, 3, H, W) -> the network's input: normalised, and channels-last, which convolutions on a CPU prefer."""
    return normalise(pictures, by.mean, by.std).contiguous(memory_format=torch.channels_last)


def picture_batches(
    pictures: PictureCache, batches: Iterable[Sequence[int]], workers: int = 0
) -> Iterator[tuple[Sequence[int], torch.Tensor]]:
    """(rows, uint8 (n, 3, H, W)) for each batch of rows, decoded ahead by `workers` processes."""
    plan = [list(batch) for batch in batches]
    loader: DataLoader[torch.Tensor] = DataLoader(pictures, batch_sampler=plan, num_workers=workers)  # type: ignore[arg-type]
    yield from zip(plan, loader, strict=True)


def chunks(count: int, size: int = BATCH) -> list[range]:
    """0..count-1 in ranges of at most `size`."""
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


@torch.inference_mode()
def read(
    network: ISPNet, pictures: torch.Tensor, by: Normalisation, features: Features = "after-bn"
) -> tuple[Reading, Output]:
    """One batch: uint8 (n, 3, H, W) on the network's device -> what the network says of it, and its raw output."""
    output: Output = network(prepare(pictures, by))
    return reading_of(output, features, map_size((pictures.shape[2], pictures.shape[3]))), output


def reading_of(output: Output, features: Features = "after-bn", size: tuple[int, int] = (0, 0)) -> Reading:
    """A network's output as it is stored. size: of the empty label maps of a network without parts."""
    found = output.normalised if features == "after-bn" else output.pooled
    count = len(found.global_)
    global_ = _half(found.global_)
    if output.logits is None or found.foreground is None or found.parts is None:
        nothing = np.zeros((count, 0), np.float16)
        empty = Embeddings(global_, nothing, np.zeros((count, 0, 0), np.float16), nothing.astype(bool), nothing)
        return Reading(np.zeros((count, *size), np.uint8), np.zeros((count, *size), np.float16), empty)
    labels = output.logits.argmax(1).to(torch.uint8).cpu().numpy()
    probability = output.logits.softmax(1)
    foreground = _half(1 - probability[:, 0])
    share = part_share(labels, output.logits.shape[1])
    embeddings = Embeddings(
        global_,
        _half(found.foreground),
        _half(found.parts),
        share > 0,
        share.astype(np.float16),
        part_peak(probability).astype(np.float16),
    )
    return Reading(labels, foreground, embeddings)


def read_all(
    network: ISPNet,
    pictures: PictureCache,
    by: Normalisation,
    device: torch.device,
    features: Features = "after-bn",
    workers: int = 0,
) -> Iterator[tuple[range, Reading]]:
    """Every image in order, in batches."""
    network.eval()
    plan = chunks(len(pictures))
    for rows, (_, batch) in zip(plan, picture_batches(pictures, plan, workers), strict=True):
        yield rows, read(network, batch.to(device), by, features)[0]


def join(readings: Sequence[Reading]) -> Reading:
    """Several batches as one."""
    return Reading(
        np.concatenate([reading.labels for reading in readings]),
        np.concatenate([reading.foreground for reading in readings]),
        Embeddings.join([reading.embeddings for reading in readings]),
    )


def probabilities_with_mirror(network: ISPNet, prepared: torch.Tensor, stages: Sequence[torch.Tensor]) -> torch.Tensor:
    """Eq. 5, averaged over images (n, 3, H, W), whose stages are known, and their mirror images: (n, K, h, w)."""
    size = (prepared.shape[2], prepared.shape[3])

    def probabilities(stages: Sequence[torch.Tensor]) -> torch.Tensor:
        return network.part_logits(network.coarse_maps_of(stages, size), size).softmax(1)

    mirrored = network.backbone(prepared.flip(3).contiguous(memory_format=torch.channels_last))
    return (probabilities(stages) + probabilities(mirrored).flip(3)) / 2


def _half(features: torch.Tensor) -> npt.NDArray[np.float16]:
    return features.to(torch.float16).cpu().numpy()
