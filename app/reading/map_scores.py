"""Stored label maps evaluated by ground truth, per image and over a split, next to the constant mask.

The formulas are isp_core's. Pseudo-labels (training images) and predictions (query, gallery) are never mixed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from isp_app.cache_keys import KEYS
from isp_app.reading import part_truth, runs_access
from isp_app.rerun import once
from isp_app.settings import Settings
from isp_core.assignment import Measured, decide
from isp_core.errors import IspError
from isp_core.metrics.agreement import ari, nmi, on_foreground
from isp_core.metrics.bootstrap import bootstrap
from isp_core.metrics.ground_truth import Truth
from isp_core.metrics.part_scores import (
    Assignment,
    authors_assignment,
    binary_counts,
    confusion,
    fit_constant,
)
from isp_core.metrics.spaces import N_CODES, PARTS, TARGETS, load_space
from isp_core.runs import Run, open_run
from isp_core.runs.schema import MapKind, Split
from isp_eval.tables import range_words

ONE_TO_ONE = "one-to-one on training identities"
AUTHORS = "the authors' rule (K = 6, 7)"
TRUTH_COLUMNS = ("background", *PARTS, "other foreground")


AGREEMENT = ("NMI", "ARI")
CONSTANT = "constant"  # the evaluation that notes the constant mask
INTERVAL = "foreground, 95 % by identity"


@dataclass(frozen=True)
class Judged:
    """Pixels by true code and part, (N, 7, K), for the images of a split that have ground truth; rows (N,).

    token: of what it was made from, for caches.
    """

    rows: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    notes: tuple[str, ...]
    token: str


@st.cache_resource(hash_funcs=KEYS, max_entries=12, show_spinner="Comparing maps with ground truth")
def _judge(path: Path, tokens: str, split: Split, epoch: int, _truth: Truth, kind: MapKind, start: int) -> Judged:
    run = open_run(path)
    rows = np.flatnonzero(_truth.found)
    counts = []
    for begin in range(0, len(rows), 4096):  # a few thousand maps at a time
        some = rows[begin : begin + 4096]
        counts.append(confusion(run.labels(kind, epoch, some + start), _truth.targets[some], run.info.parts))
    whole = np.concatenate(counts) if counts else np.zeros((0, N_CODES, run.info.parts), np.int64)
    return Judged(rows, whole, _truth.notes(), f"{path} {split} {epoch} {tokens}")


@once
def map_size(run: Run, split: Split, epoch: int) -> tuple[int, int]:
    """(h, w) of the stored maps."""
    h, w = runs_access.maps(run, split, epoch, (0,)).shape[1:]
    return int(h), int(w)


@once
def judge(run: Run, settings: Settings, split: Split, epoch: int) -> Judged | None:
    """Stored maps of a split against their ground truth; None where there is no ground truth."""
    found = part_truth.of_split(run, settings, split, map_size(run, split, epoch))
    if found is None:
        return None
    kind = runs_access.kind_of(split)
    tokens = f"{runs_access.map_token(run, kind, epoch)} {id(found)}"
    return _judge(run.path, tokens, split, epoch, found, kind, runs_access.offset_of(run, split))


@once
def assignment(run: Run, settings: Settings, epoch: int, rule: str) -> Assignment:
    """Which parts stand for which class, as `isp eval parsing` decides it (isp_core.assignment); its rule in words."""
    if rule == AUTHORS:
        return authors_assignment(run.info.parts)

    def on_training() -> Measured | None:
        stored = [e for e in run.label_epochs("train") if e <= epoch]
        judged = judge(run, settings, "train", stored[-1]) if stored else None
        return None if judged is None or not len(judged.rows) else Measured(stored[-1], judged.counts.sum(0))

    try:
        decision = decide(run, epoch, on_training, runs_access.noted_parts(run))
    except IspError as error:
        space = part_truth.space_of(run)
        raise IspError(f"{error}. `isp eval parsing --run {run.path} --truth DIR --space {space}` says more") from error
    return replace(decision.assignment, rule=decision.words)


@once
def scored(run: Run) -> tuple[str, ...]:
    """The classes that the truth can tell; the others' cells stay empty."""
    known = load_space(part_truth.space_of(run)).parts
    return tuple(name for name in TARGETS if name == "foreground" or name in known)


def per_picture(run: Run, split: Split, judged: Judged, matched: Assignment) -> pd.DataFrame:
    """One row per image: IoU in per cent per class; empty where the image's ground truth has no such pixel, or where no
    part stands for the class."""
    table = runs_access.records(run, split).iloc[judged.rows].reset_index(drop=True)
    known = scored(run)
    columns = {
        name: 100 * binary_counts(judged.counts, name, matched.parts_of(name, run.info.parts)).iou
        if name in known and matched.parts_of(name, run.info.parts)
        else np.full(len(table), np.nan)
        for name in TARGETS
    }
    return pd.concat([pd.DataFrame({"row": judged.rows}), table, pd.DataFrame(columns)], axis=1)


def overall(run: Run, judged: Judged, matched: Assignment, form: str = "iou") -> dict[str, float]:
    """IoU over the whole split in per cent (form "iou"), or the mean of class and complement IoU ("mean_iou").

    NaN for a class that no part stands for.
    """
    total, known = judged.counts.sum(0), scored(run)
    found = {}
    for name in TARGETS:
        parts = matched.parts_of(name, run.info.parts)
        value = 100 * float(getattr(binary_counts(total, name, parts), form))
        found[name] = value if parts and name in known else float("nan")
    return found


@dataclass(frozen=True)
class Scored:
    """One side of a comparison: a run's maps of a split at an epoch, evaluated by ground truth under an assignment."""

    name: str
    run: Run
    split: Split
    epoch: int
    judged: Judged
    matched: Assignment

    @property
    def label(self) -> str:
        """Run, epoch and split in words."""
        return f"{self.name}, epoch {self.epoch}, {self.split}"

    def overall(self, form: str = "iou") -> dict[str, float]:
        """IoU over the whole split, see `overall`."""
        return overall(self.run, self.judged, self.matched, form)

    def images(self) -> pd.DataFrame:
        """IoU of each image, see `per_picture`."""
        return per_picture(self.run, self.split, self.judged, self.matched)

    def constant(self, settings: Settings, form: str = "iou") -> dict[str, float]:
        """IoU of the constant mask on the same images, see `constant`."""
        return constant(self.run, settings, self.split, self.epoch, form)


def score(name: str, run: Run, settings: Settings, split: Split, epoch: int, rule: str) -> Scored | None:
    """Stored maps of a split at an epoch, evaluated; None without ground truth. name: the run's in the list."""
    judged = judge(run, settings, split, epoch)
    if judged is None:
        return None
    return Scored(name, run, split, epoch, judged, assignment(run, settings, epoch, rule))


def agreement(run: Run, split: Split, judged: Judged) -> dict[str, Any]:
    """What does not depend on the assignment of parts to classes: NMI and ARI on the foreground in per cent, and the
    95 % interval of the foreground's IoU over identities."""
    identities = runs_access.records(run, split)["identity"].to_numpy()[judged.rows]
    return _agreement(judged.counts, identities, run.info.parts, f"{judged.token} {runs_access.records_token(run)}")


@st.cache_data(max_entries=64, show_spinner=False)
def _agreement(
    _counts: npt.NDArray[np.int64], _identities: npt.NDArray[np.int64], parts: int, token: str
) -> dict[str, Any]:
    foreground = binary_counts(_counts, "foreground", tuple(range(1, parts))).intersection_and_union
    whole = bootstrap(foreground, lambda sums: sums[:, 0] / np.maximum(sums[:, 1], 1), _identities, 1000)
    total = on_foreground(_counts.sum(0))
    return {
        "NMI": 100 * float(nmi(total)),
        "ARI": 100 * float(ari(total)),
        INTERVAL: range_words(100 * whole.low, 100 * whole.high),
    }


@st.cache_data(max_entries=12, show_spinner="Fitting the constant mask")
def _constant_agreement(_truth: Truth, _train: Truth, key: str) -> dict[str, float]:
    targets = _truth.targets[_truth.found]
    likeliest = fit_constant(_train.targets[_train.found]).likeliest_part
    total = on_foreground(confusion(np.broadcast_to(likeliest, targets.shape), targets, N_CODES).sum(0))
    return {"NMI": 100 * float(nmi(total)), "ARI": 100 * float(ari(total))}


@once
def constant_agreement(run: Run, settings: Settings, split: Split, epoch: int) -> dict[str, float]:
    """NMI and ARI of the label map that gives every place its most common class; empty without training maps."""
    size = map_size(run, split, epoch)
    own, train = (part_truth.of_split(run, settings, s, size) for s in (split, "train"))
    if own is None or train is None or not train.n:
        return {}
    return _constant_agreement(own, train, f"{id(own)} {id(train)}")


def yardsticks(run: Run, split: Split, epoch: int) -> list[dict[str, Any]]:
    """Foreground of masks that use neither identities nor training, as `isp eval parsing` stored them for this epoch:
    rows of the IoU table; of query and gallery together, since they were evaluated together."""
    kind = runs_access.kind_of(split)
    names = [name for name in run.evaluation_names() if name.startswith(f"parsing-epoch_{epoch:04d}-{kind}-")]
    found = runs_access.evaluation(run, names[0]).get("yardsticks") if names else None
    return [
        {
            "maps": str(each.get("name")),
            "iou": _percent((each.get("iou") or {}).get("mean")),
            "mean_iou": _percent(each.get("mean_iou")),
            INTERVAL: range_words(*(_percent((each["iou"]).get(end)) for end in ("low", "high"))),
        }
        for each in (found if isinstance(found, list) else [])
        if isinstance(each, dict) and isinstance(each.get("iou"), dict)
    ]


def _percent(value: object) -> float:
    return 100 * float(value) if isinstance(value, int | float) else float("nan")


@st.cache_data(max_entries=12, show_spinner="Fitting the constant mask")
def _constant(_truth: Truth, _train: Truth, key: str, form: str) -> dict[str, float]:
    masks = fit_constant(_train.targets[_train.found])
    targets = _truth.targets[_truth.found]
    return {name: 100 * float(getattr(masks.counts(targets, name).sum(), form)) for name in TARGETS}


@st.cache_data(max_entries=24, show_spinner="Fitting the constant mask")
def _constant_each(_truth: Truth, _train: Truth, key: str, name: str) -> npt.NDArray[np.float64]:
    masks = fit_constant(_train.targets[_train.found])
    iou: npt.NDArray[np.float64] = 100 * masks.counts(_truth.targets[_truth.found], name).iou
    return iou


def constant_each(run: Run, settings: Settings, split: Split, epoch: int, name: str) -> npt.NDArray[np.float64] | None:
    """What the constant mask scores on each image that has ground truth, (N,) in per cent; None where it could not be
    fitted, without ground truth of training images."""
    size = map_size(run, split, epoch)
    own, train = (part_truth.of_split(run, settings, s, size) for s in (split, "train"))
    if own is None or train is None or not train.n:
        return None
    return _constant_each(own, train, f"{id(own)} {id(train)}", name)


def constant_rule(run: Run) -> str:
    """What the constant mask is and which images it was fitted on."""
    if not len(runs_access.records(run, "train")) and CONSTANT in run.evaluation_names():
        return str(runs_access.evaluation(run, CONSTANT).get("rule", ""))
    return "one mask for every image, fitted on the ground truth of the training images"


@once
def constant(run: Run, settings: Settings, split: Split, epoch: int, form: str = "iou") -> dict[str, float]:
    """What one fixed mask for every image scores on this split, in per cent; fitted on the training ground truth."""
    size = map_size(run, split, epoch)
    own, train = (part_truth.of_split(run, settings, s, size) for s in (split, "train"))
    if own is None or train is None or not train.n:
        noted = runs_access.constant_mask(run, split) if form == "iou" else {}
        return {name: 100 * noted[name] if name in noted else float("nan") for name in TARGETS}
    found, known = _constant(own, train, f"{id(own)} {id(train)}", form), scored(run)
    return {name: found[name] if name in known else float("nan") for name in TARGETS}
