"""What is measured while a run trains: label churn and sizes; IoU with ground truth, retrieval with a test set.

The formulas are those of eval (isp_core.metrics), without its protocols.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from isp_core.data.records import VALIDATION, DataSet
from isp_core.matching import Calibration, Embeddings, distances, judged
from isp_core.matching.visibility_rules import CALIBRATED
from isp_core.metrics.bootstrap import bootstrap_interval
from isp_core.metrics.ground_truth import read_truth
from isp_core.metrics.labels import churn, part_sizes
from isp_core.metrics.part_scores import (
    Assignment,
    BinaryCounts,
    assign_parts,
    binary_counts,
    class_iou,
    confusion,
    fit_constant,
    foreground_auc,
    only,
    part_purity,
)
from isp_core.metrics.ranking import evaluate_ranking
from isp_core.metrics.spaces import TARGETS, load_space

Labels = npt.NDArray[np.uint8]
Row = dict[str, float]


def label_row(labels: Labels, previous: Labels | None, parts: int) -> Row:
    """Share of changed pixels (NaN in the first round) and of each cluster."""
    row = {"churn": float("nan") if previous is None else churn(previous, labels)}
    return row | {f"size_{part}": float(share) for part, share in enumerate(part_sizes(labels, parts))}


def retrieval_row(
    query: Embeddings,
    gallery: Embeddings,
    queries: pd.DataFrame,
    found: pd.DataFrame,
    calibration: Calibration | None = None,
) -> Row:
    """R-1, R-5, R-10, mAP and mINP with Eq. 10, and the 95 % interval of mAP over identities (mAP_low, mAP_high); R-1
    and mAP also by Eq. 8, with all parts counted as visible, and with the global feature alone. Without parts the
    global feature is all there is. `calibration` decides which parts are visible; None leaves that to Eq. 8."""
    rules = {"aligned": "", "all-parts": "_all-parts", "global": "_global"} if query.n_parts else {"global": ""}
    by_eq8 = query, gallery
    if calibration is not None:
        query, gallery = (judged(each, CALIBRATED, calibration) for each in by_eq8)
    compared = [(rule, suffix, query, gallery) for rule, suffix in rules.items()]
    if calibration is not None:
        compared.append(("aligned", "_eq8", *by_eq8))
    row: Row = {}
    for rule, suffix, one, other in compared:
        ranking = evaluate_ranking(
            distances(one, other, matching=rule), queries.identity, queries.camera, found.identity, found.camera
        )
        summary = ranking.summary()
        names = ("R-1", "R-5", "R-10", "mAP", "mINP") if not suffix else ("R-1", "mAP")
        row |= {name + suffix: summary[name] for name in names}
        if not suffix:
            interval = bootstrap_interval(ranking.average_precision, queries.identity)
            row |= {"mAP_low": interval.low, "mAP_high": interval.high}
    return row


class TruthWatch:
    """Part ground truth of a data set at M_g's size, and the constant mask of its training maps."""

    def __init__(self, data: DataSet, folder: Path, space: str, size: tuple[int, int]) -> None:
        self.space = load_space(space)
        train = data.split("train")
        test = pd.concat([data.split("query"), data.split("gallery")], ignore_index=True)
        self.train = read_truth(folder, list(train.path), self.space, size, data.root)
        self.test = read_truth(folder, list(test.path), self.space, size, data.root) if len(test) else None
        held = data.split(VALIDATION)
        self.validation = read_truth(folder, list(held.path), self.space, size, data.root) if len(held) else None
        self.identities = np.asarray(train.identity)
        self.constant = fit_constant(self.train.targets[self.train.found])

    def baseline(self) -> dict[str, Any]:
        """The constant mask's class IoU on training and test pictures: what every figure is to be held against."""
        document: dict[str, Any] = {
            "rule": "one mask for every image: the thresholded mean of the training maps, best threshold on them",
            "space": self.space.name,
            "notes": [*self.space.notes, *self.train.notes()],
        }
        for split, truth in (("train", self.train), (VALIDATION, self.validation), ("test", self.test)):
            if truth is not None:
                targets = truth.targets[truth.found]
                counts = {name: self.constant.counts(targets, name) for name in TARGETS if self._has(name)}
                document[split] = {name: _pooled_iou(count) for name, count in counts.items()}
                document[f"{split}_pictures"] = truth.n
        return document

    def train_row(self, labels: Labels, parts: int) -> tuple[Row, Assignment]:
        """Class IoU of pseudo-labels, and which part stands for which class: the one-to-one assignment on them."""
        counts = confusion(labels[self.train.found], self.train.targets[self.train.found], parts)
        assignment = assign_parts(counts.sum(0))
        purity = part_purity(counts, self.identities[self.train.found])
        row = {
            f"train_iou_{name}": iou for name, iou in class_iou(counts.sum(0), assignment).items() if self._has(name)
        }
        row |= {f"purity_across_{part}": float(value) for part, value in enumerate(purity.across, start=1)}
        row |= {f"purity_within_{part}": float(value) for part, value in enumerate(purity.within, start=1)}
        return row, assignment

    def predicted_row(
        self, what: str, labels: Labels, foreground: npt.NDArray[np.floating[Any]], parts: int, assignment: Assignment
    ) -> Row:
        """Class IoU of predictions on "test" or "validation" images, and IoU and AUC of the foreground on ambiguous
        pixels; columns begin with the split's name."""
        truth = self.validation if what == VALIDATION else self.test
        if truth is None:
            return {}
        targets, labels = truth.targets[truth.found], labels[truth.found]
        counts = confusion(labels, targets, parts).sum(0)
        row = {f"{what}_iou_{name}": iou for name, iou in class_iou(counts, assignment).items() if self._has(name)}
        ambiguous = self.constant.ambiguous
        there = confusion(labels, only(targets, ambiguous), parts).sum(0)
        row[f"{what}_iou_ambiguous"] = float(binary_counts(there, "foreground", tuple(range(1, parts))).iou)
        row[f"{what}_auc_ambiguous"] = foreground_auc(foreground[truth.found], targets, ambiguous)
        return row

    def _has(self, name: str) -> bool:
        return name == "foreground" or name in self.space.parts


def _pooled_iou(counts: BinaryCounts) -> float:
    """IoU over all images together."""
    found, missed = int(counts.true_positive.sum()), int(counts.false_negative.sum())
    return found / (found + missed + int(counts.false_positive.sum())) if found + missed else float("nan")
