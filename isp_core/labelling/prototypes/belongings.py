"""What a person carries: a part of their own foreground that stays with them, beside the body's axis.

Parts that all people have are found over all people. A bag is not among them; but all images of one person show the
same one, so each person's foreground is clustered alone, by look and colour. What makes a cluster a belonging is where
its centre lies in most of these images: a torso, a head, a pair of legs or of sleeves has its centre on the axis of the
body, a bag has not, and what lies along a mask's rim is a mask that is too large. Lengths are in deviations of the
body's own columns, so that a person who carries nothing is not given a belonging because others have one.
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
from isp_core.labelling.prototypes.options import PrototypeConstants
from isp_core.labelling.refine import Mask

USUAL = PrototypeConstants()


def find_belongings(
    looks: Tensor,
    colours: npt.NDArray[np.uint8],
    masks: Mask,
    clusters: int,
    aside: float,
    by: PrototypeConstants = USUAL,
    seed: int = 0,
) -> Mask:
    """Which foreground pixels of one person belong to something that is carried: (n, h, w), within the masks.

    looks: (n, C, h0, w0) of one level of features; colours: (n, h, w, 3) RGB uint8; masks: (n, h, w). A single image
    cannot tell what stays with a person: nothing is found in it.
    """
    found = np.zeros_like(masks)
    if len(masks) < 2 or masks.sum() <= clusters:
        return found
    shades = np.stack([cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab) for image in colours])[masks]
    shades = (shades - shades.mean(0)) / max(float(shades.std()), 1e-6)
    points = torch.cat([_looks_in(masks, looks), by.colour_weight * torch.from_numpy(shades)], dim=1)
    numbers = np.full(masks.shape, clusters, np.int64)  # outside the masks: no cluster
    numbers[masks] = kmeans(points, clusters, seed=seed, iterations=by.iterations).labels.numpy()
    offsets = _offsets(masks)
    rim = masks & ~binary_erosion(masks, np.ones((1, 3, 3), bool))
    for number in range(clusters):
        own = numbers == number
        pixels = own.sum((1, 2))
        if (pixels > by.stray).mean() < by.recurrent:
            continue
        distance = np.abs((own * offsets).sum((1, 2))).sum() / pixels.sum()  # of the centre, averaged over images
        if distance * (1 - rim[own].mean()) > aside:
            found |= own
    return found


def _offsets(masks: Mask) -> npt.NDArray[np.float32]:
    """Columns from the body's axis, in deviations of the body's columns: (n, h, w)."""
    columns = np.arange(masks.shape[2], dtype=np.float32)
    count = np.maximum(masks.sum((1, 2)), 1)
    aside = columns - ((masks * columns).sum((1, 2)) / count)[:, None, None]  # (n, 1, w)
    deviation = np.sqrt((masks * aside**2).sum((1, 2)) / count).clip(1e-3)
    return np.broadcast_to(aside / deviation[:, None, None], masks.shape).astype(np.float32)


def _looks_in(masks: Mask, looks: Tensor) -> Tensor:
    """Centred, l2-normalised looks of the pixels in the masks: (n, h, w), (n, C, h0, w0) -> (pixels, C)."""
    around = F.normalize(looks.float() - looks.float().mean((0, 2, 3), keepdim=True), dim=1)
    large = F.interpolate(around, masks.shape[1:], mode="bilinear", align_corners=False)
    return large.permute(0, 2, 3, 1)[torch.from_numpy(masks)]
