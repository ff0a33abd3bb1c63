"""No labels: the baseline, whose only representation is the global one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from isp_core.labelling.source import LabelOptions, Role, Source

if TYPE_CHECKING:
    from isp_core.labelling.rounds import Labeller, TrainingPictures


class NoLabels(LabelOptions):
    """A baseline has nothing to choose."""

    source: Literal["none"] = Field("none", description="no labels: the baseline")


class NoSource(Source[NoLabels]):
    """See the module."""

    name = "none"
    role = Role.BASELINE
    algorithm = 1
    description = "No labels. The network learns the global feature alone: the baseline without parts."
    beyond_maps = "it makes no labels"
    empty_parts = ""

    @property
    def options(self) -> type[NoLabels]:
        return NoLabels

    def make(self, options: NoLabels, data: TrainingPictures, seed: int) -> Labeller | None:
        return None


NONE = NoSource()
