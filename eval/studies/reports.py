"""The tables of a study, in the paper's shape: our metrics with their intervals, the paper's in a column of their own.

Out of scope: training (eval.studies.training), metrics (eval.retrieval, eval.parsing_protocol), tables of label maps
(eval.studies.parsing_tables), what several seeds make of a row (eval.studies.seeds), the paper's numbers
(eval.studies.paper).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from isp_core.errors import IspError
from isp_core.metrics.bootstrap import Interval, PairedTest
from isp_core.metrics.ranking import RANKING_METRICS
from isp_core.runs import Run
from isp_eval.retrieval import Retrieval, Rule, evaluate_run
from isp_eval.sources import retrieval_set
from isp_eval.studies import paper, parsing_tables
from isp_eval.studies.parsing_tables import Truth
from isp_eval.studies.plans import Study
from isp_eval.studies.rows import TABLES, papers, parameters
from isp_eval.studies.seeds import NOT_RANKED, Group, Pooled, compare_pooled, grouped, pool, ranks
from isp_eval.studies.table import Row, Table
from isp_eval.studies.training import Trained
from isp_eval.tables import range_words

__all__ = ["Table", "Truth", "tables_of"]


def tables_of(
    study: Study, trained: Sequence[Trained], column: str, truth: Truth | None = None, rule: Rule | None = None
) -> list[Table]:
    """All tables of a study. Trainings that differ in their seed alone share a row; rows without a run are empty.

    column: the paper's data set beside ours. Every evaluation is also written into its run.
    """
    rule, groups = rule or Rule(), grouped(trained)
    parsings = parsing_tables.parsings(groups, truth)
    if study == "matching":
        tables = _matching(groups[0], column, rule)
    elif study == "cascade":
        caption = _caption("Cascaded clustering and its variants (Figure 5)", groups, None)
        tables = [parsing_tables.cascade(groups, parsings, caption)]
    else:
        pooled = [_judge(group, rule) for group in groups]
        tables = [_retrieval(study, groups, pooled, column, rule)]
        if study == "semantics":
            tables += _paired(groups, pooled, rule)
    tables += parsing_tables.tables(study, parsings, column)
    times = _times(study, groups, column)
    return [*tables, times] if times is not None else tables


_PAPERS_NAMES = {"all-parts": "ISP w/o arm (all parts)", "aligned": "ISP (Eq. 10)"}
_LAYOUT: Mapping[Study, tuple[str, str]] = {
    "K": ("Table 4", "Choice of K (Table 4)"),
    "semantics": ("Table 5", "Learned against extra semantics (Table 5)"),
    "backbone": ("Table 6", "Backbones (Table 6)"),
}


def _retrieval(
    study: Study, groups: Sequence[Group], pooled: Sequence[Pooled | None], column: str, rule: Rule
) -> Table:
    which, caption = _LAYOUT[study]
    rows = []
    for group, found, rank in zip(groups, pooled, ranks(pooled), strict=True):
        row: Row = {TABLES[which].head: int(group.label) if study == "K" else group.label}
        if study == "backbone":
            row |= _parameters(group)
        row |= _ours(found) | {"rank by mAP": rank} | papers(which, group.label, column, ("R-1", "R-5", "mAP"))
        rows.append(row)
    name = which.lower().replace(" ", "")
    return Table(name, f"{_caption(caption, groups, rule)}; {NOT_RANKED}", pd.DataFrame(rows))


def _matching(group: Group, column: str, rule: Rule) -> list[Table]:
    """Table 1's last row, Table 2's last rows, and beside them every other rule."""
    if not group.runs:
        raise IspError(f"no run to compare matching rules on: {group.problem}")
    sources = [retrieval_set(run, None) for run in group.runs]
    first = sources[0]
    k = 0 if first.query_embeddings is None else first.query_embeddings.n_parts
    rules = ["all-parts", "aligned", "authors", "concatenated", "global", "foreground"]
    rows, found = [], {}
    for matching in [*rules, *(f"part-{part}" for part in range(1, k + 1))]:
        each = [
            evaluate_run(run, source, replace(rule, matching=matching))
            for run, source in zip(group.runs, sources, strict=True)
        ]
        found[matching] = pool(each)
        known = paper.OCCLUSION.get(matching, {})
        row: Row = {"matching": _PAPERS_NAMES.get(matching, matching)}
        row |= _ours(found[matching])
        names = ("R-1", "R-5", "R-10", "mAP")
        rows.append(row | {f"{f}, {paper.holds(paper.OCCLUDED)}": known.get(f, float("nan")) for f in names})
    tests = compare_pooled(found["all-parts"], found["aligned"])
    method: Row = {"method": f"ISP ({group.name})"} | _ours(found["aligned"])
    known = paper.ISP.get(column, {})
    method |= {f"{f}, {paper.holds(column)}": known.get(f, float("nan")) for f in ("R-1", "R-5", "mAP")}
    caption = f"{group.name} on {group.runs[0].info.data.name}, epoch {first.epoch}; {_resampled(rule)}"
    return [
        Table("table1", f"ISP, last row of Table 1: {caption}", pd.DataFrame([method])),
        Table("table2", f"Matching rules, last rows of Table 2: {caption}", pd.DataFrame(rows)),
        Table("table2-paired", f"Eq. 10 minus all parts, on the same queries: {caption}", _differences(tests)),
    ]


def _paired(groups: Sequence[Group], pooled: Sequence[Pooled | None], rule: Rule) -> list[Table]:
    """Every row against the first that has a run, on the same queries, each side the mean over its seeds."""
    there = [(group.label, found) for group, found in zip(groups, pooled, strict=True) if found is not None]
    if len(there) < 2:
        return []
    (first, baseline), *others = there
    frames = []
    for label, other in others:
        frame = _differences(compare_pooled(baseline, other))
        frame.insert(1, "before", [100 * baseline.figures[name].mean for name in frame["metric"]])
        frame.insert(2, "after", [100 * other.figures[name].mean for name in frame["metric"]])
        frame.insert(0, "comparison", f"{label} minus {first}")
        frame.insert(1, "seeds", f"{other.seeds} and {baseline.seeds}")
        frames.append(frame)
    caption = f"Table 5, on the same queries, rows pooled over seeds; {_resampled(rule)}, and so do tests"
    return [Table("table5-paired", caption, pd.concat(frames, ignore_index=True))]


def _differences(tests: Mapping[str, PairedTest]) -> pd.DataFrame:
    """One row per metric, in per cent (p apart)."""
    rows = []
    for name, test in tests.items():
        d = test.difference
        rows.append((name, 100 * d.mean, 100 * d.low, 100 * d.high, f"{test.p_value:.4f}", d.n, d.units))
    return pd.DataFrame(rows, columns=["metric", "difference", "low", "high", "p", "queries", "units resampled"])


def _times(study: Study, groups: Sequence[Group], column: str) -> Table | None:
    """Hours of clustering, network passes for it, and training, of each run, beside the paper's hours of clustering."""
    rows = []
    for run in (run for group in groups for run in group.runs):
        metrics = run.metrics()
        if "seconds_clustering" not in metrics:
            continue
        hours = {name: metrics[f"seconds_{name}"].sum() / 3600 for name in ("clustering", "network", "train")}
        rows.append(
            {
                "run": run.name,
                "epochs": run.last_epoch,
                "training images": len(run.records("train")),
                "hours, clustering": hours["clustering"],
                "hours, features for it": hours["network"],
                "hours, training": hours["train"],
                f"hours, clustering, {paper.holds(column)}": paper.CLUSTERING_HOURS.get(column, float("nan")),
            }
        )
    caption = "Time of clustering over a whole training; the paper's is of 120 epochs, several processes and a TITAN X"
    return Table(f"clustering-time-{study}", caption, pd.DataFrame(rows), decimals=3) if rows else None


def _judge(group: Group, rule: Rule) -> Pooled | None:
    found: list[Retrieval] = []
    for run in group.runs:
        try:
            found.append(evaluate_run(run, retrieval_set(run, None), rule))
        except IspError as error:
            raise IspError(f"{run.path} cannot be evaluated: {error}") from error
    return pool(found) if found else None


def _ours(found: Pooled | None) -> Row:
    row: Row = {"seeds": 0 if found is None else found.seeds}
    for name in RANKING_METRICS:
        row[name] = float("nan") if found is None else 100 * found.figures[name].mean
    for name in ("R-1", "mAP"):
        row[f"{name}, 95 %"] = "" if found is None else _range(found.figures[name])
        row[f"{name}, sd"] = float("nan") if found is None else 100 * found.spread[name]
    return row


def _range(interval: Interval) -> str:
    return range_words(100 * interval.low, 100 * interval.high)


def _resampled(rule: Rule) -> str:
    return f"95 % intervals resample {rule.resample}"


def _parameters(group: Group) -> Row:
    """Millions of parameters of the backbone alone, ours without a classifier, and the paper's."""
    known = paper.BACKBONES.get(group.label)
    row: Row = {"parameters (M)": parameters(group.runs[0].info if group.runs else None)}
    return row | {f"parameters (M), {paper.holds(paper.DUKE)}": known.parameters if known else float("nan")}


def _caption(what: str, groups: Sequence[Group], rule: Rule | None) -> str:
    run: Run | None = next((run for group in groups for run in group.runs), None)
    if run is None:
        return what
    by = f", {rule.name}; {_resampled(rule)}" if rule else ""
    size = "x".join(map(str, run.info.size))
    people = run.info.data.splits["train"].identities if "train" in run.info.data.splits else 0
    return f"{what}: {run.info.data.name}, {people} training identities, input {size}, epoch {run.last_epoch}{by}"
