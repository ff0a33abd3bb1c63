"""The paper's pseudo-labels (section 3.2): the cascade on M_g, identity by identity.

One identity's maps are in memory at a time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch

from isp_core.clustering.cascade import CascadeConfig, activation, label_identity
from isp_core.inference import chunks, picture_batches, prepare
from isp_core.labelling.source import LabelledPictures, TrainingPictures
from isp_core.models import ISPNet


class CascadeLabeller:
    """Eq. 3 and 4 for each identity, every `every` epochs."""

    def __init__(self, data: TrainingPictures, config: CascadeConfig, every: int, seed: int) -> None:
        self.data, self.config, self.every, self.seed = data, config, every, seed

    def due(self, epoch: int) -> bool:
        return epoch % self.every == 0

    @torch.inference_mode()
    def round(self, network: ISPNet, epoch: int) -> Iterator[LabelledPictures]:
        network.eval()
        data, people = self.data, self.data.own_identities()
        plan = [rows[list(part)] for rows in people for part in chunks(len(rows))]
        arriving = picture_batches(data.pictures, [list(rows) for rows in plan], data.workers)
        for rows in people:
            start = time.perf_counter()
            maps = []
            for _ in chunks(len(rows)):
                _, pictures = next(arriving)
                maps.append(network.feature_maps(prepare(pictures.to(data.device), data.normalisation)))
            whole = torch.cat(maps)  # (n, C, h, w), M_g of all pictures of one person
            middle = time.perf_counter()
            # a seed of its own for each identity and epoch: the order and the number of processes do not matter
            seed = int(np.random.SeedSequence([self.seed, epoch, int(data.identities[rows[0]])]).generate_state(1)[0])
            found = label_identity(whole, self.config, seed=seed)
            yield LabelledPictures(
                rows,
                found.labels.cpu().numpy(),
                activation(whole).cpu().numpy(),
                seconds_network=middle - start,
                seconds_clustering=time.perf_counter() - middle,
            )
