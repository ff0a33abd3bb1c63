"""What leaves the Upload page: masks, overlays and results, named after image, run and epoch; all as one ZIP."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from isp_app.drawing import exports
from isp_app.drawing.encode import overlay
from isp_app.drawing.exports import Provenance
from isp_app.safety.names import distinct, slug
from isp_app.state.given import Given
from isp_core.matching import Embeddings
from isp_core.palette import Palette
from isp_core.runs.maps import Maps

OPACITY = 0.55


@dataclass(frozen=True)
class Parsed:
    """One image under one network. labels (h, w), empty for a baseline. belonging: the likeliest part, and why."""

    image: Given
    labels: Maps
    vectors: Embeddings
    palette: Palette
    source: Provenance
    visibility: str
    belonging: tuple[int | None, str]

    @property
    def stem(self) -> str:
        """The start of the files' names."""
        name = PurePosixPath(self.image.name).stem or "image"
        return slug(f"{slug(name)[:40]}_{slug(self.source.run)[:40]}_epoch{self.source.epoch}")[:100]

    def mask(self) -> bytes:
        """The label map as a PNG with the parts' colours as its palette: its values are the labels."""
        return exports.mask(self.labels, self.palette.table(), self.source, f"parts of {self.image.name}")

    def overlay(self) -> bytes:
        """The parts over the cropped image."""
        picture = self.image.cropped
        size = (picture.height, picture.width)
        drawn = overlay(np.asarray(picture), self.labels, self.palette.table(), OPACITY, size)
        return exports.picture(drawn, self.source, f"parts over {self.image.name}")

    def results(self) -> bytes:
        """Visibility and size of each part, with the image's name and crop."""
        visible, share = (np.asarray(a)[0] for a in (self.vectors.visibility, self.vectors.part_share))
        x0, y0, x1, y1 = self.image.pixels
        width, height = self.image.picture.size
        content: dict[str, object] = {
            "image": self.image.name,
            "image_size": {"width": width, "height": height},
            "crop": {"left": x0, "top": y0, "right": x1, "bottom": y1, "unit": "pixels of image_size"},
            "parts": [
                {
                    "part": part.index,
                    "name": part.name,
                    "visible": bool(visible[part.index - 1]),
                    "share": float(share[part.index - 1]),
                    "rgb": list(part.rgb),
                }
                for part in self.palette.parts
            ],
            "visible_by": self.visibility,
            "likely_belonging": dict(zip(("part", "rule"), self.belonging, strict=True)),
            "map_size": list(self.labels.shape),
        }
        return exports.document(content, self.source, self.palette.rule)


def archive(everything: Iterable[Parsed]) -> bytes:
    """All files of all images under all networks as one ZIP."""
    parsed = list(everything)
    # two images or runs may shorten to one name
    stems = [name.replace(" (", "_").replace(")", "") for name in distinct([one.stem for one in parsed])]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for one, stem in zip(parsed, stems, strict=True):
            if one.labels.size:
                file.writestr(f"{stem}_mask.png", one.mask())
                file.writestr(f"{stem}_overlay.png", one.overlay())
            file.writestr(f"{stem}.json", one.results())
    return buffer.getvalue()
