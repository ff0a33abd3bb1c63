"""What every section of the configuration is made of; below isp_core.config, so that label sources can bring theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from isp_core.errors import IspError
from isp_core.text_files import shown

MAP_STRIDE = 4
"""Pixels of the network's input to a cell of M_g and of label maps, along each axis."""

Positive = Annotated[int, Field(gt=0, le=10**9)]
Pixels = Annotated[int, Field(gt=0, le=4096)]
NotNegative = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]


class ConfigError(IspError):
    """A configuration that cannot be understood; the message says what is allowed."""


class Section(BaseModel):
    """A part of the configuration: frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _as_written(cls, value: object, info: ValidationInfo) -> object:
        """Python takes True for 1, but whoever writes `seed: true` means something else; and run.json, which records
        every value, is UTF-8."""
        if isinstance(value, str) and shown(value) != value:
            raise ValueError(f"{shown(value)} is not UTF-8: rename that file or folder, or give a link to it")
        annotation = cls.model_fields[str(info.field_name)].annotation
        values = list(value.values()) if isinstance(value, Mapping) and get_origin(annotation) is dict else value
        if _holds_boolean(values) and not _takes_boolean(annotation):
            raise ValueError("true and false are not allowed here")
        return value


def _holds_boolean(value: object) -> bool:
    return isinstance(value, bool) or (isinstance(value, list | tuple) and any(map(_holds_boolean, value)))


def _takes_boolean(annotation: Any) -> bool:
    return annotation is bool or any(map(_takes_boolean, get_args(annotation)))
