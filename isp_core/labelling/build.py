"""From a configuration to the source of pseudo-labels that it names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from isp_core.clustering import CascadeConfig, Variant
from isp_core.config import Config, ConfigError
from isp_core.labelling.cascade import CascadeLabeller
from isp_core.labelling.contrast import ContrastLabeller
from isp_core.labelling.folder import FolderLabeller
from isp_core.labelling.source import Labeller, TrainingPictures
from isp_core.models import map_size


def make_labeller(config: Config, data: TrainingPictures, paths: Sequence[str]) -> Labeller | None:
    """The labeller of `config`; None for the baseline. `paths` are the training pictures' in the records' order."""
    labels = config.labels
    if labels.source == "none":
        return None
    if labels.source == "clustering":
        cascade = CascadeConfig(
            parts=labels.parts,
            variant=Variant(labels.variant),
            sharpen=labels.sharpen,
            restarts=labels.restarts,
            iterations=labels.iterations,
            height_weight=labels.height_weight,
        )
        return CascadeLabeller(data, cascade, labels.every, config.run.seed)
    if labels.source == "contrast":
        return ContrastLabeller(data, labels.parts, map_size(config.data.size), labels.every, config.run.seed)
    folder = Path(labels.source)
    if not folder.is_dir():
        raise ConfigError(
            f"labels.source is clustering, contrast, none or a folder of label maps; got {labels.source!r}"
        )
    return FolderLabeller(data, folder, labels.space, paths, map_size(config.data.size), labels.parts)
