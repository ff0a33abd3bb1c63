"""Two runs on the same queries: is one better, or is it luck of the draw? Paired tests, metric by metric.

Out of scope: the figures themselves (eval.retrieval) and the statistics (isp_core.metrics.bootstrap).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from isp_core.errors import IspError
from isp_core.metrics.bootstrap import PairedTest, paired_test
from isp_core.metrics.ranking import RANKING_METRICS
from isp_eval.retrieval import Retrieval, per_query, resampled_words
from isp_eval.sources import slug


@dataclass(frozen=True)
class Comparison:
    """second - first, over the queries that both answered; intervals and tests draw what the second's rule says."""

    first: Retrieval
    second: Retrieval
    tests: dict[str, PairedTest]
    notes: tuple[str, ...]

    @property
    def labels(self) -> tuple[str, str]:
        """What the two sides are called: by run, epoch or rule, whatever tells them apart."""
        a, b = ((each.source.run, each.source.epoch, each.rule.name) for each in (self.first, self.second))
        told = [i for i in range(3) if a[i] != b[i]] or [0]
        first, second = (
            ", ".join(f"epoch {side[i]}" if i == 1 else str(side[i]) for i in told if i != 1 or a[0] == b[0])
            for side in (a, b)
        )
        return first, second

    def table(self) -> pd.DataFrame:
        """One row per metric, in percent (p apart)."""
        rows = []
        for name, test in self.tests.items():
            a, b, d = self.first.figures[name], self.second.figures[name], test.difference
            figures = (100 * a.mean, 100 * b.mean, 100 * d.mean, 100 * d.low, 100 * d.high)
            rows.append((name, *figures, f"{test.p_value:.4f}", d.n))
        first, second = self.labels
        second = second if second != first else f"{second} (again)"
        return pd.DataFrame(rows, columns=["metric", first, second, "difference", "low", "high", "p", "n"])

    def document(self) -> dict[str, Any]:
        sides = {
            side: {"run": found.source.run, "epoch": found.source.epoch, "rule": asdict(found.rule)}
            for side, found in (("first", self.first), ("second", self.second))
        }
        return {
            "kind": "comparison",
            "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "data": self.first.source.data,
            "fingerprint": self.first.source.fingerprint,
            **sides,
            "resample": self.second.rule.resample,
            "level": self.second.rule.level,
            "tests": {
                name: {"difference": asdict(test.difference), "p_value": test.p_value}
                for name, test in self.tests.items()
            },
            "notes": list(self.notes),
        }

    @property
    def resampled(self) -> str:
        """What intervals and tests draw, in words."""
        return resampled_words(self.second.rule, self.tests["mAP"].difference)

    @property
    def name(self) -> str:
        """The name of the document in the second run's evaluation folder."""
        return f"comparison-{self.second.name.removeprefix('retrieval-')}-against-{slug(self.labels[0])}"[:100]


def compare(first: Retrieval, second: Retrieval) -> Comparison:
    """Pairs the queries of two retrievals by path. IspError where they have none in common."""
    place = {path: row for row, path in enumerate(first.source.query.path)}
    common = [(place[path], row) for row, path in enumerate(second.source.query.path) if path in place]
    if not common:
        raise IspError(
            f"{first.source.run} ({first.source.data}) and {second.source.run} ({second.source.data}) have no query in "
            "common: only runs on the same data can be compared"
        )
    notes = []
    total = max(len(first.source.query), len(second.source.query))
    if len(common) < total:
        notes.append(f"{len(common)} of {total} queries are common to both runs; only these were compared")
    rows_a, rows_b = (np.array(rows) for rows in zip(*common, strict=True))
    identities = second.source.query.identity.to_numpy()[rows_b]
    if (first.source.query.identity.to_numpy()[rows_a] != identities).any():
        raise IspError(f"{first.source.run} and {second.source.run} disagree about who is on the queries' images")
    groups = second.rule.groups(second.source.query.iloc[rows_b])
    a, b = per_query(first.ranking), per_query(second.ranking)
    tests = {
        name: paired_test(a[name][rows_a], b[name][rows_b], groups, level=second.rule.level) for name in RANKING_METRICS
    }
    return Comparison(first, second, tests, tuple(notes))
