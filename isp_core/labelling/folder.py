"""Label maps from a folder instead of clustering: the paper's "+extra semantics" (Table 5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from isp_core.config import ConfigError
from isp_core.errors import IspError
from isp_core.labelling.body import BELONGINGS, LAYOUTS
from isp_core.labelling.source import LabelledPictures, Labels, TrainingPictures
from isp_core.metrics.spaces import FOREGROUND_ONLY, IGNORE, PARTS, load_space
from isp_core.metrics.truth import read_truth
from isp_core.models import ISPNet

PARSER = 5
"""K of what a parser sees: belongings, where the maps have them, are background to it."""
ORACLE = 6
"""K of what no parser sees: belongings too. Rendered truth bounds what any pseudo-labels can teach."""


class FolderLabeller:
    """Reads the label maps of the training pictures once; parts as in LAYOUTS[K], K = PARSER or ORACLE.

    Person pixels of no stated part (a dress) are ignored. IspError names the pictures that have no map,
    ConfigError a space without belongings where they are wanted.
    """

    def __init__(
        self,
        data: TrainingPictures,
        folder: Path,
        space: str,
        paths: Sequence[str],
        size: tuple[int, int],
        parts: int = PARSER,
    ) -> None:
        if parts not in (PARSER, ORACLE):
            raise ConfigError(
                f"label maps of a folder have {', '.join(LAYOUTS[PARSER])}: set --parts {PARSER} "
                f"({ORACLE} with belongings), not {parts}"
            )
        if parts == ORACLE and BELONGINGS not in {each.part for each in load_space(space).classes}:
            raise ConfigError(f"label space {space} has no belongings: set --parts {PARSER}")
        truth = read_truth(folder, paths, load_space(space), size)
        if truth.n < len(paths):
            raise IspError(f"{folder} cannot label the training set: {'; '.join(truth.notes())}")
        table = np.zeros(256, np.uint8)
        for part, name in enumerate(LAYOUTS[parts], start=1):
            table[PARTS.index(name) + 1] = part
        table[[FOREGROUND_ONLY, IGNORE]] = IGNORE
        self.data, self.labels = data, table[truth.targets]

    def due(self, epoch: int) -> bool:
        return epoch == 0

    def round(self, network: ISPNet, epoch: int, first: Labels | None = None) -> Iterator[LabelledPictures]:
        for rows in self.data.own_identities():
            yield LabelledPictures(rows, self.labels[rows])
