"""The paper's pseudo-labels (section 3.2): the pixels of M_g of one identity, split by activation, then clustered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from isp_core.labelling.source import Role, RoundOptions, Source, Use
from isp_core.section import NotNegative, Positive

if TYPE_CHECKING:
    from isp_core.labelling.rounds import Labeller, OneRoundLabeller, TrainingPictures


class ClusteringOptions(RoundOptions):
    """The defaults are the paper's."""

    source: Literal["clustering"] = Field("clustering", description="the paper's cascaded clustering (section 3.2)")
    parts: Annotated[int, Field(ge=2, le=32)] = Field(6, description="K: parts with the background")
    variant: Literal["cascade", "one-step", "unnormalised"] = Field(
        "cascade", description="the cascade, or Variant 1 or 2 of Figure 5"
    )
    sharpen: bool = Field(False, description="the authors' sigmoid(5(2a - 1) + 3) on Eq. 3")
    restarts: Positive = Field(1, description="k-means restarts (the authors: 1)")
    iterations: Positive = Field(20, description="k-means iterations at most (the authors: 20)")
    height_weight: Annotated[float, Field(ge=0)] = Field(
        0.0, description="weight of a pixel's height in the foreground as one more channel of Eq. 4 (the paper: 0)"
    )

    first_stage: Literal["activation", "normalised-cut"] = Field(
        "activation", description="how foreground is found: Eq. 3, or beyond the paper a normalised cut of all pixels"
    )
    border: NotNegative = Field(
        0, description="cells along the label map's border that are background whatever they hold (the paper: 0)"
    )

    @model_validator(mode="after")
    def _has_a_first_stage(self) -> ClusteringOptions:
        if self.variant == "one-step" and self.first_stage != "activation":
            raise ValueError("variant one-step has no first stage: leave out first_stage")
        return self

    @property
    def k(self) -> int:
        return self.parts

    def require_suiting(self, size: tuple[int, int]) -> None:
        if 2 * self.border >= min(size):
            raise ValueError(
                f"labels.border = {self.border} cells on each side leave nothing of label maps of {size[0]} x {size[1]}"
            )


class ClusteringSource(Source[ClusteringOptions]):
    """See the module."""

    name = "clustering"
    role = Role.LEARNED
    published = True
    uses = (Use.IDENTITIES,)
    algorithm = 1
    description = (
        "The feature maps of all images of one identity are clustered: first into foreground and background by how "
        "strongly the network responds, then the foreground into parts, numbered from top to bottom. This is the "
        "paper's cascade; it uses identity labels alone."
    )
    beyond_maps = ""
    empty_parts = (
        "the feature maps cannot be told apart into K = {k}: lower --parts, enlarge --size or make the maps finer "
        "(model.output_stride, model.grid)"
    )

    @property
    def options(self) -> type[ClusteringOptions]:
        return ClusteringOptions

    def make(self, options: ClusteringOptions, data: TrainingPictures, seed: int) -> Labeller:
        from isp_core.labelling.clustering.labeller import ClusteringLabeller

        return ClusteringLabeller(data, options, seed)

    def make_on_maps(self, options: ClusteringOptions, data: TrainingPictures, seed: int) -> OneRoundLabeller:
        from isp_core.labelling.clustering.labeller import ClusteringLabeller

        return ClusteringLabeller(data, options, seed)


CLUSTERING = ClusteringSource()
