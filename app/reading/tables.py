"""The paper's Tables 3-6 for the runs on the disk: one row per run, beside the paper's numbers. In per cent.

The metrics are what training and `isp eval` stored with each run; nothing is computed here, and nothing is drawn.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from isp_app.reading import curves, runs_access
from isp_core.labelling.source import Role
from isp_core.metrics.bootstrap import Interval
from isp_core.metrics.spaces import TARGETS
from isp_core.runs import Run
from isp_eval.retrieval import stored_interval
from isp_eval.studies.rows import NONE, TABLES, belongs, classes, head, papers, percent
from isp_eval.studies.table import Row
from isp_eval.tables import range_words

_FORMS = (
    ("class IoU", "IoU", "constant"),
    ("binary mIoU", "mean with complement", "constant mean"),
)


@dataclass(frozen=True)
class Figures:
    """Retrieval of a run at one epoch, in per cent; `interval`: the 95 % interval of mAP over identities in words, ""
    where unknown."""

    epoch: int | None
    values: Mapping[str, float]
    interval: str = ""


def retrieval(run: Run) -> Figures:
    """The last stored evaluation of Eq. 10 (a baseline: of the global feature), else training's last figures."""
    rule = "aligned" if run.info.parts else "global"
    pattern = re.compile(rf"retrieval-epoch_(\d+)-{rule}-cosine")
    found = [(int(m[1]), name) for name in run.evaluation_names() if (m := pattern.fullmatch(name))]
    if found:
        epoch, name = max(found)
        document = runs_access.evaluation(run, name)
        figures = document.get("figures")
        known = {k: v for k, v in figures.items() if isinstance(v, dict)} if isinstance(figures, dict) else {}
        values = {k: percent(known.get(k, {}).get("mean")) for k in curves.RETRIEVAL}
        return Figures(epoch, values, _interval(stored_interval(document)))
    table = runs_access.metrics(run)
    stored = {name: curves.curve(table, name) for name in curves.RETRIEVAL}
    epochs = [curve.epochs[-1] for curve in stored.values() if curve]
    ends = [curves.curve(table, f"mAP_{end}") for end in ("low", "high")]
    low, high = (end.last if end else NONE for end in ends)
    return Figures(
        max(epochs, default=None), {k: c.last if c else NONE for k, c in stored.items()}, range_words(low, high)
    )


def _interval(found: Interval | None) -> str:
    return "" if found is None else range_words(100 * found.low, 100 * found.high)


def parsing_rows(identifier: str, run: Run) -> list[dict[str, Any]]:
    """Table 3 for one run: a row for each kind of maps and rule, next to the constant mask; empty without them."""
    pattern = re.compile(r"parsing-epoch_(\d+)-(train|test)-.+")
    documents: dict[str, tuple[int, str]] = {}
    for name in run.evaluation_names():
        if found := pattern.fullmatch(name):
            documents[found[2]] = max(documents.get(found[2], (-1, "")), (int(found[1]), name))
    rows: list[dict[str, Any]] = []
    for kind, words in (("train", "train (pseudo-labels)"), ("test", "test (predictions)")):
        head = {"run": identifier, "K": run.info.parts, "maps": words}
        if kind in documents:
            rows += _judged(head, runs_access.evaluation(run, documents[kind][1]))
        else:
            rows += _noted(head, run, kind)
    return rows


def _judged(head: Mapping[str, Any], document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The classes beside each other, a row for each rule and form of IoU."""
    by_rule: dict[str, dict[str, Row]] = {}
    for row in classes(document):
        by_rule.setdefault(row["rule"], {})[row["class"]] = row
    rows = []
    for rule, found in by_rule.items():
        for form, own, other in _FORMS:
            row = {**head, "epoch": document.get("epoch"), "n": document.get("n"), "rule": rule, "form": form}
            for name in TARGETS:
                row[name] = found.get(name, {}).get(own, NONE)
                row[f"{name}, constant"] = found.get(name, {}).get(other, NONE)
            rows.append(row)
    return rows


def _noted(head: Mapping[str, Any], run: Run, kind: str) -> list[dict[str, Any]]:
    """What training measured itself, class IoU by the one-to-one rule."""
    table = runs_access.metrics(run)
    found = {name: curves.curve(table, f"{kind}_iou_{name}") for name in TARGETS}
    epochs = [curve.epochs[-1] for curve in found.values() if curve]
    if not epochs:
        return []
    split = run.info.data.splits
    constant = runs_access.constant_mask(run, "train" if kind == "train" else "query")
    n = sum(c.pictures for name, c in split.items() if (name == "train") == (kind == "train"))
    row = {**head, "epoch": max(epochs), "n": n, "rule": "one-to-one, in training", "form": "class IoU"}
    for name, curve in found.items():
        row[name] = curve.last if curve else NONE
        row[f"{name}, constant"] = 100 * constant[name] if name in constant else NONE
    return [row]


def build(which: str, runs: Sequence[tuple[str, Run]], left_out: dict[str, str] | None = None) -> pd.DataFrame:
    """One of TABLES for (identifier, run) pairs; empty where no run belongs in it.

    left_out: takes the runs that could not be read, with the reason.
    """
    found, reasons = runs_access.read_each(runs, lambda identifier, run: _rows(which, identifier, run))
    if left_out is not None:
        left_out.update(reasons)
    rows = [row for several in found.values() for row in several]
    if which != "Table 3":
        order = {role.value: place for place, role in enumerate((Role.BASELINE, Role.GIVEN, Role.LEARNED))}
        rows.sort(key=lambda row: (row.get("K", 0), order.get(str(row.get("model")), 0), str(row.get("backbone", ""))))
    return pd.DataFrame(rows)


def _rows(which: str, identifier: str, run: Run) -> list[dict[str, Any]]:
    if not belongs(which, run.info):
        return []
    if which == "Table 3":
        return parsing_rows(identifier, run)
    first = head(which, run.info)
    found, data = retrieval(run), run.info.data.name
    row = {**first, "run": identifier, "data": data, "epoch": found.epoch, **found.values}
    row["mAP, 95 % by identity"] = found.interval
    return [row | papers(which, first[TABLES[which].head], data, curves.RETRIEVAL)]
