"""Labels that do not wait for the network to learn where people are.

Round 0, the backbone as it came: words scored by position and identity-camera contrast say where the person is, GrabCut
draws the mask along the picture's edges, the heights at which garments change cut it into parts, the same heights for
everybody, and words vote on the parts; what only one person has, and keeps, becomes the belongings. Round 1 takes its
masks from the network instead, which by then has learnt what the masks have in common. In later rounds the labels are
the network's own predictions.

A second source of the paper's cascade (3.2): foreground first, parts second, each with another ingredient. M_g is not
clustered. Held for every picture: its mask, its colours at the mask's size and one level of features in half precision
(some 30 kB at 256 x 128).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from isp_core.clustering.cascade import activation
from isp_core.config import ConfigError
from isp_core.inference import chunks, picture_batches, prepare
from isp_core.labelling.belongings import find_belongings
from isp_core.labelling.body import BELONGINGS, LAYOUTS
from isp_core.labelling.garments import cut_garments, garment_correlation
from isp_core.labelling.refine import Certainty, grab_cut
from isp_core.labelling.source import LabelledPictures, Labels, TrainingPictures
from isp_core.labelling.votes import Mask, learn_votes, row_thresholds, seed_parts
from isp_core.labelling.words import Vocabulary, enlarge, identity_camera_contrast, learn_vocabulary, standardise
from isp_core.models import ISPNet

FINE, COARSE, DEEP = 3, 4, 5
"""Stages of the backbone: strides 8 and 16 for words, the last for activation (Eq. 3)."""
WORDS = {COARSE: 200, FINE: 300}
SAMPLE = 1000
"""Pictures that words are learnt from; their features of both levels are held while they are."""
CONTRAST_WEIGHT, ACTIVATION_WEIGHT = 0.5, 0.3
CERTAINTY = Certainty(background=-0.6, foreground=0.9)
PLAUSIBLE = (0.05, 0.8)
"""Share of foreground that a network's masks may have; other masks are of a network that has not learnt people yet."""
BATCH = 16


@dataclass
class _Seen:
    """What round 0 and 1 keep of all pictures: mask (n, h, w), colours (n, h, w, 3), looks (n, C, h0, w0) float16."""

    masks: Mask
    colours: npt.NDArray[np.uint8]
    looks: Tensor


class ContrastLabeller:
    """See above. parts: K; size: (h, w) of label maps; every: epochs between two rounds."""

    def __init__(self, data: TrainingPictures, parts: int, size: tuple[int, int], every: int, seed: int) -> None:
        if parts not in LAYOUTS:
            raise ConfigError(
                f"labels from contrast have {min(LAYOUTS)} to {max(LAYOUTS)} parts, not {parts}: change --parts"
            )
        self.data, self.parts, self.size, self.every, self.seed = data, parts, size, every, seed

    def due(self, epoch: int) -> bool:
        return epoch % self.every == 0

    @torch.inference_mode()
    def round(self, network: ISPNet, epoch: int) -> Iterator[LabelledPictures]:
        network.eval()
        if epoch > self.every:
            yield from self._own_predictions(network)
            return
        start = time.perf_counter()
        # every process looks at all pictures here: words and garments are learnt over everybody
        seen, active = self._masks_from_network(network) if epoch else self._masks_from_words(network)
        if epoch and not PLAUSIBLE[0] < seen.masks.mean() < PLAUSIBLE[1]:
            seen, active = self._masks_from_words(network)
        middle = time.perf_counter()
        correlation = garment_correlation(seen.colours, seen.masks, self.data.identities)
        seeds = seed_parts(seen.masks, cut_garments(correlation, 3), self.parts)
        sample = self._sample()
        votes = learn_votes(seen.looks[sample], seen.masks[sample], seeds[sample], self.parts, self.seed)
        carried = np.zeros_like(seen.masks)
        if BELONGINGS in LAYOUTS[self.parts]:
            identities, cameras = self.data.identities, self.data.cameras
            carried = find_belongings(seen.looks, seen.colours, seen.masks, identities, cameras, self.seed)
        clustering = time.perf_counter() - middle
        own = self.data.own_identities()
        for rows in own:
            labels = votes.label(seen.looks[rows], seen.masks[rows])
            if carried[rows].any():
                labels[carried[rows]] = LAYOUTS[self.parts].index(BELONGINGS) + 1
            each = (middle - start) / len(own), clustering / len(own)
            yield LabelledPictures(rows, labels, active[rows], *each)

    # ------------------------------------------------------------------------------------------------------------ masks

    def _masks_from_words(self, network: ISPNet) -> tuple[_Seen, npt.NDArray[np.float32]]:
        """Word scores and a little activation, cut along each picture's colours."""
        words = self._learn_words(network)
        seen, active = _Seen(*self._nothing(), torch.empty(0)), np.zeros(self._nothing()[0].shape, np.float32)
        looks = []
        for rows, pictures in self._pictures(range(len(active))):
            large = self._large_stages(network, pictures)
            stages = network.backbone(prepare(pictures, self.data.normalisation))
            activations = enlarge(activation(stages[DEEP - 1]), self.size)
            word_scores = torch.stack([words[stage].score(large[stage]) for stage in WORDS]).sum(0)
            scores = standardise(enlarge(word_scores, self.size)) + ACTIVATION_WEIGHT * standardise(activations)
            for row, picture, score in zip(rows, pictures, standardise(scores).cpu().numpy(), strict=True):
                seen.masks[row] = grab_cut(picture.permute(1, 2, 0).cpu().numpy(), score, CERTAINTY)
            seen.colours[rows] = self._colours(pictures)
            active[rows] = activations.cpu().numpy()
            looks.append(stages[COARSE - 1].to(torch.float16).cpu())
        seen.looks = torch.cat(looks)
        return seen, active

    def _masks_from_network(self, network: ISPNet) -> tuple[_Seen, npt.NDArray[np.float32]]:
        """The network's foreground, row by row above what splits that row over all pictures."""
        seen, active = _Seen(*self._nothing(), torch.empty(0)), np.zeros(self._nothing()[0].shape, np.float32)
        log_odds, looks = np.zeros(active.shape, np.float32), []
        for rows, pictures in self._pictures(range(len(active))):
            prepared = prepare(pictures, self.data.normalisation)
            foreground = 1 - probabilities_with_mirror(network, prepared)[:, 0]
            log_odds[rows] = torch.logit(foreground, 1e-3).cpu().numpy()
            stages = network.backbone(prepared)
            active[rows] = enlarge(activation(stages[DEEP - 1]), self.size).cpu().numpy()
            seen.colours[rows] = self._colours(pictures)
            looks.append(stages[COARSE - 1].to(torch.float16).cpu())
        seen.masks = log_odds > row_thresholds(log_odds)[None, :, None]
        seen.looks = torch.cat(looks)
        return seen, active

    def _learn_words(self, network: ISPNet) -> dict[int, Vocabulary]:
        sample = self._sample()
        held: dict[int, list[Tensor]] = {stage: [] for stage in WORDS}
        for _, pictures in self._pictures(sample):
            for stage, maps in self._large_stages(network, pictures).items():
                held[stage].append(maps.to(torch.float16).cpu())
        levels = {stage: torch.cat(maps) for stage, maps in held.items()}
        contrast = None
        cameras = self.data.cameras[sample]
        if (cameras > 0).all() and len(np.unique(cameras)) > 1:
            contrast = identity_camera_contrast(levels[FINE], self.data.identities[sample], cameras, self.seed)
        return {
            stage: learn_vocabulary(levels[stage], contrast, words, CONTRAST_WEIGHT, self.seed)
            for stage, words in WORDS.items()
        }

    def _large_stages(self, network: ISPNet, pictures: Tensor) -> dict[int, Tensor]:
        """Features for words, of the pictures at twice their size: the fine level pooled to the coarse one's grid."""
        prepared = prepare(pictures, self.data.normalisation)
        large = F.interpolate(prepared, scale_factor=2, mode="bilinear", align_corners=False)
        stages = network.backbone(large.contiguous(memory_format=torch.channels_last))
        coarse = stages[COARSE - 1]
        return {COARSE: coarse, FINE: F.adaptive_avg_pool2d(stages[FINE - 1], coarse.shape[2:])}

    def _colours(self, pictures: Tensor) -> npt.NDArray[np.uint8]:
        """uint8 (n, 3, H, W) -> (n, h, w, 3)."""
        small = F.adaptive_avg_pool2d(pictures.float(), self.size).round()
        return np.asarray(small.permute(0, 2, 3, 1).to(torch.uint8).cpu().numpy())

    def _nothing(self) -> tuple[Mask, npt.NDArray[np.uint8]]:
        count = len(self.data.identities)
        return np.zeros((count, *self.size), bool), np.zeros((count, *self.size, 3), np.uint8)

    def _sample(self) -> npt.NDArray[np.int64]:
        """The rows of pictures that words are learnt from; the same on every process."""
        return np.sort(np.random.default_rng([self.seed, 0]).permutation(len(self.data.identities))[:SAMPLE])

    # ----------------------------------------------------------------------------------------------------- later rounds

    def _own_predictions(self, network: ISPNet) -> Iterator[LabelledPictures]:
        for rows in self.data.own_identities():
            start = time.perf_counter()
            labels: list[Labels] = []
            for _, pictures in self._pictures(rows):
                likely = probabilities_with_mirror(network, prepare(pictures, self.data.normalisation))
                labels.append(likely.argmax(1).to(torch.uint8).cpu().numpy())
            yield LabelledPictures(rows, np.concatenate(labels), seconds_network=time.perf_counter() - start)

    def _pictures(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> Iterator[tuple[list[int], Tensor]]:
        plan = [[int(rows[place]) for place in chunk] for chunk in chunks(len(rows), BATCH)]
        for batch, pictures in picture_batches(self.data.pictures, plan, self.data.workers):
            yield list(batch), pictures.to(self.data.device)


def probabilities_with_mirror(network: ISPNet, prepared: Tensor) -> Tensor:
    """Eq. 5, averaged over the pictures (n, 3, H, W) and their mirror images -> (n, K, h, w)."""

    def probabilities(pictures: Tensor) -> Tensor:
        logits = network(pictures).logits
        return F.softmax(logits, 1)

    mirrored = prepared.flip(3).contiguous(memory_format=torch.channels_last)
    return (probabilities(prepared) + probabilities(mirrored).flip(3)) / 2
