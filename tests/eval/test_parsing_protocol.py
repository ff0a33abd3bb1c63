"""What `eval parsing` measures on a run with known maps and truth."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isp_core.errors import IspError
from isp_core.matching.visibility_rules import CALIBRATED, EQ8
from isp_core.metrics.spaces import LabelSpace, load_space
from isp_core.runs import Run, RunWriter
from isp_eval.label_maps import Split, maps_of
from isp_eval.parsing_protocol import TrainingTruth
from isp_eval.parsing_protocol import evaluate as judge
from isp_eval.parsing_report import Parsing
from tests.eval.made_runs import make_run, write_truth


def evaluate(run: Run, truth: Path, space: LabelSpace, split: Split = "test", epoch: int | None = None) -> Parsing:
    return judge(run, maps_of(run, split, epoch), truth, space)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path / "run")


@pytest.fixture
def truth(run: Run, tmp_path: Path) -> Path:
    write_truth(tmp_path / "truth", run.records())
    return tmp_path / "truth"


def test_both_rules_are_given_for_six_parts_and_find_the_same_heads(run: Run, truth: Path) -> None:
    found = evaluate(run, truth, load_space("lip"))
    assert [a.rule.split(",")[0] for a in found.scores] == ["one-to-one", "authors"]
    ours, authors = ({s.target: s for s in scores} for scores in found.scores.values())
    assert ours["head"].parts == authors["head"].parts == (1,)
    assert ours["head"].iou == authors["head"].iou > 0.4
    assert authors["upper"].iou > ours["upper"].iou  # two parts share the upper body; one-to-one takes one of them
    assert np.isnan(ours["belongings"].iou)  # LIP has none: an empty cell


def test_every_figure_stands_beside_its_constant(run: Run, truth: Path) -> None:
    found = evaluate(run, truth, load_space("lip"))
    for score in next(iter(found.scores.values())):
        if score.target != "belongings":
            assert 0 < score.constant_iou < 1
            assert score.picture_low <= score.picture_iou <= score.picture_high
    assert 0.5 < found.ambiguous.auc <= 1
    assert found.ambiguous.auc_of == "label maps (0 or 1)"


def test_documents_of_both_splits_are_written_whole(run: Run, truth: Path) -> None:
    for split in ("train", "test"):
        found = evaluate(run, truth, load_space("lip"), split)  # type: ignore[arg-type]
        RunWriter(run.path).write_evaluation(found.name, found.document())
    document = run.read_evaluation("parsing-epoch_0001-test-lip")
    assert document["n"] == document["n_pictures"] == 12
    rows = {row["target"]: row for row in document["rules"][0]["rows"]}
    assert rows["belongings"]["iou"] is None
    assert len(document["pictures"]["foreground"]) == 12


def test_missing_truth_is_named_and_the_rest_is_judged(run: Run, truth: Path) -> None:
    first = run.records("query").path[0]
    (truth / first).with_suffix(".npy").unlink()
    found = evaluate(run, truth, load_space("lip"))
    assert found.truth.n == 11
    assert found.truth.missing == (first,)
    assert f"1 of 12 images have no ground truth ({first})" in found.notes


def test_without_training_truth_the_judged_pictures_decide_and_it_is_said(run: Run, truth: Path) -> None:
    for file in (truth / "train").iterdir():
        file.unlink()
    found = evaluate(run, truth, load_space("lip"))
    assert any("constant mask was fitted on the evaluated images" in note for note in found.notes)
    assert any("parts were assigned to classes on the evaluated images" in note for note in found.notes)


def test_without_training_truth_the_matching_noted_in_training_is_taken(run: Run, truth: Path) -> None:
    for file in (truth / "train").iterdir():
        file.unlink()
    noted = {"rule": "one-to-one", "head": [1], "upper": [3], "legs": [4], "shoes": [5], "belongings": []}
    RunWriter(run.path).write_evaluation("parts", {"0": noted, "7": noted | {"upper": [2]}})
    found = next(iter(evaluate(run, truth, load_space("lip")).scores))
    assert found.rule == "one-to-one, noted in training"
    assert found.upper == (3,)  # of epoch 0, the last that was noted up to epoch 1


def test_training_truth_may_lie_elsewhere_and_be_of_another_space(run: Run, truth: Path, tmp_path: Path) -> None:
    """As when a run is judged by people's maps of another data set, and a parser's maps matched its parts."""
    elsewhere = tmp_path / "elsewhere"
    (truth / "train").rename(elsewhere)
    pascal = np.zeros(256, np.uint8)
    pascal[[13, 5, 9, 18]] = [1, 2, 5, 6]
    for file in elsewhere.iterdir():
        np.save(file, pascal[np.load(file)])
    maps = maps_of(run, "test", None)
    found = judge(run, maps, truth, load_space("lip"), trained=TrainingTruth(elsewhere, load_space("pascal")))
    assert next(iter(found.scores)).rule == "one-to-one"
    assert not any("evaluated images" in note for note in found.notes)
    assert any("label space pascal" in note for note in found.notes)
    with pytest.raises(IspError, match="no label map for any"):
        judge(run, maps, truth, load_space("lip"), trained=TrainingTruth(tmp_path, load_space("pascal")))


def test_figures_per_picture_are_means_over_pictures(run: Run, truth: Path) -> None:
    found = evaluate(run, truth, load_space("lip"))
    head = next(score for score in next(iter(found.scores.values())) if score.target == "head")
    table = found.pictures_table()
    assert table["head"].mean() == pytest.approx(100 * head.picture_iou)
    assert table["ambiguous IoU"].mean() == pytest.approx(100 * found.ambiguous.picture_iou)
    assert table["ambiguous AUC"].mean() == pytest.approx(100 * found.ambiguous.picture_auc)
    assert 0.5 < found.ambiguous.picture_auc <= 1
    assert head.picture_mean_iou > head.picture_iou  # the complement is large, and most of it is right


def test_the_authors_rule_says_nothing_of_belongings(run: Run, truth: Path) -> None:
    authors = list(evaluate(run, truth, load_space("lip")).scores.values())[1]
    assert [score.target for score in authors] == ["foreground", "head", "upper", "legs", "shoes"]


def test_what_is_missing_is_an_error_with_a_way_out(run: Run, truth: Path, tmp_path: Path) -> None:
    with pytest.raises(IspError, match="no label maps of test images"):
        evaluate(make_run(tmp_path / "bare", maps=False), truth, load_space("lip"))
    with pytest.raises(IspError, match="no test label maps of epoch 9; it has those of 0, 1"):
        evaluate(run, truth, load_space("lip"), epoch=9)
    (tmp_path / "empty").mkdir()
    with pytest.raises(IspError, match="no label map for any"):
        evaluate(run, tmp_path / "empty", load_space("lip"))
    with pytest.raises(IspError, match="label space 'pascal' does not have"):
        evaluate(run, truth, load_space("pascal"))


def test_the_command_prints_what_it_judged(run: Run, truth: Path, command: Callable[..., tuple[int, str, str]]) -> None:
    status, out, _ = command("parsing", "--run", str(run.path), "--truth", str(truth), "--space", "lip")
    assert status == 0
    assert "12 test images of made" in out
    assert "parsing-epoch_0001-test-lip" in run.evaluation_names()
    status, out, err = command("parsing", "--run", str(run.path), "--truth", str(truth), "--space", "lipp")
    assert (status, out) == (1, "")
    assert "known: atr, ccp, cihp, lip" in err


def carry_bags(truth: Path, paths: list[str]) -> list[bool]:
    """Every second picture's truth gets a bag (class 20 of Walkers) where part 3 lies; returns which."""
    for path in paths[::2]:
        file = (truth / path).with_suffix(".npy")
        labels = np.load(file)
        labels[6:9, 4:6] = 20
        np.save(file, labels)
    return [i % 2 == 0 for i in range(len(paths))]


def test_belongings_are_judged_on_people_without_any(run: Run, truth: Path) -> None:
    """A part that is seen in everybody finds every bag and is a false alarm in all others: no better than a constant;
    one that is seen where a bag is has neither fault."""
    for split in ("train", "query", "gallery"):
        carry_bags(truth, list(run.records(split).path))  # type: ignore[arg-type]
    bags = carry_bags(truth, list(run.records("query").path)) + carry_bags(truth, list(run.records("gallery").path))
    maps = maps_of(run, "test", None)
    rule, everywhere = next(iter(judge(run, maps, truth, load_space("walkers")).presence.items()))
    assert rule.belongings == (3,)
    assert everywhere.alarms is not None
    assert (everywhere.alarms.false.mean, everywhere.alarms.hits.mean) == (1, 1)
    assert (everywhere.alarms.false.n, everywhere.alarms.hits.n) == (6, 6)
    assert everywhere.visibility[EQ8]["belongings"].balanced == 0.5

    labels = maps.labels.copy()
    labels[(labels == 3) & ~np.array(bags)[:, None, None]] = 2
    found = judge(run, replace(maps, labels=labels), truth, load_space("walkers"))
    seen = found.presence[next(iter(found.scores))]
    assert seen.alarms is not None
    assert (seen.alarms.false.mean, seen.alarms.hits.mean) == (0, 1)
    assert seen.visibility[EQ8]["belongings"].balanced == 1
    document = found.document()["rules"][0]
    assert document["belongings"]["threshold"] == 0.01
    assert [row["target"] for row in document["visibility"]] == ["head", "upper", "legs", "shoes", "belongings"]


def test_where_truth_has_no_belongings_nothing_is_said_of_them(run: Run, truth: Path) -> None:
    found = evaluate(run, truth, load_space("lip"))
    for presence in found.presence.values():
        assert presence.alarms is None
        assert "belongings" not in presence.visibility[EQ8]


def test_the_command_shows_visibility_and_false_alarms(
    run: Run, truth: Path, tmp_path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    for split in ("train", "query", "gallery"):
        carry_bags(truth, list(run.records(split).path))  # type: ignore[arg-type]
    given = ("parsing", "--run", str(run.path), "--truth", str(truth), "--space", "walkers", "--alarm", "0.05")
    status, out, err = command(*given, "--out", str(tmp_path / "tables"))
    assert status == 0, err
    assert "belongings (part 3, one-to-one) on more than 5 % of the pixels: false alarms in 100.0 %" in out
    written = {file.name for file in (tmp_path / "tables").iterdir()}
    stem = "parsing-epoch_0001-test-walkers"
    assert {f"{stem}.tex", f"{stem}-purity.md", f"{stem}-visibility.csv", f"{stem}-images.csv"} <= written


def test_the_calibrated_rule_is_evaluated_beside_eq_8(run: Run, truth: Path) -> None:
    """Half of the images hide a part that the maps show everywhere: Eq. 8 sees it in all, thresholds in its half."""
    paths = [*run.records("query").path, *run.records("gallery").path]
    for path in paths[::2]:
        file = (truth / path).with_suffix(".npy")
        labels = np.load(file)
        np.save(file, np.where(np.isin(labels, (18, 19)), 0, labels))
    maps = maps_of(run, "test", None)
    assert maps.visible is None  # no thresholds, or no probabilities to compare with them
    hidden = np.array([i % 2 == 0 for i in range(len(paths))])
    visible = np.ones((len(paths), run.info.parts - 1), bool)
    rule, before = next(iter(judge(run, maps, truth, load_space("lip")).presence.items()))
    shoes = [part - 1 for part in rule.parts_of("shoes", run.info.parts)]
    visible[np.ix_(hidden, shoes)] = False
    found = judge(run, replace(maps, visible=visible), truth, load_space("lip"))
    assert list(before.visibility) == [EQ8]
    presence = found.presence[next(iter(found.scores))]
    assert (presence.visibility[EQ8]["shoes"].balanced, presence.visibility[CALIBRATED]["shoes"].balanced) == (0.5, 1)
    table = found.visibility_table()
    assert set(table["visible by"]) == {EQ8, CALIBRATED}
    assert {row["by"] for row in found.document()["rules"][0]["visibility"]} == {EQ8, CALIBRATED}


@pytest.mark.slow
def test_a_network_is_judged_on_a_folder_of_pictures_by_human_truth(
    shared_data: Path, tmp_path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    """Clothing photos with maps made by people; nobody says who is on them, and the run was trained elsewhere."""
    from isp_core.config import load_config
    from isp_core.data import load
    from isp_core.training import train

    options = {"run.epochs": 1, "data.size": (64, 32), "data.identities": 8, "labels.source": "clustering"}
    data = load(shared_data / "cuhk03-np" / "labeled")
    run = train(load_config("cpu", None, options), data, tmp_path / "run", progress=False, report=lambda line: None)
    ccp = shared_data / "ccp_parts"
    few = tmp_path / "pictures"
    few.mkdir()
    for file in sorted((ccp / "images").iterdir())[:20]:
        (few / file.name).symlink_to(file)
    status, out, err = command(
        *("parsing", "--run", str(run.path), "--images", str(few)),
        *("--truth", str(ccp / "masks"), "--space", "ccp"),
    )
    assert status == 0, err
    assert "20 other images of pictures, ground truth ccp" in out
    document = run.read_evaluation("parsing-epoch_0001-on-pictures-ccp")
    assert document["rules"][0]["rows"][-1]["target"] == "belongings"
    assert document["rules"][0]["rows"][-1]["iou"] is not None  # CCP has belongings, LIP has not


def test_intervals_draw_identities_unless_nobody_says_who_is_who(run: Run, truth: Path) -> None:
    maps = maps_of(run, "test", None)
    by_identity, by_image = (
        judge(run, maps, truth, load_space("lip"), resample=each)  # type: ignore[arg-type]
        for each in ("identities", "images")
    )
    assert by_identity.resampled == "95 % intervals resample 3 identities"
    assert by_image.resampled == "95 % intervals resample 12 images"
    found = judge(run, replace(maps, identities=None), truth, load_space("lip"))
    assert found.resample == "images"
    assert any("identities are unknown" in note for note in found.notes)


def test_agreement_is_in_tables_and_documents_beside_a_constant_label_map(run: Run, truth: Path) -> None:
    found = evaluate(run, truth, load_space("lip"))
    table = found.agreement_table().set_index(["metric", "pixels"])
    assert 30 < table.loc[("NMI", "all"), "%"] < 100
    assert table.loc[("ARI", "foreground"), "95% low"] <= table.loc[("ARI", "foreground"), "%"]
    document = found.document()["agreement"]
    assert document["nmi"]["mean"] == pytest.approx(table.loc[("NMI", "foreground"), "%"] / 100)
    assert 0 < document["constant_nmi"] <= 1


def test_validation_maps_are_judged_too(run: Run, truth: Path) -> None:
    from tests.eval.test_retrieval_protocol import hold_out

    hold_out(run)
    found = evaluate(run, truth, load_space("lip"), "validation")
    assert found.name == "parsing-epoch_0001-validation-lip"
    assert found.truth.n == 12
