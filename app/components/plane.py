"""Points on a plane: hover shows a thumbnail, a drag encircles points, a click chooses one. Drawn in the browser."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import streamlit as st

from isp_app.components import markup, script, style
from isp_app.drawing.encode import Sprite
from isp_core.palette import RAMP

HINT = (
    "Drag to encircle images, click one to see its neighbours, Shift+drag moves, Ctrl+wheel zooms. Keys: arrows go "
    "from image to image, Enter chooses, Escape clears, + - zoom, 0 whole plane"
)
SHAPES = ("circle", "square", "diamond", "cross", "up", "down", "bar")
MOST_CORNERS = 64

_component = st.components.v2.component("isp_plane", html=markup("plane"), css=style("plane"), js=script("plane"))


@dataclass(frozen=True)
class Class:
    """An entry of the legend. shape: one of SHAPES, "" for a hollow circle."""

    name: str
    colour: str
    shape: str = ""


@dataclass(frozen=True)
class Colouring:
    """How points look: classes and each point's, or a scale and each point's value (not finite: grey)."""

    classes: tuple[Class, ...] = ()
    of: tuple[int, ...] = ()
    scale: str = ""
    values: tuple[float, ...] = ()


Points = npt.NDArray[np.float32]
Corners = tuple[tuple[float, float], ...]


def plane(
    points: Points,
    ids: Sequence[int],
    words: Sequence[str],
    colouring: Colouring,
    *,
    title: str,
    key: str,
    lasso: Corners,
    inside: Sequence[int],
    at: int | None,
    neighbours: Sequence[int],
    sprite: Sprite | None,
    encircled: Callable[[Corners], None],
    opened: Callable[[int | None], None],
) -> bool:
    """Shows points (n, 2). Returns whether thumbnails are wanted.

    ids: what comes back of a point; lasso: the corners of what is encircled, `inside` its points; at, neighbours: the
    chosen point and those to join with it; sprite: thumbnails in the points' order. encircled, opened: called before
    the next rerun with a new lasso (empty: cleared) or point (None: cleared).
    """
    colours, shapes, scale = _look(colouring)

    def said(name: str) -> object:
        state = st.session_state.get(key)
        return state.get(name) if isinstance(state, Mapping) else None

    def choose() -> None:
        at = said("at")
        opened(int(at) if isinstance(at, int | float) and at >= 0 else None)

    result = _component(
        key=key,
        on_lasso_change=lambda: encircled(corners(said("lasso"))),
        on_at_change=choose,
        on_thumbs_change=lambda: None,
        data={
            "plane": key,
            "title": title,
            "alt": f"{title}: {len(points)} images",
            "hint": HINT,
            "x": [round(float(v), 4) for v in points[:, 0]],
            "y": [round(float(v), 4) for v in points[:, 1]],
            "ids": [int(one) for one in ids],
            "words": list(words),
            "colours": colours,
            "shapes": shapes,
            "legend": [{"name": c.name, "colour": c.colour, "shape": c.shape} for c in colouring.classes],
            "scale": scale,
            "ramp": [_css(rgb) for rgb in RAMP[::15]] if scale else None,
            "lasso": [list(corner) for corner in lasso] or None,
            "inside": [int(one) for one in inside],
            "at": at,
            "neighbours": [int(one) for one in neighbours],
            "sprite": None
            if sprite is None or sprite.url is None
            else {"url": sprite.url, "width": sprite.width, "height": sprite.height, "columns": sprite.columns},
        },
    )
    return bool(result.get("thumbs"))


def corners(value: object) -> Corners:
    """The corners of a lasso out of [[x, y], ...]; empty where it is none."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not 3 <= len(value) <= MOST_CORNERS:
        return ()
    try:
        found = tuple((float(x), float(y)) for x, y in value)
    except (TypeError, ValueError):
        return ()
    return found if np.isfinite(np.array(found)).all() else ()


def _look(colouring: Colouring) -> tuple[list[str], list[str], dict[str, str] | None]:
    """Each point's colour and shape, and the ends of the scale."""
    if colouring.classes:
        classes = [colouring.classes[i] for i in colouring.of]
        return [c.colour for c in classes], [c.shape for c in classes], None
    values = np.array(colouring.values, float)
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    finite = np.isfinite(values)
    steps = np.where(finite, (values - low) / ((high - low) or 1), 0) * 255
    colours = [_css(RAMP[int(step)]) if known else "#8a8a8a" for step, known in zip(steps, finite, strict=True)]
    scale = {"name": colouring.scale, "low": f"{low:.4g}", "high": f"{high:.4g}"}
    return colours, ["circle" if known else "" for known in finite], scale


def _css(rgb: Sequence[int]) -> str:
    return f"rgb({','.join(map(str, rgb))})"
