"""A run's whole configuration: the sections, and what is refused of options that are each allowed but not together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, SerializeAsAny, model_validator

from isp_core.config.sections import DataConfig, LossConfig, ModelConfig, OptimConfig, RunConfig
from isp_core.labelling.clustering import ClusteringOptions
from isp_core.labelling.layouts import BELONGINGS
from isp_core.labelling.source import LabelOptions
from isp_core.labelling.sources import options_of, source_named
from isp_core.section import MAP_STRIDE, Section


def _labels(value: object) -> object:
    """The section `labels` as the options of the source that it names."""
    return options_of(value) if isinstance(value, Mapping) else value


class Config(Section):
    """A run's whole configuration."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    labels: Annotated[SerializeAsAny[LabelOptions], BeforeValidator(_labels)] = ClusteringOptions()
    loss: LossConfig = LossConfig()
    optim: OptimConfig = OptimConfig()
    run: RunConfig = RunConfig()

    @model_validator(mode="after")
    def _labels_in_time(self) -> Config:
        if self.parts and self.labels.first >= self.run.epochs:
            raise ValueError(
                f"labels.start = {self.labels.first} and run.epochs = {self.run.epochs}: the run would end before an "
                "epoch is trained on labels; lower labels.start, or train more epochs"
            )
        return self

    @model_validator(mode="after")
    def _labels_of_this_size(self) -> Config:
        self.labels.require_suiting((self.data.size[0] // MAP_STRIDE, self.data.size[1] // MAP_STRIDE))
        return self

    @model_validator(mode="after")
    def _possible(self) -> Config:
        source = source_named(self.labels.source)
        if self.loss.triplet != "groups" and not self.parts:
            raise ValueError(
                f"loss.triplet={self.loss.triplet} looks at parts, and labels.source={source.name} has none: leave "
                "it at groups"
            )
        if self.data.carry and self.belongings is None:
            raise ValueError(
                f"data.carry={self.data.carry:g} pastes belongings, which no part of labels.source={source.name} with "
                f"labels.parts={self.parts} is: set it to 0, or choose labels with belongings"
            )
        return self

    @property
    def belongings(self) -> int | None:
        """The label of belongings, where the source of labels names such a part."""
        layout = source_named(self.labels.source).layout(self.parts) if self.parts else ()
        return layout.index(BELONGINGS) + 1 if BELONGINGS in layout else None

    @property
    def parts(self) -> int:
        """K where the network has parts, 0 for the baseline."""
        return self.labels.k
