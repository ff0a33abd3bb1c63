"""The parsing protocol: a run's label maps against ground truth, class by class, each beside the constant mask.

Out of scope: the formulas (isp_core.metrics.part_scores), label spaces (isp_core.metrics.spaces), reading truth
(isp_core.metrics.ground_truth).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isp_core.assignment import Measured, decide
from isp_core.data import DataError
from isp_core.matching import part_share
from isp_core.matching.visibility_rules import CALIBRATED, EQ8
from isp_core.metrics.agreement import ari, nmi, on_all_pixels, on_foreground
from isp_core.metrics.bootstrap import IDENTITIES, IMAGES, bootstrap, bootstrap_interval
from isp_core.metrics.ground_truth import Truth, read_truth
from isp_core.metrics.part_scores import (
    Assignment,
    BinaryCounts,
    ConstantMasks,
    Counts,
    Labels,
    authors_assignment,
    binary_counts,
    confusion,
    fit_constant,
    foreground_auc,
    foreground_auc_per_picture,
    only,
    part_purity,
)
from isp_core.metrics.presence import (
    ALARM_SHARE,
    Visibility,
    judge_alarms,
    judge_visibility,
    truth_presence,
)
from isp_core.metrics.spaces import N_CODES, PARTS, TARGETS, LabelSpace
from isp_core.models.weights import WeightsError
from isp_core.noted_parts import read_document
from isp_core.runs import Run
from isp_eval.label_maps import LabelMaps
from isp_eval.parsing_report import Agreement, Ambiguous, Parsing, Presence, Score, YardstickScore
from isp_eval.yardsticks import YARDSTICKS, yardstick_masks

Groups = npt.NDArray[np.int64] | None
Resample = Literal["identities", "images"]
_RESAMPLES = 1000


@dataclass(frozen=True)
class TrainingTruth:
    """Ground truth of the run's training images that lies elsewhere than that of the evaluated ones."""

    folder: Path
    space: LabelSpace


@dataclass(frozen=True)
class PseudoLabels:
    """Label maps (N, h, w) of the training images at an epoch."""

    epoch: int
    maps: Labels


def evaluate(
    run: Run,
    maps: LabelMaps,
    folder: Path,
    space: LabelSpace,
    alarm_share: float = ALARM_SHARE,
    trained: TrainingTruth | None = None,
    resample: Resample = IDENTITIES,
    yardsticks: Sequence[str] = tuple(YARDSTICKS),
    progress: bool = False,
) -> Parsing:
    """Evaluates label maps of a run by the ground truth in `folder`, brought to the maps' size by nearest neighbour.

    Parts are assigned to classes by the rule of isp_core.assignment, on the ground truth of training images. The
    constant mask is fitted on it too. It is looked for in `folder`, or in `trained`. Where there is none (another data
    set, or ground truth of test images alone), the evaluated images take its place, and the notes say so.

    alarm_share: belongings on more than this share of an image's pixels count as seen. resample: what intervals
    resample; images where identities are unknown, and a note says so. yardsticks: which of isp_eval.yardsticks are
    shown next to the run; they need the images (maps.root), and a note says where those or the backbone's weights are
    missing.
    IspError where there is no ground truth at all.
    """
    size = (int(maps.labels.shape[1]), int(maps.labels.shape[2]))
    truth = read_truth(folder, maps.paths, space, size, maps.root)
    notes = [*truth.notes()]
    k = max(run.info.parts, 2)
    labels, targets = maps.labels[truth.found], truth.targets[truth.found]
    counts = confusion(labels, targets, k)

    training, pseudo_labels = _training(run, maps, truth, folder, space, trained, notes)
    if training is None:
        notes.append("the constant mask was fitted on the evaluated images, which favours it: no training ground truth")
    constant = fit_constant(targets if training is None else training.targets[training.found])

    def on_training() -> Measured | None:
        if training is None or pseudo_labels is None:
            return None
        there = training.found
        return Measured(
            pseudo_labels.epoch, confusion(pseudo_labels.maps[there], training.targets[there], k).sum(axis=0)
        )

    decision = decide(run, maps.epoch, on_training, read_document(run), lambda: counts.sum(axis=0))
    if decision.on_evaluated:
        notes.append(
            "parts were assigned to classes on the evaluated images: no training image has maps and ground truth"
        )
    assignments = [decision.assignment]
    if not run.info.imported and k in (6, 7):
        assignments.append(authors_assignment(k))

    if maps.identities is None and resample == IDENTITIES:
        resample = IMAGES
        notes.append(
            "intervals resample images, which makes them too narrow where people recur: identities are unknown"
        )
    identities = np.arange(len(maps.paths)) if maps.identities is None else maps.identities
    groups = identities[truth.found] if resample == IDENTITIES else None
    foreground = maps.foreground[truth.found]
    visible = {EQ8: part_share(labels, k) > 0}
    if maps.visible is not None:
        visible[CALIBRATED] = maps.visible[truth.found]
    ambiguous, on_ambiguous = _ambiguous(labels, targets, constant, foreground, maps.foreground_is, k)
    return Parsing(
        run=run.name,
        epoch=maps.epoch,
        what=maps.what,
        data=maps.data,
        fingerprint=maps.fingerprint,
        space=space,
        size=size,
        parts=k,
        truth=truth,
        resample=resample,
        scores={
            a: tuple(
                _score(counts, targets, constant, a, t, k, groups)
                for t in TARGETS
                if a is assignments[0] or a.parts_of(t, k)
            )
            for a in assignments
        },
        agreement=_agreement(counts, targets, constant, groups),
        presence={
            a: _presence(part_share(labels, k), visible, targets, a, k, alarm_share, groups) for a in assignments
        },
        ambiguous=ambiguous,
        yardsticks=_yardsticks(run, maps, truth, constant, groups, yardsticks, notes, progress),
        purity=part_purity(counts, identities[truth.found]),
        pictures={t: binary_counts(counts, t, assignments[0].parts_of(t, k)).iou for t in TARGETS} | on_ambiguous,
        paths=tuple(path for path, there in zip(maps.paths, truth.found, strict=True) if there),
        notes=tuple(notes),
    )


def _training(
    run: Run,
    maps: LabelMaps,
    judged: Truth,
    folder: Path,
    space: LabelSpace,
    trained: TrainingTruth | None,
    notes: list[str],
) -> tuple[Truth | None, PseudoLabels | None]:
    """Ground truth of the training images, and their pseudo-labels of this epoch or the last before it."""
    if maps.what == "train" and trained is None:
        return judged, PseudoLabels(maps.epoch, maps.labels)
    size = (int(maps.labels.shape[1]), int(maps.labels.shape[2]))
    records = run.records("train")
    if records.empty or (maps.what == "other" and trained is None):
        return None, None
    root = maps.root if trained is None else None
    source = trained or TrainingTruth(folder, space)
    try:
        truth = read_truth(source.folder, list(records.path), source.space, size, root)
    except DataError:  # ground truth of the test set alone is fine
        if trained is not None:
            raise
        return None, None
    notes.extend(f"training: {note}" for note in truth.notes())
    if trained is not None:
        notes.append(f"constant mask and matching of parts come from training truth in label space {source.space.name}")
    before = [e for e in run.label_epochs("train") if e <= maps.epoch]
    return truth, PseudoLabels(before[-1], run.labels("train", before[-1])) if before else None


def _score(
    counts: Counts,
    targets: Labels,
    constant: ConstantMasks,
    assignment: Assignment,
    target: str,
    k: int,
    groups: Groups,
) -> Score:
    parts = assignment.parts_of(target, k)
    own, mask = binary_counts(counts, target, parts), constant.counts(targets, target)
    # without a pixel of the class in the ground truth there is no IoU, and no interval of one
    there = own.intersection_and_union if (own.true_positive + own.false_negative).any() else np.zeros((0, 2))
    whole = bootstrap(there, _iou, None if not len(there) else groups, _RESAMPLES)
    interval = bootstrap_interval(own.iou, groups, _RESAMPLES)
    return Score(
        target,
        parts,
        *_figures(own.sum()),
        whole.low,
        whole.high,
        whole.units,
        interval.mean,
        interval.low,
        interval.high,
        _mean(own.mean_iou),
        _mean(own.accuracy),
        *_figures(mask.sum()),
        *(_mean(values) for values in (mask.iou, mask.mean_iou, mask.accuracy)),
    )


def _agreement(counts: Counts, targets: Labels, constant: ConstantMasks, groups: Groups) -> Agreement:
    def of_constant(labels: Labels) -> Counts:
        return np.asarray(confusion(np.broadcast_to(labels, targets.shape), targets, N_CODES).sum(axis=0))

    there, everywhere = on_foreground(counts), on_all_pixels(counts).sum(axis=0)
    parts, all_codes = (
        on_foreground(of_constant(constant.likeliest_part)),
        on_all_pixels(of_constant(constant.likeliest)),
    )
    return Agreement(
        nmi=bootstrap(there, nmi, groups, _RESAMPLES),
        ari=bootstrap(there, ari, groups, _RESAMPLES),
        constant_nmi=float(nmi(parts)),
        constant_ari=float(ari(parts)),
        nmi_all_pixels=float(nmi(everywhere)),
        ari_all_pixels=float(ari(everywhere)),
        constant_nmi_all_pixels=float(nmi(all_codes)),
        constant_ari_all_pixels=float(ari(all_codes)),
    )


def _yardsticks(
    run: Run,
    maps: LabelMaps,
    truth: Truth,
    constant: ConstantMasks,
    groups: Groups,
    names: Sequence[str],
    notes: list[str],
    progress: bool,
) -> tuple[YardstickScore, ...]:
    """Every yardstick on the images with ground truth; a note where it cannot be computed."""
    found = []
    targets, paths = truth.targets[truth.found], tuple(np.array(maps.paths)[truth.found])
    for name in names:
        if maps.root is None or not all((maps.root / path).is_file() for path in paths):
            notes.append(f"{name}, which looks at images, is missing: give the images' data set as --data")
            continue
        try:
            masks = yardstick_masks(name, maps.root, paths, run.info.size, targets.shape[1:], progress)
        except WeightsError as error:
            notes.append(f"{name} is missing: {error}")
            continue
        labels = masks.astype(np.uint8)
        own = binary_counts(confusion(labels, targets, 2), "foreground", (1,))
        there = binary_counts(confusion(labels, only(targets, constant.ambiguous), 2), "foreground", (1,))
        found.append(
            YardstickScore(
                name,
                bootstrap(own.intersection_and_union, _iou, groups, _RESAMPLES),
                float(own.sum().mean_iou),
                float(own.sum().accuracy),
                bootstrap_interval(own.iou, groups, _RESAMPLES),
                _mean(own.mean_iou),
                _mean(own.accuracy),
                float(there.sum().iou),
            )
        )
    return tuple(found)


def _iou(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Intersections and unions (R, 2) -> IoU (R,); NaN where there is neither."""
    return np.where(sums[:, 1] > 0, sums[:, 0] / np.where(sums[:, 1] > 0, sums[:, 1], 1), np.nan)


def _presence(
    share: npt.NDArray[np.float32],
    visible: Mapping[str, npt.NDArray[np.bool_]],
    targets: Labels,
    assignment: Assignment,
    k: int,
    alarm_share: float,
    groups: Groups,
) -> Presence:
    """share (N, K-1): of the pixels; visible (N, K-1) by the names of visibility rules. Classes that the truth shows
    nowhere, or that no part stands for, are left out: there is nothing to agree on."""
    visibility: dict[str, dict[str, Visibility]] = {rule: {} for rule in visible}
    alarms = None
    for name in PARTS:
        chosen = [part - 1 for part in assignment.parts_of(name, k)]
        presence = truth_presence(targets, name)
        if not chosen or not (presence == 1).any():
            continue
        for rule, flags in visible.items():
            visibility[rule][name] = judge_visibility(np.any(flags[:, chosen], axis=1), presence)
        if name == "belongings":
            alarms = judge_alarms(share[:, chosen].sum(axis=1), presence, alarm_share, groups)
    return Presence(visibility, alarms)


def _figures(counts: BinaryCounts) -> tuple[float, float, float]:
    return float(counts.iou), float(counts.mean_iou), float(counts.accuracy)


def _ambiguous(
    labels: Labels,
    targets: Labels,
    constant: ConstantMasks,
    foreground: npt.NDArray[np.floating[Any]],
    auc_of: str,
    k: int,
) -> tuple[Ambiguous, dict[str, npt.NDArray[np.float64]]]:
    """The figures, and IoU and AUC of each image."""
    pixels = constant.ambiguous
    there = only(targets, pixels)
    own = binary_counts(confusion(labels, there, k), "foreground", tuple(range(1, k)))
    mask = constant.counts(there, "foreground")
    frequency = constant.frequency.astype(np.float32)
    auc = foreground_auc_per_picture(foreground, targets, pixels)
    constant_auc = foreground_auc_per_picture(np.broadcast_to(frequency, targets.shape), targets, pixels)
    found = Ambiguous(
        float(pixels.mean()),
        float(own.sum().iou),
        foreground_auc(foreground, targets, pixels),
        auc_of,
        float(mask.sum().iou),
        foreground_auc(np.broadcast_to(frequency, targets.shape), targets, pixels),
        *(_mean(values) for values in (own.iou, auc, mask.iou, constant_auc)),
    )
    return found, {"ambiguous IoU": own.iou, "ambiguous AUC": auc}


def _mean(values: npt.NDArray[np.float64]) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")
