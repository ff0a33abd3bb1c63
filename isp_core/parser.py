"""The public face: load a run, parse pictures of people, embed them, compare them.

>>> parser = HumanParser.load("runs/mine")              # doctest: +SKIP
>>> parsing = parser.parse(["a.jpg", "b.jpg"])          # doctest: +SKIP
>>> parsing.labels.shape, parsing.visibility.shape      # doctest: +SKIP
((2, 64, 32), (2, 5))
>>> float(parser.match("a.jpg", "b.jpg").distance[0])   # doctest: +SKIP
0.31
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from isp_core.config import check_config
from isp_core.data.pictures import Picture, as_image, resize_picture
from isp_core.errors import IspError
from isp_core.inference import BATCH, Features, join, read
from isp_core.matching import Calibration, Embeddings, Explanation, explain, judged
from isp_core.matching.visibility_rules import EQ8
from isp_core.models import ISPNet, normalisation
from isp_core.models.build import load_checkpoint, network_spec, require_fitting
from isp_core.runs import Run, open_run
from isp_core.runs import schema as run_schema
from isp_core.runs.checksums import require_unchanged
from isp_core.runs.untrusted import regular_file


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


class HumanParser:
    """A trained network with what it needs to read images: size, normalisation, device.

    features: which features embeddings hold, those after the BNNeck or those before it.
    """

    def __init__(
        self,
        network: ISPNet,
        size: tuple[int, int],
        device: torch.device | str = "cpu",
        features: Features = "after-bn",
        visibility: str = EQ8,
        calibration: Calibration | None = None,
    ) -> None:
        self.network = network.to(device).eval()
        self.size, self.device, self.features = size, torch.device(device), features
        self.parts, self.visibility, self.calibration = network.spec.parts, visibility, calibration
        self.normalisation = normalisation(network.spec.backbone)

    @classmethod
    def load(
        cls,
        run: Run | str | Path,
        epoch: int | None = None,
        device: torch.device | str | None = None,
        visibility: str | None = None,
    ) -> HumanParser:
        """The network of a run at an epoch (default: the last that has weights), on a GPU where PyTorch finds one.

        visibility: one of isp_core.matching.VISIBILITY_RULES; None for the run's own, which is calibrated where it has
        thresholds, else Eq. 8.

        IspError where the run has no weights there, or weights of another network.
        """
        run = run if isinstance(run, Run) else open_run(run)
        epochs = run.weight_epochs()
        if not epochs:
            raise IspError(f"{run.path} holds no weights: it was imported, or they were pruned")
        epoch = epochs[-1] if epoch is None else epoch
        folder = run.checkpoint(epoch)
        if folder is None:
            raise IspError(f"{run.path} has no weights of epoch {epoch}; it has those of {_spans(epochs)}")
        config = check_config(run.info.config)
        if "train" not in run.info.data.splits:
            raise IspError(f"{run.path / run_schema.RUN_FILE} names no training split: its network cannot be built")
        spec = network_spec(config, run.info.data.splits["train"].identities)
        weights = regular_file(folder / run_schema.WEIGHTS_FILE, run.path)
        require_fitting(spec, weights)  # before a network of whatever size run.json claims is built
        network = ISPNet(spec, weights="none")
        load_checkpoint(network, weights)
        require_unchanged(run.path, weights)
        rule, calibration = run.visibility_rule(epoch, visibility), run.calibration(epoch)
        return cls(network, run.info.size, device or default_device(), config.run.features, rule, calibration)

    def read(self, images: Picture | Sequence[Picture]) -> Prediction:
        """Parts, label maps, visibility and features of one or several images, each from a single forward pass.

        Args:
            images: a path, a PIL image, an RGB array (H, W, 3) or a tensor (3, H, W) of uint8, or several of them,
                of any sizes; they are resized to the network's.

        Returns:
            A Prediction with one row per image. Memory: about 4 K h w bytes an image (50 KB at K = 6 and 64 x 32).

        Raises:
            IspError: no image was given, or one cannot be read (the message names it).

        Example:
            >>> seen = HumanParser.load("runs/mine").read(["a.jpg", "b.jpg"])   # doctest: +SKIP
            >>> seen.labels.shape, seen.embeddings.visibility.shape             # doctest: +SKIP
            ((2, 64, 32), (2, 5))
        """
        probabilities, readings = [], []
        for batch in self._batches(images):
            reading, output = read(self.network, batch, self.normalisation, self.features)
            if output.logits is None:
                probabilities.append(np.zeros((len(batch), 0, *reading.labels.shape[1:]), np.float32))
            else:
                probabilities.append(output.logits.softmax(1).float().cpu().numpy())
            readings.append(reading)
        whole = join(readings)
        seen = judged(whole.embeddings, self.visibility, self.calibration) if self.parts else whole.embeddings
        return Prediction(np.concatenate(probabilities), whole.labels, whole.foreground, seen, self.visibility)

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

    def _batches(self, pictures: Picture | Sequence[Picture]) -> list[torch.Tensor]:
        single = isinstance(pictures, str | Path | Image.Image | np.ndarray | torch.Tensor)
        if isinstance(pictures, np.ndarray | torch.Tensor) and pictures.ndim == 4:  # a batch of them
            single = False
        several: Sequence[Picture] = [pictures] if single else pictures  # type: ignore[list-item, assignment]
        if not len(several):
            raise IspError("no images were given")
        chunks = [several[start : start + BATCH] for start in range(0, len(several), BATCH)]
        return [torch.stack([self._tensor(each) for each in chunk]).to(self.device) for chunk in chunks]

    def _tensor(self, picture: Picture) -> torch.Tensor:
        """Any picture as uint8 (3, H, W) at the network's size."""
        return resize_picture(as_image(picture), self.size)


def default_device() -> torch.device:
    """A GPU where PyTorch finds one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _spans(epochs: list[int]) -> str:
    return str(epochs[0]) if len(epochs) == 1 else f"{epochs[0]} to {epochs[-1]} ({len(epochs)} of them)"
