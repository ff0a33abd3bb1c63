"""Mask viewer: images and their label maps under one zoom, one cursor, one legend. The server is not asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from isp_app.components import markup, script, style
from isp_app.state.look import Look, listen
from isp_core.palette import Palette

HINT = (
    "1-9 hide or show a part, Shift+1-9 show it alone, A all, O outline and names, [ ] opacity, + - zoom, arrows move, "
    "Shift+arrows read pixel by pixel, 0 whole image"
)

_component = st.components.v2.component(
    "isp_mask_viewer", html=markup("mask_viewer"), css=style("mask_viewer"), js=script("mask_viewer")
)


@dataclass(frozen=True)
class Panel:
    """One image of the viewer. Images and maps are data URIs (isp_app.drawing.encode); either may be missing.

    aspect: height / width of the panel. note: shown under the title while the cursor is elsewhere. id: comes back when
    the title or the image is clicked; None: neither can be.
    """

    title: str
    alt: str
    mask: str | None = None
    image: str | None = None
    aspect: float = 2.0
    note: str = ""
    id: int | None = None


def mask_viewer(
    panels: Sequence[Panel],
    palette: Palette,
    *,
    title: str,
    key: str,
    look: Look,
    width: int = 160,
    on_open: Callable[[int], None] | None = None,
) -> int | None:
    """Shows the panels side by side, each about `width` CSS pixels wide. on_open: hears of a clicked title before the
    rerun. Returns the id of the panel whose image was clicked just now."""
    known = {panel.id for panel in panels}

    def opening() -> None:
        state = st.session_state.get(key)
        panel = state.get("open") if isinstance(state, Mapping) else None
        if on_open is not None and isinstance(panel, int) and panel in known:
            on_open(panel)

    result = _component(
        key=key,
        on_open_change=opening,
        on_click_change=lambda: None,
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
                    "id": panel.id,
                }
                for panel in panels
            ],
        },
    )
    clicked = result.get("click")
    return int(clicked) if isinstance(clicked, int | float) else None
