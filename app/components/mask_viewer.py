"""Mask viewer: pictures and their label maps under one zoom, one cursor, one legend. The server is not asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from isp_app.components import markup, script, style
from isp_app.state.look import Look, listen
from isp_core.palette import Palette

HINT = (
    "1-9 hide or show a part, Shift+1-9 show it alone, A all, O outline and names, [ ] opacity, + - zoom, arrows move, "
    "0 whole picture"
)

_component = st.components.v2.component(
    "isp_mask_viewer", html=markup("mask_viewer"), css=style("mask_viewer"), js=script("mask_viewer")
)


@dataclass(frozen=True)
class Panel:
    """One picture of the viewer. Pictures and maps are data URIs (isp_app.drawing.encode); either may be missing.

    aspect: height / width of the panel. note: shown under the title while the cursor is elsewhere.
    """

    title: str
    alt: str
    mask: str | None = None
    image: str | None = None
    aspect: float = 2.0
    note: str = ""


def mask_viewer(
    panels: Sequence[Panel], palette: Palette, *, title: str, key: str, look: Look, width: int = 160
) -> None:
    """Shows the panels side by side, each `width` CSS pixels wide."""
    _component(
        key=key,
        on_look_change=listen(key),
        data={
            "title": title,
            "hint": HINT,
            "width": width,
            "look": look.as_data(),
            "parts": palette.as_data(),
            "items": [
                {
                    "title": panel.title,
                    "alt": panel.alt,
                    "mask": panel.mask,
                    "image": panel.image,
                    "aspect": panel.aspect,
                    "note": panel.note,
                }
                for panel in panels
            ],
        },
    )
