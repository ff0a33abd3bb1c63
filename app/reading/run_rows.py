"""All runs as rows: what each is, its latest metrics, and how far they are from a reference run's. In per cent. No
drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from isp_app.reading import curves, runs_access, tables
from isp_app.reading.runs_access import Listed
from isp_core.labelling.source import Family
from isp_core.labelling.sources import family_of
from isp_core.metrics.spaces import TARGETS
from isp_core.runs import Run
from isp_eval.studies.rows import variant

GROUP = "group"
DIFFERENCE = ", difference"
INTERVAL = "mAP, 95 % by identity"
IOU = {name: f"IoU {name}" for name in TARGETS}
MEASURED = (*curves.RETRIEVAL, *IOU.values())
_NONE = float("nan")


def family(item: Listed) -> Family:
    """The group of a run in the list."""
    summary = item.summary
    if summary.parent:
        return Family.PARSED
    return Family.NETWORK if summary.network else family_of(summary.labels, summary.parts)


@dataclass(frozen=True)
class RunRows:
    """The table, one row per run that could be read, and the reasons of the others."""

    table: pd.DataFrame
    left_out: dict[str, str]


def rows(opened: Sequence[tuple[Listed, Run]]) -> RunRows:
    """One row per run: NaN where it has no such metric."""
    items = {item.id: item for item, _ in opened}
    found, reasons = runs_access.read_each(
        ((item.id, run) for item, run in opened), lambda identifier, run: _row(items[identifier], run)
    )
    return RunRows(pd.DataFrame(list(found.values())), reasons)


def _row(item: Listed, run: Run) -> dict[str, object]:
    retrieval = tables.retrieval(run)
    metrics = runs_access.metrics(run)
    iou = {words: curves.curve(metrics, f"test_iou_{name}") for name, words in IOU.items()}
    return {
        "run": item.id,
        GROUP: family(item).value,
        "K": run.info.parts,
        "labels": run.info.labels,
        "variant": variant(run.info),
        **retrieval.values,
        INTERVAL: retrieval.interval,
        **{words: curve.last if curve else _NONE for words, curve in iou.items()},
        "evaluated at epoch": retrieval.epoch,
        "epochs": item.summary.epochs,
        "backbone": run.info.backbone,
        "data": run.info.data.name,
        "seed": run.info.seed,
    }


def compared(table: pd.DataFrame, reference: str, comparable: set[str]) -> pd.DataFrame:
    """The table with a column of differences to run `reference` after each metric that it has; empty where a run was
    tested on other images.

    comparable: the runs that were tested on the reference's images.
    """
    base = table[table["run"] == reference]
    if base.empty:
        return table
    same = table["run"].isin(comparable)
    columns: dict[str, pd.Series] = {}
    for name in table.columns:
        columns[name] = table[name]
        if name in MEASURED and pd.notna(base[name].iloc[0]):
            columns[name + DIFFERENCE] = (table[name] - base[name].iloc[0]).where(same)
    return pd.DataFrame(columns)


def on_the_same_images(opened: Sequence[tuple[Listed, Run]], reference: str) -> set[str]:
    """The runs whose query and gallery are those of the reference: their metrics may be subtracted."""
    base = next((run for item, run in opened if item.id == reference), None)
    return set() if base is None else {item.id for item, run in opened if _same_test(run, base)}


def _same_test(run: Run, other: Run) -> bool:
    """Training on fewer people changes a data set's fingerprint, not what it is tested on."""
    if run.info.data.fingerprint == other.info.data.fingerprint:
        return True
    pairs = [(runs_access.records(one, "query"), runs_access.records(one, "gallery")) for one in (run, other)]
    columns = ["path", "identity", "camera"]
    return all(len(a) and a[columns].equals(b[columns]) for a, b in zip(*pairs, strict=True))


def lines(opened: Sequence[tuple[Listed, Run]], column: str) -> pd.DataFrame:
    """One column of the metrics of several runs: columns run, epoch, value. Epochs without a value are left out."""
    found = []
    for item, run in opened:
        curve = curves.curve(runs_access.metrics(run), column)
        if curve is not None:
            found.append(pd.DataFrame({"run": item.id, "epoch": curve.epochs, "value": curve.values}))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["run", "epoch", "value"])


def columns_of(opened: Sequence[tuple[Listed, Run]]) -> list[str]:
    """The columns of the metrics that some run has a curve of: results first, then losses and the rest."""
    found: dict[str, None] = {}
    for _, run in opened:
        metrics = runs_access.metrics(run)
        found |= dict.fromkeys(str(name) for name in metrics.columns if curves.curve(metrics, str(name)))
    first = [*curves.RETRIEVAL[::-1], *(f"{side}_iou_{name}" for side in ("test", "train") for name in TARGETS)]
    return [*(name for name in first if name in found), *(name for name in found if name not in first)]
