"""How well label maps find the person and its parts: IoU, accuracy, AUC, next to a constant mask; part purity.

Maps in, numbers out. Out of scope: reading ground truth from files (isp_core.metrics.ground_truth), mapping class
numbers (isp_core.metrics.spaces), which images and epochs to evaluate (eval).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from isp_core.errors import IspError
from isp_core.metrics.spaces import FOREGROUND_ONLY, IGNORE, N_CODES, PARTS, TARGETS

Labels = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_BLOCK = 1 << 22  # pixels counted at once


def confusion(prediction: Labels, targets: Labels, parts: int) -> Counts:
    """Pixels of each image by true code and predicted part: (N, 7, K); sum over the first axis for the set.

    prediction (N, H, W): 0 .. K-1 or 255 (ignored). targets (N, H, W): codes of isp_core.metrics.spaces or 255
    (ignored). IspError where shapes disagree or a prediction is no part.

    >>> one = confusion(np.array([[[0, 1, 1, 2]]], np.uint8), np.array([[[0, 1, 3, 255]]], np.uint8), parts=3)
    >>> one[0, :4].tolist()  # rows background, head, upper, legs; the ignored pixel is nowhere
    [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 1, 0]]
    """
    if prediction.shape != targets.shape or prediction.ndim != 3:
        raise IspError(
            f"predictions {prediction.shape} and ground truth {targets.shape} must have the same shape (N, H, W)"
        )
    n, pixels = len(prediction), int(np.prod(prediction.shape[1:]))
    column, row = _lookup(parts), _lookup(N_CODES)
    rows, columns = N_CODES + 2, parts + 2  # what is ignored and what is no class have a line of their own
    out = np.zeros((n, rows, columns), np.int64)
    step = max(1, _BLOCK // max(1, pixels))
    for start in range(0, n, step):
        p, t = (a[start : start + step].reshape(-1, pixels) for a in (prediction, targets))
        cell = row[t] * columns + column[p]  # (n, H W)
        cell += rows * columns * np.arange(len(p), dtype=np.int32)[:, None]
        found = np.bincount(cell.reshape(-1), minlength=rows * columns * len(p))
        out[start : start + step] = found.reshape(len(p), rows, columns)
    if out[:, -1].any():
        raise IspError("the ground truth holds values that are no codes: convert it with LabelSpace.to_targets first")
    if out[:, :, -1].any():
        raise IspError(f"predictions hold labels beyond part {parts - 1}, the last one with K = {parts}")
    return out[:, :N_CODES, :parts]


@dataclass(frozen=True)
class BinaryCounts:
    """Pixels of a two-class question, as arrays of one shape: one entry per image, class, or a single number."""

    true_positive: Counts
    false_positive: Counts
    false_negative: Counts
    true_negative: Counts

    def sum(self) -> BinaryCounts:
        """The counts of the set."""
        counts = (self.true_positive, self.false_positive, self.false_negative, self.true_negative)
        return BinaryCounts(*(np.asarray(array.sum()) for array in counts))

    @property
    def intersection_and_union(self) -> Counts:
        """(..., 2): their sums over images give the IoU of the set."""
        union = self.true_positive + self.false_positive + self.false_negative
        return np.stack([self.true_positive, union], axis=-1)

    @property
    def iou(self) -> Floats:
        """Class IoU in [0, 1]; NaN where the ground truth has no such pixel."""
        tp, fp, fn = self.true_positive, self.false_positive, self.false_negative
        return _ratio(tp, tp + fp + fn, tp + fn > 0)

    @property
    def complement_iou(self) -> Floats:
        """IoU of everything else."""
        tn, fp, fn = self.true_negative, self.false_positive, self.false_negative
        return _ratio(tn, tn + fp + fn, self.true_positive + fn > 0)

    @property
    def mean_iou(self) -> Floats:
        """Mean of class and complement IoU: what the authors' script prints as "IoU", and always the higher figure for
        small classes."""
        return (self.iou + self.complement_iou) / 2

    @property
    def accuracy(self) -> Floats:
        """Share of pixels that are right."""
        right = self.true_positive + self.true_negative
        total = right + self.false_positive + self.false_negative
        return _ratio(right, total, self.true_positive + self.false_negative > 0)


@dataclass(frozen=True)
class Assignment:
    """Which of the K-1 parts stand for which class; `rule` says how that was decided."""

    rule: str
    head: tuple[int, ...] = ()
    upper: tuple[int, ...] = ()
    legs: tuple[int, ...] = ()
    shoes: tuple[int, ...] = ()
    belongings: tuple[int, ...] = ()

    def parts_of(self, target: str, parts: int) -> tuple[int, ...]:
        """The part indices that count as `target`; the foreground is all of 1 .. K-1."""
        if target == "foreground":
            return tuple(range(1, parts))
        indices: tuple[int, ...] = getattr(self, target)
        return indices


def authors_assignment(parts: int) -> Assignment:
    """The rule of the authors' script: K = 6: head 1, legs 4, shoes 5; K = 7: head 1, legs 4 and 5, shoes 6.

    It has no upper body; parts 2 and 3, which lie between, stand for it here. IspError for other K.
    """
    if parts == 6:
        return Assignment("authors, K = 6 (upper = 2, 3 added)", head=(1,), upper=(2, 3), legs=(4,), shoes=(5,))
    if parts == 7:
        return Assignment("authors, K = 7 (upper = 2, 3 added)", head=(1,), upper=(2, 3), legs=(4, 5), shoes=(6,))
    raise IspError(f"the authors' rule names parts for K = 6 and 7 only, not {parts}: use the one-to-one assignment")


def assign_parts(counts: Counts) -> Assignment:
    """One part for each class, one class for each part, such that the sum of IoUs is largest.

    counts (7, K): a confusion matrix summed over the images that may decide, which should be training images.
    Classes that the ground truth lacks get no part; with fewer parts than classes some class gets none, and its IoU is
    0.

    >>> c = np.zeros((7, 3), int); c[1], c[3], c[4] = [0, 1, 9], [1, 8, 0], [0, 3, 0]
    >>> a = assign_parts(c); a.head, a.legs, a.shoes  # two parts for three classes
    ((2,), (1,), ())
    """
    parts = counts.shape[1]
    present = [name for name in PARTS if counts[PARTS.index(name) + 1].sum() > 0]
    overlap = np.array([[float(binary_counts(counts, name, (k,)).iou) for k in range(1, parts)] for name in present])
    if overlap.size == 0:
        return Assignment("one-to-one")
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    chosen = {present[r]: (int(c) + 1,) for r, c in zip(rows, columns, strict=True) if overlap[r, c] > 0}
    return Assignment("one-to-one", **chosen)


def binary_counts(counts: Counts, target: str, parts: tuple[int, ...]) -> BinaryCounts:
    """The two-class question "is this pixel `target`?", answered yes by `parts`.

    counts (..., 7, K) -> arrays (...). Pixels of no stated part (code 6) count for the foreground alone.
    """
    yes = list(parts)
    if target == "foreground":
        positive = counts[..., 1:, :].sum(axis=-2)  # (..., K)
        negative = counts[..., 0, :]
    else:
        code = PARTS.index(target) + 1
        positive = counts[..., code, :]
        negative = counts[..., :FOREGROUND_ONLY, :].sum(axis=-2) - positive
    tp, fp = positive[..., yes].sum(axis=-1), negative[..., yes].sum(axis=-1)
    return BinaryCounts(tp, fp, positive.sum(axis=-1) - tp, negative.sum(axis=-1) - fp)


def class_iou(counts: Counts, assignment: Assignment) -> dict[str, float]:
    """{"foreground": IoU, "head": ..., ...} over a set, in [0, 1], NaN where the ground truth lacks the class.

    counts (7, K): the confusion matrix of the set.
    """
    k = counts.shape[1]
    return {t: float(binary_counts(counts, t, assignment.parts_of(t, k)).iou) for t in TARGETS}


@dataclass(frozen=True)
class ConstantMasks:
    """One mask for every picture: the best that can be said without looking. IoU counts only against it.

    masks (6, H, W): TARGETS in order; frequency (H, W): share of training images with a person there, in [0, 1].
    likeliest (H, W): the most common code at each place, background included; likeliest_part (H, W): among the codes of
    parts alone, 0 where training shows none.
    """

    masks: Flags
    frequency: Floats
    likeliest: Labels
    likeliest_part: Labels

    @property
    def ambiguous(self) -> Flags:
        """(H, W): pixels that are foreground in 20 to 80 % of the training images; a constant cannot decide them."""
        return (self.frequency >= 0.2) & (self.frequency <= 0.8)

    def counts(self, targets: Labels, target: str) -> BinaryCounts:
        """The constant mask of `target` evaluated like a prediction, per image: targets (N, H, W) -> arrays (N,)."""
        mask = self.masks[TARGETS.index(target)].astype(np.uint8)
        if targets.shape[1:] != mask.shape:
            raise IspError(
                f"ground-truth maps of {targets.shape[1:]} pixels do not fit a constant mask of {mask.shape}"
            )
        return binary_counts(confusion(np.broadcast_to(mask, targets.shape), targets, 2), target, (1,))


def fit_constant(targets: Labels) -> ConstantMasks:
    """The thresholded mean of training maps, per class with the threshold that gives the highest IoU on them.

    targets (N, H, W): codes; ignored pixels count neither way.
    """
    shape = targets.shape[1:]
    codes = np.stack([(targets == code).sum(axis=0) for code in range(N_CODES)]).reshape(N_CODES, -1)  # (7, H W)
    masks = []
    for target in TARGETS:
        if target == "foreground":
            positive, known = codes[1:].sum(axis=0), codes.sum(axis=0)
        else:
            positive, known = codes[PARTS.index(target) + 1], codes[:FOREGROUND_ONLY].sum(axis=0)
        rate = positive / np.maximum(known, 1)
        order = np.argsort(-rate, kind="stable")
        inside = np.cumsum(positive[order])
        union = np.cumsum(known[order]) + positive.sum() - inside
        iou = inside / np.maximum(union, 1)
        size = int(iou.argmax()) + 1 if positive.sum() else 0
        mask = np.zeros(rate.size, np.bool_)
        mask[order[:size]] = True
        masks.append(mask.reshape(shape))
    frequency = codes[1:].sum(axis=0) / np.maximum(codes.sum(axis=0), 1)
    parts = codes[1:FOREGROUND_ONLY]
    return ConstantMasks(
        np.stack(masks),
        frequency.reshape(shape),
        codes[:FOREGROUND_ONLY].argmax(axis=0).astype(np.uint8).reshape(shape),
        np.where(parts.any(axis=0), parts.argmax(axis=0) + 1, 0).astype(np.uint8).reshape(shape),
    )


def only(targets: Labels, pixels: Flags) -> Labels:
    """The ground truth with all but some pixels ignored. targets (N, H, W), pixels (H, W), e.g.
    ConstantMasks.ambiguous."""
    return np.where(pixels, targets, np.uint8(IGNORE))


def foreground_auc(scores: npt.NDArray[np.floating], targets: Labels, pixels: Flags | None = None) -> float:
    """Probability that a person's pixel scores higher than a background pixel, ties counting one half; [0, 1].

    scores (N, H, W): e.g. 1 - P_0 of Eq. 5, or a 0/1 map. pixels (H, W): the positions taken, pooled over all images;
    all by default. NaN where one of the two is missing.

    >>> foreground_auc(np.array([[[0.9, 0.4, 0.4, 0.1]]]), np.array([[[1, 1, 0, 0]]], np.uint8))
    0.875
    """
    kept = targets != IGNORE
    if pixels is not None:
        kept &= pixels
    positive, negative = scores[kept & (targets > 0)], np.sort(scores[kept & (targets == 0)])
    if len(positive) == 0 or len(negative) == 0:
        return float("nan")
    positive = np.sort(positive)  # sorted queries walk through memory in order
    below, up_to = (np.searchsorted(negative, positive, side).sum() for side in ("left", "right"))
    return float((below + up_to) / 2 / len(positive) / len(negative))


def foreground_auc_per_picture(
    scores: npt.NDArray[np.floating], targets: Labels, pixels: Flags | None = None
) -> Floats:
    """`foreground_auc` of each image alone: (N,); NaN where an image has person or background only."""
    each = zip(scores, targets, strict=True)
    return np.array([foreground_auc(score[None], target[None], pixels) for score, target in each], np.float64)


@dataclass(frozen=True)
class Purity:
    """Whether a part index means something. All but spread (K-1,), NaN where a part is empty.

    spread (K-1, 7): how the pixels of each part lie in background, PARTS and unstated foreground; rows sum to 1.
    across: share of the part's pixels in its most common class, over all images.
    within: the same for each identity alone, averaged with the identities' pixels as weights. within well above across
    says that the index is one thing for one person and another for the next: a rank from top to bottom, not a part.
    """

    spread: Floats
    across: Floats
    within: Floats


def part_purity(counts: Counts, identities: npt.NDArray[np.integer]) -> Purity:
    """Purity of the parts 1 .. K-1. counts (N, 7, K) per image, identities (N,)."""
    _, index = np.unique(identities, return_inverse=True)
    per_identity = np.zeros((index.max(initial=-1) + 1, *counts.shape[1:]), np.int64)
    np.add.at(per_identity, index, counts)
    per_identity = per_identity[:, :, 1:]  # (I, 7, K-1)
    total = per_identity.sum(axis=0)  # (7, K-1)
    pixels = total.sum(axis=0)
    some = pixels > 0
    return Purity(
        spread=_ratio(total, np.broadcast_to(pixels, total.shape), np.broadcast_to(some, total.shape)).T,
        across=_ratio(total.max(axis=0), pixels, some),
        within=_ratio(per_identity.max(axis=1).sum(axis=0), pixels, some),
    )


def _lookup(classes: int) -> npt.NDArray[np.int32]:
    """Value to index: classes first, then one index for ignored pixels, and one for values that are no class."""
    table = np.full(256, classes + 1, np.int32)
    table[:classes] = np.arange(classes)
    table[IGNORE] = classes
    return table


def _ratio(part: npt.ArrayLike, whole: npt.ArrayLike, defined: npt.ArrayLike) -> Floats:
    part, whole, defined = np.asarray(part), np.asarray(whole), np.asarray(defined)
    return np.where(defined, part / np.where(whole > 0, whole, 1), np.nan)
