"""The embedded study's gallery in a store: the ranking is Eq. 10's, and few candidates find nearly all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("milvus_lite", reason="the extra `gallery` is not installed")

from isp_core.gallery.filling import build
from isp_core.gallery.milvus import MilvusStore, open_store
from isp_core.gallery.searching import search_store
from isp_core.matching import distances
from isp_core.metrics.ranking import evaluate_ranking
from isp_core.runs import Run, open_run

RUN, EPOCH = Path(__file__).resolve().parents[3] / "assets" / "runs" / "contrast-k6", 32


@pytest.fixture(scope="module")
def run() -> Run:
    return open_run(RUN)


@pytest.fixture(scope="module")
def store(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusStore]:
    place = str(tmp_path_factory.mktemp("walkers") / "walkers.db")
    filled = build(lambda network: open_store(place, network=network), run, EPOCH, "gallery", show=False)
    assert (filled.added, filled.kept) == (480, 0)
    again = build(lambda network: open_store(place, network=network), run, EPOCH, "gallery", show=False)
    assert (again.added, again.kept, again.other_labels) == (0, 480, [])
    with open_store(place) as opened:
        yield opened


def ranked(run: Run, store: MilvusStore, rows: slice, top: int, candidates: int) -> list[list[int]]:
    """For each query the rows of the run's gallery, nearest first."""
    row_of = {path: row for row, path in enumerate(run.records("gallery").path)}
    query, rule = run.embeddings("query", EPOCH)[rows], run.visibility_rule(EPOCH)
    found = search_store(store, query, top=top, candidates=candidates, rule=rule, calibration=run.calibration(EPOCH))
    return [[row_of[match.image.path] for match in near] for near in found]


def test_with_the_whole_gallery_for_candidates_the_ranking_and_its_map_are_those_of_eq_10(
    run: Run, store: MilvusStore
) -> None:
    query, gallery = run.records("query"), run.records("gallery")
    table = distances(run.embeddings("query", EPOCH), run.embeddings("gallery", EPOCH))
    order = np.array(ranked(run, store, slice(None), len(gallery), len(gallery)))
    assert np.array_equal(order, np.argsort(table, axis=1, kind="stable"))
    places = np.empty(order.shape, np.float32)
    np.put_along_axis(places, order, np.arange(len(gallery), dtype=np.float32)[None], axis=1)
    labels = (query.identity, query.camera, gallery.identity, gallery.camera)
    assert (
        evaluate_ranking(places, *labels).mean_average_precision
        == evaluate_ranking(table, *labels).mean_average_precision
    )


def test_two_hundred_candidates_hold_nearly_all_of_the_twenty_nearest(run: Run, store: MilvusStore) -> None:
    rows = slice(0, None, 12)
    table = distances(run.embeddings("query", EPOCH)[rows], run.embeddings("gallery", EPOCH))
    best = np.argsort(table, axis=1, kind="stable")[:, :20]
    found = ranked(run, store, rows, 20, 200)
    recall = np.mean([len(set(near) & set(true)) / 20 for near, true in zip(found, best, strict=True)])
    assert recall > 0.99
