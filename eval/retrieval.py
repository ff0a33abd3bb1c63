"""The retrieval protocol: which queries, which distance, which gallery, and the figures with their intervals.

Out of scope: the formulas (isp_core.metrics.ranking), the distances (isp_core.matching), tables of several runs
(eval.tables).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from isp_core.errors import IspError
from isp_core.matching import Embeddings, describe_rule, distances
from isp_core.metrics.bootstrap import IDENTITIES, QUERIES, Interval, bootstrap_interval
from isp_core.metrics.ranking import RANKING_METRICS, Ranking, evaluate_ranking
from isp_core.runs import Run
from isp_eval.reranking import Reranking, rerank
from isp_eval.sources import RetrievalSet, slug
from isp_eval.storing import keep

_BLOCK = 1 << 26  # distances in memory at once: 256 MiB


@dataclass(frozen=True)
class Rule:
    """How retrieval is measured; every figure is stored beside its rule.

    matching, metric: names in isp_core.matching.MATCHINGS and METRICS. queries: "multi" averages the queries of one
    identity and camera. subset: only queries of this subset ("" for all). minimum_share: from which share of the pixels
    on a part counts as visible (0: Eq. 8, one pixel is enough); minimum_probability: instead, visible where some pixel
    gives the part this probability, likeliest there or not (0: not used). reranking: None, or k-reciprocal re-ranking.
    resample: what intervals and paired tests draw: all queries of an identity (the default: an identity's queries rise
    and fall together), or single queries.
    """

    matching: str = "aligned"
    metric: str = "cosine"
    queries: Literal["single", "multi"] = "single"
    subset: str = ""
    minimum_share: float = 0.0
    minimum_probability: float = 0.0
    reranking: Reranking | None = None
    resample: Literal["identities", "queries"] = IDENTITIES
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.minimum_share and self.minimum_probability:
            raise IspError("visibility comes from the share of pixels or from the probability: give one of them")

    @property
    def name(self) -> str:
        """Short and fit for a file name: aligned-cosine, all-parts-cosine-occluded-reranked, ..."""
        words = [self.matching, self.metric]
        words += [self.subset] if self.subset else []
        words += ["multi"] if self.queries == "multi" else []
        words += [f"share{self.minimum_share:g}"] if self.minimum_share else []
        words += [f"probability{self.minimum_probability:g}"] if self.minimum_probability else []
        words += ["reranked"] if self.reranking else []
        words += ["by-query"] if self.resample == QUERIES else []
        return "-".join(words)

    def groups(self, query: pd.DataFrame) -> npt.NDArray[np.int64] | None:
        """What the bootstrap draws whole, by query: its identity (Q,), or None for single queries."""
        return query.identity.to_numpy() if self.resample == IDENTITIES else None


@dataclass(frozen=True)
class Retrieval:
    """Figures of one run under one rule, each with its interval, and each query's share in them.

    kept: where the document is kept, or why it is not (isp_eval.storing); empty where that was not asked for.
    """

    source: RetrievalSet
    rule: Rule
    ranking: Ranking
    figures: dict[str, Interval]
    notes: tuple[str, ...]
    kept: str = ""

    @property
    def name(self) -> str:
        """The name of the document in the run's evaluation folder."""
        other = f"-on-{slug(self.source.data)}" if self.source.foreign else ""
        rule = "" if self.source.visibility == self.source.default_visibility else f"-{self.source.visibility}"
        return f"retrieval-epoch_{self.source.epoch:04d}-{self.rule.name}{rule}{other}"

    @property
    def visibility(self) -> str:
        """Which rule says what parts are visible, with what it does."""
        if self.rule.minimum_share:
            return f"from {self.rule.minimum_share:g} of the pixels on"
        if self.rule.minimum_probability:
            return f"from a highest probability of {self.rule.minimum_probability:g} on"
        return describe_rule(self.source.visibility)

    def document(self) -> dict[str, Any]:
        """What is written into the run: figures, rule, counts, and per-query results in the order of `queries.path`."""
        ranking = self.ranking
        return {
            "kind": "retrieval",
            "run": self.source.run,
            "epoch": self.source.epoch,
            "data": self.source.data,
            "fingerprint": self.source.fingerprint,
            "origin": self.source.origin,
            "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "rule": asdict(self.rule),
            "visibility": self.visibility,
            "n_queries": ranking.n_queries,
            "n_without_match": ranking.n_without_match,
            "n_gallery": len(self.source.gallery),
            "figures": {name: asdict(interval) for name, interval in self.figures.items()},
            "notes": list(self.notes),
            "queries": {
                "path": list(self.source.query.path),
                "identity": self.source.query.identity.tolist(),
                "matches": ranking.matches.tolist(),
                "first": ranking.first.tolist(),
                "average_precision": ranking.average_precision.tolist(),
                "inverse_penalty": ranking.inverse_penalty.tolist(),
            },
        }

    @property
    def resampled(self) -> str:
        """What the intervals draw, in words: for tables and captions."""
        return resampled_words(self.rule, self.figures["mAP"])

    def table(self) -> pd.DataFrame:
        """One row per metric, in percent."""
        rows = [(name, 100 * i.mean, 100 * i.low, 100 * i.high, i.n) for name, i in self.figures.items()]
        low, high = (f"{self.rule.level:.0%} {end}" for end in ("low", "high"))
        return pd.DataFrame(rows, columns=["metric", "%", low, high, "n"])


def evaluate(source: RetrievalSet, rule: Rule, progress: bool = False) -> Retrieval:
    """Ranks and evaluates. IspError where the rule asks for what the set does not have."""
    notes = []
    if rule.subset:
        source = _subset(source, rule.subset)
    if rule.queries == "multi":
        source = _multi_query(source)
    if not (source.query.camera > 0).all() or not (source.gallery.camera > 0).all():
        notes.append(
            "some cameras are unknown: images of the query's own camera cannot be removed there, which makes "
            "results higher than across cameras"
        )
    ranking = _rank(source, rule, progress)
    if ranking.n_without_match == ranking.n_queries:
        if _each_its_own_person(source):
            raise IspError(
                f"{source.data}: no identities are known (each image counts as another person), so R-1 and mAP cannot "
                "be measured; put the images into one folder per person, or use a CSV"
            )
        raise IspError(
            f"none of the {ranking.n_queries} queries of {source.data} has a match in the gallery once its own camera "
            "is removed: nothing can be measured"
        )
    if ranking.n_without_match:
        notes.append(
            f"{ranking.n_without_match} of {ranking.n_queries} queries have no true match in the gallery; "
            "no metric includes them"
        )
    if len(set(source.gallery.identity) - {-1}) == 1:
        notes.append("only 1 test person: nobody else can be ranked before them, so these figures say nothing")
    groups, values = rule.groups(source.query), per_query(ranking)
    figures = {name: bootstrap_interval(values[name], groups, level=rule.level) for name in values}
    return Retrieval(source, rule, ranking, figures, tuple(notes))


def resampled_words(rule: Rule, interval: Interval) -> str:
    """ "95 % intervals resample 40 identities"."""
    units = {IDENTITIES: "identity", QUERIES: "query"}[rule.resample] if interval.units == 1 else rule.resample
    return f"{rule.level:.0%} intervals resample {interval.units} {units}".replace("%", " %", 1)


def per_query(ranking: Ranking) -> dict[str, npt.NDArray[np.float64]]:
    """What each figure is the mean of: arrays (Q,), NaN for queries without a match."""
    return {name: of(ranking) for name, of in RANKING_METRICS.items()}


def stored_interval(document: Mapping[str, Any]) -> Interval | None:
    """The interval of mAP over identities from a stored retrieval document, whatever its own intervals drew.

    Documents of older versions drew single queries, but hold each query's average precision and identity. None where a
    document does not.
    """
    queries = document.get("queries")
    if not isinstance(queries, Mapping):
        return None
    precision, identity = queries.get("average_precision"), queries.get("identity")
    if not isinstance(precision, list) or not isinstance(identity, list) or len(precision) != len(identity):
        return None
    return bootstrap_interval(np.array(precision, np.float64), np.array(identity))  # None becomes NaN


def evaluate_run(run: Run, source: RetrievalSet, rule: Rule, progress: bool = False) -> Retrieval:
    """`evaluate`, and the document kept in the run where `keep` allows it."""
    found = evaluate(source, rule, progress)
    return replace(found, kept=keep(run, found.name, found.document()))


def _each_its_own_person(source: RetrievalSet) -> bool:
    """Whether no two images are of one person, as where `isp look` numbers images whose people are unknown."""
    images = pd.concat([source.query, source.gallery]).drop_duplicates("path")
    return bool(images.identity[images.identity > 0].is_unique)


def _rank(source: RetrievalSet, rule: Rule, progress: bool) -> Ranking:
    query, gallery = source.query_embeddings, source.gallery_embeddings
    if query is None or gallery is None:
        if source.distances is None:
            raise IspError(f"{source.run} has neither embeddings nor distances")
        if rule.reranking:
            raise IspError(
                f"{source.run} holds distances of queries to gallery only, and re-ranking needs those among themselves "
                "too: import embeddings instead"
            )
        return _judge(source.distances, source.query, source.gallery)
    if rule.minimum_share:
        query, gallery = query.seen_from(rule.minimum_share), gallery.seen_from(rule.minimum_share)
    if rule.minimum_probability:
        query, gallery = query.seen_with(rule.minimum_probability), gallery.seen_with(rule.minimum_probability)
    if rule.reranking:
        table = rerank(query, gallery, rule.matching, rule.metric, rule.reranking, progress)
        return _judge(table, source.query, source.gallery)
    step = max(1, _BLOCK // len(gallery))
    parts = []
    for start in range(0, len(query), step):
        rows = slice(start, start + step)
        table = distances(query[rows], gallery, rule.matching, rule.metric)
        parts.append(_judge(table, source.query.iloc[rows], source.gallery))
    return _join(parts)


def _judge(table: npt.NDArray[np.float32], query: pd.DataFrame, gallery: pd.DataFrame) -> Ranking:
    return evaluate_ranking(table, query.identity, query.camera, gallery.identity, gallery.camera)


def _join(parts: Sequence[Ranking]) -> Ranking:
    names = ("matches", "first", "average_precision", "inverse_penalty")
    return Ranking(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _subset(source: RetrievalSet, subset: str) -> RetrievalSet:
    rows = np.flatnonzero((source.query.subset == subset).to_numpy())
    if len(rows) == 0:
        known = sorted(set(source.query.subset) - {""})
        has = f"it has {', '.join(known)}" if known else "its queries have no subsets"
        raise IspError(f"{source.data} has no queries of subset {subset!r}; {has}")
    return source.take_queries(rows)


def _multi_query(source: RetrievalSet) -> RetrievalSet:
    """One query per identity and camera: the mean of its images' features; a part is visible where one shows it."""
    query = source.query_embeddings
    if query is None:
        raise IspError(f"{source.run} holds distances only: multi-query pools features, so embeddings are needed")
    keys = source.query[["identity", "camera"]].to_numpy()
    _, first, member = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    member = member.reshape(-1)
    size = np.bincount(member).astype(np.float32)

    def highest(array: Any) -> npt.NDArray[np.float32]:
        peak = np.zeros((len(size), *array.shape[1:]), np.float32)
        np.maximum.at(peak, member, np.asarray(array, np.float32))
        return peak

    def mean(array: Any) -> npt.NDArray[np.float32]:
        values = np.asarray(array, np.float32)
        total = np.zeros((len(size), *values.shape[1:]), np.float32)
        np.add.at(total, member, values)
        total /= size.reshape(-1, *[1] * (values.ndim - 1))
        return total

    pooled = Embeddings(
        mean(query.global_),
        mean(query.foreground),
        mean(query.parts),
        highest(query.visibility).astype(np.asarray(query.visibility).dtype),
        mean(query.part_share),
        None if query.part_peak is None else highest(query.part_peak),
    )
    return replace(source.take_queries(first), query_embeddings=pooled)
