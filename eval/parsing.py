"""The parsing protocol: a run's label maps against truth, class by class, each beside the constant mask.

Not here: the formulas (isp_core.metrics.parsing), label spaces (isp_core.metrics.spaces), reading truth
(isp_core.metrics.truth).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from eval.label_maps import LabelMaps
from eval.sources import slug
from isp_core.data import DataError
from isp_core.matching import part_share
from isp_core.metrics.bootstrap import bootstrap_interval
from isp_core.metrics.parsing import (
    Assignment,
    BinaryCounts,
    ConstantMasks,
    Counts,
    Labels,
    Purity,
    assign_parts,
    authors_assignment,
    binary_counts,
    confusion,
    fit_constant,
    foreground_auc,
    only,
    part_purity,
)
from isp_core.metrics.presence import (
    ALARM_SHARE,
    Alarms,
    Visibility,
    judge_alarms,
    judge_visibility,
    truth_presence,
)
from isp_core.metrics.spaces import PARTS, TARGETS, LabelSpace
from isp_core.metrics.truth import Truth, read_truth
from isp_core.runs import Run

AS_IMPORTED = Assignment("as imported", **{name: (code,) for code, name in enumerate(PARTS, start=1)})


@dataclass(frozen=True)
class Score:
    """One class, one rule. All in [0, 1], NaN where the truth has no such pixel.

    iou, mean_iou, accuracy: over all pixels of the set; mean_iou is the mean of class and complement IoU.
    picture_iou: mean over pictures that have the class, with its interval. constant_*: the same of the constant mask.
    """

    target: str
    parts: tuple[int, ...]
    iou: float
    mean_iou: float
    accuracy: float
    picture_iou: float
    picture_low: float
    picture_high: float
    constant_iou: float
    constant_mean_iou: float
    constant_accuracy: float
    constant_picture_iou: float


@dataclass(frozen=True)
class Ambiguous:
    """Foreground on the pixels that are foreground in 20 to 80 % of the training truth; `share` of all pixels."""

    share: float
    iou: float
    auc: float
    auc_of: str
    constant_iou: float
    constant_auc: float


@dataclass(frozen=True)
class Presence:
    """Whether a class is seen in the pictures that have it, and only there, under one rule.

    alarms: of the belongings alone; None where the truth has no such class, or no part stands for it.
    """

    visibility: dict[str, Visibility]
    alarms: Alarms | None


@dataclass(frozen=True)
class Parsing:
    """A run's label maps of some pictures at one epoch, judged."""

    run: str
    epoch: int
    what: str
    data: str
    fingerprint: str
    space: LabelSpace
    size: tuple[int, int]
    parts: int
    truth: Truth
    scores: dict[Assignment, tuple[Score, ...]]
    presence: dict[Assignment, Presence]
    ambiguous: Ambiguous
    purity: Purity
    picture_iou: dict[str, npt.NDArray[np.float64]]
    paths: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the document in the run's evaluation folder."""
        what = f"on-{slug(self.data)}" if self.what == "other" else self.what
        return f"parsing-epoch_{self.epoch:04d}-{what}-{self.space.name}"[:100]

    def table(self) -> pd.DataFrame:
        """One row per rule and class, in per cent."""
        rows = []
        for assignment, scores in self.scores.items():
            for s in scores:
                parts = ", ".join(map(str, s.parts)) if s.target != "foreground" else "all"
                figures = (s.iou, s.constant_iou, s.picture_iou, s.constant_picture_iou, s.mean_iou)
                rest = (s.constant_mean_iou, s.accuracy, s.constant_accuracy)
                rows.append((assignment.rule, s.target, parts, *(100 * f for f in (*figures, *rest))))
        return pd.DataFrame(rows, columns=_COLUMNS)

    def purity_table(self) -> pd.DataFrame:
        """One row per part, in per cent: what its pixels are, and how pure it is within and across identities."""
        columns = ["background", *PARTS, "other person"]
        frame = pd.DataFrame(100 * self.purity.spread, columns=columns)
        frame.insert(0, "part", np.arange(1, len(frame) + 1))
        frame["across"], frame["within"] = 100 * self.purity.across, 100 * self.purity.within
        return frame

    def visibility_table(self) -> pd.DataFrame:
        """One row per rule and class: Eq. 8 against truth, picture by picture, in per cent; n are pictures."""
        rows = []
        for assignment, presence in self.presence.items():
            for name, v in presence.visibility.items():
                parts = ", ".join(map(str, assignment.parts_of(name, self.parts)))
                figures = (v.balanced, v.always_balanced, v.found, v.rejected, v.accuracy, v.always_accuracy)
                rows.append((assignment.rule, name, parts, v.present, v.absent, *(100 * f for f in figures)))
        return pd.DataFrame(rows, columns=_VISIBILITY_COLUMNS)

    def document(self) -> dict[str, Any]:
        """What is written into the run."""
        rules = [
            {
                "rule": assignment.rule,
                "rows": [_plain(score) for score in scores],
                "visibility": [{"target": n, **asdict(v)} for n, v in self.presence[assignment].visibility.items()],
                "belongings": None if (alarms := self.presence[assignment].alarms) is None else asdict(alarms),
            }
            for assignment, scores in self.scores.items()
        ]
        purity = self.purity_table()
        return {
            "kind": "parsing",
            "run": self.run,
            "epoch": self.epoch,
            "split": self.what,
            "data": self.data,
            "fingerprint": self.fingerprint,
            "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "space": self.space.name,
            "space_notes": list(self.space.notes),
            "size": list(self.size),
            "n": self.truth.n,
            "n_pictures": len(self.truth.found),
            "missing": list(self.truth.missing),
            "misshapen": list(self.truth.misshapen),
            "rules": rules,
            "ambiguous": _plain(self.ambiguous),
            "purity": purity.to_dict("records"),
            "pictures": {"path": list(self.paths)} | {name: iou.tolist() for name, iou in self.picture_iou.items()},
            "notes": list(self.notes),
        }


_COLUMNS = [
    "rule",
    "class",
    "parts",
    "IoU",
    "constant",
    "IoU per picture",
    "constant per picture",
    "mean with complement",
    "constant mean",
    "pixel accuracy",
    "constant accuracy",
]
_VISIBILITY_COLUMNS = [
    "rule",
    "class",
    "parts",
    "n with",
    "n without",
    "balanced accuracy",
    "always visible",
    "found where present",
    "hidden where absent",
    "accuracy",
    "always visible, accuracy",
]


def evaluate(run: Run, maps: LabelMaps, folder: Path, space: LabelSpace, alarm_share: float = ALARM_SHARE) -> Parsing:
    """Judges label maps of a run by the truth in `folder`, brought to the maps' size by nearest neighbour.

    Parts are matched to classes on training pictures: their pseudo-labels of the same epoch, or the last before it,
    against their truth. The constant mask is fitted on the same truth. Where there is none (another data set, or truth
    of test pictures alone) the matching that training noted is taken, else the judged pictures decide, and the notes
    say so. alarm_share: the share of a picture's pixels beyond which belongings count as seen. IspError where there is
    no truth at all.
    """
    size = (int(maps.labels.shape[1]), int(maps.labels.shape[2]))
    truth = read_truth(folder, maps.paths, space, size, maps.root)
    notes = [*truth.notes()]
    k = max(run.info.parts, 2)
    labels, targets = maps.labels[truth.found], truth.targets[truth.found]
    counts = confusion(labels, targets, k)

    training, pseudo_labels = _training(run, maps, truth, folder, space, notes)
    if training is None:
        notes.append("the constant mask was fitted on the judged pictures, which favours it: no training truth is here")
    constant = fit_constant(targets if training is None else training.targets[training.found])
    if run.info.imported:
        assignments = [AS_IMPORTED]
    else:
        matched = None
        if training is not None and pseudo_labels is not None:
            found = training.found
            matched = assign_parts(confusion(pseudo_labels[found], training.targets[found], k).sum(axis=0))
        assignments = [matched or _noted_assignment(run, maps.epoch) or _assigned_here(counts, notes)]
        if k in (6, 7):
            assignments.append(authors_assignment(k))

    identities = np.arange(len(maps.paths)) if maps.identities is None else maps.identities
    foreground = maps.foreground[truth.found]
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
        scores={a: tuple(_score(counts, targets, constant, a, t, k) for t in TARGETS) for a in assignments},
        presence={a: _presence(labels, targets, a, k, alarm_share) for a in assignments},
        ambiguous=_ambiguous(labels, targets, constant, foreground, maps.foreground_is, k),
        purity=part_purity(counts, identities[truth.found]),
        picture_iou={t: binary_counts(counts, t, assignments[0].parts_of(t, k)).iou for t in TARGETS},
        paths=tuple(path for path, there in zip(maps.paths, truth.found, strict=True) if there),
        notes=tuple(notes),
    )


def _training(
    run: Run, maps: LabelMaps, judged: Truth, folder: Path, space: LabelSpace, notes: list[str]
) -> tuple[Truth | None, Labels | None]:
    """Truth of the training pictures, and their pseudo-labels of this epoch or the last before it."""
    if maps.what == "train":
        return judged, maps.labels
    size = (int(maps.labels.shape[1]), int(maps.labels.shape[2]))
    records = run.records("train")
    if maps.what == "other" or records.empty:
        return None, None
    try:
        truth = read_truth(folder, list(records.path), space, size, maps.root)
    except DataError:  # truth of the test set alone is fine
        return None, None
    notes.extend(f"training: {note}" for note in truth.notes())
    before = [e for e in run.label_epochs("train") if e <= maps.epoch]
    return truth, run.labels("train", before[-1]) if before else None


def _noted_assignment(run: Run, epoch: int) -> Assignment | None:
    """The matching that training noted for this epoch, or the last before it, where it was given truth."""
    if "parts" not in run.evaluation_names():
        return None
    noted = run.read_evaluation("parts")
    before = [int(e) for e in noted if e.isdigit() and int(e) <= epoch]
    if not before:
        return None
    entry = noted[str(max(before))]
    parts = {name: tuple(int(part) for part in entry.get(name, ())) for name in PARTS}
    return Assignment(f"{entry.get('rule', 'one-to-one')}, noted in training", **parts)


def _assigned_here(counts: Counts, notes: list[str]) -> Assignment:
    notes.append("parts were matched to classes on the judged pictures: no training picture has maps and truth")
    return assign_parts(counts.sum(axis=0))


def _score(
    counts: Counts, targets: Labels, constant: ConstantMasks, assignment: Assignment, target: str, k: int
) -> Score:
    parts = assignment.parts_of(target, k)
    per_picture = binary_counts(counts, target, parts)
    mask = constant.counts(targets, target)
    interval = bootstrap_interval(per_picture.iou, resamples=1000)
    own, other = _figures(per_picture), _figures(mask)
    return Score(target, parts, *own, interval.mean, interval.low, interval.high, *other, _mean(mask.iou))


def _presence(labels: Labels, targets: Labels, assignment: Assignment, k: int, alarm_share: float) -> Presence:
    """Classes that the truth shows nowhere, or that no part stands for, are left out: there is nothing to agree on."""
    share, visibility, alarms = part_share(labels, k), {}, None  # (N, K-1)
    for name in PARTS:
        chosen = [part - 1 for part in assignment.parts_of(name, k)]
        presence = truth_presence(targets, name)
        if not chosen or not (presence == 1).any():
            continue
        visibility[name] = judge_visibility(share[:, chosen].max(axis=1) > 0, presence)
        if name == "belongings":
            alarms = judge_alarms(share[:, chosen].sum(axis=1), presence, alarm_share)
    return Presence(visibility, alarms)


def _figures(counts: BinaryCounts) -> tuple[float, float, float]:
    whole = counts.sum()
    return float(whole.iou), float(whole.mean_iou), float(whole.accuracy)


def _ambiguous(
    labels: Labels,
    targets: Labels,
    constant: ConstantMasks,
    foreground: npt.NDArray[np.floating[Any]],
    auc_of: str,
    k: int,
) -> Ambiguous:
    pixels = constant.ambiguous
    there = only(targets, pixels)
    own = binary_counts(confusion(labels, there, k).sum(axis=0), "foreground", tuple(range(1, k)))
    frequency = np.broadcast_to(constant.frequency.astype(np.float32), targets.shape)
    return Ambiguous(
        float(pixels.mean()),
        float(own.iou),
        foreground_auc(foreground, targets, pixels),
        auc_of,
        float(constant.counts(there, "foreground").sum().iou),
        foreground_auc(frequency, targets, pixels),
    )


def _mean(values: npt.NDArray[np.float64]) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")


def _plain(row: Score | Ambiguous) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in row.__dataclass_fields__}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
