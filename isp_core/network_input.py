"""How an image enters a network that we did not make, and the one reader of YAML files that describe such networks.

Used for part parsers (eval.parsers) and for networks whose feature maps are clustered (isp_core.foreign).
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError, model_validator

from isp_core.errors import IspError
from isp_core.section import Section
from isp_core.text_files import shown
from isp_core.yaml_files import read_yaml, require_mapping

Layout = Literal["NCHW", "NHWC"]
Triple = tuple[float, float, float]
Side = Annotated[int, Field(ge=8, le=8192)]
Deviation = Annotated[float, Field(gt=0)]
Floats = npt.NDArray[np.float32]


class Described(Section):
    """A part of a description: as strict as a section of the configuration."""


class NetworkInput(Described):
    """How an image enters the network, per channel in the order of `channels`.

    Either x * scale + shift with x in 0..255, or (x / 255 - mean) / std. size: height and width. name: of the input;
    None: it has only one. fit: whether an image is stretched to the size, or padded with black (letterbox).
    """

    name: str | None = None
    size: tuple[Side, Side]
    layout: Layout = "NCHW"
    channels: Literal["RGB", "BGR"] = "RGB"
    fit: Literal["stretch", "letterbox"] = "stretch"
    scale: Triple | None = None
    shift: Triple | None = None
    mean: Triple | None = None
    std: tuple[Deviation, Deviation, Deviation] | None = None

    @model_validator(mode="after")
    def _normalised_in_one_way(self) -> NetworkInput:
        given = [name for name in ("scale", "shift", "mean", "std") if getattr(self, name) is not None]
        if given not in (["scale", "shift"], ["mean", "std"]):
            raise ValueError(
                "how are pixels normalised? Give scale and shift (x * scale + shift, x in 0..255), or mean and std "
                f"(of x / 255), three numbers each; given: {', '.join(given) or 'none of them'}"
            )
        return self

    def enter(self, pixels: npt.NDArray[Any]) -> Floats:
        """What the network reads of RGB images (n, H, W, 3) in 0..255 at its size: (n, 3, H, W) or (n, H, W, 3)."""
        values = np.asarray(pixels, np.float32)
        if self.channels == "BGR":
            values = values[..., ::-1]
        scale, shift = self._affine()
        values = values * scale + shift
        return np.ascontiguousarray(values if self.layout == "NHWC" else values.transpose(0, 3, 1, 2))

    def _affine(self) -> tuple[Floats, Floats]:
        if self.scale is not None and self.shift is not None:
            return np.array(self.scale, np.float32), np.array(self.shift, np.float32)
        mean, std = np.array(self.mean, np.float64), np.array(self.std, np.float64)
        return (1 / 255 / std).astype(np.float32), (-mean / std).astype(np.float32)


Description = TypeVar("Description", bound=Described)


def read_description(path: Path, kind: type[Description], example: str) -> Description:
    """The description in a YAML file. `example`: where a user finds one that is right.

    Raises:
        IspError: the file cannot be read or is no YAML, or an entry is wrong; it is named, with what is allowed.
    """
    document = require_mapping(read_yaml(path), str(path), f"a description with {', '.join(kind.model_fields)}")
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise IspError(f"{shown(path)}: {_first(error, kind)}; see {example} for an example") from None


def _first(error: ValidationError, kind: type[Described]) -> str:
    # a mistyped key is named before the one that it leaves missing
    item: Any = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    location = [str(part) for part in item["loc"]]
    where = ".".join(location) or "the document"
    if item["type"] == "extra_forbidden":
        known = list(_section(kind, location[:-1]).model_fields)
        near = difflib.get_close_matches(location[-1], known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"unknown key {where}: {hint}there are {', '.join(known)}"
    return f"{where}: {item['ctx']['error'] if item['type'] == 'value_error' else item['msg']}"


def _section(kind: type[Described], location: list[str]) -> type[Described]:
    """The class of the section at a place in a description of this kind."""
    for name in location:
        annotation = kind.model_fields[name].annotation
        kinds = (each for each in (annotation, *get_args(annotation)) if isinstance(each, type))
        kind = next(each for each in kinds if issubclass(each, Described))
    return kind
