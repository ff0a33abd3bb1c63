"""What people carry, found within each identity: pixels that stay with one person and with nobody else.

Parts that everybody has are found over everybody (votes). A bag is not among them: nobody else has it. But all pictures
of one person show the same one, so the person's foreground is clustered alone (section 3.2), by look and colour; and a
cluster that lies aside of the body's axis, that other people's clusters do not resemble and that is not the camera's
background is taken for a belonging. What the foreground shares with everybody stays a body part.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import binary_dilation
from torch import Tensor
from torch.nn import functional as F

from isp_core.clustering.kmeans import kmeans
from isp_core.labelling.body import distance_from_axis

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]

CLUSTERS = 8
COLOUR_WEIGHT = 0.3
"""Of colours beside l2-normalised looks: a bag keeps its colour, which looks learnt for classification ignore."""
ASIDE, UNCOMMON, UNLIKE_BACKGROUND, BEFORE = 1.5, 0.5, 1.0, 0.5
THRESHOLD = 1.2
"""Clusters whose score lies so many deviations above the mean of all are belongings."""
RECURRENCE = 0.2
"""A belonging is seen in at least this share of the person's pictures."""
SMALLEST = 5
"""Pixels of a cluster that is looked at."""
BACKGROUND_PIXELS, PEOPLE = 1500, 500
"""Background pixels of each camera and other people that a cluster is compared with."""


def find_belongings(
    looks: Tensor,
    colours: npt.NDArray[np.uint8],
    masks: Mask,
    identities: npt.NDArray[np.int64],
    cameras: npt.NDArray[np.int64],
    first: Mask | None = None,
    seed: int = 0,
) -> Mask:
    """Which foreground pixels belong to something that is carried: (n, h, w), within the masks.

    looks: (n, C, h0, w0) of one level; colours: (n, h, w, 3) RGB uint8; masks: (n, h, w) foreground; identities,
    cameras: (n,), cameras -1 where unknown; first: (n, h, w), what the first round found. With fewer than three people
    nothing is common, and nothing is found.
    """
    found = np.zeros_like(masks)
    origin = looks.float().mean((0, 2, 3))
    shades = _without_cast(colours, masks, cameras)
    aside = distance_from_axis(masks)
    clusters: list[tuple[npt.NDArray[np.int64], Mask]] = []  # rows of a person, pixels (rows, h, w)
    people, centres, away, before, seen_by = [], [], [], [], []
    for person in np.unique(identities):
        rows = np.flatnonzero(identities == person)
        mask = masks[rows]
        points = _looks_at(looks[rows], mask, origin)  # (pixels, C)
        if len(points) < CLUSTERS * SMALLEST:
            continue
        both = torch.cat([points, COLOUR_WEIGHT * torch.from_numpy(shades[rows][mask])], dim=1)
        members = kmeans(both, CLUSTERS, seed=seed, iterations=20).labels.numpy()
        picture = np.broadcast_to(np.arange(len(rows))[:, None, None], mask.shape)[mask]
        for cluster in range(CLUSTERS):
            chosen = members == cluster
            pictures = np.unique(picture[chosen])
            if chosen.sum() < SMALLEST or len(pictures) < RECURRENCE * len(rows):
                continue
            where = np.zeros(mask.shape, bool)
            where[mask] = chosen
            clusters.append((rows, where))
            people.append(person)
            centres.append(F.normalize(points[torch.from_numpy(chosen)].mean(0), dim=0))
            away.append(aside[rows][where].mean())
            before.append(0.0 if first is None else first[rows][where].mean())
            seen_by.append(np.unique(cameras[rows[pictures]]))
    if len(set(people)) < 3:
        return found
    means = torch.stack(centres)  # (clusters, C)
    background = _backgrounds(looks, masks, cameras, origin, seed)
    like_background = [
        max(float((background[camera] @ mean).quantile(0.9)) for camera in seen)
        for mean, seen in zip(means, seen_by, strict=True)
    ]
    scores = _standardised(
        ASIDE * _standardised(np.array(away))
        - UNCOMMON * _standardised(commonness(means, np.array(people), seed))
        - UNLIKE_BACKGROUND * _standardised(np.array(like_background))
        + BEFORE * _standardised(np.array(before))
    )
    for (rows, where), score in zip(clusters, scores, strict=True):
        if score > THRESHOLD:
            found[rows] |= where
    return found


def commonness(means: Tensor, people: npt.NDArray[np.int64], seed: int = 0) -> npt.NDArray[np.float64]:
    """How well other people's clusters resemble each cluster: the best cosine in each other person, averaged over them.

    means: (m, C) of unit length; people: (m,) whose cluster each is -> (m,) in [-1, 1].

    >>> commonness(torch.eye(3)[[0, 1, 0, 0]], np.array([1, 1, 2, 3])).tolist()  # the second is nobody else's
    [1.0, 0.0, 1.0, 1.0]
    """
    others, index = np.unique(people, return_inverse=True)
    chosen = np.random.default_rng(seed).permutation(len(others))[:PEOPLE]
    total, count = np.zeros(len(means)), np.zeros(len(means))
    for other in chosen:
        best = (means @ means[torch.from_numpy(index == other)].T).amax(1).double().numpy()
        total += np.where(index == other, 0.0, best)
        count += index != other
    return total / np.maximum(count, 1)


def _without_cast(colours: npt.NDArray[np.uint8], masks: Mask, cameras: npt.NDArray[np.int64]) -> Floats:
    """CIE Lab (n, h, w, 3) less each camera's mean over people, deviation 1 over all of them."""
    lab = np.stack([cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2Lab) for picture in colours])
    for camera in np.unique(cameras):
        here = cameras == camera
        if masks[here].any():
            lab[here] -= lab[here][masks[here]].mean(0)
    deviation = lab[masks].std() if masks.any() else 1.0
    return np.asarray(lab / max(float(deviation), 1e-6), np.float32)


def _backgrounds(
    looks: Tensor, masks: Mask, cameras: npt.NDArray[np.int64], origin: Tensor, seed: int
) -> dict[int, Tensor]:
    """Looks of up to BACKGROUND_PIXELS pixels of each camera that are well outside the masks: (pixels, C)."""
    outside = ~binary_dilation(masks, np.ones((1, 5, 5), bool))
    rng = np.random.default_rng([seed, 1])
    chosen = {}
    for camera in np.unique(cameras):
        pixels = []
        for row in rng.permutation(np.flatnonzero(cameras == camera))[:64]:
            points = _looks_at(looks[row : row + 1], outside[row : row + 1], origin)
            pixels.append(points[torch.from_numpy(rng.permutation(len(points))[: BACKGROUND_PIXELS // 16])])
        some = torch.cat(pixels)
        chosen[int(camera)] = some[:BACKGROUND_PIXELS] if len(some) else torch.zeros(1, looks.shape[1])
    return chosen


def _looks_at(looks: Tensor, mask: Mask, origin: Tensor) -> Tensor:
    """Centred, l2-normalised looks of the pixels in the mask: (n, C, h0, w0), (n, h, w) -> (pixels, C)."""
    large = F.interpolate(looks.float(), size=mask.shape[1:], mode="bilinear", align_corners=False)
    return F.normalize((large - origin[None, :, None, None]).permute(0, 2, 3, 1)[torch.from_numpy(mask)], dim=1)


def _standardised(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray((values - values.mean()) / max(float(values.std()), 1e-9))
