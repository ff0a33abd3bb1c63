"""Where one garment ends and the next begins, from identities alone.

A person wears the same trousers in all images, and other people wear others. So the mean colours of two heights of
the body vary together over identities where they belong to one garment, and apart where they do not: the correlation
of heights is a matrix of blocks (head, upper body, legs), and cutting it into blocks finds the parts that everybody
has, at the same heights for everybody.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from isp_core.labelling.body import body_height
from isp_core.labelling.constants import BODY, BodyConstants
from isp_core.labelling.layouts import BELONGINGS, LAYOUTS

Floats = npt.NDArray[np.float64]


def garment_correlation(
    pictures: npt.NDArray[np.uint8],
    foreground: npt.NDArray[np.bool_],
    identities: npt.NDArray[np.int64],
    bins: int = 32,
    by: BodyConstants = BODY,
) -> Floats:
    """Correlation over identities of the mean colours (CIE Lab) at two heights of the body: (bins, bins).

    pictures: (n, h, w, 3) RGB uint8 at the masks' size; foreground: (n, h, w); identities: (n,).
    """
    people, person = np.unique(identities, return_inverse=True)
    place = (np.clip(body_height(foreground, by), 0, 1 - 1e-9) * bins).astype(np.int64)
    index = (person[:, None, None] * bins + place)[foreground]  # (pixels,)
    counts = np.bincount(index, minlength=len(people) * bins)
    lab = np.stack([cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2Lab) for picture in pictures])
    colours = lab[foreground]  # (pixels, 3)
    sums = np.stack([np.bincount(index, colours[:, c], len(people) * bins) for c in range(3)], axis=1)
    means = (sums / counts[:, None].clip(1)).reshape(len(people), bins, 3)
    seen = (counts > 0).reshape(len(people), bins, 1)
    average = means.sum(0) / seen.sum(0).clip(1)  # (bins, 3)
    varied = (means - average) * seen  # (people, bins, 3)
    covariance = np.einsum("pbc,pdc->bd", varied, varied)
    deviation = np.sqrt(np.diag(covariance)).clip(1e-9)
    return np.asarray(covariance / deviation[:, None] / deviation[None])


def cut_garments(correlation: Floats, parts: int) -> Floats:
    """The heights in (0, 1) at which the body is cut into `parts` pieces, such that the correlation within the pieces
    (its mean, times their length) is largest; by dynamic programming. Returns (parts - 1,), rising.

    >>> blocks = np.kron(np.eye(2), np.ones((4, 4)))  # two garments of four bins each
    >>> cut_garments(blocks, 2)
    array([0.5])
    """
    bins = len(correlation)
    total = np.zeros((bins + 1, bins + 1))
    total[1:, 1:] = correlation.cumsum(0).cumsum(1)
    start, end = np.triu_indices(bins + 1, 1)
    worth = np.full((bins + 1, bins + 1), -np.inf)
    worth[start, end] = (total[end, end] - total[start, end] - total[end, start] + total[start, start]) / (end - start)
    best, came_from = np.full(bins + 1, -np.inf), []
    best[0] = 0
    for _ in range(parts):
        reach = best[:, None] + worth  # (start, end)
        came_from.append(reach.argmax(0))
        best = reach.max(0)
    cuts, position = [], bins
    for previous in reversed(came_from):
        position = int(previous[position])
        cuts.append(position / bins)
    return np.asarray(cuts[:-1][::-1])


def seed_parts(
    masks: npt.NDArray[np.bool_], cuts: Floats, parts: int, shoes: float, by: BodyConstants = BODY
) -> npt.NDArray[np.uint8]:
    """First parts of the body by height, numbered as in LAYOUTS; belongings are not among them.

    masks: (n, h, w) foreground; cuts: the two heights at which upper body and legs begin; shoes: where they begin.
    Garments do not tell shoes: too few of their pixels are seen as foreground at first.
    """
    upper, legs = float(cuts[0]), min(float(cuts[1]), shoes - by.legs_above_shoes)
    begins = {"upper": upper, "waist": (upper + legs) / 2, "legs": legs, "shins": (legs + shoes) / 2, "shoes": shoes}
    names = LAYOUTS[parts]
    body = [number for number, name in enumerate(names, start=1) if name != BELONGINGS]
    band = np.digitize(body_height(masks, by), [begins[names[number - 1]] for number in body[1:]])  # (n, h, w)
    return np.where(masks, np.array(body, np.uint8)[band], 0).astype(np.uint8)
