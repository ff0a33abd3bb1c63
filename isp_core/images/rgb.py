"""From any colour mode to RGB: one rule for depth and one for transparency. In strips, so that large images fit."""

from __future__ import annotations

import numpy as np
from PIL import Image

_STRIP_PIXELS = 4_000_000


def to_rgb(image: Image.Image) -> Image.Image:
    """RGB of a loaded image of any mode; transparency is laid on white.

    Grey of more than 8 bits is scaled by the depth that its values need, of those that sensors have: up to 255 as 8
    bits, up to 4095 as 12, else as 16. A thermal image of 12 bits in a 16-bit file is thus neither black nor white.

    Raises:
        ValueError: floating-point pixels, which have no known range.
    """
    return _convert(image, _shift(image))


def reduced_rgb(image: Image.Image, factor: int) -> Image.Image:
    """`to_rgb` at 1 / factor of the size (rounded up), each pixel the mean of its factor x factor block.

    Works in strips: of a large image there is never a second copy.
    """
    if factor <= 1:
        return to_rgb(image)
    width, height = image.size
    shift = _shift(image)
    small = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    rows = max(1, _STRIP_PIXELS // (width * factor)) * factor
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(height, top + rows)))
        small.paste(_convert(strip, shift).reduce(factor), (0, top // factor))
    return small


def _shift(image: Image.Image) -> int:
    """Bits that grey of more than 8 bits loses; 0 for all other modes."""
    if image.mode == "F":
        raise ValueError("floating-point pixels, which have no known range")
    if not image.mode.startswith("I"):
        return 0
    highest = int(np.asarray(image).max(initial=0))
    return 0 if highest <= 255 else 4 if highest <= 4095 else 8


def _convert(image: Image.Image, shift: int) -> Image.Image:
    if image.mode.startswith("I"):  # Pillow's own conversion would clip at 255
        values = np.asarray(image).astype(np.int32).clip(0, 65535) >> shift
        return Image.fromarray(values.astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")
