"""Label maps from a folder instead of clustering: the paper's "+extra semantics" (Table 5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from isp_core.errors import IspError
from isp_core.labelling.source import LabelledPictures, Labels, TrainingPictures
from isp_core.metrics.spaces import FOREGROUND_ONLY, IGNORE, PARTS, load_space
from isp_core.metrics.truth import read_truth
from isp_core.models import ISPNet

PARSER_PARTS = ("head", "upper", "legs", "shoes")
"""What a parser sees. Belongings, where the maps have them, are background to it."""


class FolderLabeller:
    """Reads the label maps of the training pictures once: 1 head, 2 upper, 3 legs, 4 shoes (K = 5).

    Person pixels of no stated part (a dress) are ignored. IspError names the pictures that have no map.
    """

    parts = len(PARSER_PARTS) + 1

    def __init__(
        self, data: TrainingPictures, folder: Path, space: str, paths: Sequence[str], size: tuple[int, int]
    ) -> None:
        truth = read_truth(folder, paths, load_space(space), size)
        if truth.n < len(paths):
            raise IspError(f"{folder} cannot label the training set: {'; '.join(truth.notes())}")
        table = np.zeros(256, np.uint8)
        for part, name in enumerate(PARSER_PARTS, start=1):
            table[PARTS.index(name) + 1] = part
        table[[FOREGROUND_ONLY, IGNORE]] = IGNORE
        self.data, self.labels = data, table[truth.targets]

    def due(self, epoch: int) -> bool:
        return epoch == 0

    def round(self, network: ISPNet, epoch: int, first: Labels | None = None) -> Iterator[LabelledPictures]:
        for rows in self.data.own_identities():
            yield LabelledPictures(rows, self.labels[rows])
