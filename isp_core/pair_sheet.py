"""One image that explains a distance: both people with their parts, and the terms of Eq. 10 below them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from isp_core.data.pictures import Picture, as_image
from isp_core.drawing import overlay, strip
from isp_core.palette import Palette

if TYPE_CHECKING:
    from isp_core.matching import Explanation

Labels = npt.NDArray[np.uint8]
_HEIGHT, _LINE, _MARGIN, _WIDTH = 320, 24, 16, 640
_GREY, _PALE = (70, 70, 70), (215, 215, 215)


@dataclass(frozen=True)
class Term:
    """One term of Eq. 10: its name, its distance, and whether both images show it, so that it counts."""

    name: str
    distance: float
    counts: bool
    rgb: tuple[int, int, int] = _GREY


def terms_of(explanation: Explanation, palette: Palette, pair: int = 0) -> list[Term]:
    """The terms of one pair: global, foreground (where there is one), then the parts by the palette's names."""
    terms = [Term("global", float(explanation.d_global[pair]), True)]
    foreground = float(explanation.d_foreground[pair])
    if foreground == foreground:
        terms.append(Term("foreground", foreground, True))
    colours = palette.table()
    for k, (distance, shared) in enumerate(
        zip(explanation.d_parts[pair], explanation.shared[pair], strict=True), start=1
    ):
        red, green, blue = (int(value) for value in colours[k])
        terms.append(Term(palette.name(k), float(distance), bool(shared), (red, green, blue)))
    return terms


def pair_sheet(
    images: tuple[Picture, Picture],
    labels: tuple[Labels, Labels] | None,
    terms: Sequence[Term],
    distance: float,
    palette: Palette,
) -> Image.Image:
    """Both images, each next to itself with its parts, and a bar per term; terms that do not count are pale.

    Args:
        images: of any sizes. labels: their label maps (h, w), or None for a network without parts.
        terms: as `terms_of` gives them. distance: their mean, Eq. 10. palette: the run's.
    """
    panels: list[Picture] = []
    for each, image in enumerate(images):
        panels.append(as_image(image))
        if labels is not None:
            panels.append(overlay(image, labels[each], palette))
    people = strip([_scaled(as_image(panel)) for panel in panels], gap=8)
    width = max(people.width, _WIDTH) + 2 * _MARGIN
    sheet = Image.new("RGB", (width, _HEIGHT + _LINE * (len(terms) + 2) + 3 * _MARGIN), "white")
    sheet.paste(people, ((width - people.width) // 2, _MARGIN))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=15)
    top = _HEIGHT + 2 * _MARGIN
    draw.text((_MARGIN, top), f"distance {distance:.4f}: the mean of the terms that count (Eq. 10)", "black", font)
    bars, longest = _MARGIN + 260, width - 2 * _MARGIN - 330
    scale = longest / max([1.0, *(term.distance for term in terms)])
    for row, term in enumerate(terms, start=1):
        y = top + row * _LINE
        note = "" if term.counts else " (not in both)"
        draw.text((_MARGIN, y), term.name[:28] + note, "black" if term.counts else _GREY, font)
        length = max(1, round(term.distance * scale))
        draw.rectangle((bars, y + 3, bars + length, y + _LINE - 7), fill=term.rgb if term.counts else _PALE)
        draw.text((bars + length + 8, y), f"{term.distance:.3f}", "black" if term.counts else _GREY, font)
    return sheet


def _scaled(image: Image.Image) -> Image.Image:
    return image.resize((max(1, round(image.width * _HEIGHT / image.height)), _HEIGHT))
