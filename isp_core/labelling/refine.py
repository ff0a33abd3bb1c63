"""Foreground masks drawn along an image's own colours: GrabCut (Rother et al., 2004) from scores, by OpenCV."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

import cv2
import numpy as np
import numpy.typing as npt
import torch

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Certainty:
    """Scores below `background` and above `foreground` are taken as known; between them the sign is a first guess."""

    background: float
    foreground: float
    iterations: int = 4


def grab_cut(picture: npt.NDArray[np.uint8], scores: npt.NDArray[np.float32], certainty: Certainty) -> Mask:
    """The foreground of one image.

    picture: (H, W, 3) RGB uint8. scores: (h, w), positive on people. Cuts at the image's size; returns (h, w).
    Where the scores are all of one sign there is nothing to cut: the signs are returned.
    """
    h, w = scores.shape
    enlarged = cv2.resize(scores.astype(np.float32), (picture.shape[1], picture.shape[0]))
    state = np.where(enlarged > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    state[enlarged < certainty.background] = cv2.GC_BGD
    state[enlarged > certainty.foreground] = cv2.GC_FGD
    either = np.isin(state, (cv2.GC_FGD, cv2.GC_PR_FGD))
    if either.all() or not either.any():
        return np.asarray(scores > 0)
    cv2.setRNGSeed(0)  # its colour models start from a random k-means
    model = np.zeros((1, 65))
    cv2.grabCut(picture, state, None, model, model.copy(), certainty.iterations, cv2.GC_INIT_WITH_MASK)
    person = np.isin(state, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    return np.asarray(cv2.resize(person, (w, h), interpolation=cv2.INTER_AREA) > 0.5)


def cut_all(pictures: npt.NDArray[np.uint8], scores: npt.NDArray[np.float32], certainty: Certainty) -> Mask:
    """`grab_cut` of images (n, H, W, 3) by scores (n, h, w), as many at a time as torch has threads: (n, h, w)."""
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        return np.stack(list(threads.map(grab_cut, pictures, scores, repeat(certainty))))
