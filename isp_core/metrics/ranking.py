"""CMC, average precision and mINP of a distance matrix under the Market-1501 protocol.

Out of scope: how distances are made (isp_core.matching) and which images take part (eval).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from isp_core.errors import IspError

JUNK = -1
"""Identity of gallery images that no query is evaluated by."""
DISTRACTOR = 0
"""Identity of gallery images that match no one, but stay in the ranking."""
UNKNOWN_CAMERA = -1
RANKS = (1, 5, 10, 20)

_LANES = 8  # booleans in one 64-bit word
_RUN = 255  # words whose byte lanes can be added before a lane may overflow
_MATCHES_AT_ONCE = 64
_QUERIES_AT_ONCE = 128
_LONG = 30_000  # from so many gallery images on several threads are faster than one

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ranking:
    """What evaluate_ranking found, query by query; the figures of the set are properties.

    matches (Q,): true matches in the gallery once junk and the query's own camera are removed.
    first (Q,): rank of the first true match, 1-based; 0 where there is none.
    average_precision, inverse_penalty (Q,): in [0, 1]; NaN where there is no true match.
    """

    matches: Integers
    first: Integers
    average_precision: Floats
    inverse_penalty: Floats

    @property
    def valid(self) -> npt.NDArray[np.bool_]:
        """(Q,): the queries with a true match: those that the figures are means over."""
        return self.matches > 0

    @property
    def n_queries(self) -> int:
        return len(self.matches)

    @property
    def n_without_match(self) -> int:
        """Queries that nothing in the gallery can answer; they count in no figure."""
        return int((~self.valid).sum())

    def hits(self, rank: int) -> Floats:
        """(Q,): 1 where a true match stands within the first `rank`, else 0; NaN for queries without a match."""
        return np.where(self.valid, (self.first <= rank).astype(np.float64), np.nan)

    def cmc(self, rank: int) -> float:
        """Rank-k accuracy in [0, 1]; NaN when no query has a match."""
        return _mean(self.hits(rank))

    @property
    def mean_average_precision(self) -> float:
        """mAP in [0, 1]."""
        return _mean(self.average_precision)

    @property
    def mean_inverse_penalty(self) -> float:
        """mINP in [0, 1]: the share of true matches among all that stand before and at the last one."""
        return _mean(self.inverse_penalty)

    def summary(self, ranks: Sequence[int] = RANKS) -> dict[str, float]:
        """{"R-1": ..., "mAP": ..., "mINP": ...}, all in [0, 1], ready for a row of metrics."""
        figures = {f"R-{rank}": self.cmc(rank) for rank in ranks}
        return figures | {"mAP": self.mean_average_precision, "mINP": self.mean_inverse_penalty}


def evaluate_ranking(
    distances: npt.ArrayLike,
    query_identities: npt.ArrayLike,
    query_cameras: npt.ArrayLike,
    gallery_identities: npt.ArrayLike,
    gallery_cameras: npt.ArrayLike,
    workers: int | None = None,
) -> Ranking:
    """Ranks of all true matches, without sorting the gallery.

    distances (Q, G): smaller is nearer; NumPy array or CPU tensor, finite. Identities and cameras (Q,) and (G,).
    Protocol: gallery images of identity -1 (junk) and those of the query's own identity and camera are removed;
    identity 0 (distractors) stays and matches no one; where either camera is -1 (unknown) nothing is removed for it.
    AP is the plain one: the mean over true matches of the precision at each. Equal distances rank in gallery order,
    as a stable sort would have them.

    The rank of a true match is the number of gallery images nearer than it, so that counting replaces sorting:
    a few comparisons of the whole row for each of the handful of matches. Rows are shared among `workers` threads
    (default: all cores where rows are long, else one, since short steps only wait for the interpreter). IspError where
    shapes disagree or a distance is not finite.

    >>> r = evaluate_ranking([[0.1, 0.2, 0.3, 0.4]], [7], [1], [9, 7, 7, 7], [2, 1, 2, 3])
    >>> r.first.tolist(), round(float(r.average_precision[0]), 4)  # the second picture shares camera 1: removed
    ([2], 0.5833)
    """
    table = _as_floats(distances)
    q_ids, q_cams, g_ids, g_cams = (
        np.asarray(a, dtype=np.int64) for a in (query_identities, query_cameras, gallery_identities, gallery_cameras)
    )
    for name, length, array in (
        ("query identities", table.shape[0], q_ids),
        ("query cameras", table.shape[0], q_cams),
        ("gallery identities", table.shape[1], g_ids),
        ("gallery cameras", table.shape[1], g_cams),
    ):
        if array.shape != (length,):
            raise IspError(
                f"{name} have shape {array.shape}, but the distance matrix {table.shape} asks for ({length},)"
            )

    same_person = _Groups(g_ids)
    junk = np.flatnonzero(g_ids == JUNK)
    queries = len(table)
    matches, first = np.zeros(queries, np.int64), np.zeros(queries, np.int64)
    precision, penalty = np.full(queries, np.nan), np.full(queries, np.nan)

    def judge(start: int) -> None:
        rows = slice(start, min(start + _QUERIES_AT_ONCE, queries))
        counter = _Counter(table.shape[1], table.dtype, junk)
        query, own = same_person.of(q_ids[rows])  # pairs of one identity, query by query
        together = (g_cams[own] == q_cams[rows][query]) & (q_cams[rows][query] != UNKNOWN_CAMERA)
        matched, found = query[~together], own[~together]
        count = np.bincount(matched, minlength=rows.stop - start)
        ends, removed_ends = count.cumsum(), np.bincount(query[together], minlength=len(count)).cumsum()
        ranks, removed = np.empty(len(found), np.int64), own[together]
        judgeable = ~np.isin(q_ids[rows], (JUNK, DISTRACTOR))
        for row in np.flatnonzero(judgeable).tolist():  # also without a match: its distances must be finite
            true = slice(ends[row] - count[row], ends[row])
            out_of_the_way = removed[removed_ends[row - 1] if row else 0 : removed_ends[row]]
            ranks[true] = counter.ranks(table[start + row], found[true], out_of_the_way, start + row)
        matches[rows] = count
        judged, begins = start + np.flatnonzero(count), (ends - count)[count > 0]
        if len(judged):
            nth = np.arange(1, len(ranks) + 1) - np.repeat(begins, count[count > 0])
            first[judged] = ranks[begins]
            precision[judged] = np.add.reduceat(nth / ranks, begins) / matches[judged]
            penalty[judged] = matches[judged] / ranks[begins + matches[judged] - 1]

    several = table.shape[1] >= _LONG
    threads = max(1, min(workers or (several and os.cpu_count()) or 1, queries))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(judge, range(0, queries, _QUERIES_AT_ONCE)))  # list: an error in a thread is raised here
    return Ranking(matches, first, precision, penalty)


def nearest(
    row: npt.ArrayLike,
    identity: int,
    camera: int,
    gallery_identities: npt.ArrayLike,
    gallery_cameras: npt.ArrayLike,
    count: int,
) -> Integers:
    """The first `count` gallery indices of one query's ranking, removed images left out; ties in gallery order.

    row (G,): the query's distances. Returns (at most count,).

    >>> nearest([0.3, 0.1, 0.2, 0.0], 7, 1, [9, 7, 7, -1], [2, 1, 2, 2], count=2)
    array([2, 0])
    """
    values = np.asarray(row)
    g_ids, g_cams = np.asarray(gallery_identities), np.asarray(gallery_cameras)
    removed = (g_ids == JUNK) | ((g_ids == identity) & (g_cams == camera) & (camera != UNKNOWN_CAMERA))
    left = np.flatnonzero(~removed)
    return left[np.argsort(values[left], kind="stable")[:count]]


RANKING_METRICS: dict[str, Callable[[Ranking], Floats]] = {
    **{f"R-{rank}": partial(Ranking.hits, rank=rank) for rank in RANKS},
    "mAP": lambda ranking: ranking.average_precision,
    "mINP": lambda ranking: ranking.inverse_penalty,
}
"""What each metric of a table is the mean of: (Q,) in [0, 1], NaN for queries without a match. A new metric is a line
here, or an entry from outside; reports, intervals and paired tests take it from there."""


class _Groups:
    """Gallery indices by identity, ascending, looked up without scanning the gallery."""

    def __init__(self, identities: Integers) -> None:
        self._order = np.argsort(identities, kind="stable")
        self._sorted = identities[self._order]

    def of(self, identities: Integers) -> tuple[Integers, Integers]:
        """All pairs (query, gallery index) of one identity, query by query; none for junk and distractors."""
        wanted = np.where(np.isin(identities, (JUNK, DISTRACTOR)), np.iinfo(np.int64).min, identities)
        begin, end = (np.searchsorted(self._sorted, wanted, side) for side in ("left", "right"))
        count = end - begin
        query = np.repeat(np.arange(len(identities)), count)
        within = np.arange(len(query)) - np.repeat(count.cumsum() - count, count)
        return query, self._order[begin[query] + within]


class _Counter:
    """Ranks of a few gallery images in one row of distances, by counting; buffers of one thread."""

    def __init__(self, gallery: int, dtype: npt.DTypeLike, junk: Integers) -> None:
        # columns padded to whole runs of words, the padding infinitely far
        step = _LANES * _RUN
        self._gallery, self._junk = gallery, junk
        self._width = max(1, -(-gallery // step)) * step
        self._row = np.full(self._width, np.inf, dtype)
        self._flags = np.empty((_MATCHES_AT_ONCE, self._width), np.bool_)

    def ranks(self, distances: npt.NDArray[np.floating], found: Integers, removed: Integers, query: int) -> Integers:
        """1-based ranks (M,) of the images `found`, ascending, with the images `removed` out of the way."""
        row = self._row
        row[: self._gallery] = distances
        if not np.isfinite(distances.sum(dtype=np.float64)) and not np.isfinite(distances).all():
            column = int(np.flatnonzero(~np.isfinite(distances))[0])
            raise IspError(
                f"the distance of query {query} to gallery image {column} is {distances[column]}, not finite"
            )
        row[self._junk] = np.inf
        row[removed] = np.inf
        ranks = np.empty(len(found), np.int64)
        for start in range(0, len(found), _MATCHES_AT_ONCE):
            some = found[start : start + _MATCHES_AT_ONCE]
            ranks[start : start + len(some)] = self._count_nearer(some)
        ranks.sort()
        return ranks + 1

    def _count_nearer(self, found: Integers) -> Integers:
        row, flags = self._row, self._flags[: len(found)]
        limits = row[found][:, None]  # (M, 1)
        np.less(row, limits, out=flags)  # (M, G)
        # NumPy counts the true values of a matrix's rows slowly; adding eight booleans a word is many times faster
        words = flags.view(np.uint64).reshape(len(found), -1, _RUN)
        nearer: Integers = words.sum(axis=2).view(np.uint8).reshape(len(found), -1).sum(axis=1, dtype=np.int64)
        np.equal(row, limits, out=flags)
        if np.count_nonzero(flags) > len(found):  # somebody is as far as a true match: gallery order decides
            nearer += [np.count_nonzero(flag[:index]) for flag, index in zip(flags, found, strict=True)]
        return nearer


def _as_floats(distances: npt.ArrayLike) -> npt.NDArray[np.floating]:
    table = np.asarray(distances)
    if table.ndim != 2:
        raise IspError(f"distances have shape {table.shape}; a matrix (queries, gallery) is needed")
    if table.dtype not in (np.float32, np.float64):
        table = table.astype(np.float32 if table.dtype == np.float16 else np.float64)
    return table


def _mean(values: Floats) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")
