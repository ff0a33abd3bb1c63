"""Label maps as pictures: palette PNGs that other tools read, and overlays for people. PIL pictures in and out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from isp_core.errors import IspError
from isp_core.palette import Palette, assign, mean_heights

Labels = npt.NDArray[np.uint8]


def palette_of(labels: Labels) -> Palette:
    """Colours for the parts of label maps (n, h, w) or (h, w) by their mean height: no truth is asked."""
    maps = labels if labels.ndim == 3 else labels[None]
    parts = int(maps[maps != 255].max(initial=0)) + 1
    return assign(mean_heights(maps, parts))


def label_image(labels: Labels, palette: Palette | None = None, size: tuple[int, int] | None = None) -> Image.Image:
    """A label map (h, w) as a palette picture whose values are the labels, at `size` (width, height) where given."""
    if labels.ndim != 2:
        raise IspError(f"a label map has the shape (h, w); got {labels.shape}")
    image = Image.fromarray(labels)
    image.putpalette((palette or palette_of(labels)).table().flatten().tolist())
    return image if size is None else image.resize(size, Image.Resampling.NEAREST)


def save_label_map(labels: Labels, file: Path, size: tuple[int, int] | None = None) -> None:
    """Writes `label_image` as PNG, making the folder where needed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    label_image(labels, size=size).save(file, "PNG", optimize=True)


def overlay(picture: Image.Image, labels: Labels, palette: Palette | None = None, opacity: float = 0.55) -> Image.Image:
    """The picture with its parts tinted; background and ignored pixels stay as they are. opacity in [0, 1]."""
    if not 0 <= opacity <= 1:
        raise IspError(f"opacity lies in [0, 1]; got {opacity}")
    picture = picture.convert("RGB")
    tint = label_image(labels, palette, picture.size).convert("RGB")
    shown = label_image(labels, palette, picture.size)
    mask = np.asarray(shown)
    weight = np.where((mask == 0) | (mask == 255), 0, round(255 * opacity)).astype(np.uint8)
    return Image.composite(tint, picture, Image.fromarray(weight))


def strip(pictures: Sequence[Image.Image], gap: int = 4) -> Image.Image:
    """Pictures side by side at the height of the first: a film strip of epochs, or a row of a figure."""
    if not pictures:
        raise IspError("a strip needs at least one picture")
    height = pictures[0].height
    scaled = [picture.resize((round(picture.width * height / picture.height), height)) for picture in pictures]
    sheet = Image.new("RGB", (sum(each.width + gap for each in scaled) - gap, height), "white")
    left = 0
    for each in scaled:
        sheet.paste(each, (left, 0))
        left += each.width + gap
    return sheet
