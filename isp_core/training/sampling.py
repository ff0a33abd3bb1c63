"""What a configuration makes of the training images: batches of identities, and how an image is augmented."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isp_core.config import Config
from isp_core.data.sampling import IdentityBatches
from isp_core.data.transforms import TrainTransform
from isp_core.models import Normalisation, map_size
from isp_core.training.processes import Processes


def identity_batches(config: Config, identities: npt.NDArray[np.int64], processes: Processes) -> IdentityBatches:
    """P x K batches of the training images, this process's share of each. identities: (N,), of every image."""
    return IdentityBatches(
        identities,
        config.data.identities_per_batch,
        config.data.pictures_per_identity,
        config.run.seed,
        one_pass_over=config.data.epoch,
        rank=processes.rank,
        world_size=processes.count,
    )


def augmentation(config: Config, by: Normalisation) -> TrainTransform:
    """Padding, crop, flip and erasing of section 4.2, and how images are normalised."""
    return TrainTransform(
        config.data.size,
        map_size(config.data.size),
        by.mean,
        by.std,
        config.data.pad,
        config.data.flip,
        config.data.erase,
        erase_ratio=config.data.erase_ratio,
        erase_fill=config.data.erase_fill,
        erased_labels=config.data.erased,
    )
