"""Label maps from a folder instead of clustering: the paper's "+extra semantics" (Table 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from isp_core.labelling.layouts import LAYOUTS
from isp_core.labelling.source import LabelOptions, Role, Source, Use
from isp_core.section import NotNegative

if TYPE_CHECKING:
    from isp_core.labelling.rounds import Labeller, OneRoundLabeller, TrainingPictures

PARSER: Literal[5] = 5
"""K of what a parser sees: belongings, where the maps have them, are background to it."""
ORACLE: Literal[6] = 6
"""K of what no parser sees: belongings too. Rendered ground truth bounds what any pseudo-labels can teach."""


class MapOptions(LabelOptions):
    """Label maps of the training images, read once."""

    source: Literal["maps"] = Field("maps", description="label maps from a folder: a parser's, or ground truth")
    folder: str = Field(description="folder of the maps, laid out and named as the images are")
    space: str = Field("lip", description="label space of the maps: lip, atr, pascal, walkers, ... or a file")
    parts: Literal[5, 6] = Field(PARSER, description="K: 5 for what a parser sees, 6 with belongings")
    start: NotNegative = Field(0, description="epochs of identity training before the maps are used")

    @property
    def k(self) -> int:
        return self.parts

    @property
    def first(self) -> int:
        return self.start

    def due(self, epoch: int) -> bool:
        return epoch == self.start


class MapSource(Source[MapOptions]):
    """See the module."""

    name = "maps"
    role = Role.GIVEN
    uses = (Use.PARSER,)
    algorithm = 1
    description = (
        "Label maps of a folder, made by a human parser or known exactly, are read once and never change. "
        "They bound what pseudo-labels can teach."
    )
    beyond_maps = ""
    empty_parts = "the maps in labels.folder do not have it: check labels.space, or lower labels.parts to 5"

    @property
    def options(self) -> type[MapOptions]:
        return MapOptions

    def layout(self, parts: int) -> tuple[str, ...]:
        return LAYOUTS[parts]

    def make(self, options: MapOptions, data: TrainingPictures, seed: int) -> Labeller:
        from isp_core.labelling.maps.labeller import MapLabeller

        return MapLabeller(data, options)

    def make_on_maps(self, options: MapOptions, data: TrainingPictures, seed: int) -> OneRoundLabeller:
        from isp_core.labelling.maps.labeller import MapLabeller

        return MapLabeller(data, options)


MAPS = MapSource()
