"""The rows of the paper's Tables 3-6: which run has one, what stands first in it, and the paper's numbers beside it.

A study fills them with pooled evaluations (eval.studies.reports), the app with what each run stored. In per cent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from isp_core.labelling.source import Role
from isp_core.labelling.sources import role_of
from isp_core.runs import RunInfo
from isp_eval.studies import paper
from isp_eval.studies.table import Row

NONE = float("nan")


class Kind(NamedTuple):
    """A table of the paper: its title in a few words, what it shows, and the column that names its rows."""

    title: str
    about: str
    head: str


TABLES: Mapping[str, Kind] = {
    "Table 3": Kind(
        "IoU of parts",
        "How well the parts match the ground truth; pseudo-labels (train) and predictions (test) are kept apart.",
        "run",
    ),
    "Table 4": Kind("number of parts", "How many parts? One row per run of the cascade, by K.", "K"),
    "Table 5": Kind(
        "extra semantics",
        "Learned parts (ISP), a parser's or ground-truth parts (+extra info), and none (baseline).",
        "model",
    ),
    "Table 6": Kind("backbones", "Which backbone?", "backbone"),
}
_VARIANTS = {"cascade": "", "one-step": "Variant 1", "unnormalised": "Variant 2"}


def variant(info: RunInfo) -> str:
    """ "" for the cascade, else the variant of Figure 5."""
    labels = info.config.get("labels")
    name = labels.get("variant", "cascade") if isinstance(labels, dict) else "cascade"
    return _VARIANTS.get(str(name), str(name))


def model(info: RunInfo) -> Role:
    """The row of Table 5 that a run belongs to."""
    return role_of(info.labels, info.parts)


def belongs(which: str, info: RunInfo) -> bool:
    """Whether a run has a row, measured or not: without training (`isp look`, `isp label --network`) it has none."""
    if not info.trained:
        return False
    learned = model(info) is Role.LEARNED and bool(info.parts) and not variant(info)
    return {"Table 3": bool(info.parts), "Table 4": learned, "Table 5": not variant(info), "Table 6": learned}[which]


def head(which: str, info: RunInfo) -> Row:
    """The first cells of a run's row in Tables 4-6."""
    if which == "Table 4":
        return {"K": info.parts, "labels": info.labels, "backbone": info.backbone}
    if which == "Table 5":
        return {"model": model(info).value, "K": info.parts, "backbone": info.backbone}
    return {"backbone": info.backbone, "parameters (M)": parameters(info), "K": info.parts}


def parameters(info: RunInfo | None) -> float:
    """Millions of weights of the backbone without its classifier; NaN where the run does not say."""
    return NONE if info is None else info.parameters.get("backbone", NONE) / 1e6


def papers(which: str, name: object, data: str, metrics: Sequence[str]) -> Row:
    """The paper's metrics beside the row called `name` (K, model or backbone); NaN where it has none.

    data: ours or one of the paper's data sets. Table 6 has DukeMTMC-reID alone.

    >>> papers("Table 4", 6, "Market-1501", ["R-1", "R-10"])
    {'R-1, paper, Market-1501': 95.2, 'R-10, paper, Market-1501': nan}
    """
    column = paper.DUKE if which == "Table 6" else paper.column_for(data)
    if which == "Table 4":
        known = paper.PARTS.get(column, {}).get(int(str(name)), {})
    elif which == "Table 5":
        known = paper.SEMANTICS.get(column, {}).get(str(name), {})
    else:
        backbone = paper.BACKBONES.get(str(name))
        known = backbone.figures if backbone is not None else {}
    return {f"{metric}, {paper.holds(column)}": known.get(metric, NONE) for metric in metrics}


def classes(document: Mapping[str, Any]) -> list[Row]:
    """The rows of Table 3 in a stored evaluation of label maps (`isp eval parsing`): one per rule and class, beside
    the constant mask. A class that no part stands for has no score."""
    rows = []
    for rule in document.get("rules") or []:
        for score in rule.get("rows") or []:
            there = bool(score.get("parts", True))
            rows.append(
                {
                    "rule": rule.get("rule"),
                    "class": score["target"],
                    "IoU": percent(score.get("iou")) if there else NONE,
                    "low": percent(score.get("low")) if there else NONE,
                    "high": percent(score.get("high")) if there else NONE,
                    "constant": percent(score.get("constant_iou")),
                    "mean with complement": percent(score.get("mean_iou")) if there else NONE,
                    "constant mean": percent(score.get("constant_mean_iou")),
                }
            )
    return rows


def percent(value: object) -> float:
    """A stored share in per cent; NaN where there is none."""
    return 100 * float(value) if isinstance(value, int | float) else NONE
