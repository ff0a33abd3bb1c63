"""What a network says of images, and the face of whatever reads them: a run's network, or one exported as ONNX.

Out of scope: the networks (isp_core.parser, isp_core.exported), whose code this module does not load.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from isp_core.data.pictures import Picture, as_image, resize_picture
from isp_core.errors import IspError
from isp_core.matching import Calibration, Embeddings, Explanation, explain
from isp_core.matching.visibility_rules import EQ8

BATCH = 64
"""Images that a network reads at once."""


@dataclass(frozen=True)
class Parsing:
    """The parts that a network finds in n images, background first.

    probabilities (n, K, h, w) float32, Eq. 5. labels (n, h, w) uint8, their argmax. visibility (n, K-1):
    flags l_k, or weights of a soft rule. rule: which of isp_core.matching.VISIBILITY_RULES decided it.
    part_share (n, K-1) float32, the share of pixels of each part.
    """

    probabilities: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]
    visibility: npt.NDArray[np.bool_] | npt.NDArray[np.float32]
    part_share: npt.NDArray[np.float32]
    rule: str = EQ8


@dataclass(frozen=True)
class Prediction:
    """Everything that one forward pass gives of n images, in their order.

    probabilities: (n, K, h, w) float32, Eq. 5, background first; K = 0 for a baseline without parts.
    labels: (n, h, w) uint8, their argmax; all 0 for a baseline.
    foreground: (n, h, w) float16 in [0, 1], 1 - P_0; all 0 for a baseline.
    embeddings: global, foreground and part features, float16, as `isp extract` stores them, with visibility.
    rule: which of isp_core.matching.VISIBILITY_RULES decided visibility.
    """

    probabilities: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]
    foreground: npt.NDArray[np.float16]
    embeddings: Embeddings
    rule: str = EQ8

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def parsing(self) -> Parsing:
        """The same without the features. IspError for a baseline, which has no parts."""
        if not self.probabilities.shape[1]:
            raise IspError("this run is a baseline without parts: it can embed images, not parse them")
        share = np.asarray(self.embeddings.part_share, np.float32)
        return Parsing(self.probabilities, self.labels, np.asarray(self.embeddings.visibility), share, self.rule)


class ImageParser(ABC):
    """Reads images of people: their parts, which of them are visible, and features to compare them by.

    size: height and width that images are resized to. parts: K, 0 for a baseline. visibility: the rule that decides
    which parts are visible, with its calibration where it has one.
    """

    size: tuple[int, int]
    parts: int
    visibility: str
    calibration: Calibration | None

    @abstractmethod
    def read(self, images: Picture | Sequence[Picture]) -> Prediction:
        """Parts, label maps, visibility and features of one or several images."""

    def parse(self, pictures: Picture | Sequence[Picture]) -> Parsing:
        """Part probabilities, label maps and visibility of one or several images: `read(images).parsing`.

        IspError for a baseline without parts.
        """
        if not self.parts:
            raise IspError("this run is a baseline without parts: it can embed images, not parse them")
        return self.read(pictures).parsing

    def embed(self, pictures: Picture | Sequence[Picture]) -> Embeddings:
        """Global, foreground and part features (as the run's own embeddings, float16) with visibility."""
        return self.read(pictures).embeddings

    def match(
        self, first: Picture | Sequence[Picture] | Embeddings, second: Picture | Sequence[Picture] | Embeddings
    ) -> Explanation:
        """The distance of Eq. 10 with all its terms, pair by pair (or one against all)."""
        first = first if isinstance(first, Embeddings) else self.embed(first)
        second = second if isinstance(second, Embeddings) else self.embed(second)
        return explain(first, second)

    def _batches(self, pictures: Picture | Sequence[Picture]) -> Iterator[torch.Tensor]:
        """Any images as uint8 (n, 3, H, W) at the network's size, BATCH of them at once."""
        single = isinstance(pictures, str | Path | Image.Image | np.ndarray | torch.Tensor)
        if isinstance(pictures, np.ndarray | torch.Tensor) and pictures.ndim == 4:  # a batch of them
            single = False
        several: Sequence[Picture] = [pictures] if single else pictures  # type: ignore[list-item, assignment]
        if not len(several):
            raise IspError("no images were given")
        for start in range(0, len(several), BATCH):
            yield torch.stack([resize_picture(as_image(each), self.size) for each in several[start : start + BATCH]])
