"""Sheets of images with words on them, for downloads: rows and columns with captions. Arrays in, an array out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from isp_app.drawing.encode import Pixels
from isp_core.palette import Palette, Part

_GAP = 6
_LINE = 16
_SIDE = 120


def sheet(
    tiles: Sequence[Sequence[Pixels | None]],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    palette: Palette | None = None,
    footer: Sequence[str] = (),
) -> Pixels:
    """Tiles of equal size in a table, on white; None leaves a cell empty and crossed out, never filled in."""
    height, width = next(tile.shape[:2] for row in tiles for tile in row if tile is not None)
    left = _SIDE if any(rows) else _GAP
    top = _GAP + (_LINE if any(columns) else 0)
    w = left + max(len(row) for row in tiles) * (width + _GAP)
    grid = top + len(tiles) * (height + _GAP)
    w, font = max(w, 420), ImageFont.load_default(12)
    legend = _legend(palette, w - 8, font)
    footer = [line for text in footer for line in _wrapped(text, w - 8, font)]
    canvas = Image.new("RGB", (w, grid + _LINE * (len(legend) + len(footer)) + _GAP), "white")
    draw = ImageDraw.Draw(canvas)
    for j, name in enumerate(columns):
        draw.text((left + j * (width + _GAP), 2), _fit(draw, name, width, font), "black", font)
    for i, row in enumerate(tiles):
        y = top + i * (height + _GAP)
        for n, line in enumerate(rows[i].split("\n") if i < len(rows) else ()):
            draw.text((4, y + n * _LINE), _fit(draw, line, left - 8, font), "black", font)
        for j, tile in enumerate(row):
            x = left + j * (width + _GAP)
            if tile is None:
                draw.rectangle((x, y, x + width - 1, y + height - 1), outline="grey")
                draw.line((x, y, x + width - 1, y + height - 1), "grey")
            else:
                canvas.paste(Image.fromarray(tile), (x, y))
    for n, entries in enumerate(legend):
        for x, part in entries:
            y = grid + n * _LINE
            draw.rectangle((4 + x, y + 2, x + 15, y + 13), fill=part.rgb, outline="black")
            draw.text((x + 20, y), part.name, "black", font)
    for n, line in enumerate(footer):
        draw.text((4, grid + (len(legend) + n) * _LINE), line, "black", font)
    return np.asarray(canvas)


def _legend(
    palette: Palette | None, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> list[list[tuple[int, Part]]]:
    """The legend's lines: parts and where they begin, broken where the sheet ends."""
    lines: list[list[tuple[int, Part]]] = []
    x = width
    for part in palette.parts if palette is not None else ():
        needed = 16 + int(font.getlength(part.name))
        if not lines or x + needed > width:
            lines.append([])
            x = 0
        lines[-1].append((x, part))
        x += needed + 12
    return lines


def _fit(draw: ImageDraw.ImageDraw, text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    while text and draw.textlength(text, font) > width:
        text = text[:-2] + "…" if len(text) > 2 else ""
    return text


def _wrapped(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getbbox(longer)[2] > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def framed(tile: Pixels, right: bool | None) -> Pixels:
    """The tile in a frame: solid blue where right, dashed orange where wrong, thin black where neither."""
    image = Image.fromarray(tile)
    draw = ImageDraw.Draw(image)
    w, h = image.size
    if right is None:
        draw.rectangle((0, 0, w - 1, h - 1), outline="black")
    elif right:
        draw.rectangle((0, 0, w - 1, h - 1), outline=(0x00, 0x72, 0xB2), width=4)
    else:
        for x in range(0, w, 10):
            draw.rectangle((x, 0, x + 5, 3), fill=(0xD5, 0x5E, 0x00))
            draw.rectangle((x, h - 4, x + 5, h - 1), fill=(0xD5, 0x5E, 0x00))
        for y in range(0, h, 10):
            draw.rectangle((0, y, 3, y + 5), fill=(0xD5, 0x5E, 0x00))
            draw.rectangle((w - 4, y, w - 1, y + 5), fill=(0xD5, 0x5E, 0x00))
    return np.asarray(image)
