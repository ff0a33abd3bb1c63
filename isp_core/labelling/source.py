"""What a source of pseudo-labels is: its options, its parts, what it looks at, and the labeller that it makes.

Options and sources are loaded with the configuration, before torch: what needs torch is imported by `make`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, get_args

from pydantic import Field
from pydantic.fields import FieldInfo

from isp_core.errors import IspError
from isp_core.section import NotNegative, Positive, Section

if TYPE_CHECKING:
    from isp_core.labelling.rounds import Labeller, OneRoundLabeller, TrainingPictures


class Role(StrEnum):
    """What labels of a source stand for in the paper's comparison (Table 5); the values are its rows."""

    LEARNED = "ISP"
    GIVEN = "+extra info"
    BASELINE = "baseline"


class Family(StrEnum):
    """Where a run's labels come from, for readers who compare runs: a finer division than `Role`."""

    PAPER = "the paper's method"
    OURS = "ours"
    EXTRA = "extra semantics"
    BASELINE = "baseline"
    NETWORK = "other networks' feature maps, nothing trained"
    PARSED = "own images, parsed without training"


class Use(StrEnum):
    """What a source looks at besides the images of the training set."""

    IDENTITIES = "identity labels"
    CAMERAS = "camera labels"
    POSITION = "position in the image"
    PARSER = "maps of a parser, or ground truth"
    TUNING = "constants tuned on ground truth"


class LabelOptions(Section):
    """The section `labels` of the configuration; every source has a subclass of its own."""

    source: str = Field(description="where pseudo-labels come from")

    @property
    def k(self) -> int:
        """K of Eq. 5, background included; 0: no parts."""
        return 0

    @property
    def first(self) -> int:
        """The epoch after which labels are made for the first time."""
        return 0

    def due(self, epoch: int) -> bool:
        """Whether the state after `epoch` epochs is labelled."""
        return False

    def require_suiting(self, size: tuple[int, int]) -> None:
        """ValueError where the options do not suit label maps of this height and width."""


class RoundOptions(LabelOptions):
    """Options of sources that label the training set again and again while the network learns."""

    every: Positive = Field(1, description="n: epochs between two labelling rounds")
    start: NotNegative = Field(0, description="epochs of identity training before the first labels (the paper: 0)")
    stop: NotNegative | None = Field(
        None, description="last epoch after which labels are made; later epochs keep them (none: to the end)"
    )

    @property
    def first(self) -> int:
        return self.start

    def due(self, epoch: int) -> bool:
        last = self.stop if self.stop is not None else epoch
        return self.start <= epoch <= max(last, self.start) and (epoch - self.start) % self.every == 0


Options = TypeVar("Options", bound=LabelOptions)


class Source(ABC, Generic[Options]):
    """A source of pseudo-labels. Add one: a subclass in a module of its own, and a line in `sources.SOURCES`."""

    name: ClassVar[str]
    role: ClassVar[Role]
    published: ClassVar[bool] = False
    """Whether this is the paper's own way of making labels, rather than one of this project."""
    uses: ClassVar[tuple[Use, ...]] = ()
    algorithm: ClassVar[int]
    """Changes whenever the same options give other labels: studies reuse a run only where it is equal."""
    description: ClassVar[str]
    """Two plain sentences: how labels are made."""
    beyond_maps: ClassVar[str] = "it does not say how"
    """Why it cannot label by the feature map of a network that we did not make; "" where it can (`make_on_maps`)."""
    empty_parts: ClassVar[str]
    """What to do where no pixel of the training set is of some part; {k} is K."""

    @property
    @abstractmethod
    def options(self) -> type[Options]:
        """The class of this source's options."""

    @abstractmethod
    def make(self, options: Options, data: TrainingPictures, seed: int) -> Labeller | None:
        """The labeller of a training set; None: no labels. IspError where the data do not suit the source."""

    def make_on_maps(self, options: Options, data: TrainingPictures, seed: int) -> OneRoundLabeller:
        """The labeller of a training set by another network, of which one feature map is known. Sources that can do it
        override this and set `beyond_maps` to ""."""
        raise self._no_maps()

    def require_maps(self) -> None:
        """IspError where it cannot label by the feature map of another network."""
        if self.beyond_maps:
            raise self._no_maps()

    def _no_maps(self) -> IspError:
        why = self.beyond_maps or "its class has no make_on_maps"
        return IspError(f"labels from {self.name} cannot be made of another network's feature map: {why}")

    def layout(self, parts: int) -> tuple[str, ...]:
        """The names of parts 1 .. K-1 of K = `parts`; empty: they are ranked from top to bottom, without names."""
        return ()

    def parts_allowed(self) -> range:
        """The values that K may have; empty: no parts. K = 6 of a baseline, say, is refused."""
        field = self.options.model_fields.get("parts")
        return range(0) if field is None else _range(field)

    def complete(self) -> bool:
        """Whether its options all have defaults, so that the source's name alone says what to do."""
        return not any(field.is_required() for field in self.options.model_fields.values())


def _range(field: FieldInfo) -> range:
    if values := get_args(field.annotation):
        return range(min(values), max(values) + 1)
    lowest = next(each.ge for each in field.metadata if hasattr(each, "ge"))
    highest = next(each.le for each in field.metadata if hasattr(each, "le"))
    return range(lowest, highest + 1)
