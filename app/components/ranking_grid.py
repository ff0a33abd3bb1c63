"""Ranking grid: images from one sprite, marked right or wrong in three ways (mark, border style, colour), with their
part maps over them on demand. Drawing happens in the browser."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import streamlit as st

from isp_app.components import markup, script, style
from isp_app.drawing.encode import Sprite
from isp_app.state.look import current_look, listen
from isp_core.palette import Palette

Mark = Literal["match", "wrong", "query", "none"]

_component = st.components.v2.component(
    "isp_ranking_grid", html=markup("ranking_grid"), css=style("ranking_grid"), js=script("ranking_grid")
)


@dataclass(frozen=True)
class Tile:
    """One picture: `id` comes back when it is opened; text and more are the two lines below it."""

    id: int
    mark: Mark
    text: str
    alt: str
    more: str = ""


def ranking_grid(
    tiles: Sequence[Tile],
    sprite: Sprite,
    palette: Palette,
    *,
    title: str,
    key: str,
    selected: int | None = None,
    on_open: Callable[[int], None] | None = None,
) -> int | None:
    """Shows the tiles in the sprite's order. Returns the id of the tile just opened, None otherwise.

    palette: the colours that the sprite's part maps are coded in. on_open: hears of an opened tile before the rerun, so
    that all of the page is drawn with the new choice.
    """
    known = {tile.id for tile in tiles}

    def opening() -> None:
        state = st.session_state.get(key)
        tile = state.get("open") if isinstance(state, Mapping) else None
        if on_open is not None and isinstance(tile, int) and tile in known:
            on_open(tile)

    result = _component(
        key=key,
        on_open_change=opening,
        on_look_change=listen(key),
        data={
            "look": current_look().as_data(),
            "parts": palette.as_data(),
            "title": title,
            "selected": selected,
            "tiles": [{"id": t.id, "mark": t.mark, "text": t.text, "alt": t.alt, "more": t.more} for t in tiles],
            "sprite": asdict(sprite),
        },
    )
    opened = result.get("open")
    return int(opened) if opened is not None else None
