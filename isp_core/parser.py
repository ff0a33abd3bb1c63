"""The public face: load a run, parse images of people, embed them, compare them.

>>> parser = HumanParser.load("runs/mine")              # doctest: +SKIP
>>> parsing = parser.parse(["a.jpg", "b.jpg"])          # doctest: +SKIP
>>> parsing.labels.shape, parsing.visibility.shape      # doctest: +SKIP
((2, 64, 32), (2, 5))
>>> float(parser.match("a.jpg", "b.jpg").distance[0])   # doctest: +SKIP
0.31
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from isp_core.config import check_config
from isp_core.data.pictures import Picture
from isp_core.errors import IspError
from isp_core.inference import Features, join, read
from isp_core.matching import Calibration, judged
from isp_core.matching.visibility_rules import EQ8
from isp_core.models import ISPNet, normalisation
from isp_core.models.build import load_checkpoint, network_spec, require_fitting, trained_identities
from isp_core.prediction import ImageParser
from isp_core.prediction import Parsing as Parsing
from isp_core.prediction import Prediction as Prediction
from isp_core.runs import Run, open_run
from isp_core.runs import schema as run_schema
from isp_core.runs.checksums import require_unchanged
from isp_core.runs.listing import why_no_weights
from isp_core.runs.untrusted import regular_file


class HumanParser(ImageParser):
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
            raise IspError(why_no_weights(run))
        epoch = epochs[-1] if epoch is None else epoch
        folder = run.checkpoint(epoch)
        if folder is None:
            raise IspError(f"{run.path} has no weights of epoch {epoch}; it has those of {_spans(epochs)}")
        config = check_config(run.info.config)
        weights = regular_file(folder / run_schema.WEIGHTS_FILE, run.path)
        spec = network_spec(config, trained_identities(weights))
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
            reading, output = read(self.network, batch.to(self.device), self.normalisation, self.features)
            if output.logits is None:
                probabilities.append(np.zeros((len(batch), 0, *reading.labels.shape[1:]), np.float32))
            else:
                probabilities.append(output.logits.softmax(1).float().cpu().numpy())
            readings.append(reading)
        whole = join(readings)
        seen = judged(whole.embeddings, self.visibility, self.calibration) if self.parts else whole.embeddings
        return Prediction(np.concatenate(probabilities), whole.labels, whole.foreground, seen, self.visibility)


def default_device() -> torch.device:
    """A GPU where PyTorch finds one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _spans(epochs: list[int]) -> str:
    return str(epochs[0]) if len(epochs) == 1 else f"{epochs[0]} to {epochs[-1]} ({len(epochs)} of them)"
