"""Every constant that decides these labels. Where a value comes from is said with it.

"Chosen" means: on training ground truth of Walkers and CUHK03, by the IoU of the labels or of what was learned from
them (docs/cuhk03.md). No test image was looked at for it, but the ground truth of a reported data set's training
images was.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from isp_core.labelling.constants import BodyConstants
from isp_core.labelling.source import RoundOptions
from isp_core.section import Positive, Section, Share, Weight

SomeShare = Annotated[float, Field(gt=0, le=0.5)]
Stage = Annotated[int, Field(ge=1, le=5)]


class WordOptions(Section):
    """Visual words: which local looks belong to people, by position and identity-camera contrast (round 0)."""

    fine_stage: Stage = Field(3, description="stage of the backbone for fine words (stride 8)")
    coarse_stage: Stage = Field(4, description="stage for coarse words and for looks (stride 16)")
    deep_stage: Stage = Field(5, description="stage whose activation (Eq. 3) counts a little")
    fine: Positive = Field(300, description="fine words; larger vocabularies changed nothing")
    coarse: Positive = Field(200, description="coarse words; larger vocabularies changed nothing")
    fine_weight: Weight = Field(0.7, description="of the fine words' scores; chosen")
    coarse_weight: Weight = Field(1.0, description="of the coarse words' scores; chosen")
    rows: Positive = Field(512, description="images are enlarged to at least so many rows for words, and twice; chosen")
    sample: Positive = Field(1000, description="images that words are learned from; bounds memory")
    pixels: Positive = Field(60_000, description="pixels that words are learned from; bounds time")
    iterations: Positive = Field(25, description="k-means iterations for words")
    middle: SomeShare = Field(
        0.17, description="half the width of the images' middle, a share of the width; a third of it"
    )
    side: SomeShare = Field(0.13, description="width of each side, a share of the width; chosen")
    smallest: Annotated[float, Field(gt=0)] = Field(
        1e-4, description="added to probabilities, so that a word that is never at the sides has a finite ratio"
    )
    contrast: Literal["cameras", "identities"] = Field(
        "cameras", description="what contrast compares: identities within and across cameras, or identities alone"
    )
    contrast_weight: Weight = Field(0.5, description="of contrast, added to position; chosen. 0: not used")
    partners: Positive = Field(12, description="images of each kind that contrast compares with; bounds time")
    activation_weight: Weight = Field(0.15, description="of Eq. 3, added to the words' scores; chosen")


class MaskOptions(Section):
    """From scores to foreground masks, and what the first masks count for in later rounds."""

    background: float = Field(
        -0.35, description="GrabCut takes lower scores for background; in deviations within an image; chosen"
    )
    foreground: float = Field(0.9, description="GrabCut takes higher scores for foreground; chosen")
    cuts: Positive = Field(2, description="iterations of GrabCut; two are as good as four")
    knees_from: Share = Field(0.62, description="first row of standing people's knees, a share of the height; by eye")
    knees_to: Share = Field(0.69, description="last row of the knees, a share of the height; by eye")
    lift: Weight = Field(0.4, description="how much of what scores fall by below the knees is given back; chosen")
    first_weight: Weight = Field(
        0.25, description="of the first masks in later rounds, in deviations of the network's log odds; chosen"
    )
    first_weight_at_heads: Weight = Field(
        1.0, description="the same where the network sees a head, which it draws too large; chosen"
    )
    plausible_from: Share = Field(0.05, description="a network whose masks cover less has not learned people; by eye")
    plausible_to: Share = Field(0.8, description="a network whose masks cover more has not learned people; by eye")

    @model_validator(mode="after")
    def _in_order(self) -> MaskOptions:
        for low, high in (("background", "foreground"), ("knees_from", "knees_to"), ("plausible_from", "plausible_to")):
            if getattr(self, low) >= getattr(self, high):
                raise ValueError(f"{low} = {getattr(self, low)} must be below {high} = {getattr(self, high)}")
        return self


class VoteOptions(Section):
    """Body parts: heights at which garments change, then words of look and height that vote."""

    bins: Positive = Field(32, description="heights whose colours are correlated; half a pixel row at 64 rows")
    shoes: Share = Field(0.95, description="height below which shoes are; an ankle is 4 % above the ground: anatomy")
    height_weights: tuple[float, ...] = Field(
        (1.0, 1.5, 2.0), min_length=1, description="of height, relative to appearance; chosen"
    )
    vocabularies: tuple[Positive, ...] = Field(
        (24, 36, 48), min_length=1, description="words of each vocabulary; chosen"
    )
    aside: Weight = Field(0.1, description="of the distance from the body's axis, times the height's weight; chosen")
    learned_pixels: Positive = Field(80_000, description="foreground pixels that words are learned from; bounds time")
    counted_pixels: Positive = Field(240_000, description="pixels that tell what a word is given; bounds time")
    iterations: Positive = Field(12, description="k-means iterations for words")
    first_heads: Weight = Field(
        1.0, description="of the first heads in later rounds, where all words have 1 and the network has 1; chosen"
    )


class BelongingOptions(Section):
    """What people carry. The weights of the cues are a regression on ground truth."""

    clusters: Positive = Field(8, description="clusters of one person's foreground; 12 and 16 changed nothing")
    colour_weight: Weight = Field(0.3, description="of colours, which appearance features ignore; chosen")
    iterations: Positive = Field(20, description="k-means iterations")
    aside: float = Field(
        1.1, description="weight of a cluster's distance from the axis: logistic regression on Walkers' training maps"
    )
    one_sided: float = Field(0.8, description="weight of lying on one side of the body: the same regression")
    recurrent: float = Field(0.5, description="weight of being in many images of the person: the same regression")
    rim: float = Field(1.0, description="weight against lying along the mask's rim: the same regression")
    threshold: float = Field(
        1.7, description="deviations above the mean from which a cluster is taken; chosen on Walkers' training maps"
    )
    seldom: Share = Field(0.2, description="a cluster in a smaller share of the person's images is left out; by eye")
    smallest: Positive = Field(5, description="pixels of a cluster that is looked at; by eye")


class PositionWordConstants(BodyConstants):
    """What else decides the labels: numerical or anatomical, never tuned."""

    fewest_people: Positive = Field(
        3, description="with belongings of fewer people there is nothing to compare with, and none are found"
    )


class PositionWordOptions(RoundOptions):
    """Labels that do not wait for the network to learn where people are."""

    source: Literal["position-words"] = Field(
        "position-words", description="visual words scored by position in the image and by contrast, GrabCut, garments"
    )
    parts: Literal[4, 5, 6, 7, 8] = Field(6, description="K: parts with the background")
    words: WordOptions = WordOptions()
    masks: MaskOptions = MaskOptions()
    votes: VoteOptions = VoteOptions()
    belongings: BelongingOptions = BelongingOptions()
    advanced: PositionWordConstants = PositionWordConstants()

    @property
    def k(self) -> int:
        return self.parts
