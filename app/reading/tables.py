"""The paper's Tables 3-6 for the runs on the disk: one row a run, beside the paper's figures. In percent.

Figures are what training and `isp eval` stored with each run; nothing is computed here. No drawing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from isp_app.reading import curves, runs_access
from isp_core.labelling.source import Role
from isp_core.labelling.sources import role_of
from isp_core.metrics.bootstrap import Interval
from isp_core.metrics.spaces import TARGETS
from isp_core.runs import Run
from isp_eval.retrieval import stored_interval
from isp_eval.studies import paper
from isp_eval.tables import range_words

VARIANTS = {"cascade": "", "one-step": "Variant 1", "unnormalised": "Variant 2"}


class Kind(NamedTuple):
    """A table of the paper: its title in a few words, and what it shows."""

    title: str
    about: str


TABLES = {
    "Table 3": Kind(
        "IoU of parts",
        "How well the parts match the ground truth; pseudo-labels (train) and predictions (test) are kept apart.",
    ),
    "Table 4": Kind("number of parts", "How many parts? One row per run of the cascade, by K."),
    "Table 5": Kind(
        "extra semantics", "Learned parts (ISP), a parser's or ground-truth parts (+extra info), and none (baseline)."
    ),
    "Table 6": Kind("backbones", "Which backbone?"),
}
_NONE = float("nan")


@dataclass(frozen=True)
class Figures:
    """Retrieval of a run at one epoch, in percent; `interval`: the 95 % interval of mAP over identities in words, ""
    where unknown."""

    epoch: int | None
    values: Mapping[str, float]
    interval: str = ""


def variant(run: Run) -> str:
    """ "" for the cascade, else the variant of Figure 5."""
    labels = run.info.config.get("labels")
    name = labels.get("variant", "cascade") if isinstance(labels, dict) else "cascade"
    return VARIANTS.get(str(name), str(name))


def model(run: Run) -> Role:
    """The row of Table 5 that a run belongs to."""
    return role_of(run.info.labels, run.info.parts)


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
        values = {k: _percent(known.get(k, {}).get("mean")) for k in curves.RETRIEVAL}
        return Figures(epoch, values, _interval(stored_interval(document)))
    table = runs_access.metrics(run)
    stored = {name: curves.curve(table, name) for name in curves.RETRIEVAL}
    epochs = [curve.epochs[-1] for curve in stored.values() if curve]
    ends = [curves.curve(table, f"mAP_{end}") for end in ("low", "high")]
    low, high = (end.last if end else _NONE for end in ends)
    return Figures(
        max(epochs, default=None), {k: c.last if c else _NONE for k, c in stored.items()}, range_words(low, high)
    )


def _interval(found: Interval | None) -> str:
    return "" if found is None else range_words(100 * found.low, 100 * found.high)


def parsing_rows(identifier: str, run: Run) -> list[dict[str, Any]]:
    """Table 3 for one run: a row for each kind of maps and rule, beside the constant mask; empty without truth."""
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
    rows = []
    for rule in document.get("rules") or []:
        scores = {score["target"]: score for score in rule.get("rows", [])}
        for form, own, other in (
            ("class IoU", "iou", "constant_iou"),
            ("mean of class and complement IoU", "mean_iou", "constant_mean_iou"),
        ):
            row = {
                **head,
                "epoch": document.get("epoch"),
                "n": document.get("n"),
                "rule": rule.get("rule"),
                "form": form,
            }
            for name in TARGETS:
                score = scores.get(name, {})
                row[name] = _percent(score.get(own)) if score.get("parts", True) else _NONE
                row[f"{name}, constant"] = _percent(scores.get(name, {}).get(other))
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
        row[name] = curve.last if curve else _NONE
        row[f"{name}, constant"] = 100 * constant[name] if name in constant else _NONE
    return [row]


def build(which: str, runs: Sequence[tuple[str, Run]], left_out: dict[str, str] | None = None) -> pd.DataFrame:
    """One of TABLES for (identifier, run) pairs; empty where no run belongs into it.

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
    if not belongs(which, run):
        return []
    if which == "Table 3":
        return parsing_rows(identifier, run)
    head = _head(which, run)
    if head is None:
        return []
    found = retrieval(run)
    row = {**head, "run": identifier, "data": run.info.data.name, "epoch": found.epoch, **found.values}
    row["mAP, 95 % by identity"] = found.interval
    column = paper.DUKE if which == "Table 6" else paper.column_for(run.info.data.name)
    known = _papers(which, run, column)
    return [row | {f"{name}, {paper.holds(column)}": known.get(name, _NONE) for name in curves.RETRIEVAL}]


def belongs(which: str, run: Run) -> bool:
    """Whether a run has a row in one of TABLES, measured or not: a look at own images (`isp look`) has none."""
    if run.info.parent is not None:
        return False
    return bool(run.info.parts) if which == "Table 3" else _head(which, run) is not None


def _head(which: str, run: Run) -> dict[str, Any] | None:
    """The first columns of a run's row; None where the run does not belong into the table."""
    info = run.info
    if which == "Table 4":
        learned = info.parts and not variant(run) and model(run) is Role.LEARNED
        return {"K": info.parts, "labels": info.labels, "backbone": info.backbone} if learned else None
    if which == "Table 5":
        return None if variant(run) else {"model": model(run).value, "K": info.parts, "backbone": info.backbone}
    if not info.parts or variant(run) or model(run) is not Role.LEARNED:
        return None
    return {"backbone": info.backbone, "parameters (M)": parameters(run), "K": info.parts}


def _papers(which: str, run: Run, column: str) -> paper.Figures:
    if which == "Table 4":
        return paper.PARTS.get(column, {}).get(run.info.parts, {})
    if which == "Table 5":
        return paper.SEMANTICS.get(column, {}).get(model(run), {})
    known = paper.BACKBONES.get(run.info.backbone)
    return known.figures if known else {}


def parameters(run: Run) -> float:
    """Millions of numbers in the backbone, as the run says; NaN where it does not (an imported one)."""
    return run.info.parameters.get("backbone", _NONE) / 1e6


def _percent(value: object) -> float:
    return 100 * float(value) if isinstance(value, int | float) else _NONE
