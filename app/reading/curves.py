"""The columns of a run's metrics in words: what may be shown as a curve, with unit and scale. Reads no files."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

RETRIEVAL = ("R-1", "R-5", "mAP")


@dataclass(frozen=True)
class Curve:
    """One column of the metrics. values are in `unit`; epochs without a value are left out."""

    column: str
    title: str
    unit: str
    epochs: tuple[int, ...]
    values: tuple[float, ...]
    digits: int = 1

    @property
    def last(self) -> float:
        """The latest value."""
        return self.values[-1]


_SHARES = {"churn": "labels changed", "R-1": "R-1", "R-5": "R-5", "R-10": "R-10", "mAP": "mAP", "mINP": "mINP"} | {
    f"mAP_{end}": f"mAP, {end} end of its 95 % interval by identity" for end in ("low", "high")
}


def title_of(column: str) -> tuple[str, str, float, int]:
    """(title, unit, factor, digits) of a column.

    >>> title_of("mAP"), title_of("loss_parsing")
    (('mAP', ' %', 100.0, 1), ('loss: parsing', '', 1.0, 3))
    >>> title_of("test_iou_head")[0]
    'IoU head, prediction'
    """
    if column in _SHARES:
        return _SHARES[column], " %", 100.0, 1
    side = re.match(r"(train|test)_(iou|auc)_(\w+)$", column)
    if side:
        what = "pseudo-labels" if side[1] == "train" else "prediction"
        return f"{'IoU' if side[2] == 'iou' else 'AUC'} {side[3]}, {what}", " %", 100.0, 1
    if column.startswith("loss"):
        return re.sub(r"^loss_", "loss: ", column).replace("_", " "), "", 1.0, 3
    if re.search(r"iou|auc|share|purity", column, re.IGNORECASE):
        return column.replace("_", " ").replace("/", " ").replace("iou", "IoU").strip(), " %", 100.0, 1
    return column.replace("_", " "), "", 1.0, 3


def curve(metrics: pd.DataFrame, column: str) -> Curve | None:
    """A column as a curve; None where it is missing or empty."""
    if column not in metrics.columns:
        return None
    known = pd.to_numeric(metrics[column], errors="coerce").dropna()
    if known.empty:
        return None
    title, unit, factor, digits = title_of(column)
    epochs = tuple(int(epoch) for epoch in known.index)
    return Curve(column, title, unit, epochs, tuple(float(v) * factor for v in known), digits)


def matching(metrics: pd.DataFrame, pattern: str) -> list[Curve]:
    """All curves whose column matches a regular expression, in the order of the columns."""
    found = [
        curve(metrics, str(column)) for column in metrics.columns if re.search(pattern, str(column), re.IGNORECASE)
    ]
    return [item for item in found if item is not None]
