"""The whole configuration of a run: typed, checked, with presets in YAML. Nothing else decides what a run does.

A value comes from, in rising priority: the defaults below (the paper's, section 4.2), a preset, a YAML file, the
command line. An unknown key or a value out of range says what is allowed.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationError, field_validator, model_validator

from isp_core.errors import IspError
from isp_core.labelling.clustering import ClusteringOptions
from isp_core.labelling.layouts import BELONGINGS
from isp_core.labelling.source import LabelOptions, Source
from isp_core.labelling.sources import DEFAULT, SOURCES, options_of, owners, source_named
from isp_core.section import MAP_STRIDE, ConfigError, Pixels, Positive, Section, Share
from isp_core.yaml_files import parse_yaml, read_yaml, require_mapping

__all__ = ["Config", "ConfigError", "check_config", "load_config", "parse_assignments", "preset_names"]


class DataConfig(Section):
    """Pictures: their size, batches and augmentation (section 4.2)."""

    size: tuple[Pixels, Pixels] = Field((256, 128), description="height and width of the network's input")
    identities_per_batch: Positive = Field(16, description="P of P x K sampling")
    pictures_per_identity: Positive = Field(4, description="K of P x K sampling")
    epoch: Literal["pictures", "identities"] = Field("pictures", description="the unit that defines one epoch")
    identities: Positive | None = Field(None, description="train on the first N identities only")
    validation: Annotated[int, Field(ge=0)] = Field(
        0,
        description="training identities held out for choices (keep: best); the test set is evaluated once, at the end",
    )
    pad: Annotated[int, Field(ge=0)] = Field(10, description="pixels of padding before the random crop")
    flip: Share = Field(0.5, description="probability of a horizontal flip")
    erase: Share = Field(0.5, description="probability of random erasing")
    erase_ratio: Literal["log-uniform", "uniform"] = Field(
        "log-uniform",
        description="ratio of height to width; in its paper and the authors' code: uniform",
    )
    erase_fill: Literal["mean-colour", "image-mean"] = Field(
        "mean-colour", description="fill of an erased rectangle; in the authors' code: the image's own mean"
    )
    occlude: Share = Field(
        0.0, description="probability that another person, a block or an erased block is pasted over the image"
    )
    carry: Share = Field(
        0.0,
        description="probability that an image without a belonging is given another person's, with its label",
    )
    erased: Literal["background", "ignore"] = Field(
        "background", description="label of the pixels under an erased rectangle: an occluder hides parts (Eq. 8)"
    )
    workers: Annotated[int, Field(ge=0, le=256)] = Field(0, description="loader processes")
    cache_mb: Annotated[int, Field(ge=0)] = Field(1024, description="memory for decoded images, in MB")

    @field_validator("size")
    @classmethod
    def _divisible(cls, size: tuple[int, int]) -> tuple[int, int]:
        if size[0] % 32 or size[1] % 32:
            raise ValueError("height and width must be multiples of 32")
        return size

    @model_validator(mode="after")
    def _normalisable(self) -> DataConfig:
        if self.identities_per_batch * self.pictures_per_identity < 2:
            raise ValueError(
                "a batch of one image cannot be batch-normalised: identities_per_batch times pictures_per_identity "
                "must be at least 2"
            )
        return self


class ModelConfig(Section):
    """The network (section 3.1); the defaults are the paper's plain form on ResNet50."""

    backbone: str = Field("resnet50", description="a timm name or one of segmentation-models-pytorch")
    weights: str = Field("package", description="package, hub, none, a run of your own, or a file")
    output_stride: Literal[8, 16, 32] = Field(32, description="8 or 16 dilate the last stages")
    stages: tuple[Annotated[int, Field(ge=1, le=5)], ...] = Field((5,), description="stages that form M_g")
    layers: tuple[str, ...] = Field(
        (), description="layers that form M_g instead of stages, by timm's names, such as [blocks.5] of MobileNetV2"
    )
    dilated: bool = Field(
        True, description="dilate stages whose stride was removed; false with stride 16: the authors' last stride 1"
    )
    grid: Literal[4, 8, 16, 32] = Field(32, description="stride at which the stages are combined")
    channels: Positive | None = Field(None, description="channels after 1x1 conv, BN, ReLU; none: concatenation")
    level_stages: bool = Field(False, description="l2-normalise each stage per pixel before concatenation")
    attention: Literal["none", "spatial", "pixel"] = Field(
        "none", description="sigmoid attention on M_g; spatial: the authors'; pixel: a 1x1 convolution (older runs)"
    )
    align_corners: bool = Field(False, description="of bilinear upsampling; in the authors' code: true")
    bias: bool = Field(False, description="whether Eq. 5 has a bias; in the paper: no, in the authors' code: yes")
    classifier: Literal["linear", "deep"] = Field("linear", description="Eq. 5, or three convolutions before it")
    global_from: Literal["map", "stages"] = Field("map", description="pool F_g from M_g or directly from the stages")


class LossConfig(Section):
    """Eq. 6-7."""

    parsing: Annotated[float, Field(ge=0)] = Field(0.1, description="alpha of Eq. 7")
    parsing_reduction: Literal["mean", "sum"] = Field(
        "mean", description="over an image's pixels; Eq. 6 sums, at 64 x 32 this is 2048 times as large"
    )
    balance: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0,
        description="how far the parsing loss compensates for unequal part sizes (logit adjustment); in the paper: 0",
    )
    label_smoothing: Share = Field(0.1, description="of the identity cross-entropy")
    margin: Annotated[float, Field(ge=0)] = Field(0.3, description="of the batch-hard triplet loss")
    triplet: Literal["groups", "parts", "both"] = Field(
        "groups",
        description="distances of the triplet loss: of the global, foreground and part groups (the paper), averaged "
        "over visible parts (GiLt of BPBReID, WACV 2023), or both",
    )
    parsing_start: Annotated[float, Field(ge=0)] | None = Field(
        None, description="alpha before it rises to loss.parsing; none: it does not rise"
    )
    parsing_rise: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] = Field(
        (0, 0), description="epoch after which alpha rises linearly, and epoch from which it is loss.parsing"
    )
    center: Annotated[float, Field(ge=0)] = Field(
        0.0, description="weight of the authors' centre losses of global, foreground and parts (5e-4 on Market)"
    )
    center_lr: Annotated[float, Field(gt=0)] = Field(0.5, description="learning rate of the centres (plain descent)")

    @model_validator(mode="after")
    def _rising(self) -> LossConfig:
        if self.parsing_rise[0] > self.parsing_rise[1]:
            raise ValueError(f"parsing_rise begins after it ends: {list(self.parsing_rise)}")
        return self

    def alpha(self, epoch: int) -> float:
        """The weight of the parsing loss in epoch 1, 2, ...

        >>> loss = LossConfig(parsing=3.0, parsing_start=1.0, parsing_rise=(2, 4))
        >>> [loss.alpha(epoch) for epoch in range(1, 6)]
        [1.0, 1.0, 2.0, 3.0, 3.0]
        """
        first, last = self.parsing_rise
        if self.parsing_start is None or epoch >= last:
            return self.parsing
        risen = max(epoch - first, 0) / (last - first)
        return self.parsing_start + (self.parsing - self.parsing_start) * risen


class OptimConfig(Section):
    """Adam with linear warm-up and step decay (section 4.2)."""

    lr: Annotated[float, Field(gt=0)] = Field(3.5e-4, description="learning rate after the warm-up")
    warmup_epochs: Annotated[int, Field(ge=0)] = Field(10, description="epochs of linear warm-up")
    warmup_lr: Annotated[float, Field(gt=0)] = Field(3.5e-5, description="learning rate at the start of the warm-up")
    warmup_by: Literal["step", "epoch"] = Field(
        "step", description="when warm-up changes the rate; the authors: each epoch"
    )
    milestones: tuple[Positive, ...] = Field((40, 70), description="epochs at which the rate is multiplied by gamma")
    gamma: Annotated[float, Field(gt=0, le=1)] = Field(0.1, description="factor of the learning rate at a milestone")
    weight_decay: Annotated[float, Field(ge=0)] = Field(5e-4, description="of Adam")
    new_layers: Annotated[float, Field(gt=0)] = Field(1.0, description="factor of lr for layers without weights")
    average: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0,
        description="decay of a moving average of the weights, which labels, is evaluated and is stored; 0: none",
    )
    precision: Literal["fp32", "bf16", "fp16"] = Field(
        "fp32", description="of the forward pass in training; fp16 scales the loss"
    )


class RunConfig(Section):
    """Length, seed and what the run directory keeps."""

    epochs: Positive = Field(120, description="epochs to train")
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(0, description="of everything random")
    eval_every: Annotated[int, Field(ge=0)] = Field(10, description="epochs between evaluations (0: only the last)")
    truth: str | None = Field(None, description="folder of ground-truth maps to measure IoU with, never to train on")
    space: str = Field("lip", description="label space of run.truth")
    features: Literal["after-bn", "before-bn"] = Field("after-bn", description="which features embeddings hold")
    keep: Literal["all", "last", "best"] = Field("all", description="which epochs' weights are kept")
    activation: bool = Field(True, description="store Eq. 3 of every training image with its labels")
    tensorboard: bool = Field(False, description="also write TensorBoard event files")


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


def preset_names() -> list[str]:
    """The presets that come with the package, the default and the reference first."""
    names = [entry.name.removesuffix(".yaml") for entry in _presets().iterdir() if entry.name.endswith(".yaml")]
    return sorted(names, key=lambda name: (name not in ("cpu", "paper"), name))


def load_config(
    preset: str | None = None,
    file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    default: str | None = None,
) -> Config:
    """Defaults, then a preset, then a YAML file, then dotted overrides ({"run.epochs": 3}).

    Presets may be joined by +, later ones over earlier ones: "market+resnet50" is Market-1501's recipe on ResNet50.
    Where no preset is given, the file may name one (`base: market`); where it does not either, it is `default`.
    """
    own = {} if file is None else _read_sections(file)
    base = own.pop("base", None)
    if base is not None and not isinstance(base, str):
        raise ConfigError(f"{file}: base names a preset, such as cpu or market+resnet50; got {base!r}")
    document = _presets_document(preset or base or default)
    _override(document, own)
    _override(document, _nested(overrides or {}))
    return check_config(document)


def changed(config: Config, overrides: Mapping[str, Any]) -> Config:
    """The configuration with dotted overrides; where they name another source of labels, the former one's own options
    are left out."""
    document = config.model_dump(mode="json")
    _override(document, _nested(overrides))
    return check_config(document)


def check_config(document: Mapping[str, Any]) -> Config:
    """A nested document as a Config; ConfigError names the key, the value and what is allowed."""
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        items = list(_items(error, (), document))[:5]
        raise ConfigError("; ".join(items)) from None


def parse_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """["loss.parsing=1", ...] -> {"loss.parsing": 1}; values are read as YAML."""
    result: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set takes key=value, such as loss.parsing=1; got {assignment!r}")
        try:
            result[key.strip()] = parse_yaml(value, f"--set {key.strip()}")
        except IspError as error:
            raise ConfigError(f"{error} (it is not a YAML value, such as 1, text or [1, 2])") from None
    return result


def _presets_document(presets: str | None) -> dict[str, Any]:
    """The document of presets joined by +, each over the one it is based on."""
    document: dict[str, Any] = {}
    for name in [part.strip() for part in presets.split("+")] if presets is not None else []:
        names = preset_names()
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ConfigError(f"no preset is called {name!r}: {hint}there are {', '.join(names)}; + joins several")
        text = _presets().joinpath(f"{name}.yaml").read_text("utf-8")
        own = _sections(parse_yaml(text, f"preset {name}"), f"preset {name}")
        _override(document, _presets_document(own.pop("base", None)))
        _override(document, own)
    return document


def _presets() -> Any:
    return resources.files("isp_core") / "presets"


def _read_sections(file: Path) -> dict[str, Any]:
    try:
        return _sections(read_yaml(file), str(file))
    except IspError as error:
        raise ConfigError(str(error)) from None


def _sections(content: Any, where: str) -> dict[str, Any]:
    """A document of sections; empty for an empty file."""
    document = require_mapping(content, where, f"sections ({', '.join(Config.model_fields)})")
    strange = next((key for key in document if not isinstance(key, str)), None)
    if strange is not None:
        raise ConfigError(f"{where}: {strange!r} is not a section; there are {', '.join(Config.model_fields)}")
    return {name: section for name, section in document.items() if section is not None}  # "run:" with nothing below


def _nested(dotted: Mapping[str, Any]) -> dict[str, Any]:
    """{"run.epochs": 3} -> {"run": {"epochs": 3}}."""
    document: dict[str, Any] = {}
    for key, value in dotted.items():
        nested: Any = value
        for name in reversed(key.split(".")):
            nested = {name: nested}
        _merge(document, nested)
    return document


def _override(document: dict[str, Any], layer: Mapping[str, Any]) -> None:
    """Merges a layer of higher priority. Where it names another source of labels than the layers below, options that
    only the former source has are dropped, and a K that the new one does not allow: a preset's `sharpen` must not stand
    in the way of `--labels none`, nor its K of 7 in that of a parser's maps. Neither must a preset's form of training
    that needs parts, or belongings, stand in the way of labels without them."""
    labels, below = layer.get("labels"), document.get("labels")
    if isinstance(labels, Mapping) and isinstance(below, dict):
        name = labels.get("source", below.get("source", DEFAULT))
        source = source_named(name)
        if name != below.get("source", DEFAULT):
            known = source.options.model_fields
            below = document["labels"] = {
                key: value
                for key, value in below.items()
                if key in known and (key != "parts" or value in source.parts_allowed())
            }
        _drop_forms(document, source, {**below, **labels})
    _merge(document, layer)


def _drop_forms(document: dict[str, Any], source: Source[Any], labels: Mapping[str, Any]) -> None:
    """Takes out of `document` what its labels-to-be do not allow; labels of a wrong K are left to their own error."""
    allowed = source.parts_allowed()
    if "parts" in labels and labels["parts"] not in allowed:
        return
    parts = labels.get("parts", source.options.model_fields["parts"].default) if allowed else 0
    if not parts:
        _drop(document, "loss", "triplet")
    if not parts or BELONGINGS not in source.layout(parts):
        _drop(document, "data", "carry")


def _drop(document: Mapping[str, Any], section: str, option: str) -> None:
    if isinstance(document.get(section), dict):
        document[section].pop(option, None)


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


def _items(error: ValidationError, above: tuple[str, ...], document: Mapping[str, Any]) -> Iterator[str]:
    """Each problem in a sentence; those of a source's options are nested in an error of their own."""
    for item in error.errors():
        location = (*above, *(part for part in item["loc"] if isinstance(part, str)))
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, ValidationError):
            yield from _items(cause, location, document)
        else:
            yield _explain(item, location, document)


def _explain(item: Any, location: tuple[str, ...], document: Mapping[str, Any]) -> str:
    key, section = ".".join(location), _section(location[:-1], document)
    if item["type"] == "model_type":
        return f"{key} is a section: write its options below it, as in {key}: {{option: value}}; got {item['input']!r}"
    if not location and item["type"] == "value_error":  # of options that do not go together
        return str(item["ctx"]["error"])
    if item["type"] != "extra_forbidden":
        why = item["ctx"]["error"] if item["type"] == "value_error" else item["msg"]  # pydantic's prefix says nothing
        if item["type"] == "missing":
            return f"{key} is missing{_allowed(section, location)}"
        return f"{key}: {why}; got {item['input']!r}{_allowed(section, location)}"
    known = list(section.model_fields)
    if location[0] == "labels" and len(location) == 2:
        own = document["labels"].get("source", DEFAULT)
        if others := owners(location[1], own):
            owner = f"source {others[0]}" if len(others) == 1 else f"sources {_words(others)}"
            return f"{key} belongs to {owner}; this run's source is {own}, which has {_words(known)}"
    near = difflib.get_close_matches(location[-1], known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"unknown key {key}: {hint}{'.'.join(location[:-1]) or 'the configuration'} has {_words(known)}"


def _words(names: list[str]) -> str:
    return ", ".join(names)


def _section(location: tuple[str, ...], document: Mapping[str, Any]) -> type[Section]:
    """The class of a section by its place; that of labels is its source's."""
    section: Any = Config
    for depth, name in enumerate(location):
        if depth == 0 and name == "labels":
            labels = document.get("labels")
            source = labels.get("source", DEFAULT) if isinstance(labels, Mapping) else DEFAULT
            section = SOURCES[source].options
        else:
            section = section.model_fields[name].annotation
    return section  # type: ignore[no-any-return]


def _allowed(section: type[Section], location: tuple[str, ...]) -> str:
    field = section.model_fields.get(location[-1]) if location else None
    if field is None:
        return ""
    values = [value for value in get_args(field.annotation) if isinstance(value, str | int)]
    allowed = f"; allowed: {', '.join(map(str, values))}" if values else ""
    return allowed + (f" ({field.description})" if field.description else "")
