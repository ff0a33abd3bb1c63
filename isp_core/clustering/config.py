"""How one identity is clustered."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from isp_core.clustering.errors import ClusteringError


class Variant(StrEnum):
    """The cascade and its two ablations (Figure 5)."""

    CASCADE = "cascade"
    """Two stages, parts from l2-normalised features: the paper's method."""
    ONE_STEP = "one-step"
    """Variant 1: all pixels into K clusters at once, the one of lowest mean activation is the background."""
    UNNORMALISED = "unnormalised"
    """Variant 2: two stages, parts from the features as they are."""


class FirstStage(StrEnum):
    """How the first stage finds the foreground."""

    ACTIVATION = "activation"
    """Two-means of Eq. 3: the paper's method."""
    NORMALISED_CUT = "normalised-cut"
    """A normalised cut of all pixels by the direction of their features: isp_core.clustering.normalised_cut."""


@dataclass(frozen=True)
class CascadeConfig:
    """How one identity is clustered. Defaults: the paper's cascade with Market-1501's K."""

    parts: int = 7
    """K, the background counted: labels are 0 .. K-1."""
    variant: Variant = Variant.CASCADE
    sharpen: bool = False
    """Put activations through the authors' sigmoid before the first stage (not in the paper)."""
    restarts: int = 4
    """Sets of first centres tried on a sample."""
    iterations: int = 20
    """Upper bound for the moves of the centres with all pixels in view."""
    height_weight: float = 0.0
    """Weight of a pixel's height within its image's foreground (0 top, 1 bottom) as one more channel of Eq. 4."""

    first_stage: FirstStage = FirstStage.ACTIVATION
    """Not for ONE_STEP, which has no first stage."""
    border: int = 0
    """So many cells along each side of the label map are background, whatever the first stage says (the paper: 0)."""

    def __post_init__(self) -> None:
        if self.border < 0:
            raise ClusteringError(f"border counts cells, 0 or more; got {self.border}")
        if self.variant is Variant.ONE_STEP and self.first_stage is not FirstStage.ACTIVATION:
            raise ClusteringError("the one-step variant has no first stage to choose")
        if not 2 <= self.parts <= 255:
            raise ClusteringError(f"parts (K, background counted) must lie in 2 .. 255, got {self.parts}")
        if self.restarts < 1 or self.iterations < 1:
            raise ClusteringError(f"restarts and iterations must be at least 1: {self.restarts}, {self.iterations}")
        if not 0 <= self.height_weight < float("inf"):
            raise ClusteringError(f"height_weight must be 0 or more, got {self.height_weight}")
