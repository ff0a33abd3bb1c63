"""Epoch scrubber: one image over all stored epochs, scrubbed and played in the browser.

All label maps arrive as one PNG. Epochs that are not stored are named, never interpolated.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from isp_app.components import markup, script, style
from isp_app.drawing.encode import grid_png, to_uri
from isp_app.state.look import Look, listen
from isp_core.palette import RAMP, Palette
from isp_core.runs.maps import Maps

HINT = (
    "arrows one epoch, Page Up / Page Down ten, Home, End, Space play, 1-9 hide or show a part, Shift+1-9 show it "
    "alone, A all, O outline and names, [ ] opacity, + - zoom, Shift+arrows read pixel by pixel, 0 whole image"
)

_component = st.components.v2.component(
    "isp_epoch_scrubber", html=markup("epoch_scrubber"), css=style("epoch_scrubber"), js=script("epoch_scrubber")
)


@dataclass(frozen=True)
class Series:
    """A curve locked to the cursor: values by epoch (NaN where there is none), a dashed level to compare it with."""

    name: str
    epochs: Sequence[int]
    values: Sequence[float]
    unit: str = ""
    digits: int = 1
    level: float | None = None
    note: str = ""


def epoch_scrubber(
    epochs: Sequence[int],
    maps: Maps,
    palette: Palette,
    series: Sequence[Series],
    *,
    title: str,
    alt: str,
    key: str,
    look: Look,
    epoch: int,
    image: str | None = None,
    heat: Maps | None = None,
    aspect: float = 2.0,
    width: int = 240,
) -> int | None:
    """Shows maps (E, h, w) of the given epochs, and activations `heat` (E, h, w) in 0..255 where they are stored.

    Returns the epoch the hand last came to rest on, None before it moved.
    """
    strip, columns = grid_png(palette.coded(maps))
    steps = np.diff(epochs)
    step = int(np.min(steps)) if len(steps) else 1
    result = _component(
        key=key,
        on_epoch_change=lambda: None,
        on_look_change=listen(key),
        data={
            "title": title,
            "alt": alt,
            "hint": HINT,
            "width": width,
            "aspect": aspect,
            "look": look.as_data(),
            "parts": palette.as_data(),
            "epochs": [int(e) for e in epochs],
            "epoch": int(epoch),
            "step": step,
            "missing": missing_epochs(epochs),
            "strip": to_uri(strip, "image/png"),
            "columns": columns,
            "w": int(maps.shape[2]),
            "h": int(maps.shape[1]),
            "image": image,
            "heat": to_uri(grid_png(heat)[0], "image/png") if heat is not None else None,
            "ramp": RAMP if heat is not None else None,
            "series": [
                {
                    "name": s.name,
                    "epochs": [int(e) for e in s.epochs],
                    "values": [None if v != v else float(v) for v in s.values],
                    "unit": s.unit,
                    "digits": s.digits,
                    "level": None if s.level is None or s.level != s.level else float(s.level),
                    "note": s.note,
                }
                for s in series
                if any(v == v for v in s.values)
            ],
        },
    )
    chosen = result.get("epoch")
    return int(chosen) if chosen is not None and int(chosen) in set(epochs) else None


def missing_epochs(epochs: Sequence[int]) -> str:
    """Says which epochs between the first and the last have no stored map; "" where none is missing.

    >>> missing_epochs([0, 1, 2, 5, 6, 9])
    'No map is stored for epochs 3-4, 7-8; they are left out, not interpolated.'
    """
    present = sorted(set(epochs))
    gaps = [(a + 1, b - 1) for a, b in itertools.pairwise(present) if b - a > 1]
    if not gaps:
        return ""
    names = [str(a) if a == b else f"{a}-{b}" for a, b in gaps]
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more gaps" if len(names) > 8 else "")
    return f"No map is stored for epochs {shown}; they are left out, not interpolated."
