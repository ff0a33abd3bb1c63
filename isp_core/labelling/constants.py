"""Constants that sources of labels share: where a body begins and ends, and how finely its height is looked at.

They change labels, so they are part of the configuration (`labels.advanced`) and of run.json. None was tuned.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from isp_core.section import NotNegative, Positive, Section, Share


class BodyConstants(Section):
    """What a mask says about the body in it. Sources add their own constants in a subclass."""

    top: Share = Field(
        0.01, description="share of a mask's pixels that lie above the body: a few stray pixels are no head"
    )
    bottom: Share = Field(0.99, description="share of a mask's pixels that lie above the end of the body")
    least_rows: Positive = Field(8, description="rows that a body has at least: heights in tiny masks are finite")
    legs_above_shoes: Share = Field(0.05, description="height that legs have at least above the shoes")
    enlarged: Annotated[float, Field(gt=0)] = Field(
        2.0, description="least factor by which images are enlarged for fine features"
    )
    stray: NotNegative = Field(
        1, description="a cluster with no more pixels than this in an image does not count as visible there"
    )

    @model_validator(mode="after")
    def _upright(self) -> BodyConstants:
        if self.top >= self.bottom:
            raise ValueError(f"bottom={self.bottom:g} must be more than top={self.top:g}")
        return self


BODY = BodyConstants()
"""The defaults."""
