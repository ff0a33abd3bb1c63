"""Which parts an image shows: Eq. 8, and rules that also see what is hidden.

Eq. 8 calls a part visible where it is the most likely one at a single pixel. A network that has hardly ever seen a
hidden part then calls everything visible. The part's highest probability tells hidden parts apart. The right threshold
depends on the network, so thresholds are calibrated for a run (isp_core.calibration) and kept in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isp_core.errors import IspError
from isp_core.matching.embeddings import Array, Embeddings, as_tensor


def visibility(labels: Array, parts: int) -> npt.NDArray[np.bool_]:
    """l_k of Eq. 8: is there a pixel whose most likely part is k?

    labels (N, H, W): argmax over the K channels, integers. parts: K, background included. Returns (N, K-1).

    >>> visibility(np.array([[[0, 1], [1, 3]]]), parts=4)
    array([[ True, False,  True]])
    """
    return np.asarray(part_share(labels, parts) > 0)


def part_share(labels: Array, parts: int) -> npt.NDArray[np.float32]:
    """Share of each image's pixels that belong to part k = 1 .. K-1. labels (N, H, W) -> (N, K-1).

    >>> part_share(np.array([[[0, 1], [1, 3]]]), parts=4)
    array([[0.5 , 0.  , 0.25]], dtype=float32)
    """
    flat = np.asarray(labels).reshape(len(labels), -1)
    return np.stack([(flat == k).mean(axis=1, dtype=np.float32) for k in range(1, parts)], axis=1)


def part_peak(probability: Array) -> npt.NDArray[np.float32]:
    """The highest probability of each part at any pixel. probability (N, K, H, W): Eq. 5, background first -> (N, K-1).

    >>> part_peak(np.array([[[[0.6, 0.5]], [[0.4, 0.5]]]])).round(1)
    array([[0.5]], dtype=float32)
    """
    peak: npt.NDArray[np.float32] = as_tensor(probability)[:, 1:].amax(dim=(2, 3)).float().numpy(force=True)
    return peak


@dataclass(frozen=True)
class Calibration:
    """From which highest probability on each part k = 1 .. K-1 counts as visible, and how that was found.

    thresholds: K-1 values in [0, 1]. balanced: balanced accuracy of each on the images it was calibrated on, NaN where
    all of them showed the part, or none. visible, hidden: how many images did by their pseudo-labels. epoch: of the
    network; labels_epoch: of the pseudo-labels.
    """

    thresholds: tuple[float, ...]
    balanced: tuple[float, ...]
    visible: tuple[int, ...]
    hidden: tuple[int, ...]
    epoch: int
    labels_epoch: int

    def document(self) -> dict[str, Any]:
        """What is stored in the run."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def of(cls, document: dict[str, Any]) -> Calibration:
        """What `document` stored. IspError where a field is missing or no such value."""
        try:
            read = {f.name: _values(document[f.name]) for f in fields(cls)}
            found = cls(**read)
            fits = all(0 <= t <= 1 for t in found.thresholds) and len({len(v) for v in read.values() if _many(v)}) == 1
        except (KeyError, TypeError, ValueError) as error:
            raise IspError(f"not a calibration of visibility: {type(error).__name__} {error}") from error
        if not fits:
            raise IspError("not a calibration of visibility: thresholds must lie in [0, 1], one for each part")
        return found


def _many(value: object) -> bool:
    return isinstance(value, tuple)


def _values(value: Any) -> Any:
    """Lists as tuples of numbers; None, which stands for NaN in JSON, as NaN."""
    if isinstance(value, list):
        return tuple(float("nan") if each is None else each for each in value)
    return int(value)


def best_threshold(peaks: npt.NDArray[Any], shown: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """The value that tells images that show a part from those that do not best, and its balanced accuracy.

    peaks (N,): the part's highest probability. shown (N,): whether its pseudo-label is there. Halfway between two
    neighbouring peaks; the lowest where several are equally good. (0, NaN) where all images show the part: it always
    counts as visible; (1, NaN) where none does.

    >>> best_threshold(np.array([0.9, 0.8, 0.3, 0.1]), np.array([True, True, False, False]))
    (0.55, 1.0)
    """
    if shown.all() or not shown.any():
        return (0.0 if shown.all() else 1.0), float("nan")
    order = np.argsort(peaks, kind="stable")
    values, there = np.asarray(peaks, np.float64)[order], shown[order]
    below = np.arange(1, len(values))  # the threshold lies between below - 1 and below
    found = (there.sum() - np.cumsum(there)[below - 1]) / there.sum()
    rejected = np.cumsum(~there)[below - 1] / (~there).sum()
    balanced = np.where(values[below] > values[below - 1], (found + rejected) / 2, 0.5)
    best = int(balanced.argmax())
    return float((values[best] + values[best + 1]) / 2), float(balanced[best])


@dataclass(frozen=True)
class VisibilityRule:
    """One way to say which parts are visible. `evaluate` takes embeddings and the run's calibration (None only where
    `calibrated` is False) and returns (N, K-1): flags, or weights in [0, 1] of Eq. 10."""

    meaning: str
    calibrated: bool
    judge: Callable[[Embeddings, Calibration | None], Array]


def _eq8(embeddings: Embeddings, _: Calibration | None) -> Array:
    return embeddings.visibility


def _peak(embeddings: Embeddings, calibration: Calibration | None) -> Array:
    peaks, thresholds = _compared(embeddings, calibration)
    visible: npt.NDArray[np.bool_] = peaks >= thresholds
    return visible


def _soft(embeddings: Embeddings, calibration: Calibration | None) -> Array:
    peaks, thresholds = _compared(embeddings, calibration)
    present, absent = peaks * (1 - thresholds), thresholds * (1 - peaks)
    total = present + absent
    weights: npt.NDArray[np.float32] = np.divide(present, total, out=np.ones_like(total), where=total > 0).astype(
        np.float32
    )
    return weights


EQ8 = "eq8"
CALIBRATED = "peak"
VISIBILITY_RULES = {
    EQ8: VisibilityRule("Eq. 8: the part is the most likely one at some pixel", False, _eq8),
    CALIBRATED: VisibilityRule("the part's highest probability reaches its calibrated threshold", True, _peak),
    "soft": VisibilityRule(
        "weights instead of flags: the odds of the highest probability over those of the threshold", True, _soft
    ),
}
"""The rules by name. Where a run has thresholds `peak` is the default, else Eq. 8."""


def describe_rule(name: str) -> str:
    """The rule's name and meaning, for wherever l_k is shown.

    >>> describe_rule("eq8")
    'eq8 (Eq. 8: the part is the most likely one at some pixel)'
    """
    return f"{name} ({VISIBILITY_RULES[name].meaning})"


def chosen_rule(name: str | None, calibration: Calibration | None, where: str) -> str:
    """The rule of that name, or the default (None) for a run with or without a calibration.

    IspError, naming `where`, for an unknown name, or one that needs a calibration where there is none.
    """
    if name is None:
        return EQ8 if calibration is None else CALIBRATED
    if name not in VISIBILITY_RULES:
        raise IspError(f"visibility {name!r} is unknown; allowed: {', '.join(VISIBILITY_RULES)}")
    if VISIBILITY_RULES[name].calibrated and calibration is None:
        raise IspError(
            f"visibility {name!r} needs thresholds, and {where} has none: make them with `isp calibrate`, or use {EQ8}"
        )
    return name


def judged(embeddings: Embeddings, name: str, calibration: Calibration | None) -> Embeddings:
    """The same features, with visibility by one of VISIBILITY_RULES. `embeddings` must hold Eq. 8, as networks and runs
    give it."""
    return replace(embeddings, visibility=VISIBILITY_RULES[name].judge(embeddings, calibration))


def _compared(embeddings: Embeddings, calibration: Calibration | None) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Peaks (N, K-1) and thresholds (K-1,)."""
    if embeddings.part_peak is None:
        raise IspError("these embeddings do not hold the parts' probabilities: make them again with `isp extract`")
    if calibration is None or len(calibration.thresholds) != embeddings.n_parts:
        count = 0 if calibration is None else len(calibration.thresholds)
        raise IspError(
            f"{count} thresholds cannot be compared with {embeddings.n_parts} parts: calibrate this run again"
        )
    peaks = as_tensor(embeddings.part_peak).double().numpy(force=True)
    return peaks, np.asarray(calibration.thresholds, np.float64)
