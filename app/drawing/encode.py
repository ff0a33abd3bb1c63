"""Bytes for the browser: label maps as grey PNGs, many images as one sprite, data URIs. Arrays in, bytes out."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
_MAX_SIDE = 8192  # browsers refuse canvases much larger than this


def to_uri(data: bytes, mime: str) -> str:
    """A data URI: the image travels with the page, so that no second request is made."""
    return f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"


def png(pixels: Pixels) -> bytes:
    """Exact bytes: (h, w) as a grey PNG whose grey value is the label, (h, w, 3) as RGB."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=False, compress_level=9)
    return buffer.getvalue()


def mask_uri(labels: Pixels) -> str:
    """A label map (h, w) for the mask viewer."""
    return to_uri(png(labels), "image/png")


def grid_png(maps: Pixels) -> tuple[bytes, int]:
    """Maps (n, h, w) as one grey PNG, row by row, and its number of columns.

    >>> data, columns = grid_png(np.zeros((3, 4, 2), np.uint8))
    >>> columns, Image.open(io.BytesIO(data)).size
    (1, (2, 12))
    """
    n, h, w = maps.shape
    columns = max(1, -(-n * h // _MAX_SIDE))
    rows = -(-n // columns)
    sheet = np.zeros((rows * columns, h, w), np.uint8)
    sheet[:n] = maps
    return png(sheet.reshape(rows, columns, h, w).transpose(0, 2, 1, 3).reshape(rows * h, columns * w)), columns


@dataclass(frozen=True)
class Sprite:
    """Many images of width x height in one, `columns` a row; None where there are none to show.

    labels: their part maps of label_w x label_h in palette codes, `label_columns` a row; None where there are none.
    alone: there are maps but no images.
    """

    url: str | None
    width: int
    height: int
    columns: int
    labels: str | None = None
    label_w: int = 0
    label_h: int = 0
    label_columns: int = 1
    alone: bool = False


def sheet_webp(tiles: Sequence[Pixels], width: int, height: int, columns: int) -> bytes:
    """Tiles (height, width, 3) side by side, row by row, as one WebP."""
    rows = max(1, -(-len(tiles) // columns))
    sheet = np.zeros((rows * height, columns * width, 3), np.uint8)
    for i, tile in enumerate(tiles):
        y, x = divmod(i, columns)
        sheet[y * height : (y + 1) * height, x * width : (x + 1) * width] = tile
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "WEBP", quality=80, method=1)
    return buffer.getvalue()


def sprite(tiles: Sequence[Pixels] | None, width: int, height: int, labels: Pixels | None = None) -> Sprite:
    """A sprite of RGB tiles (height, width, 3), and of part maps (n, h, w) in palette codes. None: maps alone."""
    url, columns = None, 1
    if tiles is not None:
        columns = max(1, min(len(tiles), _MAX_SIDE // width, 20))
        url = to_uri(sheet_webp(tiles, width, height, columns), "image/webp")
    if labels is None or not len(labels):
        return Sprite(url, width, height, columns)
    sheet, label_columns = grid_png(labels)
    _, h, w = labels.shape
    return Sprite(url, width, height, columns, to_uri(sheet, "image/png"), w, h, label_columns, alone=tiles is None)


def overlay(image: Pixels | None, labels: Pixels, colours: Pixels, opacity: float, size: tuple[int, int]) -> Pixels:
    """An image under its label map, (H, W, 3). size: (H, W).

    labels (h, w) are enlarged by repetition, never smoothed. colours: (256, 3). Background stays clear; without a
    image, maps are drawn on dark grey.
    """
    height, width = size
    rows = np.arange(height) * labels.shape[0] // height
    columns = np.arange(width) * labels.shape[1] // width
    large = labels[rows[:, None], columns[None, :]]
    if image is None:
        base = np.full((height, width, 3), 43, np.uint8)
    elif image.shape[:2] == size:
        base = image
    else:
        base = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
    weight = np.where(large == 0, 0.0, opacity)[..., None]
    mixed: Pixels = (base * (1 - weight) + colours[large] * weight + 0.5).astype(np.uint8)
    return mixed
