"""The ten options of these labels. None was fitted on ground truth of Walkers or CUHK03.

"Chosen on rendered people" means: by the IoU of labels on 160 images of 30 people rendered with another seed, of whom
no image is in Walkers. Nothing else was tried on them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from isp_core.labelling.source import RoundOptions
from isp_core.section import NotNegative, Positive, Share, Weight

HalfAxis = Annotated[float, Field(gt=0, le=10)]
Stage = Annotated[int, Field(ge=1, le=5)]


class PrototypeOptions(RoundOptions):
    """Labels that start from centred people and prototypes shared by all of them."""

    source: Literal["prototypes"] = Field(
        "prototypes", description="prototypes of parts shared by all people, centred crops, GrabCut, garments"
    )
    parts: Literal[4, 5, 6, 7, 8] = Field(6, description="K: parts with the background")
    stages: tuple[Stage, ...] = Field(
        (3, 4),
        min_length=1,
        description="stages of the backbone whose features have prototypes; chosen on rendered people",
    )
    rows: Positive = Field(
        512, description="images are enlarged to at least so many rows, and twice: a leg is then wider than a pixel"
    )
    sample: Positive = Field(500, description="images that prototypes are learned from; bounds memory")
    sweeps: Positive = Field(3, description="times that prototypes are learned from labels; chosen on rendered people")
    centre: tuple[HalfAxis, HalfAxis] = Field(
        (0.55, 0.33),
        description="half axes of the ellipse that a person is taken to fill at first, shares of height and width; "
        "chosen on rendered people",
    )
    certain: Annotated[float, Field(gt=0.5, lt=1)] = Field(
        0.9, description="probability from which GrabCut takes a pixel for foreground, or for background; by eye"
    )
    shoes: Share = Field(0.95, description="height below which shoes are at first; an ankle is 4 % above the ground")
    clusters: NotNegative = Field(
        12, description="clusters of one person's foreground, some of which are belongings; 0: no belongings are found"
    )
    aside: Weight = Field(
        0.5, description="how far from the body's axis belongings lie, in its deviations; chosen on rendered people"
    )

    @property
    def k(self) -> int:
        return self.parts
