"""Tables 3-6 and rankings of imported runs: figures come from what the runs stored, nothing is filled in."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isp_app.reading import tables
from isp_app.reading.parse_upload import NEAREST, Seen, nearest_people
from isp_core.matching import distances
from isp_core.runs import Run, RunWriter, open_run
from isp_core.runs.imports import import_run
from tests.app import synthetic
from tests.app.conftest import Open, words


def small(path: Path, **more: object) -> Run:
    return open_run(synthetic.write_run(path, epochs=1, **more))  # type: ignore[arg-type]


def retrieval(run: Run, r1: float, epoch: int = 1, rule: str = "aligned") -> None:
    figures = {name: {"mean": r1, "low": r1 - 0.1, "high": r1 + 0.1, "n": 6} for name in ("R-1", "R-5", "mAP")}
    queries = {"identity": [1, 1, 2, 2], "average_precision": [r1 - 0.1, r1 - 0.1, r1 + 0.1, r1 + 0.1]}
    document = {"figures": figures, "fingerprint": "f" * 64, "queries": queries}
    RunWriter(run.path).write_evaluation(f"retrieval-epoch_{epoch:04d}-{rule}-cosine", document)


class TestTables:
    def test_stored_evaluations_count_before_what_training_noted(self, tmp_path: Path) -> None:
        run = small(tmp_path / "k4", parts=4)
        assert tables.retrieval(run).values["R-1"] == pytest.approx(80)
        retrieval(run, 0.5)
        found = tables.retrieval(run)
        assert found.values["R-1"] == pytest.approx(50)
        assert found.interval == "40.0 to 60.0"

    def test_table_4_has_a_row_a_k_beside_the_papers(self, tmp_path: Path) -> None:
        runs = [(f"k{k}", small(tmp_path / f"k{k}", parts=k)) for k in (6, 4)]
        runs.append(("baseline", small(tmp_path / "baseline", parts=0)))
        table = tables.build("Table 4", runs)
        assert table["K"].tolist() == [4, 6]
        assert table["mAP, paper, DukeMTMC-reID"].tolist() == [79.2, 78.9]

    def test_table_5_tells_baseline_extra_information_and_learnt_parts_apart(self, tmp_path: Path) -> None:
        runs = [
            ("isp", small(tmp_path / "isp")),
            ("baseline", small(tmp_path / "baseline", parts=0)),
            ("parser", small(tmp_path / "parser", labels="some/folder/of/maps")),
        ]
        table = tables.build("Table 5", runs)
        assert dict(zip(table["run"], table["model"], strict=True)) == {
            "isp": "ISP",
            "baseline": "baseline",
            "parser": "+extra info",
        }

    def test_table_6_has_a_row_a_backbone_with_its_parameters(self, tmp_path: Path) -> None:
        sizes = {"mobilenetv2_100": 1_811_712, "tf_efficientnet_lite0": 2_986_512}
        runs = [
            (name, small(tmp_path / name, backbone=name, parameters={"backbone": size})) for name, size in sizes.items()
        ]
        table = tables.build("Table 6", [*runs, ("imported", small(tmp_path / "imported", backbone=""))])
        assert table["backbone"].tolist() == ["", *sizes]
        assert table["parameters (M)"].tolist()[1:] == pytest.approx([1.811712, 2.986512])
        assert table["parameters (M)"].isna().tolist() == [True, False, False]

    def test_table_3_keeps_pseudo_labels_and_predictions_apart_beside_the_constant(self, tmp_path: Path) -> None:
        run = small(tmp_path / "k6")
        table = tables.build("Table 3", [("k6", run)])
        assert table["maps"].tolist() == ["train (pseudo-labels)", "test (predictions)"]
        assert table["foreground"].tolist() == pytest.approx([70, 70])
        assert table["foreground, constant"].tolist() == pytest.approx([58, 58])
        assert table["belongings"].isna().all()  # not measured: empty, not 0
        score = {"target": "foreground", "iou": 0.4, "mean_iou": 0.6, "constant_iou": 0.3, "constant_mean_iou": 0.5}
        document = {"epoch": 1, "n": 30, "rules": [{"rule": "one-to-one", "rows": [score]}]}
        RunWriter(run.path).write_evaluation("parsing-epoch_0001-test-walkers", document)
        table = tables.build("Table 3", [("k6", run)])
        judged = table[table["maps"] == "test (predictions)"].set_index("form")
        assert judged.loc["class IoU", "foreground"] == pytest.approx(40)
        assert judged.loc["binary mIoU", "foreground, constant"] == pytest.approx(50)

    def test_documents_of_another_shape_are_a_sentence(self, own_runs: Path, open_page: Open) -> None:
        for name, document in (("constant", {"train": 3}), ("parts", {"3": {"head": "x"}})):
            RunWriter(own_runs / "k6").write_evaluation(name, document)
        test = open_page("overview", runs=own_runs, table="Table 3")
        assert not test.exception


class TestImported:
    """Another tool's distances of the same queries, beside a run of ours."""

    @pytest.fixture
    def runs(self, drawn: Path, tmp_path: Path) -> Path:
        folder = Path(shutil.copytree(drawn / "runs", tmp_path / "runs"))
        records = open_run(folder / "k6").records()
        table = tmp_path / "records.csv"
        records[["path", "identity", "camera", "split"]].to_csv(table, index=False)
        count = records["split"].value_counts()
        matrix = np.random.default_rng(0).random((count["query"], count["gallery"])).astype(np.float32)
        np.save(tmp_path / "d.npy", matrix)
        import_run(folder / "other", table, distances=tmp_path / "d.npy", tool="other tool")
        return folder

    def test_it_stands_beside_a_run_of_ours_with_rank_shifts(self, runs: Path, open_page: Open) -> None:
        test = open_page("ranking", runs=runs, run="k6", vs="other")
        assert not test.exception
        assert "other, epoch 0, imported" in words(test).replace("\\", "")
        assert "other, epoch 0, imported has it at rank" in words(test).replace("\\", "")

    def test_its_own_list_is_ranked_and_says_that_it_cannot_be_taken_apart(self, runs: Path, open_page: Open) -> None:
        test = open_page("ranking", runs=runs, run="other", vs="k6")
        assert not test.exception
        assert "cannot be broken down" in words(test)

    def test_a_matrix_that_is_gone_is_a_sentence(self, runs: Path, open_page: Open) -> None:
        test = open_page("ranking", runs=runs, run="other")
        shutil.rmtree(runs / "other" / "distances")
        test.run()
        assert not test.exception


def test_the_nearest_people_are_people_not_pictures(tmp_path: Path) -> None:
    run = small(tmp_path / "k6", spread=0.1)
    query = run.embeddings("query", 1)
    people = nearest_people(run, 1, Seen(np.zeros((2, 2), np.uint8), query[0:1]))
    gallery = run.records("gallery")
    identities = [int(gallery["identity"].iloc[one.row]) for one in people]
    assert len(set(identities)) == len(identities) == gallery["identity"].nunique()
    assert identities[0] == run.records("query")["identity"].iloc[0]
    assert people[0].pictures == (gallery["identity"] == identities[0]).sum()
    assert [one.distance for one in people] == sorted(one.distance for one in people)


@pytest.mark.parametrize("row", [0, 100, 400])
def test_an_index_finds_the_same_people_as_comparing_with_all(row: int) -> None:
    run = open_run(Path(__file__).parents[2] / "assets/runs/contrast-k6")
    epoch = run.embedding_epochs()[-1]
    query = run.embeddings("query", epoch)[row : row + 1]
    far = distances(query, run.embeddings("gallery", epoch))[0]
    ranked = run.records("gallery").assign(distance=far, row=range(len(far))).sort_values("distance", kind="stable")
    ranked = ranked[ranked.identity > 0].drop_duplicates("identity").head(NEAREST)
    people = nearest_people(run, epoch, Seen(np.zeros((2, 2), np.uint8), query))
    assert [one.row for one in people] == ranked["row"].tolist()
    np.testing.assert_allclose([one.distance for one in people], ranked["distance"], atol=1e-6)


def test_switching_aligned_matching_off_changes_the_list(open_page: Open) -> None:
    test = open_page("ranking", run="k6", vs="none")
    assert test.toggle(key="aligned").value
    test.toggle(key="aligned").set_value(False).run()
    assert test.selectbox(key="arm").value == "all-parts"
    test.selectbox(key="arm").set_value("aligned").run()
    assert test.toggle(key="aligned").value


def test_excluded_parts_are_named_with_their_reason_beside_the_sum_of_their_own_pair(open_page: Open) -> None:
    test = open_page("ranking", run="k6", vs="none")
    said = [m.value for m in test.markdown]
    tables = [place for place, value in enumerate(said) if value.startswith("| term")]
    assert len(tables) == 2  # the first true match, and the first wrong one beside it
    hidden = 0
    for place in tables:
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in said[place].splitlines()[2:]]
        terms = pd.DataFrame(rows, columns=["term", "d", "counts", "adds", "pixels"])
        counted = terms[terms["counts"].str.startswith("✓")]
        left_out = terms[~terms["counts"].str.startswith("✓")]
        assert left_out["counts"].str.startswith("– hidden").all()
        assert (left_out["adds"] == "").all()
        hidden += len(left_out)
        total = next(value for value in said[place:] if value.startswith("Eq. 10"))
        assert counted["adds"].astype(float).sum() == pytest.approx(float(total.split("**")[-2]), abs=4e-3)
    assert hidden


def test_table_of_all_runs_comes_when_asked_for(open_page: Open) -> None:
    test = open_page("overview")
    assert not test.dataframe
    shown = open_page("overview", view="table and curves").dataframe[0].value
    assert {"k6", "baseline"} <= set(shown["run"])


def test_intervals_of_rankings_are_over_identities_and_absent_for_one() -> None:
    from isp_app.reading.ranking import intervals

    table = pd.DataFrame({"identity": [1] * 4 + [2] * 4, "matches": 1, "first": [1] * 4 + [2] * 4, "AP": 0.5})
    assert intervals(table)["R-1"] == (0, 100)  # of two people one is always found, the other never
    assert intervals(table[table.identity == 1]) == {}
