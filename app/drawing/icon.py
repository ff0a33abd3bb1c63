"""The page's icon: a figure in the colours of its parts. Drawn here: icon fonts would be fetched from outside."""

from __future__ import annotations

from PIL import Image, ImageDraw

from isp_core.palette import SLOTS


def page_icon(side: int = 64) -> Image.Image:
    """A square RGBA image."""
    colour = {slot.body_part: slot.rgb for slot in SLOTS}
    icon = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(icon)

    def box(x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
        return (x0 * side, y0 * side, x1 * side, y1 * side)

    draw.ellipse(box(0.37, 0.02, 0.63, 0.28), fill=colour["head"])
    draw.rectangle(box(0.30, 0.31, 0.70, 0.60), fill=colour["upper"])
    draw.rectangle(box(0.73, 0.36, 0.90, 0.58), fill=colour["belongings"])
    draw.rectangle(box(0.31, 0.62, 0.47, 0.90), fill=colour["legs"])
    draw.rectangle(box(0.53, 0.62, 0.69, 0.90), fill=colour["legs"])
    draw.rectangle(box(0.27, 0.91, 0.47, 0.99), fill=colour["shoes"])
    draw.rectangle(box(0.53, 0.91, 0.73, 0.99), fill=colour["shoes"])
    return icon
