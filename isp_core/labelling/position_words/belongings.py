"""What people carry, found within each identity: a cluster that stays with one person and hangs on one side of them.

Parts that all people have are found over all people (votes). A bag is not one of them, but all images of its owner show
it. So the foreground of each person is clustered on its own (section 3.2), by look and colour. Three things tell a bag
from the other clusters:

- Sleeves and legs lie on both sides of the body, a bag on one.
- A person carries it in many images. An occluder is in one.
- Clusters along the mask's rim are background: there the mask is too large.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import binary_erosion
from torch import Tensor
from torch.nn import functional as F

from isp_core.clustering.kmeans import kmeans
from isp_core.labelling.body import offset_from_axis
from isp_core.labelling.position_words.options import BelongingOptions, PositionWordConstants

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]

USUAL, CONSTANTS = BelongingOptions(), PositionWordConstants()


def find_belongings(
    looks: Tensor,
    colours: npt.NDArray[np.uint8],
    masks: Mask,
    identities: npt.NDArray[np.int64],
    cameras: npt.NDArray[np.int64],
    options: BelongingOptions = USUAL,
    by: PositionWordConstants = CONSTANTS,
    seed: int = 0,
) -> Mask:
    """Which foreground pixels belong to something that is carried: (n, h, w), within the masks.

    looks: (n, C, h0, w0) of one level; colours: (n, h, w, 3) RGB uint8; masks: (n, h, w) foreground; identities,
    cameras: (n,), cameras -1 where unknown. With fewer than `by.fewest_people` people there is nothing to compare with,
    and nothing is found.
    """
    found, numbers = np.zeros_like(masks), np.zeros(masks.shape, np.uint8)
    origin = looks.float().mean((0, 2, 3))
    shades = _without_cast(colours, masks, cameras)
    offsets = offset_from_axis(masks)
    rim = masks & ~binary_erosion(masks, np.ones((1, 3, 3), bool))
    clusters: list[tuple[npt.NDArray[np.int64], int]] = []  # rows of a person, number of the cluster there
    cues: list[tuple[float, float, float, float]] = []
    people = set()
    for person in np.unique(identities):
        rows = np.flatnonzero(identities == person)
        mask = masks[rows]
        points = _looks_at(looks[rows], mask, origin)  # (pixels, C)
        if len(points) < options.clusters * options.smallest:
            continue
        both = torch.cat([points, options.colour_weight * torch.from_numpy(shades[rows][mask])], dim=1)
        own = np.zeros(mask.shape, np.uint8)
        own[mask] = kmeans(both, options.clusters, seed=seed, iterations=options.iterations).labels.numpy() + 1
        numbers[rows] = own
        for cluster in range(1, options.clusters + 1):
            where = own == cluster
            shown = where.sum((1, 2))
            if shown.sum() < options.smallest or (shown > 0).mean() < options.seldom:
                continue
            people.add(person)
            clusters.append((rows, cluster))
            cues.append(_cues(where, offsets[rows], rim[rows], by.stray))
    if len(people) < by.fewest_people:
        return found
    aside, one_sided, recurrent, on_rim = (_standardised(np.array(cue)) for cue in zip(*cues, strict=True))
    weighted = options.aside * aside + options.one_sided * one_sided + options.recurrent * recurrent
    scores = _standardised(weighted - options.rim * on_rim)
    for (rows, cluster), score in zip(clusters, scores, strict=True):
        if score > options.threshold:
            found[rows] |= numbers[rows] == cluster
    return found


def _cues(where: Mask, offsets: Floats, rim: Mask, stray: int) -> tuple[float, float, float, float]:
    """What tells a belonging, of one cluster of a person's images; all (rows, h, w).

    How far from the body's axis it lies, in sixteenths of the width; how much on one side of it within an image, from
    0 evenly on both to 1 on one; in what share of the images it has more than `stray` pixels; and what share of it
    lies on the masks' rims.
    """
    shown = where.sum((1, 2))
    there = where[shown > 0]
    sides = np.where(there, offsets[shown > 0], 0).sum((1, 2))
    distances = np.where(there, np.abs(offsets[shown > 0]), 0).sum((1, 2))
    one_sided = np.abs(sides) / np.maximum(distances, 1e-6)
    share = (shown > stray).mean()
    return distances.sum() / shown.sum(), one_sided.mean(), share, rim[where].mean()


def _without_cast(colours: npt.NDArray[np.uint8], masks: Mask, cameras: npt.NDArray[np.int64]) -> Floats:
    """CIE Lab (n, h, w, 3) less each camera's mean over people, deviation 1 over all of them."""
    lab = np.stack([cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2Lab) for picture in colours])
    for camera in np.unique(cameras):
        here = cameras == camera
        if masks[here].any():
            lab[here] -= lab[here][masks[here]].mean(0)
    deviation = lab[masks].std() if masks.any() else 1.0
    return np.asarray(lab / max(float(deviation), 1e-6), np.float32)


def _looks_at(looks: Tensor, mask: Mask, origin: Tensor) -> Tensor:
    """Centred, l2-normalised looks of the pixels in the mask: (n, C, h0, w0), (n, h, w) -> (pixels, C)."""
    large = F.interpolate(looks.float(), size=mask.shape[1:], mode="bilinear", align_corners=False)
    return F.normalize((large - origin[None, :, None, None]).permute(0, 2, 3, 1)[torch.from_numpy(mask)], dim=1)


def _standardised(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray((values - values.mean()) / max(float(values.std()), 1e-9))
