"""Studies: the runs they ask for, take, resume and refuse, and tables that keep ours and the paper's figures apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isp_core.config import Config, load_config
from isp_core.errors import IspError
from isp_core.labelling.clustering import ClusteringOptions
from isp_core.labelling.sources import SOURCES
from isp_core.runs import open_run
from isp_eval.studies import paper
from isp_eval.studies.plans import Variant, plan, with_seeds
from isp_eval.studies.reports import Truth, tables_of
from isp_eval.studies.training import Bench, Trained, config_of, train_missing
from tests.eval.made_runs import make_run, write_truth
from tests.isp_core.test_every_command import train_here

PLAIN = {"run.epochs": 1, "labels.source": "clustering", "labels.parts": 6, "model.backbone": "mobilenetv2_100"}
BASE = load_config("cpu", None, PLAIN)


def test_studies_in_one_folder_share_the_run_of_the_plain_recipe() -> None:
    runs = {study: [v.run for v in plan(study, BASE, maps=Path("m"))] for study in ("K", "cascade", "semantics")}
    assert runs["K"] == [f"clustering-k{k}" for k in (4, 5, 6, 7, 8)]
    assert runs["cascade"][0] == runs["semantics"][2] == plan("matching", BASE)[0].run == "clustering-k6"
    assert plan("backbone", BASE)[0].run == "clustering-k6"
    assert len({run for names in runs.values() for run in names}) == 5 + 2 + 2


def test_every_row_changes_only_what_the_study_is_about() -> None:
    for study in ("K", "cascade", "semantics", "backbone"):
        for variant in plan(study, BASE, maps=Path("m")):
            changed = config_of(BASE, variant).model_dump()
            for section, values in BASE.model_dump().items():
                for key, value in values.items():
                    if f"{section}.{key}" not in variant.overrides and key in changed[section]:
                        assert changed[section][key] == value
                    if key not in changed[section]:  # an option of the base's source, which another one does not have
                        assert section == "labels"
                        assert "labels.source" in variant.overrides


def test_the_cascade_study_sets_its_source_and_its_rows_differ() -> None:
    for preset in ("cpu", "walkers", "authors"):
        base = load_config(preset)
        variants = plan("cascade", base)
        configs = [config_of(base, variant) for variant in variants]
        assert [config.labels.source for config in configs] == ["clustering"] * 3
        ways = [config.labels.variant for config in configs if isinstance(config.labels, ClusteringOptions)]
        assert ways == ["cascade", "one-step", "unnormalised"]
        assert len({variant.run for variant in variants}) == 3


@pytest.mark.parametrize("source", ["none", "maps"])
def test_studies_of_learned_parts_need_a_source_that_learns_them(source: str) -> None:
    base = load_config("cpu", None, {"labels.source": source} | ({"labels.folder": "m"} if source == "maps" else {}))
    for study in ("K", "semantics", "matching", "backbone"):
        with pytest.raises(IspError, match=f"the source of labels {source} learns none"):
            plan(study, base)
    assert len(plan("cascade", base)) == 3


def test_a_backbone_can_bring_its_own_weights() -> None:
    (variant,) = plan("backbone", BASE, ["resnet50=/w/resnet50.safetensors"])
    assert config_of(BASE, variant).model.weights == "/w/resnet50.safetensors"
    assert (variant.label, variant.run) == ("resnet50", "clustering-k6-resnet50")


@pytest.mark.parametrize(
    ("study", "value", "message"),
    [
        ("K", "six", "whole number from 2"),
        ("cascade", "two-step", "it has cascade, one-step, unnormalised"),
        ("semantics", "+extra info", "give their folder as --maps"),
        ("semantics", "+belongings", "give their folder as --maps"),
    ],
)
def test_rows_that_cannot_be_made_say_why(study: str, value: str, message: str) -> None:
    with pytest.raises(IspError, match=message):
        plan(study, BASE, [value])  # type: ignore[arg-type]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Training replaced: runs are made by hand, with the recipe they were asked for."""

    def train(bench: Bench, variant: Variant, options: list[str], say: Callable[[str], None]) -> None:
        if variant.label == "8":
            raise IspError("K larger than the pixels allow")
        folder = bench.folder(variant)
        if "--resume" in options:
            (folder / "resumed").touch()
            return
        recipe = load_config("cpu", Path(options[1]))
        write_config(folder, recipe, seed=len(variant.label))

    monkeypatch.setattr("isp_eval.studies.training._train", train)
    return Bench(tmp_path / "data", tmp_path / "study", jobs=2)


def write_config(folder: Path, recipe: Config, seed: int = 0, epochs: tuple[int, ...] = (0, 1)) -> None:
    from isp_core.runs import RunWriter

    run = make_run(folder, seed=seed, epochs=epochs)
    made = {"labels": recipe.labels.source, "label_algorithm": SOURCES[recipe.labels.source].algorithm}
    RunWriter(folder).write_info(run.info.model_copy(update={"config": recipe.model_dump(mode="json")} | made))


def test_missing_runs_are_trained_and_finished_ones_taken(bench: Bench) -> None:
    said: list[str] = []
    variants = plan("K", BASE, ["6", "7"])
    first = train_missing(bench, BASE, variants, said.append)
    assert [t.run is not None for t in first] == [True, True]
    assert any("training 1 epochs" in line for line in said)
    said.clear()
    train_missing(bench, BASE, variants, said.append)
    assert sorted(said) == [f"clustering-k{k}: taken as it is, 1 epochs" for k in (6, 7)]


def test_an_unfinished_run_is_resumed(bench: Bench) -> None:
    (variant,) = plan("K", BASE, ["6"])
    write_config(bench.folder(variant), config_of(BASE, variant), epochs=(0,))
    train_missing(bench, BASE, [variant], lambda line: None)
    assert (bench.folder(variant) / "resumed").exists()


def test_a_run_of_another_recipe_is_not_passed_off(bench: Bench) -> None:
    (variant,) = plan("K", BASE, ["6"])
    write_config(bench.folder(variant), load_config("cpu", None, PLAIN | {"data.size": (64, 32)}))
    (found,) = train_missing(bench, BASE, [variant], lambda line: None)
    assert found.run is None
    assert "was trained with data.size = [64, 32], this study asks for [256, 128]" in found.problem


def test_a_row_that_fails_stays_empty_and_the_others_go_on(bench: Bench) -> None:
    trained = train_missing(bench, BASE, plan("K", BASE, ["6", "8"]), lambda line: None)
    assert trained[1].problem == "K larger than the pixels allow"
    frame = tables_of("K", trained, paper.DUKE)[0].frame
    assert np.isnan(frame["mAP"][1])
    assert frame["mAP, paper, DukeMTMC-reID"].tolist() == [78.9, 78.4]


def made(tmp_path: Path, *labels: str) -> list[Trained]:
    return [
        Trained(Variant(label, f"clustering-k{label}", {}), make_run(tmp_path / f"clustering-k{label}", seed=i))
        for i, label in enumerate(labels)
    ]


def test_table_four_and_three_hold_ours_the_constants_and_the_papers(tmp_path: Path) -> None:
    trained = made(tmp_path, "6")
    run = trained[0].run
    assert run is not None
    write_truth(tmp_path / "truth", run.records())
    tables = {t.name: t.frame for t in tables_of("K", trained, paper.LABELLED, Truth(tmp_path / "truth", "lip"))}
    row = tables["table4"].iloc[0]
    assert 50 < row["mAP"] <= 100
    assert row["mAP, paper, CUHK03-NP labelled"] == 73.8
    assert np.isnan(row["R-5, paper, CUHK03-NP labelled"])  # the paper does not give it
    three = tables["table3"].set_index(["maps", "rule", "class"])
    head = three.loc[("predictions", "one-to-one", "head")]
    assert head["IoU, paper, CUHK03-NP labelled"] == 59.96
    assert 0 < head["constant"] < 100
    assert "belongings" not in three.index.get_level_values("class")
    assert {"parsing-epoch_0001-test-lip", "retrieval-epoch_0001-aligned-cosine"} <= set(run.evaluation_names())


def test_belongings_have_a_table_where_the_truth_has_them(tmp_path: Path) -> None:
    """Every second picture's truth has a bag where part 3 lies, which is seen in everybody."""
    trained = made(tmp_path, "6")
    run = trained[0].run
    assert run is not None
    records, truth = run.records(), tmp_path / "truth"
    write_truth(truth, records)
    without = {t.name for t in tables_of("K", trained, paper.DUKE, Truth(truth, "walkers"))}
    assert "visibility-K" in without
    assert "belongings-K" not in without
    for path in records.path[::2]:
        file = (truth / path).with_suffix(".npy")
        labels = np.load(file)
        labels[6:9, 4:6] = 20
        np.save(file, labels)
    tables = {t.name: t for t in tables_of("K", trained, paper.DUKE, Truth(truth, "walkers"))}
    row = tables["belongings-K"].frame.iloc[0]
    assert (row["part"], row["false alarms"], row["hits"]) == ("3", 100, 100)
    assert (row["false alarms, n"], row["hits, n"]) == (6, 6)
    assert "more than 1 % of the pixels" in tables["belongings-K"].caption


def test_table_five_tests_every_row_against_the_first(tmp_path: Path) -> None:
    labels = ("baseline", "+extra info", "ISP")
    trained = [
        Trained(Variant(label, f"r{i}", {}), make_run(tmp_path / f"r{i}", noise=2 - i / 2))
        for i, label in enumerate(labels)
    ]
    tables = {t.name: t.frame for t in tables_of("semantics", trained, paper.MARKET)}
    assert tables["table5"]["R-1, paper, Market-1501"].tolist() == [94.0, 94.8, 95.3]
    assert set(tables["table5-paired"]["comparison"]) == {"+extra info minus baseline", "ISP minus baseline"}


def test_tables_one_and_two_come_from_one_run(tmp_path: Path) -> None:
    run = make_run(tmp_path / "clustering-k6")
    tables = {
        t.name: t.frame for t in tables_of("matching", [Trained(Variant("ISP", "clustering-k6", {}), run)], paper.DUKE)
    }
    rows = tables["table2"].set_index("matching")
    assert rows.loc["ISP (Eq. 10)", "R-1, paper, Occluded-DukeMTMC"] == 62.8
    assert rows.loc["ISP w/o arm (all parts)", "mAP, paper, Occluded-DukeMTMC"] == 51.4
    assert np.isnan(rows.loc["global", "mAP, paper, Occluded-DukeMTMC"])
    assert "part-5" in rows.index
    assert tables["table1"]["mAP, paper, DukeMTMC-reID"].tolist() == [80.0]


def test_figure_five_is_given_in_numbers(tmp_path: Path) -> None:
    trained = [
        Trained(Variant(v.label, v.run, {}), make_run(tmp_path / v.run, seed=i))
        for i, v in enumerate(plan("cascade", BASE))
    ]
    run = trained[0].run
    assert run is not None
    write_truth(tmp_path / "truth", run.records())
    frame = tables_of("cascade", trained, paper.DUKE, Truth(tmp_path / "truth", "lip"))[0].frame
    ways = ["cascade", "Variant 1: one step", "Variant 2: no l2 normalisation"]
    assert frame["clustering"].tolist() == [*ways, "constant mask"]
    assert (frame["purity within"][:3] >= frame["purity across"][:3]).all()
    assert 0 < frame["predictions: head"][3] < 100
    assert np.isnan(frame["purity across"][3])


def test_the_papers_numbers_agree_with_each_other() -> None:
    """The last row of Table 1 is the best K of Table 4 and the last row of Table 5."""
    for data, figures in paper.ISP.items():
        if data in paper.PARTS:
            assert max(row["mAP"] for row in paper.PARTS[data].values()) == figures["mAP"]
            assert paper.SEMANTICS[data]["ISP"] == figures
    assert paper.ISP[paper.OCCLUDED] == paper.OCCLUSION["aligned"]
    assert paper.BACKBONES["hrnet_w32"].figures == paper.ISP[paper.DUKE]


def test_the_command_writes_tables_and_names_rows_it_could_not_train(
    bench: Bench, people: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    options: tuple[str, ...] = ("study", "K", "--data", str(people), "--out", str(bench.out), "--epochs", "1")
    options += ("--set", "labels.source=clustering")
    status, out, err = command(*options, "--values", "6", "--values", "8")
    assert status == 1
    assert "1 of 2 rows could not be trained and are empty: clustering-k8" in err
    assert "Table 4" in out
    table = pd.read_csv(bench.out / "tables" / "table4.csv")
    assert table["K"].tolist() == [6, 8]
    status, out, err = command(*options, "--values", "6", "--paper", "ImageNet")
    assert (status, out) == (1, "")
    assert "the paper has no data set 'ImageNet'; it has DukeMTMC-reID" in err


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """A data set that can be read; nothing is trained on it."""
    from PIL import Image

    for folder in ("bounding_box_train", "query", "bounding_box_test"):
        for name in ("0001_c1_01", "0001_c2_01"):
            file = tmp_path / "people" / folder / f"{name}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 16)).save(file)
    return tmp_path / "people"


@pytest.fixture
def few(people: Path) -> Path:
    """Two noisy people to train on and two to test on."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for folder, identities in (("bounding_box_train", (1, 2)), ("query", (3, 4)), ("bounding_box_test", (3, 4))):
        for identity in identities:
            for camera in (1, 2):
                name = f"{identity:04d}_c{camera}_0{camera}.jpg"
                Image.fromarray(rng.integers(0, 255, (64, 32, 3), dtype=np.uint8)).save(people / folder / name)
    return people


SMALL = ("--size", "64x32", "--set", "model.weights=none", "--set", "data.identities_per_batch=2")


@pytest.mark.slow
def test_the_cascade_study_has_three_ways_of_clustering(
    few: Path, tmp_path: Path, command: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own defaults, but for size, weights and length: three rows whose labels differ."""
    monkeypatch.setattr("isp_eval.studies.training._train", train_here)
    options = ("study", "cascade", "--data", str(few), "--out", str(tmp_path / "s"), "--epochs", "1")
    status, out, err = command(*options, *SMALL, "--set", "labels.start=0", "--set", "loss.parsing_rise=[0, 1]")
    assert status == 0, err
    runs = [open_run(folder) for folder in sorted((tmp_path / "s" / "runs").iterdir())]
    assert [run.name for run in runs] == ["clustering-k6", "clustering-k6-one-step", "clustering-k6-unnormalised"]
    assert {run.info.labels for run in runs} == {"clustering"}
    assert {tuple(run.info.config["model"]["layers"]) for run in runs} == {("blocks.5",)}  # preset cascade-cpu
    labels = [run.labels("train", 0) for run in runs]
    assert all((first != second).any() for i, first in enumerate(labels) for second in labels[:i])
    assert "Variant 2: no l2 normalisation" in out


@pytest.mark.slow
def test_a_study_trains_resumes_and_judges_for_real(
    few: Path, tmp_path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    """Two people, one epoch, a backbone without weights: the whole way from pictures to Table 4."""
    options = ("study", "K", "--data", str(few), "--out", str(tmp_path / "s"), "--epochs", "1")
    status, _, err = command(*options, *SMALL, "--set", "labels.source=clustering", "--values", "3")
    assert status == 0, err
    run = open_run(tmp_path / "s" / "runs" / "clustering-k3")
    assert run.last_epoch == 1
    assert pd.read_csv(tmp_path / "s" / "tables" / "table4.csv")["mAP"].notna().all()


def seeded(tmp_path: Path, *labels: str, seeds: int = 2, noise: float = 0.3) -> list[Trained]:
    variants = with_seeds([Variant(label, f"clustering-k{label}", {}) for label in labels], 0, seeds)
    return [
        Trained(v, make_run(tmp_path / v.run, seed=10 * i + v.seed, noise=noise * (i + 1)))
        for i, v in enumerate(variants)
    ]


def test_seeds_are_runs_of_their_own_that_studies_share() -> None:
    runs = [v.run for v in with_seeds(plan("K", BASE, ["6"]), 0, 3)]
    assert runs == ["clustering-k6", "clustering-k6-seed1", "clustering-k6-seed2"]
    assert [v.run for v in with_seeds(plan("semantics", BASE, ["ISP"]), 0, 3)] == runs
    assert [v.row for v in with_seeds(plan("K", BASE, ["6"]), 1, 2)] == ["clustering-k6"] * 2
    assert config_of(BASE, with_seeds(plan("K", BASE, ["6"]), 4, 1)[0]).run.seed == 4


def test_a_row_is_the_mean_over_its_seeds_with_their_spread_and_a_rank(tmp_path: Path) -> None:
    trained = seeded(tmp_path, "6", "7", noise=0.5)
    table = tables_of("K", trained, paper.DUKE)[0]
    assert "95 % intervals resample identities" in table.caption
    assert table.frame["seeds"].tolist() == [2, 2]
    assert sorted(table.frame["rank by mAP"]) == ["1", "2"]
    each = [tables_of("K", [one], paper.DUKE)[0].frame["mAP"][0] for one in trained[:2]]
    assert table.frame["mAP"][0] == pytest.approx(np.mean(each))
    assert table.frame["mAP, sd"][0] == pytest.approx(np.std(each, ddof=1))


def test_a_row_of_one_seed_is_marked_and_not_ranked(tmp_path: Path) -> None:
    frame = tables_of("K", seeded(tmp_path, "6", "7")[1:], paper.DUKE)[0].frame
    assert frame["seeds"].tolist() == [1, 2]
    assert frame["rank by mAP"].tolist() == ["one seed", "1"]
    assert np.isnan(frame["mAP, sd"][0])


def test_comparisons_pool_seeds_and_draw_identities(tmp_path: Path) -> None:
    variants = with_seeds([Variant("baseline", "a", {}), Variant("ISP", "b", {})], 0, 2)
    trained = [
        Trained(v, make_run(tmp_path / v.run, seed=i, noise=1.5 if v.row == "a" else 0.2))
        for i, v in enumerate(variants)
    ]
    table = next(t for t in tables_of("semantics", trained, paper.MARKET) if t.name == "table5-paired")
    row = table.frame.set_index("metric").loc["mAP"]
    assert row["seeds"] == "2 and 2"
    assert row["units resampled"] == 3
    assert row["difference"] == pytest.approx(row["after"] - row["before"])
    assert row["difference"] > 0


def test_parsing_rows_are_means_over_seeds_too(tmp_path: Path) -> None:
    trained = seeded(tmp_path, "6")
    run = trained[0].run
    assert run is not None
    write_truth(tmp_path / "truth", run.records())
    tables = {t.name: t for t in tables_of("K", trained, paper.DUKE, Truth(tmp_path / "truth", "lip"))}
    three = tables["table3"].frame
    assert set(three["seeds"]) == {2}
    assert not three.duplicated(["run", "maps", "rule", "class"]).any()
    assert {"NMI", "ARI"} == set(tables["agreement-K"].frame["metric"])


def test_a_run_of_an_older_version_had_the_defaults_of_options_it_did_not_know(bench: Bench) -> None:
    """Such a run held nobody out, and is not passed off as one that did."""
    held = load_config("cpu", None, PLAIN | {"data.validation": 8})
    (variant,) = plan("K", held, ["6"])
    write_config(bench.folder(variant), config_of(BASE, variant))
    run = open_run(bench.folder(variant))
    del run.info.config["data"]["validation"]
    from isp_core.runs import RunWriter

    RunWriter(run.path).write_info(run.info)
    (found,) = train_missing(bench, held, [variant], lambda line: None)
    assert "was trained with data.validation = 0, this study asks for 8" in found.problem
