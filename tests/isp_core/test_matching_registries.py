"""Matching rules, distance metrics and ranking metrics from outside are entries of their registries, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from isp_core.errors import IspError
from isp_core.matching import (
    MATCHINGS,
    METRICS,
    DistanceMetric,
    Embeddings,
    MatchingRule,
    NumberedRule,
    distances,
    explain,
    matching_names,
    matching_rule,
    register_matching,
    register_metric,
)
from isp_core.metrics.ranking import RANKING_METRICS
from isp_eval.commands import retrieval
from isp_eval.reranking import rerank
from isp_eval.retrieval import Rule, evaluate
from isp_eval.sources import retrieval_set
from tests.eval.made_runs import make_run


def embeddings(n: int, seed: int) -> Embeddings:
    rng = np.random.default_rng(seed)
    return Embeddings(
        rng.normal(size=(n, 4)).astype(np.float32),
        rng.normal(size=(n, 4)).astype(np.float32),
        rng.normal(size=(n, 2, 4)).astype(np.float32),
        rng.random((n, 2)) < 0.7,
        rng.random((n, 2)).astype(np.float32),
    )


QUERY, GALLERY = embeddings(5, 0), embeddings(9, 1)


@pytest.fixture
def outside() -> Iterator[None]:
    """What somebody else's module would register."""
    register_matching("parts-alone", MatchingRule("visible parts, without global and foreground", parts_alone))
    register_matching(
        "first-K", NumberedRule("the first K numbers of the global feature", lambda e, k: [(e.global_[:, :k], None)])
    )
    register_metric(
        "manhattan",
        DistanceMetric("sum of differences", lambda x, y: torch.cdist(x, y, p=1), lambda x, y: (x - y).abs().sum(-1)),
    )
    yield
    del MATCHINGS["parts-alone"], MATCHINGS["first-K"], METRICS["manhattan"]


def parts_alone(e: object) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
    return [(e.parts[:, k], e.visibility[:, k] + 1e-6) for k in range(e.n_parts)]  # type: ignore[attr-defined]


@pytest.mark.usefixtures("outside")
def test_a_rule_from_outside_ranks_and_is_offered() -> None:
    found = distances(QUERY, GALLERY, "first-2")
    q, g = (np.asarray(each.global_)[:, :2] for each in (QUERY, GALLERY))
    cosine = (q / np.linalg.norm(q, axis=1, keepdims=True)) @ (g / np.linalg.norm(g, axis=1, keepdims=True)).T
    np.testing.assert_allclose(found, 1 - cosine, atol=1e-5)
    assert {"parts-alone", "first-1", "first-2"} <= set(matching_names(2))
    assert matching_rule("first-2").description == "the first 2 numbers of the global feature"
    assert rerank(QUERY, GALLERY, "parts-alone").shape == (5, 9)


@pytest.mark.usefixtures("outside")
def test_a_distance_from_outside_averages_shared_parts_as_the_others_do() -> None:
    found = distances(QUERY, GALLERY, "aligned", "manhattan")
    pairs = explain(QUERY[np.zeros(9, int)], GALLERY, "manhattan")
    np.testing.assert_allclose(found[0], pairs.distance, rtol=1e-5)
    by_hand = np.abs(np.asarray(QUERY.global_)[0] - np.asarray(GALLERY.global_)).sum(1)
    np.testing.assert_allclose(pairs.d_global, by_hand, rtol=1e-5)


def test_a_ranking_metric_from_outside_is_in_every_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(RANKING_METRICS, "R-2", lambda ranking: ranking.hits(2))
    found = evaluate(retrieval_set(make_run(tmp_path / "run"), None), Rule())
    assert found.figures["R-1"].mean <= found.figures["R-2"].mean <= found.figures["R-5"].mean
    assert "R-2" in set(found.table()["metric"])


@pytest.mark.parametrize(
    ("name", "message"),
    [("aligned", "already"), ("two words", "no name"), ("../up", "no name"), ("", "no name")],
)
def test_a_name_that_is_taken_or_no_name_is_refused(name: str, message: str) -> None:
    with pytest.raises(IspError, match=message):
        register_matching(name, matching_rule("global"))
    assert name == "aligned" or name not in MATCHINGS


@pytest.mark.parametrize("name", ["part-0", "part-3", "part-K", "part--1", "alinged", "", "first-1"])
def test_an_unknown_rule_is_refused(name: str) -> None:
    with pytest.raises(IspError, match=r"unknown; allowed: aligned|have parts 1 to 2"):
        distances(QUERY, GALLERY, name)


def test_the_command_names_every_rule_and_metric_and_its_error_names_every() -> None:
    for name in MATCHINGS:
        assert name.replace("part-K", "part-1") in retrieval._MATCHINGS
    assert ", ".join(METRICS) == retrieval._METRICS
    with pytest.raises(IspError, match=r"--matching 'alinged' is unknown; allowed: aligned, .*part-K, every$"):
        retrieval._matchings(["alinged"], 2)
