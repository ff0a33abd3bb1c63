"""What every part parser gives for one image, and what a parser is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image


@dataclass(frozen=True)
class Parsed:
    """labels: (H, W) uint8 class numbers at the image's own size. confidence: in [0, 1]; 0 where there is no person."""

    labels: npt.NDArray[np.uint8]
    confidence: float


class Parser(Protocol):
    """Turns RGB images into label maps of one label space."""

    name: str
    space: str
    notes: tuple[str, ...]

    def parse(self, image: Image.Image) -> Parsed:
        """The label map of one RGB image."""
        ...
