"""Labels from prototypes shared by all people: what images agree on replaces the guess that a person fills the middle.

The first round learns from a sample of images, by the backbone as it is then:

1. a person fills an ellipse in the middle of the image; GrabCut draws the mask along the image's colours, and the
   proportions that people are drawn with cut it into parts;
2. prototypes of the background and of the parts are learned from that, and say, with GrabCut, where people are;
3. the heights at which garments change cut these better masks into parts, the same heights for all people;
4. prototypes are learned from them, and again from the labels that they give.

Every image of the training set then gets its labels from the prototypes and GrabCut, one identity after the other. An
image need not show every part, and what a person carries is looked for among that person's images alone.

In later rounds the network, which has learned from all labels, takes the prototypes' place.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from isp_core.inference import chunks, picture_batches, prepare, probabilities_with_mirror
from isp_core.labelling.garments import cut_garments, garment_correlation, seed_parts
from isp_core.labelling.layouts import BELONGINGS, LAYOUTS
from isp_core.labelling.prototypes.belongings import find_belongings
from isp_core.labelling.prototypes.options import PrototypeOptions
from isp_core.labelling.prototypes.prototypes import learn_prototypes
from isp_core.labelling.refine import Certainty, Mask, cut_all
from isp_core.labelling.rounds import LabelledPictures, Labels, MapNetwork, TrainingPictures
from isp_core.models import ISPNet

Floats = npt.NDArray[np.float32]
See = Callable[[Tensor], tuple[Floats, Tensor]]
"""Images (n, 3, H, W) uint8 -> the probability of each class (n, h, w, K), and looks (n, C, h0, w0)."""
BATCH = 16


class PrototypeLabeller:
    """See the module."""

    def __init__(self, data: TrainingPictures, options: PrototypeOptions, seed: int) -> None:
        self.data, self.options, self.seed, self.size = data, options, seed, data.map_size
        self.by = options.advanced
        self.certainty = Certainty(0.5 - options.certain, options.certain - 0.5, self.by.cuts)

    @torch.inference_mode()
    def first_round(self, network: MapNetwork) -> Iterator[LabelledPictures]:
        """By prototypes, whatever the network has learned."""
        network.eval()
        start = time.perf_counter()
        yield from self._label(self._by_prototypes(network), start)

    @torch.inference_mode()
    def round(self, network: ISPNet, epoch: int, first: Labels | None = None) -> Iterator[LabelledPictures]:
        if first is None:
            yield from self.first_round(network)
            return
        network.eval()
        start = time.perf_counter()
        yield from self._label(self._by_network(network), start, first)

    def _label(self, see: See, start: float, first: Labels | None = None) -> Iterator[LabelledPictures]:
        """Labels by what `see` sees, which was made ready since `start`."""
        own = self.data.own_identities()
        learning = (time.perf_counter() - start) / max(len(own), 1)
        for rows in own:
            start = time.perf_counter()
            batches = list(self._batches(rows))
            images, seen = torch.cat(batches), [see(batch) for batch in batches]
            middle = time.perf_counter()
            labels = self._decode(images, np.concatenate([probabilities for probabilities, _ in seen]))
            if first is not None:
                shrunk = (labels > 0).sum((1, 2)) < self.by.shrunk * (first[rows] > 0).sum((1, 2))
                labels[shrunk] = first[rows][shrunk]
            self._add_belongings(labels, images, torch.cat([looks for _, looks in seen]))
            yield LabelledPictures(rows, labels, None, learning + middle - start, time.perf_counter() - middle)

    # --------------------------------------------------------------------------------------------------- who looks

    def _by_prototypes(self, network: MapNetwork) -> See:
        """The backbone as it is, and prototypes that are learned from a sample of the training set."""
        options, count = self.options, len(self.data.identities)
        rows = np.sort(np.random.default_rng([self.seed, 0]).permutation(count)[: options.sample])
        batches = list(self._batches(rows))
        images, levels = torch.cat(batches), [self._levels(network, batch) for batch in batches]
        origins = [torch.cat(level).mean((0, 2, 3), keepdim=True) for level in zip(*levels, strict=True)]
        features = torch.cat([self._features(level, origins).half() for level in levels])  # (n, h, w, C)
        guess = centred(self.size, options.centre, self.by.steep)
        labels = self._decode(images, np.broadcast_to(guess, (len(rows), *self.size, 2)))
        drawn = np.array([self.by.upper_from, self.by.legs_from])
        labels = seed_parts(labels > 0, drawn, options.parts, options.shoes, self.by)
        prototypes = learn_prototypes(features, labels, options.parts, self.by, self.seed)
        for sweep in range(1, options.sweeps):
            labels = self._decode(images, prototypes.probabilities(features))
            if sweep == 1:
                labels = self._by_garments(images, labels > 0, self.data.identities[rows])
            prototypes = learn_prototypes(features, labels, options.parts, self.by, self.seed)

        def see(batch: Tensor) -> tuple[Floats, Tensor]:
            levels = self._levels(network, batch)
            return prototypes.probabilities(self._features(levels, origins)), levels[-1]

        return see

    def _by_network(self, network: ISPNet) -> See:
        """The network in training: Eq. 5, averaged over an image and its mirror image."""

        def see(batch: Tensor) -> tuple[Floats, Tensor]:
            prepared = prepare(batch.to(self.data.device), self.data.normalisation)
            stages = network.backbone(prepared)
            likely = probabilities_with_mirror(network, prepared, stages)
            looks = stages[self.options.stages[-1] - 1]
            return likely.permute(0, 2, 3, 1).float().cpu().numpy(), looks.float().cpu()

        return see

    # ------------------------------------------------------------------------------------------ from looks to labels

    def _by_garments(self, images: Tensor, masks: Mask, identities: npt.NDArray[np.int64]) -> Labels:
        """Parts of masks (n, h, w), by heights that are the same for all people."""
        neck, waist = cuts = cut_garments(
            garment_correlation(self._colours(images), masks, identities, self.by.bins, self.by), 3
        )
        shoes = max(self.options.shoes, neck + self.by.ankles * (waist - neck))
        return seed_parts(masks, cuts, self.options.parts, shoes, self.by)

    def _decode(self, images: Tensor, probabilities: Floats) -> Labels:
        """Labels without belongings (n, h, w) from probabilities (n, h, w, K) of images (n, 3, H, W): GrabCut draws the
        foreground along the image's colours, the likeliest part fills it."""
        scores = 0.5 - probabilities[..., 0]
        masks = cut_all(images.permute(0, 2, 3, 1).contiguous().numpy(), scores, self.certainty)
        parts = probabilities[..., 1:].copy()
        if self._belongings and parts.shape[-1] >= self._belongings:
            parts[..., self._belongings - 1] = 0
        return np.where(masks, parts.argmax(-1) + 1, 0).astype(np.uint8)

    def _add_belongings(self, labels: Labels, images: Tensor, looks: Tensor) -> None:
        """Writes what one person carries into the labels (n, h, w) of that person's images."""
        options = self.options
        if self._belongings and options.clusters:
            carried = find_belongings(
                looks, self._colours(images), labels > 0, options.clusters, options.aside, self.by, self.seed
            )
            labels[carried] = self._belongings

    @property
    def _belongings(self) -> int:
        """The number of the part for belongings, 0 where K has none."""
        names = LAYOUTS[self.options.parts]
        return names.index(BELONGINGS) + 1 if BELONGINGS in names else 0

    # -------------------------------------------------------------------------------------------- images and features

    def _batches(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> Iterator[Tensor]:
        """Images (n, 3, H, W) uint8 of some rows, in their order."""
        plan = [[int(rows[place]) for place in chunk] for chunk in chunks(len(rows), BATCH)]
        for _, images in picture_batches(self.data.pictures, plan, self.data.workers):
            yield images

    def _levels(self, network: MapNetwork, images: Tensor) -> list[Tensor]:
        """The chosen stages of enlarged images, (n, C_i, h_i, w_i) each."""
        prepared = prepare(images.to(self.data.device), self.data.normalisation)
        scale = max(self.by.enlarged, self.options.rows / prepared.shape[2])
        large = F.interpolate(prepared, scale_factor=scale, mode="bilinear", align_corners=False)
        stages = network.backbone(large.contiguous(memory_format=torch.channels_last))
        return [stages[stage - 1].float().cpu() for stage in self.options.stages]

    def _features(self, levels: Sequence[Tensor], origins: Sequence[Tensor]) -> Tensor:
        """Levels, centred, l2-normalised and brought to the label maps' size: (n, h, w, C)."""
        centred = [F.normalize(level - origin, dim=1) for level, origin in zip(levels, origins, strict=True)]
        sized = [F.interpolate(level, self.size, mode="bilinear", align_corners=False) for level in centred]
        return torch.cat(sized, dim=1).permute(0, 2, 3, 1)

    def _colours(self, images: Tensor) -> npt.NDArray[np.uint8]:
        """Images (n, 3, H, W) at the label maps' size: (n, h, w, 3)."""
        small = F.adaptive_avg_pool2d(images.float(), self.size).round()
        return np.asarray(small.permute(0, 2, 3, 1).to(torch.uint8).numpy())


def centred(size: tuple[int, int], axes: tuple[float, float], steep: float) -> Floats:
    """Probability of background and of a person at each pixel, if one stands in the middle: (h, w, 2).

    axes: half axes of the ellipse on which both are as likely, shares of height and width. steep: log odds in the
    middle.

    >>> centred((4, 1), (0.5, 0.5), 4.0)[:, 0, 1].round(2)
    array([0.73, 0.95, 0.95, 0.73], dtype=float32)
    """
    y, x = ((np.arange(length) + 0.5) / length - 0.5 for length in size)
    inside = 1 - np.hypot(y[:, None] / axes[0], x[None] / axes[1])
    person = 1 / (1 + np.exp(-steep * inside))
    return np.stack([1 - person, person], axis=-1).astype(np.float32)
