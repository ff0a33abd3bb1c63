"""Labels from prototypes of parts that all people share: centred crops to begin with, GrabCut, garments, belongings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isp_core.labelling.layouts import LAYOUTS
from isp_core.labelling.prototypes.options import PrototypeOptions
from isp_core.labelling.source import Role, Source, Use

if TYPE_CHECKING:
    from isp_core.labelling.rounds import Labeller, OneRoundLabeller, TrainingPictures


class PrototypeSource(Source[PrototypeOptions]):
    """See the module."""

    name = "prototypes"
    role = Role.LEARNED
    uses = (Use.POSITION, Use.IDENTITIES, Use.TUNING)
    algorithm = 1
    description = (
        "A person is taken to fill the middle of the image at first; prototypes of the background and of body parts, "
        "shared by all people, then replace that guess, and GrabCut draws the masks. Identity labels tell where "
        "garments change and what one person carries; cameras are not used, and the options were chosen with ground "
        "truth of rendered people of another seed than any reported data set."
    )
    beyond_maps = ""
    empty_parts = "no mask reaches it: lower --parts, or enlarge --size"

    @property
    def options(self) -> type[PrototypeOptions]:
        return PrototypeOptions

    def layout(self, parts: int) -> tuple[str, ...]:
        return LAYOUTS[parts]

    def make(self, options: PrototypeOptions, data: TrainingPictures, seed: int) -> Labeller:
        from isp_core.labelling.prototypes.labeller import PrototypeLabeller

        return PrototypeLabeller(data, options, seed)

    def make_on_maps(self, options: PrototypeOptions, data: TrainingPictures, seed: int) -> OneRoundLabeller:
        from isp_core.labelling.prototypes.labeller import PrototypeLabeller

        # a feature map has one stage, and its network one size of input: images are not enlarged
        plain = options.advanced.model_copy(update={"enlarged": 1.0})
        only = options.model_copy(update={"stages": (1,), "rows": 1, "advanced": plain})
        return PrototypeLabeller(data, only, seed)


PROTOTYPES = PrototypeSource()
