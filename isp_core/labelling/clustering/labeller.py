"""The cascade of section 3.2 on M_g, identity by identity.

While one identity is clustered, the network is at the next one: two identities' maps are in memory, on the network's
own grid, whatever the size of the training set.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

from isp_core.clustering import CascadeConfig, FirstStage, Variant, label_identity
from isp_core.inference import chunks, picture_batches, prepare
from isp_core.labelling.clustering import ClusteringOptions
from isp_core.labelling.rounds import LabelledPictures, Labels, MapNetwork, TrainingPictures

Rows = npt.NDArray[np.int64]
Item = TypeVar("Item")
Result = TypeVar("Result")


class ClusteringLabeller:
    """Eq. 3 and 4 for each identity."""

    def __init__(self, data: TrainingPictures, options: ClusteringOptions, seed: int) -> None:
        self.data, self.config, self.seed = data, cascade_config(options), seed

    def first_round(self, network: MapNetwork) -> Iterator[LabelledPictures]:
        """As `round` after epoch 0."""
        return self.round(network, 0)

    def round(self, network: MapNetwork, epoch: int, first: Labels | None = None) -> Iterator[LabelledPictures]:
        """seconds_clustering: what clustering made the round wait beyond the network."""
        network.eval()
        size = self.data.map_size

        def cluster(item: tuple[Rows, torch.Tensor]) -> LabelledPictures:
            rows, maps = item
            # a seed of its own for each identity and epoch: the order and the number of processes do not matter
            person = int(self.data.identities[rows[0]])
            seed = int(np.random.SeedSequence([self.seed, epoch, person]).generate_state(1)[0])
            return label_pictures(rows, maps, self.config, size, seed)

        start = time.perf_counter()
        for found, waited in beside(self._maps(network), cluster):
            yield replace(found, seconds_network=time.perf_counter() - start - waited, seconds_clustering=waited)
            start = time.perf_counter()

    @torch.inference_mode()
    def _maps(self, network: MapNetwork) -> Iterator[tuple[Rows, torch.Tensor]]:
        """Each identity's rows and M_g of all its images, (n, C, h0, w0)."""
        data, people = self.data, self.data.own_identities()
        plan = [rows[list(part)] for rows in people for part in chunks(len(rows))]
        arriving = picture_batches(data.pictures, [list(rows) for rows in plan], data.workers)

        def next_maps() -> torch.Tensor:
            images = prepare(next(arriving)[1].to(data.device), data.normalisation)
            return network.clustered_maps(images)

        for rows in people:
            yield rows, torch.cat([next_maps() for _ in chunks(len(rows))])


def cascade_config(options: ClusteringOptions) -> CascadeConfig:
    """How one identity is clustered by these options."""
    return CascadeConfig(
        parts=options.parts,
        variant=Variant(options.variant),
        sharpen=options.sharpen,
        restarts=options.restarts,
        iterations=options.iterations,
        height_weight=options.height_weight,
        first_stage=FirstStage(options.first_stage),
        border=options.border,
    )


@torch.inference_mode()
def label_pictures(
    rows: Rows, maps: torch.Tensor, config: CascadeConfig, size: tuple[int, int], seed: int
) -> LabelledPictures:
    """The cascade on the maps (n, C, h0, w0) of one identity: labels and activation at `size`."""
    found = label_identity(maps, config, size=size, seed=seed)
    return LabelledPictures(rows, found.labels.cpu().numpy(), found.activation.cpu().numpy())


def beside(arriving: Iterator[Item], work: Callable[[Item], Result]) -> Iterator[tuple[Result, float]]:
    """`work` on each item in a second thread while the next item is made: results in order, with the seconds waited.

    At most two items are held, and errors of either side arrive where the results are read.
    """
    with ThreadPoolExecutor(1) as thread:
        running: Future[Result] | None = None
        for item in arriving:
            following = thread.submit(work, item)
            del item
            if running is not None:
                yield _timed(running)
            running = following
        if running is not None:
            yield _timed(running)


def _timed(future: Future[Result]) -> tuple[Result, float]:
    start = time.perf_counter()
    return future.result(), time.perf_counter() - start
