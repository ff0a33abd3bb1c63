"""Labels that start with people: visual words scored by position and contrast, GrabCut, garments, belongings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isp_core.labelling.layouts import LAYOUTS
from isp_core.labelling.position_words.options import PositionWordOptions
from isp_core.labelling.source import Role, Source, Use

if TYPE_CHECKING:
    from isp_core.labelling.rounds import Labeller, TrainingPictures


class PositionWordSource(Source[PositionWordOptions]):
    """See the module."""

    name = "position-words"
    role = Role.LEARNED
    uses = (Use.POSITION, Use.IDENTITIES, Use.CAMERAS, Use.TUNING)
    algorithm = 1
    description = (
        "People are found by what is in the middle of images rather than at their sides, sharpened by identity and "
        "camera labels and by GrabCut; body parts are cut where garments change, and what one person keeps on one "
        "side counts as a belonging. It relies mainly on centred crops, and its constants were tuned on ground "
        "truth of training images."
    )
    beyond_maps = "it compares several stages of a backbone, on enlarged images"
    empty_parts = "no mask reaches it: lower --parts, or enlarge --size"

    @property
    def options(self) -> type[PositionWordOptions]:
        return PositionWordOptions

    def layout(self, parts: int) -> tuple[str, ...]:
        return LAYOUTS[parts]

    def make(self, options: PositionWordOptions, data: TrainingPictures, seed: int) -> Labeller:
        from isp_core.labelling.position_words.labeller import PositionWordLabeller

        return PositionWordLabeller(data, options, seed)


POSITION_WORDS = PositionWordSource()
