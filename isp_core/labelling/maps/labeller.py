"""Reads a folder's label maps as the labels of a training set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from isp_core.errors import IspError
from isp_core.labelling.layouts import BELONGINGS, LAYOUTS
from isp_core.labelling.maps import ORACLE, PARSER, MapOptions
from isp_core.labelling.rounds import LabelledPictures, Labels, MapNetwork, TrainingPictures
from isp_core.metrics.ground_truth import read_truth
from isp_core.metrics.spaces import FOREGROUND_ONLY, IGNORE, PARTS, load_space
from isp_core.section import ConfigError


class MapLabeller:
    """The label maps of the training images, read once; parts as in LAYOUTS[K].

    Person pixels of no stated part (a dress) are ignored. IspError names the images that have no map, ConfigError a
    folder that does not exist, or a space without belongings where they are wanted.
    """

    def __init__(self, data: TrainingPictures, options: MapOptions) -> None:
        folder, parts, space = Path(options.folder), options.parts, load_space(options.space)
        if not folder.is_dir():
            raise ConfigError(f"labels.folder: {folder} is no folder of label maps")
        if parts == ORACLE and BELONGINGS not in {each.part for each in space.classes}:
            raise ConfigError(f"label space {options.space} has no belongings: set labels.parts to {PARSER}")
        truth = read_truth(folder, data.paths, space, data.map_size)
        if truth.n < len(data.paths):
            raise IspError(f"{folder} cannot label the training set: {'; '.join(truth.notes())}")
        table = np.zeros(256, np.uint8)
        for part, name in enumerate(LAYOUTS[parts], start=1):
            table[PARTS.index(name) + 1] = part
        table[[FOREGROUND_ONLY, IGNORE]] = IGNORE
        self.data, self.labels = data, table[truth.targets]

    def first_round(self, network: MapNetwork) -> Iterator[LabelledPictures]:
        """The same whatever the network."""
        return self.round(network, 0)

    def round(self, network: MapNetwork, epoch: int, first: Labels | None = None) -> Iterator[LabelledPictures]:
        for rows in self.data.own_identities():
            yield LabelledPictures(rows, self.labels[rows])
