"""The default parser: BlazePose says where the person is and how they stand, BodyPix which part a pixel looks like.

BlazePose (heavy) gives a person mask and 33 landmarks, BodyPix a score for each of 24 parts. A pixel of the mask gets
the part with the best score after subtracting the pixel's distance to that part's limbs. Belongings lie inside the
body's parts: neither network knows them. Sources: Bazarevsky et al., BlazePose (2020); Papandreou et al., PersonLab
(2018), on which BodyPix builds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from isp_eval.parsers.parsed import Parsed

Floats = npt.NDArray[np.float32]
Images = npt.NDArray[np.uint8]

LIP_CLASSES = np.array([13, 5, 16, 18], np.uint8)
"""LIP's numbers of head (face), upper body (upper clothes), legs (left leg) and shoes (left shoe)."""
PART_OF_BODYPIX = np.array([0, 0] + [1] * 12 + [2] * 8 + [3, 3])
"""BodyPix's 24 parts as head 0, upper body with arms 1, legs 2, shoes 3."""
CROP_PROPORTIONS, CROP_SIZE = (1.3, 3.6), (256, 128)
"""A crop whose height / width lies outside the range is read as 256 x 128, the size re-ID squeezes crops to."""
MARGIN = 1.25
"""BlazePose reads a square this much longer than the crop's longer side: it was trained on people with room around."""
DISTANCE_SCALE = 0.1
"""Distance from a limb, in torso lengths, that costs one unit of BodyPix's part score."""

# Landmarks of BlazePose, left then right
EARS, MOUTH, SHOULDERS, ELBOWS, WRISTS, INDEX_FINGERS = (7, 8), (9, 10), (11, 12), (13, 14), (15, 16), (19, 20)
HIPS, KNEES, ANKLES, HEELS, TOES = (23, 24), (25, 26), (27, 28), (29, 30), (31, 32)


@dataclass(frozen=True)
class Pose:
    """BlazePose's view of one image.

    mask: (H, W) probability of the person. landmarks: (33, 2) x and y in pixels. presence: probability in [0, 1] that
    there is a person at all.
    """

    mask: Floats
    landmarks: Floats
    presence: float


PoseNetwork = Callable[[Images], Pose]
"""RGB (H, W, 3) uint8 -> Pose."""
PartScores = Callable[[Images], Floats]
"""RGB (H, W, 3) uint8 -> BodyPix's scores (H, W, 24) as logits."""


class BodyParser:
    """Label maps with LIP's class numbers from a pose network and a part network (see the module)."""

    name = "body"
    space = "lip"
    notes: tuple[str, ...] = (
        "Belongings lie inside the body's parts: neither network knows them.",
        "A parser's opinion, not human annotation: look at the overlay sheet before you use it as ground truth.",
    )

    def __init__(self, pose: PoseNetwork, parts: PartScores) -> None:
        self._pose, self._parts = pose, parts

    def parse(self, image: Image.Image) -> Parsed:
        """LIP classes at the image's own size.

        Confidence: presence of a person times the mean, over the person's pixels, of mask probability times the chosen
        part's share among the four parts (softmax).
        """
        rgb = np.asarray(image, np.uint8)
        height, width = rgb.shape[:2]
        low, high = CROP_PROPORTIONS
        if not low <= height / width <= high:
            h, w = CROP_SIZE
            rgb = cv2.resize(rgb, (w, h), interpolation=cv2.INTER_AREA if height > h else cv2.INTER_LINEAR)
        pose = self._pose(rgb)
        scores = self._parts(rgb)
        grouped = np.stack([scores[..., part == PART_OF_BODYPIX].max(-1) for part in range(4)], -1)
        distances, torso = limb_distances(pose.landmarks, rgb.shape[:2])
        likely = softmax(grouped - distances / (DISTANCE_SCALE * torso))
        person = pose.mask > 0.5
        labels = np.where(person, LIP_CLASSES[likely.argmax(-1)], 0).astype(np.uint8)
        confidence = pose.presence * float((pose.mask * likely.max(-1))[person].mean()) if person.any() else 0.0
        return Parsed(cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST), confidence)


def softmax(logits: Floats) -> Floats:
    """Over the last axis, (..., C) -> (..., C).

    >>> softmax(np.array([0.0, 0.0], np.float32)).tolist()
    [0.5, 0.5]
    """
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True), np.float32)


def limb_distances(landmarks: Floats, size: tuple[int, int]) -> tuple[Floats, float]:
    """How far each pixel lies outside the limbs of head, upper body, legs and shoes.

    Limbs are line segments between landmarks with a thickness in torso lengths; inside them the distance is negative.

    Args:
        landmarks: (33, 2) BlazePose landmarks, x and y in pixels.
        size: height and width.

    Returns:
        Distances (H, W, 4) in pixels, and the torso's length in pixels (at least 8).
    """
    point = landmarks.astype(np.float32)
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)

    def middle(pair: tuple[int, int]) -> Floats:
        return np.asarray((point[pair[0]] + point[pair[1]]) / 2)

    def segment(start: Floats, end: Floats, thickness: float = 0.0) -> Floats:
        """Distance from the line between two points, less a thickness in torso lengths."""
        along = end - start
        share = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / max((along**2).sum(), 1e-6), 0, 1)
        outside = np.hypot(x - start[0] - share * along[0], y - start[1] - share * along[1])
        return np.asarray(outside - thickness * torso, np.float32)

    ears, mouth, shoulders, hips = middle(EARS), middle(MOUTH), middle(SHOULDERS), middle(HIPS)
    torso = max(float(np.hypot(*(hips - shoulders))), 8.0)
    crown = ears + 0.6 * (ears - shoulders)
    neck = shoulders + 0.25 * (ears - shoulders)
    head = [segment(crown, mouth, 0.16), segment(point[EARS[0]], point[EARS[1]], 0.16), segment(ears, mouth, 0.16)]
    upper = [segment(point[SHOULDERS[0]], point[SHOULDERS[1]], 0.12), segment(neck, hips, 0.30)]
    legs, shoes = [], []
    for side in (0, 1):
        shoulder, elbow, wrist, finger = (point[pair[side]] for pair in (SHOULDERS, ELBOWS, WRISTS, INDEX_FINGERS))
        hip, knee, ankle, heel, toe = (point[pair[side]] for pair in (HIPS, KNEES, ANKLES, HEELS, TOES))
        upper += [segment(shoulder, hip, 0.14), segment(shoulder, elbow, 0.12), segment(elbow, wrist, 0.12)]
        upper += [segment(wrist, finger, 0.12)]
        legs += [segment(hip + 0.08 * (knee - hip), knee, 0.17), segment(knee, ankle - 0.12 * (ankle - knee), 0.1)]
        shoes += [
            segment(ankle + 0.02 * (ankle - knee), heel, 0.07),
            segment(heel, toe, 0.07),
            segment(ankle, toe, 0.07),
        ]
    return np.stack([np.minimum.reduce(limbs) for limbs in (head, upper, legs, shoes)], -1), torso
