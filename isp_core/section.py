"""What every section of the configuration is made of; below isp_core.config, so that label sources can bring theirs."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from isp_core.errors import IspError

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
