"""Tables of a study's label maps: Table 3, Figure 5 in numbers, agreement, visibility, belongings; seeds share a row.

Out of scope: metrics (eval.parsing_protocol), tables of retrieval (eval.studies.reports).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from isp_core.metrics.spaces import TARGETS, LabelSpace, load_space
from isp_core.runs import Run
from isp_eval.label_maps import Split, maps_of
from isp_eval.parsing_protocol import evaluate as evaluate_parsing
from isp_eval.parsing_report import Parsing
from isp_eval.storing import keep
from isp_eval.studies import paper
from isp_eval.studies.plans import Study
from isp_eval.studies.rows import classes
from isp_eval.studies.seeds import Group, mean_over_seeds
from isp_eval.studies.table import Row, Table
from isp_eval.tables import range_words

MAPS: Mapping[Split, str] = {"train": "pseudo-labels", "test": "predictions"}
Parsings = dict[tuple[str, Split], list[Parsing]]
"""What every row's maps of a split were found to be, one Parsing per seed."""


@dataclass(frozen=True)
class Truth:
    """Ground truth of parts to evaluate label maps by; images: the data set's folder, for the yardsticks."""

    folder: Path
    space: str
    images: Path | None = None


def parsings(groups: Sequence[Group], truth: Truth | None) -> Parsings:
    """Evaluates all runs' label maps, and keeps each evaluation in its run (isp_eval.storing); empty without ground
    ground truth."""
    found: Parsings = {}
    if truth is None:
        return found
    space = load_space(truth.space)
    for group in groups:
        for split in MAPS:
            for run in group.runs:
                if not run.label_epochs(split):
                    continue
                maps = replace(maps_of(run, split, None), root=truth.images)
                parsing = evaluate_parsing(run, maps, truth.folder, space)
                keep(run, parsing.name, parsing.document())
                found.setdefault((group.name, split), []).append(parsing)
    return found


def tables(study: Study, found: Parsings, column: str) -> list[Table]:
    """What belongs to every study that has ground truth; Table 3 to the choice of K alone."""
    if not found:
        return []
    first = [_table3(found, column)] if study == "K" else []
    return [*first, _agreement(study, found), *_presence(study, found)]


def cascade(groups: Sequence[Group], found: Parsings, caption: str) -> Table:
    """Figure 5 in numbers: how good and how pure the labels of each way of clustering are."""
    rows = []
    for group in groups:
        for seed in range(max(1, len(group.runs))):
            row: Row = {"clustering": group.label}
            for split, name in MAPS.items():
                if parsing := _of_seed(found, group.name, split, seed):
                    scores = {score.target: 100 * score.iou for score in next(iter(parsing.scores.values()))}
                    row |= {f"{name}: {t}": scores[t] for t in TARGETS if _told(parsing.space, t)}
            if parsing := _of_seed(found, group.name, "train", seed):
                sizes = parsing.purity.spread.sum(axis=1) > 0
                row["purity across"] = 100 * float(parsing.purity.across[sizes].mean())
                row["purity within"] = 100 * float(parsing.purity.within[sizes].mean())
            rows.append(row | (_churn(group.runs[seed]) if group.runs else {}))
    frame = mean_over_seeds(pd.DataFrame(rows), ["clustering"])
    constant: Row = {"clustering": "constant mask"}
    for split, name in MAPS.items():
        of_split = next((each[0] for (_, its), each in found.items() if its == split), None)
        if of_split is not None:
            scores = {score.target: 100 * score.constant_iou for score in next(iter(of_split.scores.values()))}
            constant |= {f"{name}: {t}": scores[t] for t in TARGETS if _told(of_split.space, t)}
    if found:
        frame = pd.concat([frame, pd.DataFrame([constant])], ignore_index=True)
    return Table("figure5", caption, frame.astype({"seeds": "Int64"}))


def _of_seed(found: Parsings, name: str, split: Split, seed: int) -> Parsing | None:
    each = found.get((name, split), ())
    return each[seed] if seed < len(each) else None


def _churn(run: Run) -> Row:
    metrics = run.metrics()
    if "churn" not in metrics or not metrics["churn"].notna().any():
        return {}
    return {"labels changed in the last round": 100 * float(metrics["churn"].dropna().iloc[-1])}


def _table3(found: Parsings, column: str) -> Table:
    """Table 3, for each K, by every rule that assigns parts to classes, beside the constant mask and the paper."""
    rows = []
    known = {"train": paper.PSEUDO_LABELS, "test": paper.PREDICTIONS}
    of_paper = column if column in paper.PSEUDO_LABELS else paper.DUKE
    for run, split, parsing in _each(found):
        figures = known[split].get(of_paper, {}) if parsing.parts == 6 else {}
        if split == "train" and parsing.parts == 5 and of_paper == paper.DUKE:
            figures = paper.PSEUDO_LABELS_OF_FIVE
        for row in classes(parsing.document()):
            if _told(parsing.space, row["class"]):
                papers = {f"IoU, {paper.holds(of_paper)}": figures.get(row["class"], float("nan"))}
                rows.append({"run": run, "maps": MAPS[split], **row, **papers})
    frame = mean_over_seeds(pd.DataFrame(rows + _yardsticks(found)), ["run", "maps", "rule", "class"], ["IoU"])
    caption = (
        f"Human parsing (Table 3); {_resampled(found)}. The paper's IoU may be the mean with complement, which its "
        "script prints"
    )
    return Table("table3", caption, _with_ranges(frame, "IoU, 95 %"))


def _yardsticks(found: Parsings) -> list[Row]:
    """A row per yardstick and kind of maps: all runs are evaluated on the same images."""
    return [
        {"run": yardstick.name, "maps": MAPS[split], "rule": "no parts", "class": "foreground"}
        | {
            "IoU": 100 * yardstick.iou.mean,
            "low": 100 * yardstick.iou.low,
            "high": 100 * yardstick.iou.high,
            "mean with complement": 100 * yardstick.mean_iou,
        }
        for split, members in {split: members for (_, split), members in reversed(found.items())}.items()
        for yardstick in members[0].yardsticks
    ]


def _agreement(study: Study, found: Parsings) -> Table:
    """NMI and ARI of every row's maps: they compare rows whose parts stand for different classes, or K that differ."""
    frames = []
    for run, split, parsing in _each(found):
        frame = parsing.agreement_table()
        frame.insert(0, "run", run)
        frame.insert(1, "maps", MAPS[split])
        frames.append(frame.rename(columns={"95% low": "low", "95% high": "high"}))
    frame = mean_over_seeds(pd.concat(frames, ignore_index=True), ["run", "maps", "metric", "pixels"], ["%"])
    caption = f"Agreement of parts and classes without assigning one to the other; {_resampled(found)}"
    return Table(f"agreement-{study}", caption, _with_ranges(frame, "95 %"))


def _presence(study: Study, found: Parsings) -> list[Table]:
    """Visible parts against ground truth in test images, and false alarms of belongings where it has them."""
    visible, belongings = [], []
    for run, split, parsing in _each(found):
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
            for what, interval in (("false alarms", alarms.false), ("hits", alarms.hits)):
                row |= {
                    what: 100 * interval.mean,
                    f"{what}: low": 100 * interval.low,
                    f"{what}: high": 100 * interval.high,
                    f"{what}, n": interval.n,
                }
            belongings.append(row)
    tables = []
    if visible:
        frame = mean_over_seeds(pd.concat(visible, ignore_index=True), ["run", "rule", "visible by", "class", "parts"])
        caption = "Visible parts in test images, beside always saying visible"
        tables.append(Table(f"visibility-{study}", caption, frame))
    if belongings:
        every = (presence.alarms for _, _, parsing in _each(found) for presence in parsing.presence.values())
        share = next(each.threshold for each in every if each is not None)
        frame = mean_over_seeds(pd.DataFrame(belongings), ["run", "rule", "part"], ["false alarms", "hits"])
        for what in ("false alarms", "hits"):
            frame = _with_ranges(frame, f"{what}, 95 %", f"{what}: ")
        frame = frame.astype({f"{what}, n": int for what in ("false alarms", "hits")})
        caption = (
            f"Belongings on more than {100 * share:g} % of the pixels, in test images without any and with some; "
            f"{_resampled(found)}"
        )
        tables.append(Table(f"belongings-{study}", caption, frame))
    return tables


def _each(found: Parsings) -> list[tuple[str, Split, Parsing]]:
    return [(run, split, parsing) for (run, split), members in found.items() for parsing in members]


def _with_ranges(frame: pd.DataFrame, name: str, prefix: str = "") -> pd.DataFrame:
    """Columns low and high as one column of words in the place of the first."""
    low, high = f"{prefix}low", f"{prefix}high"
    words = [range_words(*ends) for ends in zip(frame[low], frame[high], strict=True)]
    place = list(frame.columns).index(low)
    frame = frame.drop(columns=[low, high])
    frame.insert(place, name, words)
    return frame


def _resampled(found: Parsings) -> str:
    first = next(iter(found.values()))[0]
    several = any(len(members) > 1 for members in found.values())
    ends = " (means over the seeds' ends)" if several else ""
    return f"95 % intervals{ends} resample {first.resample}"


def _told(space: LabelSpace, target: str) -> bool:
    return target == "foreground" or target in space.parts
