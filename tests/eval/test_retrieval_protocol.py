"""What `eval retrieval` measures: rules, subsets, multi-query, intervals, comparison, and the errors it gives."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isp_core.errors import IspError
from isp_core.matching import Calibration, distances
from isp_core.metrics.ranking import RANKING_METRICS, evaluate_ranking
from isp_core.runs import Run, RunWriter
from isp_core.runs.maintenance import verify
from isp_eval.comparison import compare
from isp_eval.reranking import Reranking
from isp_eval.retrieval import Rule, evaluate, evaluate_run
from isp_eval.sources import retrieval_set
from tests.eval.made_runs import make_run, records

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path / "run")


def test_figures_are_those_of_the_formulas_and_stand_inside_their_intervals(run: Run) -> None:
    found = evaluate(retrieval_set(run, None), Rule())
    query, gallery = run.records("query"), run.records("gallery")
    table = distances(run.embeddings("query", 1), run.embeddings("gallery", 1))
    expected = evaluate_ranking(table, query.identity, query.camera, gallery.identity, gallery.camera).summary()
    for name, value in expected.items():
        interval = found.figures[name]
        assert interval.mean == pytest.approx(value)
        assert interval.low <= value <= interval.high
        assert interval.n == 6


def test_every_rule_has_its_own_document_with_all_it_needs(run: Run) -> None:
    source = retrieval_set(run, 0)
    rules = [
        Rule(),
        Rule("global"),
        Rule("part-2", "euclidean"),
        Rule("all-parts", reranking=Reranking(k1=3, k2=2)),
        Rule(minimum_share=0.5),
        Rule(queries="multi"),
        Rule(subset="occluded"),
    ]
    for rule in rules:
        evaluate_run(run, source, rule)
    names = run.evaluation_names()
    assert len(names) == len(rules)
    assert "retrieval-epoch_0000-aligned-cosine" in names
    document = run.read_evaluation("retrieval-epoch_0000-aligned-cosine-occluded")
    assert document["n_queries"] == 2
    assert document["rule"]["subset"] == "occluded"
    assert document["figures"]["mAP"]["n"] == 2
    assert len(document["queries"]["average_precision"]) == 2


def test_visibility_may_come_from_the_parts_probabilities(run: Run) -> None:
    """Whoever asks for certainty that nobody reaches sees no part: only global and foreground are left."""
    source = retrieval_set(run, None, peaks=True)
    strict = evaluate(source, Rule(minimum_probability=1.0))
    assert strict.rule.name == "aligned-cosine-probability1"
    q, g = (run.embeddings(split, 1).seen_with(1.0) for split in ("query", "gallery"))
    assert not q.visibility.any()
    query, gallery = run.records("query"), run.records("gallery")
    expected = evaluate_ranking(distances(q, g), query.identity, query.camera, gallery.identity, gallery.camera)
    assert strict.figures["mAP"].mean == pytest.approx(expected.mean_average_precision)
    with pytest.raises(IspError, match="give one of them"):
        Rule(minimum_share=0.1, minimum_probability=0.1)


def test_probabilities_that_a_run_did_not_keep_are_asked_for(run: Run) -> None:
    from isp_core.runs import RunWriter

    RunWriter(run.path).write_embeddings("query", 1, replace(run.embeddings("query", 1), part_peak=None))
    with pytest.raises(IspError, match="without the parts' probabilities: give --data"):
        retrieval_set(run, 1, peaks=True)


def test_multi_query_pools_the_pictures_of_an_identity_and_camera(run: Run) -> None:
    found = evaluate(retrieval_set(run, None), Rule(queries="multi"))
    assert found.ranking.n_queries == 3
    single = evaluate(retrieval_set(run, None), Rule("global"))
    pooled = evaluate(retrieval_set(run, None), Rule("global", queries="multi"))
    assert pooled.figures["mAP"].mean >= single.figures["mAP"].mean - 0.2  # less noise, hardly worse


def test_unknown_subsets_say_which_there_are(run: Run) -> None:
    with pytest.raises(IspError, match="no queries of subset 'hatted'; it has occluded"):
        evaluate(retrieval_set(run, None), Rule(subset="hatted"))


def test_data_without_cameras_is_noted(tmp_path: Path) -> None:
    found = evaluate(retrieval_set(make_run(tmp_path / "r", cameras=False), None), Rule())
    assert any("cameras are unknown" in note for note in found.notes)


def test_missing_epochs_and_embeddings_are_explained(run: Run, tmp_path: Path) -> None:
    with pytest.raises(IspError, match=r"no embeddings of epoch 7 \(it has them of epochs 0, 1\): give --data"):
        retrieval_set(run, 7)
    empty = make_run(tmp_path / "empty", epochs=())
    with pytest.raises(IspError, match="it has none"):
        retrieval_set(empty, None)


def test_embeddings_of_another_run_are_refused(run: Run, tmp_path: Path) -> None:
    """A file copied from a run with other pictures has another number of rows."""
    from isp_core.runs import RunWriter

    some = run.embeddings("query", 1)[:4]
    RunWriter(run.path).write_embeddings("query", 1, some)
    with pytest.raises(IspError, match="4 rows where the run's records have 6"):
        retrieval_set(run, 1)


def test_a_run_without_gallery_or_with_other_people_in_it_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r")
    frame = run.records()
    moved = frame.assign(identity=frame.identity.where(frame.split != "gallery", frame.identity + 50))
    moved.to_parquet(run.path / "records.parquet")
    with pytest.raises(IspError, match="none of the 3 identities of the queries of made is in its gallery"):
        retrieval_set(run, None)
    frame[frame.split != "gallery"].to_parquet(run.path / "records.parquet")
    with pytest.raises(IspError, match=r"rows where the run's records have 0|no gallery"):
        retrieval_set(run, None)


def test_two_runs_are_compared_on_the_same_queries(tmp_path: Path) -> None:
    good, bad = make_run(tmp_path / "good", noise=0.05), make_run(tmp_path / "bad", noise=3)
    found = compare(*(evaluate(retrieval_set(r, None), Rule()) for r in (bad, good)))
    assert found.tests["mAP"].difference.mean > 0
    assert found.tests["mAP"].difference.n == 6
    same = compare(*(evaluate(retrieval_set(good, None), Rule()) for _ in range(2)))
    assert same.tests["mAP"].p_value == 1
    assert list(found.table().columns[:3]) == ["metric", "bad", "good"]


def test_runs_on_other_data_cannot_be_compared(tmp_path: Path) -> None:
    a, b = make_run(tmp_path / "a"), make_run(tmp_path / "b")
    frame = records()
    frame.assign(path="other/" + frame.path).to_parquet(b.path / "records.parquet")
    with pytest.raises(IspError, match="no query in common"):
        compare(*(evaluate(retrieval_set(r, None), Rule()) for r in (a, b)))


def test_blocks_of_queries_do_not_change_the_figures(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluate(retrieval_set(run, None), Rule())
    monkeypatch.setattr("isp_eval.retrieval._BLOCK", 13)
    blocks = evaluate(retrieval_set(run, None), Rule())
    np.testing.assert_array_equal(whole.ranking.average_precision, blocks.ranking.average_precision)


def test_the_command_prints_one_json_document_and_writes_tables(run: Run, tmp_path: Path, command: Command) -> None:
    status, out, err = command("retrieval", "--run", str(run.path), "--json", "--out", str(tmp_path / "tables"))
    assert status == 0, err
    assert err.startswith("kept in ")  # what is no JSON is said on standard error
    assert json.loads(out)["figures"]["mAP"]["mean"] > 0.5
    assert {file.suffix for file in (tmp_path / "tables").iterdir()} == {".csv", ".md", ".tex"}


def test_the_command_compares_rules_and_runs(run: Run, tmp_path: Path, command: Command) -> None:
    status, out, _ = command("retrieval", "--run", str(run.path), "--matching", "every")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()[4:8]] == ["aligned", "all-parts", "concatenated", "authors"]
    other = make_run(tmp_path / "other", noise=2)
    status, out, _ = command("retrieval", "--run", str(run.path), "--against", str(other.path))
    assert status == 0
    assert "difference" in out
    assert "comparison-epoch_0001-aligned-cosine-against-other" in run.evaluation_names()


def test_a_run_is_compared_with_itself_at_another_epoch_or_rule(run: Run, command: Command) -> None:
    status, out, err = command("retrieval", "--run", str(run.path), "--against-epoch", "0")
    assert status == 0, err
    assert "epoch 1 minus epoch 0 on made" in out
    status, out, err = command("retrieval", "--run", str(run.path), "--against-matching", "all-parts", "--json")
    assert status == 0, err
    comparison = json.loads(out)[1]
    assert [comparison[side]["rule"]["matching"] for side in ("first", "second")] == ["all-parts", "aligned"]
    both = ("--matching", "aligned", "--matching", "global")
    assert command("retrieval", "--run", str(run.path), *both, "--against-epoch", "0")[0] == 1


def test_every_figure_of_every_rule_has_its_interval(run: Run, tmp_path: Path, command: Command) -> None:
    assert command("retrieval", "--run", str(run.path), "--matching", "every", "--out", str(tmp_path / "t"))[0] == 0
    table = pd.read_csv(tmp_path / "t" / "retrieval.csv")
    assert {f"{name}, 95%" for name in RANKING_METRICS} <= set(table.columns)


def test_errors_are_one_line_and_status_one(tmp_path: Path, command: Command) -> None:
    status, out, err = command("retrieval", "--run", str(tmp_path / "none"))
    assert (status, out) == (1, "")
    assert err.startswith("eval: ")
    assert len(err.strip().splitlines()) == 1
    assert command("retrieval")[0] == 2


def hold_out(run: Run) -> None:
    """Makes the run's training people validation people, with embeddings and maps of their own."""
    from isp_core.runs import RunWriter
    from tests.eval.made_runs import embeddings, predicted

    frame = run.records()
    frame.loc[frame.split == "train", "split"] = "validation"
    frame.to_parquet(run.path / "records.parquet", index=False)
    held, rng = frame[frame.split == "validation"], np.random.default_rng(0)
    writer = RunWriter(run.path)
    writer.write_embeddings("validation", 1, embeddings(held, 0.3, rng))
    writer.write_maps("validation", 1, [(np.arange(len(held)), predicted(len(held), rng))], len(held))


def test_identities_held_out_are_ranked_among_themselves(run: Run, command: Command) -> None:
    status, _, err = command("retrieval", "--run", str(run.path), "--split", "validation")
    assert status == 1
    assert "held no identities out: train it with --set data.validation=N" in err
    hold_out(run)
    status, out, _ = command("retrieval", "--run", str(run.path), "--split", "validation")
    assert status == 0
    assert "12 queries, 12 gallery" in out
    assert "resample 3 identities" in out
    status, _, err = command("retrieval", "--run", str(run.path), "--split", "validation", "--epoch", "0")
    assert status == 1
    assert "it has them of epochs 1" in err


def test_tables_and_documents_say_what_was_resampled(run: Run, tmp_path: Path, command: Command) -> None:
    given = ("retrieval", "--run", str(run.path), "--out", str(tmp_path))
    assert "95 % intervals resample 3 identities" in command(*given)[1]
    document = run.read_evaluation("retrieval-epoch_0001-aligned-cosine")
    assert document["rule"]["resample"] == "identities"
    assert document["figures"]["mAP"]["units"] == 3
    assert "95 % intervals resample 6 queries" in command(*given, "--resample", "queries")[1]
    by_query = run.read_evaluation("retrieval-epoch_0001-aligned-cosine-by-query")
    assert by_query["figures"]["mAP"]["units"] == 6
    assert "resample 3 identities" in (tmp_path / "retrieval-epoch_0001-aligned-cosine.md").read_text()


def test_documents_of_older_versions_get_an_interval_over_identities_from_their_queries() -> None:
    from isp_eval.retrieval import stored_interval

    queries = {"identity": [1, 1, 2, 2, 3], "average_precision": [1.0, 1.0, 0.0, 0.0, None]}
    found = stored_interval({"rule": {"resample": "queries"}, "queries": queries})
    assert found is not None
    assert (found.mean, found.low, found.high, found.units) == (0.5, 0, 1, 2)
    assert stored_interval({"figures": {}}) is None


def test_a_calibrated_run_is_ranked_by_its_thresholds_and_by_eq_8_when_asked(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    by_eq8 = evaluate(retrieval_set(run, 1), Rule())
    assert by_eq8.document()["visibility"].startswith("eq8 (Eq. 8")
    k = run.embeddings("query", 1).n_parts
    RunWriter(run.path).write_calibration(Calibration((1.0,) * k, (1.0,) * k, (1,) * k, (1,) * k, 1, 1))
    assert run.visibility_rule(1) == "peak"
    q, g = (run.embeddings(split, 1, "eq8").seen_with(1.0) for split in ("query", "gallery"))
    calibrated = evaluate(retrieval_set(run, 1), Rule())
    expected = evaluate_ranking(
        distances(q, g),
        *(run.records("query")[c] for c in ("identity", "camera")),
        *(run.records("gallery")[c] for c in ("identity", "camera")),
    )
    np.testing.assert_allclose(calibrated.ranking.average_precision, expected.average_precision)
    assert calibrated.name == by_eq8.name == "retrieval-epoch_0001-aligned-cosine"
    assert calibrated.document()["visibility"].startswith("peak (")
    chosen = evaluate(retrieval_set(run, 1, visibility="eq8"), Rule())
    np.testing.assert_allclose(chosen.ranking.average_precision, by_eq8.ranking.average_precision)
    assert chosen.name == "retrieval-epoch_0001-aligned-cosine-eq8"
    soft = evaluate(retrieval_set(run, 1, visibility="soft"), Rule(queries="multi"))
    assert soft.name == "retrieval-epoch_0001-aligned-cosine-multi-soft"
    with pytest.raises(IspError, match="at epoch 0 has none: make them with `isp calibrate`"):
        retrieval_set(run, 0, visibility="peak")


def test_damaged_thresholds_are_found_and_named(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    file = tmp_path / "run" / "visibility" / "epoch_0001.json"
    file.parent.mkdir()
    file.write_text('{"thresholds": [2]}')
    with pytest.raises(IspError, match=r"visibility/epoch_0001\.json"):
        run.embeddings("query", 1)
    assert "visibility/epoch_0001.json" in [finding.file for finding in verify(run)]
