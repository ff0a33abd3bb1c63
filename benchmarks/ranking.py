"""Distances, figures, re-ranking and IoU at Market-1501's size, on random features.

References: the matching of one query after the other, as ISP_CODE.md's reader would write it from the paper; sorting
the distances with NumPy, which is only a part of what other evaluations do. Slow ones are timed on some of the queries
and scaled up, and say so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from benchmarks.rows import Machine, Row, best_of
from isp_core.matching import Embeddings, distances
from isp_core.metrics.part_scores import Assignment, class_iou, confusion, fit_constant
from isp_core.metrics.ranking import evaluate_ranking
from isp_eval.reranking import rerank

QUERIES, GALLERY, PEOPLE, CAMERAS, PARTS, CHANNELS = 3368, 15913, 750, 6, 7, 256
TRAINING, HEIGHT, WIDTH = 12936, 64, 32
SAMPLE = 24

Ids = npt.NDArray[np.int64]


def matching(machine: Machine, quick: bool) -> Iterator[Row]:
    """Eq. 10 between all queries and the gallery, against one query after the other."""
    queries, gallery = (400, 2000) if quick else (QUERIES, GALLERY)
    q, g = random_embeddings(queries, 0), random_embeddings(gallery, 1)
    ours = best_of(2, partial(distances, q, g))[0]
    sample = q[:SAMPLE]
    theirs = best_of(1, partial(one_query_at_a_time, sample, g))[0] * queries / SAMPLE
    operations = 2.0 * queries * gallery * CHANNELS * (PARTS + 1)
    limit = machine.seconds(operations=operations)
    size = f"{queries} x {gallery}, K = {PARTS}, {CHANNELS} channels"
    note = f"{operations / ours / 1e9:.0f} GFLOP/s; reference: {SAMPLE} queries, scaled"
    yield Row("Eq. 10", size, ours, "query by query", theirs, limit, note)


def figures(_machine: Machine, quick: bool) -> Iterator[Row]:
    """CMC, mAP and mINP from the distances, against sorting them."""
    queries, gallery = (400, 2000) if quick else (QUERIES, GALLERY)
    table, labels = random_ranking(queries, gallery)
    judge = partial(evaluate_ranking, table, *labels)
    ours, default, stable = best_of(
        2, judge, partial(np.argsort, table, axis=1), partial(np.argsort, table, axis=1, kind="stable")
    )
    memory = f"{peak_bytes(judge) / 1e6:.0f} MB beside the distances"
    size = f"{queries} x {gallery}"
    yield Row("CMC, mAP, mINP", size, ours, "argsort alone", default, note=memory)
    yield Row("CMC, mAP, mINP", size, ours, "stable argsort alone", stable)


def reranking(_machine: Machine, quick: bool) -> Iterator[Row]:
    """k-reciprocal re-ranking of ten thousand images."""
    pictures = 1000 if quick else 10_000
    everybody = random_embeddings(pictures, 2)
    work = partial(rerank, everybody[: pictures // 5], everybody[pictures // 5 :])
    timings: list[float] = []
    peak = peak_bytes(lambda: timings.extend(best_of(1, work)))  # of the first run: later ones find memory at hand
    ours, memory = timings[0], f"{peak / 1e6:.0f} MB beside the embeddings"
    yield Row("re-ranking", f"{pictures} pictures", ours, note=memory)


def iou(_machine: Machine, quick: bool) -> Iterator[Row]:
    """IoU of all classes over a training set's label maps, with the constant mask."""
    maps = 1000 if quick else TRAINING
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 6, (maps, HEIGHT, WIDTH)).astype(np.uint8)
    found = rng.integers(0, PARTS, truth.shape).astype(np.uint8)
    by_hand = Assignment("by hand", head=(1,), upper=(2, 3), legs=(4,), shoes=(5,), belongings=(6,))

    def measure() -> None:
        class_iou(confusion(found, truth, PARTS).sum(axis=0), by_hand)

    def with_masks() -> None:
        measure()
        fit_constant(truth)

    ours, theirs, both = best_of(3, measure, partial(mask_by_mask, found, truth, by_hand), with_masks)
    size = f"{maps} maps of {HEIGHT} x {WIDTH}"
    yield Row("class IoU", size, ours, "mask by mask", theirs)
    yield Row("class IoU and constant masks", size, both)


def random_embeddings(n: int, seed: int) -> Embeddings:
    """Random features of a Market-sized network, a fifth of the parts hidden."""
    rng = np.random.default_rng(seed)
    shares = rng.random((n, PARTS - 1), dtype=np.float32)

    def features(*shape: int) -> npt.NDArray[np.float32]:
        return rng.standard_normal((n, *shape, CHANNELS), dtype=np.float32)

    return Embeddings(features(), features(), features(PARTS - 1), shares > 0.2, shares)


def random_ranking(queries: int, gallery: int) -> tuple[npt.NDArray[np.float32], tuple[Ids, Ids, Ids, Ids]]:
    """Random distances, identities and cameras, with distractors and junk in the gallery."""
    rng = np.random.default_rng(0)
    people, cameras = (1, PEOPLE + 1), (1, CAMERAS + 1)
    labels = (
        rng.integers(*people, queries),
        rng.integers(*cameras, queries),
        rng.integers(-1, PEOPLE + 1, gallery),
        rng.integers(*cameras, gallery),
    )
    return rng.random((queries, gallery), dtype=np.float32), labels


def one_query_at_a_time(query: Embeddings, gallery: Embeddings) -> Tensor:
    """Eq. 8-10 as a loop over queries and parts, each vectorised over the gallery: (Q, G)."""
    q, g = _unit_tensors(query), _unit_tensors(gallery)
    shown_q, shown_g = (torch.as_tensor(e.visibility).float() for e in (query, gallery))
    rows = []
    for i in range(len(query)):
        total = (1 - (q[0][i] * g[0]).sum(dim=1)) + (1 - (q[1][i] * g[1]).sum(dim=1))  # d_g + d_f
        shared = torch.full((len(gallery),), 2.0)
        for k in range(query.n_parts):
            both = shown_q[i, k] * shown_g[:, k]
            total = total + both * (1 - (q[2][i, k] * g[2][:, k]).sum(dim=1))
            shared = shared + both
        rows.append(total / shared)
    return torch.stack(rows)


def mask_by_mask(
    found: npt.NDArray[np.uint8], truth: npt.NDArray[np.uint8], assignment: Assignment
) -> dict[str, float]:
    """Class IoU with boolean masks of the whole set."""
    out = {"foreground": _iou(found > 0, truth > 0)}
    for code, name in enumerate(("head", "upper", "legs", "shoes", "belongings"), start=1):
        out[name] = _iou(np.isin(found, assignment.parts_of(name, PARTS)), truth == code)
    return out


def peak_bytes(work: Callable[[], object]) -> int:
    """The most memory the process held during `work`, above what it held before."""
    done = threading.Event()
    before = peak = resident_bytes()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.002):
            peak = max(peak, resident_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return peak - before


def resident_bytes() -> int:
    """Bytes in memory; 0 where the system does not say (no /proc)."""
    status = Path("/proc/self/statm")
    return 4096 * int(status.read_text(encoding="ascii").split()[1]) if status.exists() else 0


def _unit_tensors(e: Embeddings) -> tuple[Tensor, ...]:
    arrays = (torch.as_tensor(a) for a in (e.global_, e.foreground, e.parts))
    return tuple(torch.nn.functional.normalize(a, dim=-1) for a in arrays)


def _iou(found: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> float:
    return float((found & truth).sum() / (found | truth).sum())
