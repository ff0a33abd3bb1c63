"""Crop box: one person cut out of an image by a box on it, with the mouse, a finger or keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from isp_app.components import markup, script, style

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in 0..1 of the image's width and height."""

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
KEYS = "arrows move, Shift + arrows resize, R keeps 1 : 2, 0 whole image"
HINT = f"Drag to draw a box, drag inside to move it, drag a corner to resize it; {KEYS}."
_SMALLEST = 0.01

_component = st.components.v2.component(
    "isp_crop_box", html=markup("crop_box"), css=style("crop_box"), js=script("crop_box")
)


def crop_box(
    image: str, size: tuple[int, int], *, identifier: str, box: Box, title: str, key: str, width: int, height: int
) -> Box:
    """Shows `image` (a data URI) of size (width, height) pixels in at most width x height CSS pixels; the box as last
    drawn on it. identifier: tells images apart: another image starts with its own `box`."""
    result = _component(
        key=key,
        on_box_change=lambda: None,
        data={
            "image": image,
            "w": size[0],
            "h": size[1],
            "id": identifier,
            "box": list(box),
            "title": title,
            "hint": HINT,
            "keys": KEYS,
            "width": width,
            "height": height,
        },
    )
    said = result.get("box")
    if isinstance(said, Mapping) and said.get("id") == identifier:
        return read_box(said.get("box")) or box
    return box


def read_box(value: object) -> Box | None:
    """A box from the browser; None where it is none.

    >>> read_box([0.25, 0, 0.5, 1]), read_box([0.5, 0, 0.25, 1]), read_box("x")
    ((0.25, 0.0, 0.5, 1.0), None, None)
    """
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 4:
        return None
    if not all(isinstance(v, int | float) and 0 <= v <= 1 for v in value):
        return None
    left, top, right, bottom = (float(v) for v in value)
    if right - left < _SMALLEST or bottom - top < _SMALLEST:
        return None
    return left, top, right, bottom
