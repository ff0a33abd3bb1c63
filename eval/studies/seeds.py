"""One row of a study is one recipe, trained with one seed or several: means over seeds, their spread, pooled tests.

Two things are uncertain and both are said: which people are tested (intervals, over identities) and how a training
turns out (the standard deviation over seeds). A row of one seed says nothing about the second: it is marked and not
ranked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from isp_core.errors import IspError
from isp_core.metrics.bootstrap import Interval, PairedTest, bootstrap_interval, paired_test
from isp_core.metrics.ranking import RANKING_METRICS
from isp_core.runs import Run
from isp_eval.retrieval import Retrieval, Rule, per_query
from isp_eval.studies.training import Trained

ONE_SEED = "one seed"
NOT_RANKED = "sd is over seeds; a row of one seed is not ranked: another training may differ by more than rows do"


@dataclass(frozen=True)
class Group:
    """The trainings of one row: the label in the table, the name that its runs share, the runs that there are."""

    label: str
    name: str
    runs: tuple[Run, ...]
    problem: str = ""


def grouped(trained: Sequence[Trained]) -> list[Group]:
    """The rows in the order of their first training."""
    rows: dict[str, list[Trained]] = {}
    for each in trained:
        rows.setdefault(each.variant.label, []).append(each)
    return [
        Group(
            label,
            members[0].variant.row,
            tuple(each.run for each in members if each.run is not None),
            next((each.problem for each in members if each.problem), ""),
        )
        for label, members in rows.items()
    ]


@dataclass(frozen=True)
class Pooled:
    """Retrieval of one row: every query's values averaged over seeds, metrics with intervals and spread.

    figures: mean over seeds, with the interval over what the rule resamples. spread: standard deviation over seeds, NaN
    for one. values: {metric: (Q,)} in the order of `query`.
    """

    rule: Rule
    query: pd.DataFrame
    values: Mapping[str, npt.NDArray[np.float64]]
    figures: Mapping[str, Interval]
    spread: Mapping[str, float]
    seeds: int


def pool(found: Sequence[Retrieval]) -> Pooled:
    """Retrievals of the same queries by several trainings. IspError where the queries differ."""
    first = found[0]
    for other in found[1:]:
        if list(other.source.query.path) != list(first.source.query.path):
            raise IspError(
                f"{first.source.run} and {other.source.run} were evaluated on different queries: seeds of one row need "
                "the same data set"
            )
    each = [per_query(one.ranking) for one in found]
    values = {name: np.mean([one[name] for one in each], axis=0) for name in RANKING_METRICS}
    groups = first.rule.groups(first.source.query)
    figures = {name: bootstrap_interval(values[name], groups, level=first.rule.level) for name in RANKING_METRICS}
    spread = {name: _deviation([one.figures[name].mean for one in found]) for name in RANKING_METRICS}
    return Pooled(first.rule, first.source.query, values, figures, spread, len(found))


def compare_pooled(first: Pooled, second: Pooled) -> dict[str, PairedTest]:
    """second - first on the queries that both answered; the mean over each side's seeds stands for a query."""
    place = {path: row for row, path in enumerate(first.query.path)}
    common = [(place[path], row) for row, path in enumerate(second.query.path) if path in place]
    if not common:
        raise IspError("two rows of a study have no query in common: they were evaluated on different data sets")
    a, b = (np.array(rows) for rows in zip(*common, strict=True))
    groups = second.rule.groups(second.query.iloc[b])
    level = second.rule.level
    return {
        name: paired_test(first.values[name][a], second.values[name][b], groups, level=level)
        for name in RANKING_METRICS
    }


def ranks(rows: Sequence[Pooled | None], metric: str = "mAP") -> list[str]:
    """Place of each row by the metric, among the rows of two seeds or more; the others are marked."""
    means = [each.figures[metric].mean for each in rows if each is not None and each.seeds > 1]
    return [
        ""
        if each is None
        else ONE_SEED
        if each.seeds == 1
        else str(1 + sum(mean > each.figures[metric].mean for mean in means))
        for each in rows
    ]


def mean_over_seeds(frame: pd.DataFrame, keys: Sequence[str], spread: Sequence[str] = ()) -> pd.DataFrame:
    """Rows that agree in `keys` become one: means of all numbers, the number of seeds, and the standard deviation of
    the columns `spread`.

    >>> frame = pd.DataFrame({"run": ["a", "a", "b"], "IoU": [60.0, 64.0, 50.0]})
    >>> mean_over_seeds(frame, ["run"], ["IoU"]).round(2).to_dict("list")
    {'run': ['a', 'b'], 'seeds': [2, 1], 'IoU': [62.0, 50.0], 'IoU, sd': [2.83, nan]}
    """
    by = frame.groupby(list(keys), sort=False, dropna=False)
    found = by.mean(numeric_only=True)
    for name in spread:
        found.insert(list(found.columns).index(name) + 1, f"{name}, sd", by[name].std(ddof=1))
    found.insert(0, "seeds", by.size())
    return found.reset_index()


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
