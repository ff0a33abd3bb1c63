"""The tables of a study, in the paper's shape: our figures with their intervals, the paper's in a column of their own.

Not here: training (eval.studies.training), figures (eval.retrieval, eval.parsing), the paper's (eval.studies.paper).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from isp_core.errors import IspError
from isp_core.metrics.bootstrap import Interval
from isp_core.metrics.spaces import TARGETS, LabelSpace, load_space
from isp_core.runs import Run
from isp_eval.comparison import compare
from isp_eval.label_maps import SPLITS, Split, maps_of
from isp_eval.parsing import evaluate as evaluate_parsing
from isp_eval.parsing_report import Parsing
from isp_eval.retrieval import FIGURES, Retrieval, Rule, evaluate_run
from isp_eval.sources import retrieval_set
from isp_eval.studies import paper
from isp_eval.studies.plans import Study
from isp_eval.studies.training import Trained
from isp_eval.tables import range_words

Row = dict[str, Any]
MAPS: Mapping[Split, str] = {"train": "pseudo-labels", "test": "predictions"}


@dataclass(frozen=True)
class Table:
    """A table with the name of its files and what it is."""

    name: str
    caption: str
    frame: pd.DataFrame
    decimals: int = 1


@dataclass(frozen=True)
class Truth:
    """Part truth to judge label maps by."""

    folder: Path
    space: str


def tables_of(
    study: Study, trained: Sequence[Trained], column: str, truth: Truth | None = None, rule: Rule | None = None
) -> list[Table]:
    """All tables of a study. Rows without a run have empty cells; `column` is the paper's data set beside ours.

    Every evaluation is also written into its run.
    """
    rule = rule or Rule()
    parsings = _parsings(trained, truth)
    if study == "matching":
        tables = _matching(trained[0], column, rule)
    elif study == "cascade":
        tables = [_cascade(trained, parsings)]
    else:
        tables = [_retrieval(study, trained, column, rule)]
    if study == "semantics":
        tables += _paired(trained, rule)
    if parsings and study == "K":
        tables.append(_parsing_table(parsings, column))
    if parsings:
        tables.append(_agreement_table(study, parsings))
    tables += _presence_tables(study, parsings)
    times = _times(study, trained, column)
    return [*tables, times] if times is not None else tables


_PAPERS_NAMES = {"all-parts": "ISP w/o arm (all parts)", "aligned": "ISP (Eq. 10)"}
_LAYOUT: Mapping[Study, tuple[str, str, str]] = {
    "K": ("table4", "K", "Choice of K (Table 4)"),
    "semantics": ("table5", "model", "Learnt against extra semantics (Table 5)"),
    "backbone": ("table6", "backbone", "Backbones (Table 6)"),
}


def _retrieval(study: Study, trained: Sequence[Trained], column: str, rule: Rule) -> Table:
    name, head, caption = _LAYOUT[study]
    column = paper.DUKE if study == "backbone" else column  # the paper compared backbones there alone
    rows = []
    for each in trained:
        label = each.variant.label
        row: Row = {head: int(label) if study == "K" else label}
        if study == "backbone":
            row |= _parameters(each, label)
        row |= _ours(None if each.run is None else _judge(each.run, rule))
        known = _papers(study, label, column)
        row |= {f"{figure}, {paper.holds(column)}": known.get(figure, float("nan")) for figure in ("R-1", "R-5", "mAP")}
        rows.append(row)
    return Table(name, _caption(caption, trained, rule), pd.DataFrame(rows))


def _papers(study: Study, label: str, column: str) -> paper.Figures:
    if study == "K":
        return paper.PARTS.get(column, {}).get(int(label), {})
    if study == "semantics":
        return paper.SEMANTICS.get(column, {}).get(label, {})
    known = paper.BACKBONES.get(label)
    return known.figures if known is not None else {}


def _matching(trained: Trained, column: str, rule: Rule) -> list[Table]:
    """Table 1's last row, Table 2's last rows, and beside them every other rule."""
    run = trained.run
    if run is None:
        raise IspError(f"no run to compare matching rules on: {trained.problem}")
    source = retrieval_set(run, None)
    k = 0 if source.query_embeddings is None else source.query_embeddings.n_parts
    rules = ["all-parts", "aligned", "authors", "concatenated", "global", "foreground"]
    rows, found = [], {}
    for matching in [*rules, *(f"part-{part}" for part in range(1, k + 1))]:
        found[matching] = evaluate_run(run, source, replace(rule, matching=matching))
        known = paper.OCCLUSION.get(matching, {})
        row: Row = {"matching": _PAPERS_NAMES.get(matching, matching)}
        row |= _ours(found[matching])
        names = ("R-1", "R-5", "R-10", "mAP")
        rows.append(row | {f"{f}, {paper.holds(paper.OCCLUDED)}": known.get(f, float("nan")) for f in names})
    test = compare(found["all-parts"], found["aligned"])
    differences = test.table().iloc[:, [0, 3, 4, 5, 6, 7]]
    first: Row = {"method": f"ISP ({run.name})"} | _ours(found["aligned"])
    known = paper.ISP.get(column, {})
    first |= {f"{f}, {paper.holds(column)}": known.get(f, float("nan")) for f in ("R-1", "R-5", "mAP")}
    caption = f"{run.name} on {run.info.data.name}, epoch {source.epoch}"
    resampled = found["aligned"].resampled
    return [
        Table("table1", f"ISP, last row of Table 1: {caption}; {resampled}", pd.DataFrame([first])),
        Table("table2", f"Matching rules, last rows of Table 2: {caption}; {resampled}", pd.DataFrame(rows)),
        Table(
            "table2-paired", f"Eq. 10 minus all parts, on the same queries: {caption}; {test.resampled}", differences
        ),
    ]


def _paired(trained: Sequence[Trained], rule: Rule) -> list[Table]:
    """Every row against the first that has a run, on the same queries."""
    runs = [each for each in trained if each.run is not None]
    if len(runs) < 2:
        return []
    first, *others = [(each.variant.label, _judge(each.run, rule)) for each in runs if each.run is not None]
    frames = []
    for label, other in others:
        frame = compare(first[1], other).table()
        frame.columns = ["figure", "before", "after", *frame.columns[3:]]
        frame.insert(0, "comparison", f"{label} minus {first[0]}")
        frames.append(frame)
    caption = f"Table 5, on the same queries; 95 % intervals and tests resample {rule.resample}"
    return [Table("table5-paired", caption, pd.concat(frames, ignore_index=True))]


def _cascade(trained: Sequence[Trained], parsings: Mapping[tuple[str, Split], Parsing]) -> Table:
    """Figure 5 in numbers: how good and how pure the labels of each way of clustering are."""
    rows = []
    for each in trained:
        row: Row = {"clustering": each.variant.label}
        for split, name in (("train", "pseudo-labels"), ("test", "predictions")):
            found = parsings.get((each.variant.run, split))  # type: ignore[arg-type]
            if found is not None:
                scores = {score.target: 100 * score.iou for score in next(iter(found.scores.values()))}
                row |= {f"{name}: {target}": scores[target] for target in TARGETS if _told(found.space, target)}
        found = parsings.get((each.variant.run, "train"))
        if found is not None:
            sizes = found.purity.spread.sum(axis=1) > 0
            row["purity across"] = 100 * float(found.purity.across[sizes].mean())
            row["purity within"] = 100 * float(found.purity.within[sizes].mean())
        row |= _churn(each.run)
        rows.append(row)
    constant: Row = {"clustering": "constant mask"}
    for split, name in (("train", "pseudo-labels"), ("test", "predictions")):
        of_split = next((found for (_, its), found in parsings.items() if its == split), None)
        if of_split is not None:
            scores = {score.target: 100 * score.constant_iou for score in next(iter(of_split.scores.values()))}
            constant |= {f"{name}: {target}": scores[target] for target in TARGETS if _told(of_split.space, target)}
    rows += [constant] if parsings else []
    return Table(
        "figure5", _caption("Cascaded clustering and its variants (Figure 5)", trained, None), pd.DataFrame(rows)
    )


def _churn(run: Run | None) -> Row:
    metrics = None if run is None else run.metrics()
    if metrics is None or "churn" not in metrics or not metrics["churn"].notna().any():
        return {}
    return {"labels changed in the last round": 100 * float(metrics["churn"].dropna().iloc[-1])}


def _parsings(trained: Sequence[Trained], truth: Truth | None) -> dict[tuple[str, Split], Parsing]:
    found: dict[tuple[str, Split], Parsing] = {}
    if truth is None:
        return found
    space = load_space(truth.space)
    for each in trained:
        for split in SPLITS:
            if each.run is None or not each.run.label_epochs(split):
                continue
            parsing = evaluate_parsing(each.run, maps_of(each.run, split, None), truth.folder, space)
            each.run.write_evaluation(parsing.name, parsing.document())
            found[each.variant.run, split] = parsing
    return found


def _parsing_table(parsings: Mapping[tuple[str, Split], Parsing], column: str) -> Table:
    """Table 3, for each K, by every rule that matches parts to classes, beside the constant mask and the paper."""
    rows = []
    known = {"train": paper.PSEUDO_LABELS, "test": paper.PREDICTIONS}
    of_paper = column if column in paper.PSEUDO_LABELS else paper.DUKE
    for (run, split), parsing in parsings.items():
        for assignment, scores in parsing.scores.items():
            for score in scores:
                if not _told(parsing.space, score.target):
                    continue
                figures = known[split].get(of_paper, {}) if parsing.parts == 6 else {}
                if split == "train" and parsing.parts == 5 and of_paper == paper.DUKE:
                    figures = paper.PSEUDO_LABELS_OF_FIVE
                rows.append(
                    {
                        "run": run,
                        "maps": MAPS[split],
                        "rule": assignment.rule,
                        "class": score.target,
                        "IoU": 100 * score.iou,
                        "IoU, 95 %": range_words(100 * score.low, 100 * score.high),
                        "constant": 100 * score.constant_iou,
                        "mean with complement": 100 * score.mean_iou,
                        "constant mean": 100 * score.constant_mean_iou,
                        f"IoU, {paper.holds(of_paper)}": figures.get(score.target, float("nan")),
                    }
                )
    resampled = next(iter(parsings.values())).resample
    caption = (
        f"Human parsing (Table 3); 95 % intervals resample {resampled}. The paper's IoU may be the mean with "
        "complement, which its script prints"
    )
    return Table("table3", caption, pd.DataFrame(rows))


def _agreement_table(study: Study, parsings: Mapping[tuple[str, Split], Parsing]) -> Table:
    """NMI and ARI of every run's maps: they compare runs whose parts stand for different classes, or K that differ."""
    frames = []
    for (run, split), parsing in parsings.items():
        frame = parsing.agreement_table()
        frame.insert(0, "run", run)
        frame.insert(1, "maps", MAPS[split])
        frames.append(frame)
    resampled = next(iter(parsings.values())).resample
    caption = f"Agreement of parts and classes without assigning one to the other; 95 % intervals resample {resampled}"
    return Table(f"agreement-{study}", caption, pd.concat(frames, ignore_index=True))


def _presence_tables(study: Study, parsings: Mapping[tuple[str, Split], Parsing]) -> list[Table]:
    """Eq. 8 against truth in test pictures, and false alarms of belongings where truth has them; not in the paper."""
    visible, belongings = [], []
    for (run, split), parsing in parsings.items():
        if split != "test":
            continue
        frame = parsing.visibility_table()
        frame.insert(0, "run", run)
        visible.append(frame)
        for assignment, presence in parsing.presence.items():
            alarms = presence.alarms
            if alarms is None:
                continue
            row: Row = {"run": run, "rule": assignment.rule, "part": ", ".join(map(str, assignment.belongings))}
            for what, found in (("false alarms", alarms.false), ("hits", alarms.hits)):
                row |= {
                    what: 100 * found.mean,
                    f"{what}, 95 %": _range(found) if found.n else "",
                    f"{what}, n": found.n,
                }
            belongings.append(row)
    tables = []
    if visible:
        caption = "Visible parts (Eq. 8) in test pictures, beside always saying visible"
        tables.append(Table(f"visibility-{study}", caption, pd.concat(visible, ignore_index=True)))
    if belongings:
        share = next(p.alarms.threshold for each in parsings.values() for p in each.presence.values() if p.alarms)
        resampled = next(iter(parsings.values())).resample
        caption = (
            f"Belongings on more than {100 * share:g} % of the pixels, in test pictures without any and with some; "
            f"95 % intervals resample {resampled}"
        )
        tables.append(Table(f"belongings-{study}", caption, pd.DataFrame(belongings)))
    return tables


def _times(study: Study, trained: Sequence[Trained], column: str) -> Table | None:
    """Hours of clustering, network passes for it, and training, beside the paper's hours of clustering."""
    rows = []
    for each in trained:
        metrics = None if each.run is None else each.run.metrics()
        if each.run is None or metrics is None or "seconds_clustering" not in metrics:
            continue
        hours = {name: metrics[f"seconds_{name}"].sum() / 3600 for name in ("clustering", "network", "train")}
        rows.append(
            {
                "run": each.run.name,
                "epochs": each.run.last_epoch,
                "training pictures": len(each.run.records("train")),
                "hours, clustering": hours["clustering"],
                "hours, features for it": hours["network"],
                "hours, training": hours["train"],
                f"hours, clustering, {paper.holds(column)}": paper.CLUSTERING_HOURS.get(column, float("nan")),
            }
        )
    caption = "Time of clustering over a whole training; the paper's is of 120 epochs, several processes and a TITAN X"
    return Table(f"clustering-time-{study}", caption, pd.DataFrame(rows), decimals=3) if rows else None


def _judge(run: Run, rule: Rule) -> Retrieval:
    try:
        return evaluate_run(run, retrieval_set(run, None), rule)
    except IspError as error:
        raise IspError(f"{run.path} cannot be judged: {error}") from error


def _ours(found: Retrieval | None) -> Row:
    row: Row = {}
    for name in FIGURES:
        interval = None if found is None else found.figures[name]
        row[name] = float("nan") if interval is None else 100 * interval.mean
    for name in ("R-1", "mAP"):
        row[f"{name}, 95 %"] = "" if found is None else _range(found.figures[name])
    return row


def _range(interval: Interval) -> str:
    return range_words(100 * interval.low, 100 * interval.high)


def _parameters(each: Trained, name: str) -> Row:
    """Millions of parameters of the backbone alone, ours without a classifier, and the paper's figure."""
    known = paper.BACKBONES.get(name)
    counted = each.run.info.parameters.get("backbone") if each.run is not None else None
    row: Row = {"parameters (M)": float("nan") if counted is None else counted / 1e6}
    return row | {f"parameters (M), {paper.holds(paper.DUKE)}": known.parameters if known else float("nan")}


def _told(space: LabelSpace, target: str) -> bool:
    return target == "foreground" or target in space.parts


def _caption(what: str, trained: Sequence[Trained], rule: Rule | None) -> str:
    run = next((each.run for each in trained if each.run is not None), None)
    if run is None:
        return what
    by = f", {rule.name}; 95 % intervals resample {rule.resample}" if rule else ""
    size = "x".join(map(str, run.info.size))
    people = run.info.data.splits["train"].identities if "train" in run.info.data.splits else 0
    return f"{what}: {run.info.data.name}, {people} training identities, input {size}, epoch {run.last_epoch}{by}"
