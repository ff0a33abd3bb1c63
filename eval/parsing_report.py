"""What the parsing protocol found: figures by class and rule, and how they are told as tables and as a document.

Out of scope: how they are made (eval.parsing_protocol).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from isp_core.metrics.bootstrap import Interval
from isp_core.metrics.ground_truth import Truth
from isp_core.metrics.part_scores import Assignment, Purity
from isp_core.metrics.presence import Alarms, Visibility
from isp_core.metrics.spaces import PARTS, LabelSpace
from isp_eval.sources import slug


@dataclass(frozen=True)
class Score:
    """One class, one rule. All in [0, 1], NaN where the ground truth has no such pixel.

    iou, mean_iou, accuracy: over all pixels of the set; mean_iou is the mean of class and complement IoU. low, high:
    the 95 % interval of iou, over `units` that the bootstrap draws (Parsing.resample says which).
    picture_*: mean over images that have the class, IoU with its interval. constant_*: the same of the constant mask.
    """

    target: str
    parts: tuple[int, ...]
    iou: float
    mean_iou: float
    accuracy: float
    low: float
    high: float
    units: int
    picture_iou: float
    picture_low: float
    picture_high: float
    picture_mean_iou: float
    picture_accuracy: float
    constant_iou: float
    constant_mean_iou: float
    constant_accuracy: float
    constant_picture_iou: float
    constant_picture_mean_iou: float
    constant_picture_accuracy: float


@dataclass(frozen=True)
class Agreement:
    """NMI and ARI of parts and classes (isp_core.metrics.agreement): no assignment of parts to classes is needed.

    nmi, ari: over the foreground of the ground truth, with intervals; *_all_pixels: with the background as one more
    class. constant_*: of the label map that gives every place its most common class in the training ground truth.
    """

    nmi: Interval
    ari: Interval
    constant_nmi: float
    constant_ari: float
    nmi_all_pixels: float
    ari_all_pixels: float
    constant_nmi_all_pixels: float
    constant_ari_all_pixels: float


@dataclass(frozen=True)
class Ambiguous:
    """Foreground on the pixels that are foreground in 20 to 80 % of the training ground truth; `share` of all pixels.

    iou, auc: pixels of all images together. picture_*: mean over images. The AUC of the constant is that of the
    training mean; within an image it says how well positions alone tell the person.
    """

    share: float
    iou: float
    auc: float
    auc_of: str
    constant_iou: float
    constant_auc: float
    picture_iou: float
    picture_auc: float
    constant_picture_iou: float
    constant_picture_auc: float


@dataclass(frozen=True)
class YardstickScore:
    """Foreground of one of isp_eval.yardsticks on the evaluated images; it has no parts.

    iou with its interval, mean_iou, accuracy: over all pixels of the set; picture_*: means over images. ambiguous_iou:
    on the pixels of `Ambiguous`.
    """

    name: str
    iou: Interval
    mean_iou: float
    accuracy: float
    picture_iou: Interval
    picture_mean_iou: float
    picture_accuracy: float
    ambiguous_iou: float


@dataclass(frozen=True)
class Presence:
    """Whether a class is seen in the images that have it, and only there, under one assignment of parts.

    visibility: by the name of a visibility rule (isp_core.matching.VISIBILITY_RULES), then of a class.
    alarms: of the belongings alone; None where the ground truth has no such class, or no part stands for it.
    """

    visibility: dict[str, dict[str, Visibility]]
    alarms: Alarms | None


@dataclass(frozen=True)
class Parsing:
    """A run's label maps of some images at one epoch, evaluated."""

    run: str
    epoch: int
    what: str
    data: str
    fingerprint: str
    space: LabelSpace
    size: tuple[int, int]
    parts: int
    truth: Truth
    resample: str
    scores: dict[Assignment, tuple[Score, ...]]
    agreement: Agreement
    presence: dict[Assignment, Presence]
    ambiguous: Ambiguous
    yardsticks: tuple[YardstickScore, ...]
    purity: Purity
    pictures: dict[str, npt.NDArray[np.float64]]
    paths: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the document in the run's evaluation folder."""
        what = f"on-{slug(self.data)}" if self.what == "other" else self.what
        return f"parsing-epoch_{self.epoch:04d}-{what}-{self.space.name}"[:100]

    def table(self) -> pd.DataFrame:
        """One row per rule and class, and one per yardstick, in per cent."""
        rows: list[tuple[object, ...]] = []
        for assignment, scores in self.scores.items():
            for s in scores:
                parts = ", ".join(map(str, s.parts)) if s.target != "foreground" else "all"
                whole = (s.iou, s.constant_iou, s.mean_iou, s.constant_mean_iou, s.accuracy, s.constant_accuracy)
                each = (s.picture_iou, s.constant_picture_iou, s.picture_mean_iou, s.constant_picture_mean_iou)
                rest = (s.picture_accuracy, s.constant_picture_accuracy, s.low, s.high, s.picture_low, s.picture_high)
                rows.append((assignment.rule, s.target, parts, *(100 * f for f in (*whole, *each, *rest))))
        c = next(s for scores in self.scores.values() for s in scores if s.target == "foreground")
        for y in self.yardsticks:
            whole = (y.iou.mean, c.constant_iou, y.mean_iou, c.constant_mean_iou, y.accuracy, c.constant_accuracy)
            each = (y.picture_iou.mean, c.constant_picture_iou, y.picture_mean_iou, c.constant_picture_mean_iou)
            ends = (y.iou.low, y.iou.high, y.picture_iou.low, y.picture_iou.high)
            rest = (y.picture_accuracy, c.constant_picture_accuracy, *ends)
            rows.append((y.name, "foreground", "", *(100 * f for f in (*whole, *each, *rest))))
        return pd.DataFrame(rows, columns=_COLUMNS)

    @property
    def resampled(self) -> str:
        """What the intervals draw, in words."""
        return f"95 % intervals resample {self.agreement.nmi.units} {self.resample}"

    def agreement_table(self) -> pd.DataFrame:
        """NMI and ARI in per cent, on the foreground of the ground truth (with the interval) and on all pixels."""
        a = self.agreement
        rows = [
            ("NMI", "foreground", a.nmi.mean, a.constant_nmi, a.nmi.low, a.nmi.high),
            ("ARI", "foreground", a.ari.mean, a.constant_ari, a.ari.low, a.ari.high),
            ("NMI", "all", a.nmi_all_pixels, a.constant_nmi_all_pixels, np.nan, np.nan),
            ("ARI", "all", a.ari_all_pixels, a.constant_ari_all_pixels, np.nan, np.nan),
        ]
        columns = ["metric", "pixels", "%", "constant", "95% low", "95% high"]
        return pd.DataFrame([(*row[:2], *(100 * value for value in row[2:])) for row in rows], columns=columns)

    def purity_table(self) -> pd.DataFrame:
        """One row per part, in per cent: what its pixels are, and how pure it is within and across identities."""
        columns = ["background", *PARTS, "other person"]
        frame = pd.DataFrame(100 * self.purity.spread, columns=columns)
        frame.insert(0, "part", np.arange(1, len(frame) + 1))
        frame["across"], frame["within"] = 100 * self.purity.across, 100 * self.purity.within
        return frame

    def visibility_table(self) -> pd.DataFrame:
        """One row per rule of assignment, visibility rule and class: visible parts against ground truth, image by
        image, in per cent; n are images."""
        rows = []
        for assignment, by, name, v in self._visibility():
            parts = ", ".join(map(str, assignment.parts_of(name, self.parts)))
            figures = (v.balanced, v.always_balanced, v.found, v.rejected, v.accuracy, v.always_accuracy)
            rows.append((assignment.rule, by, name, parts, v.present, v.absent, *(100 * f for f in figures)))
        return pd.DataFrame(rows, columns=_VISIBILITY_COLUMNS)

    def _visibility(self) -> Iterator[tuple[Assignment, str, str, Visibility]]:
        for assignment, presence in self.presence.items():
            for by, classes in presence.visibility.items():
                yield from ((assignment, by, name, found) for name, found in classes.items())

    def pictures_table(self) -> pd.DataFrame:
        """One row per image, in per cent: IoU of each class by the first rule, and the foreground's IoU and AUC on
        ambiguous pixels; empty where the image has no such pixel."""
        figures = {name: 100 * values for name, values in self.pictures.items()}
        return pd.DataFrame({"path": list(self.paths), **figures})

    def document(self) -> dict[str, Any]:
        """What is written into the run."""
        rules = [
            {
                "rule": assignment.rule,
                "rows": [_plain(score) for score in scores],
                "visibility": [
                    {"target": name, "by": by, **asdict(v)} for a, by, name, v in self._visibility() if a is assignment
                ],
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
            "resample": self.resample,
            "agreement": asdict(self.agreement),
            "rules": rules,
            "ambiguous": _plain(self.ambiguous),
            "yardsticks": [asdict(each) for each in self.yardsticks],
            "purity": purity.to_dict("records"),
            "pictures": {"path": list(self.paths)} | {name: values.tolist() for name, values in self.pictures.items()},
            "notes": list(self.notes),
        }


_COLUMNS = [
    "rule",
    "class",
    "parts",
    "IoU",
    "constant",
    "mean with complement",
    "constant mean",
    "pixel accuracy",
    "constant accuracy",
    "IoU per image",
    "constant per image",
    "mean per image",
    "constant mean per image",
    "accuracy per image",
    "constant accuracy per image",
    "IoU, 95% low",
    "IoU, 95% high",
    "IoU per image, 95% low",
    "IoU per image, 95% high",
]
_VISIBILITY_COLUMNS = [
    "rule",
    "visible by",
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


def _plain(row: Score | Ambiguous) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in row.__dataclass_fields__}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
