"""Agreement of two labellings without naming their classes: normalised mutual information and adjusted Rand index.

Parts need not be assigned to classes for these, so they compare runs with different K. They are reported as PDiscoNet
(van der Klis et al., ICCV 2023) and PDiscoFormer (Aniraj et al., ECCV 2024) do: pixels of all images are pooled, a
pixel that is predicted as background counts as one more cluster, NMI is normalised by the arithmetic mean of the
entropies. Over the ground truth's foreground (as there on CUB) and, with the background as one more class, over all
pixels (as in PDiscoFormer's code for PartImageNet).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isp_core.metrics.spaces import FOREGROUND_ONLY

Floats = npt.NDArray[np.float64]


def on_foreground(counts: npt.ArrayLike) -> Floats:
    """The rows of confusion counts (..., 7, K) that are a stated part: (..., 5, K). All K predictions stay."""
    return np.asarray(counts, np.float64)[..., 1:FOREGROUND_ONLY, :]


def on_all_pixels(counts: npt.ArrayLike) -> Floats:
    """Background and stated parts: (..., 7, K) -> (..., 6, K)."""
    return np.asarray(counts, np.float64)[..., :FOREGROUND_ONLY, :]


def nmi(tables: npt.ArrayLike) -> Floats:
    """Normalised mutual information of contingency tables (..., A, B): (...), in [0, 1].

    NaN where the ground truth (A) has fewer than two classes: there is nothing to agree on.

    >>> nmi([[5, 0], [0, 5]]).round(3).item(), nmi([[5, 5], [5, 5]]).round(3).item()
    (1.0, 0.0)
    """
    table = np.asarray(tables, np.float64)
    total = table.sum((-2, -1))
    joint = table / np.where(total > 0, total, 1)[..., None, None]
    truth, found = joint.sum(-1), joint.sum(-2)
    own, other = _entropy(truth), _entropy(found)
    mutual = own + other - _entropy(joint.reshape(*joint.shape[:-2], -1))
    mean = (own + other) / 2
    score = np.clip(mutual / np.where(mean > 0, mean, 1), 0, 1)
    return np.where((truth > 0).sum(-1) > 1, score, np.nan)


def ari(tables: npt.ArrayLike) -> Floats:
    """Adjusted Rand index of contingency tables (..., A, B): (...), 1 for equal partitions, 0 for chance.

    NaN where the ground truth (A) has fewer than two classes.

    >>> ari([[5, 0], [0, 5]]).item(), ari([[5, 5], [5, 5]]).round(3).item()
    (1.0, -0.056)
    """
    table = np.asarray(tables, np.float64)
    truth, found = table.sum(-1), table.sum(-2)
    together, own, other = _pairs(table).sum((-2, -1)), _pairs(truth).sum(-1), _pairs(found).sum(-1)
    total = _pairs(table.sum((-2, -1)))
    expected = own * other / np.where(total > 0, total, 1)
    most = (own + other) / 2
    score = (together - expected) / np.where(most > expected, most - expected, 1)
    return np.where((truth > 0).sum(-1) > 1, score, np.nan)


def _entropy(shares: Floats) -> Floats:
    """In nats, over the last axis."""
    return np.asarray(-(shares * np.log(np.where(shares > 0, shares, 1))).sum(-1))


def _pairs(counts: Floats) -> Floats:
    return counts * (counts - 1) / 2
