"""The nine options of these labels and the constants behind them, none fitted on ground truth of Walkers or CUHK03.

"Chosen on rendered people" means: by the IoU of labels on 160 images of 30 people rendered with another seed, of whom
no image is in Walkers. Nothing else was tried on them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from isp_core.labelling.constants import BodyConstants
from isp_core.labelling.source import RoundOptions
from isp_core.section import NotNegative, Positive, Share, Weight

HalfAxis = Annotated[float, Field(gt=0, le=10)]
Stage = Annotated[int, Field(ge=1, le=5)]


class PrototypeConstants(BodyConstants):
    """What else decides the labels: numerical, anatomical, or taken over. None of these was tuned for these labels."""

    pixels: Positive = Field(200_000, description="pixels that prototypes are learned from; bounds time")
    cuts: Positive = Field(2, description="iterations of GrabCut, whose colour models settle in two")
    steep: Weight = Field(4.0, description="log odds of a person in the middle of the ellipse; 0 on its edge")
    upper_from: Share = Field(
        1 / 8,
        description="height at which the upper body begins in the first guess: figures are drawn eight heads tall",
    )
    legs_from: Share = Field(1 / 2, description="height at which legs begin in the first guess, as figures are drawn")
    bins: Positive = Field(32, description="heights whose colours are correlated; as in the position words")
    ridge: Weight = Field(1e-3, description="share of the mean variance that is added to the covariance's diagonal")
    blur: Annotated[float, Field(gt=0)] = Field(
        1 / 32, description="deviation of the blur of positions, a share of the height"
    )
    rare: Annotated[float, Field(gt=0)] = Field(
        1e-3, description="added to how often a class lies at a position, so that none is impossible anywhere"
    )
    ankles: Weight = Field(
        1.8, description="torsos below the neck at which ankles are at the earliest: anatomy. Below the mask: no shoes"
    )
    shrunk: Share = Field(
        0.5, description="an image keeps its first labels where the network sees less than this share of its foreground"
    )
    colour_weight: Weight = Field(
        0.3, description="weight of colours next to features for belongings; as in the position words"
    )
    iterations: Positive = Field(20, description="k-means iterations for belongings")
    recurrent: Share = Field(0.5, description="a belonging is in at least this share of the person's images")

    @model_validator(mode="after")
    def _in_order(self) -> PrototypeConstants:
        if self.upper_from >= self.legs_from:
            raise ValueError(f"legs_from={self.legs_from:g} must lie below upper_from={self.upper_from:g}")
        return self


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
    advanced: PrototypeConstants = PrototypeConstants()

    @property
    def k(self) -> int:
        return self.parts
