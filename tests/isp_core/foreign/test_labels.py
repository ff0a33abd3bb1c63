"""Labels by another network's feature maps: a whole run, without training, by the sources that maps suffice for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from isp_core.clustering import label_identity
from isp_core.data import DataSet, load
from isp_core.data.crops import read_crops
from isp_core.data.pictures import read_picture, resize_picture
from isp_core.errors import IspError
from isp_core.foreign.classifier import RIDGE, PartClassifier, solve_classifier
from isp_core.foreign.labels import label_by_network
from isp_core.foreign.network import ForeignNetwork
from isp_core.labelling.clustering.labeller import cascade_config
from isp_core.labelling.source import Source
from isp_core.labelling.sources import SOURCES, options_of, sources_on_maps
from isp_core.metrics.ground_truth import read_truth
from isp_core.metrics.spaces import load_space
from isp_core.runs import Run
from isp_core.runs.maintenance import verify
from tests.isp_core.foreign.made import describe, save_onnx, save_torchscript
from tests.isp_core.test_commands import isp


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("network")
    save_onnx(folder / "n.onnx")
    return describe(folder, "n.onnx")


@pytest.fixture(scope="module")
def made(people: Path, description: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("labelled") / "run"
    options = options_of({"source": "clustering", "parts": 4})
    network = ForeignNetwork(description)
    return label_by_network(network, load(people), out, options, truth=(people, "lip"), show=False)


def images_of(people: Path, paths: list[str]) -> torch.Tensor:
    return torch.stack([resize_picture(read_picture(people / path), (64, 32)) for path in paths]).float() / 255


def test_labels_are_the_papers_clustering_of_each_identitys_maps(people: Path, description: Path, made: Run) -> None:
    network, train = ForeignNetwork(description), made.records("train")
    labels = made.labels("train", 0)
    config = cascade_config(options_of({"source": "clustering", "parts": 4}))  # type: ignore[arg-type]
    for person in sorted(set(train.identity))[:3]:
        rows = np.flatnonzero(train.identity == person)
        maps = network.clustered_maps(images_of(people, list(train.path.iloc[rows])))
        seed = int(np.random.SeedSequence([0, 0, person - 1]).generate_state(1)[0])
        assert np.array_equal(labels[rows], label_identity(maps, config, size=(16, 8), seed=seed).labels.numpy())


def test_a_run_holds_what_pages_and_evaluations_ask_for(made: Run, people: Path) -> None:
    assert not [problem for problem in verify(made) if "checksum" not in problem]
    row = made.metrics().iloc[-1]
    truth = read_truth(people, list(made.records("train").path), load_space("lip"), (16, 8), people).targets
    found = made.labels("train", 0) > 0
    iou = (found & (truth > 0)).sum() / (found | (truth > 0)).sum()
    assert row["train_iou_foreground"] == pytest.approx(iou)
    assert {"test_iou_foreground", "test_auc_ambiguous", "mAP", "mAP_global", "size_1"} <= set(row.index)
    assert made.labels("test", 0).shape == (len(made.records("query")) + len(made.records("gallery")), 16, 8)
    query = made.embeddings("query", 0)
    assert query.parts.shape[1:] == (3, 6)
    assert query.global_.shape[1] == 6
    assert made.read_evaluation("constant")["test"]["foreground"] > 0
    assert made.read_evaluation("parts")["0"]["rule"]
    document = made.read_evaluation("network")
    assert document["description"]["file"] == "n.onnx"
    assert len(document["sha256"]) == 64
    assert (made.info.network, made.info.backbone, made.info.trained) == ("averages", "averages", False)


def test_the_classifier_repeats_the_labels_that_it_was_solved_on(people: Path, description: Path, made: Run) -> None:
    network, train = ForeignNetwork(description), made.records("train")
    maps, labels = network.clustered_maps(images_of(people, list(train.path))), made.labels("train", 0)
    solved = solve_classifier([(maps, labels)], 4, len(labels))
    again = solved.logits(maps, (16, 8)).argmax(1).numpy()
    assert (again == labels).mean() > 0.7


def test_the_classifier_is_fishers_discriminant() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, (4, 6, 5)).astype(np.uint8)
    labels[0, 0, 0] = 255  # of no part
    centres = rng.normal(size=(256, 7)) * 2
    maps = (centres[labels] + rng.normal(size=(4, 6, 5, 7))).transpose(0, 3, 1, 2)
    found = solve_classifier([(torch.from_numpy(maps).float(), labels)], 3, 4)
    points, given = maps.transpose(0, 2, 3, 1)[labels < 3], labels[labels < 3]
    means = np.stack([points[given == k].mean(0) for k in range(3)])
    within = sum(np.cov(points[given == k].T, bias=True) * (given == k).sum() for k in range(3)) / len(given)
    within = within + np.eye(7) * RIDGE * np.trace(within) / 7
    weight = np.linalg.solve(within, means.T).T
    prior = np.log(np.bincount(given) / len(given))
    np.testing.assert_allclose(found.weight.numpy(), weight, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.bias.numpy(), prior - (weight * means).sum(1) / 2, rtol=1e-3, atol=1e-3)


def test_a_part_without_pixels_is_never_predicted() -> None:
    maps = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 5, 4, 4))).float()
    labels = np.zeros((2, 8, 8), np.uint8)
    labels[:, 4:] = 2
    found: PartClassifier = solve_classifier([(maps, labels)], 4, 2)
    logits = found.logits(maps, (8, 8))
    assert not torch.isnan(logits).any()
    assert set(logits.argmax(1).unique().tolist()) <= {0, 2}


def test_onnx_and_torchscript_of_one_network_make_the_same_run(people: Path, tmp_path: Path, made: Run) -> None:
    save_torchscript(tmp_path / "n.pt")
    network = ForeignNetwork(describe(tmp_path, "n.pt"))
    options = options_of({"source": "clustering", "parts": 4})
    other = label_by_network(network, load(people), tmp_path / "run", options, show=False)
    assert (other.labels("train", 0) == made.labels("train", 0)).mean() > 0.99


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_says_whether_maps_suffice_and_keeps_its_word(
    source: str, people: Path, description: Path, tmp_path: Path
) -> None:
    given = {"folder": str(people), "space": "lip"} if source == "maps" else {}
    options, network = options_of({"source": source} | given), ForeignNetwork(description)
    overridden = type(SOURCES[source]).make_on_maps is not Source.make_on_maps
    assert (source in sources_on_maps()) == overridden
    if overridden:
        run = label_by_network(network, load(people), tmp_path / "run", options, show=False)
        assert set(np.unique(run.labels("train", 0))) <= {*range(options.k), 255}
        return
    with pytest.raises(IspError, match=f"{source}.*{SOURCES[source].beyond_maps}"):
        label_by_network(network, load(people), tmp_path / "run", options, show=False)
    assert not (tmp_path / "run").exists()


def test_without_training_images_parts_are_found_on_the_images_themselves(
    people: Path, description: Path, tmp_path: Path
) -> None:
    data = read_crops(people / "query")
    options, network = options_of({"source": "clustering", "parts": 3}), ForeignNetwork(description)
    run = label_by_network(network, data, tmp_path / "run", options, show=False)
    assert run.label_epochs("train") == []
    assert run.label_epochs("test") == [0]
    assert "on these images themselves" in str(run.read_evaluation("network")["notes"])
    with pytest.raises(IspError, match="leave out --truth"):
        label_by_network(network, data, tmp_path / "other", options, truth=(people, "lip"), show=False)


def test_what_fails_leaves_nothing_and_what_is_there_stays(
    people: Path, tmp_path: Path, description: Path, made: Run
) -> None:
    options = options_of({"source": "clustering", "parts": 4})
    save_onnx(tmp_path / "n.onnx", factor=4)  # features of e to the power of large numbers
    large = ForeignNetwork(describe(tmp_path, "n.onnx"))
    with pytest.raises(IspError, match="exceed 65504"):
        label_by_network(large, load(people), tmp_path / "run", options, show=False)
    assert not (tmp_path / "run").exists()
    network = ForeignNetwork(description)
    with pytest.raises(IspError, match="is a run already"):
        label_by_network(network, load(people), made.path, options, show=False)
    broken = load(people)
    with pytest.raises(IspError, match=r"images cannot be read.*\n.*missing\.jpg"):
        label_by_network(network, _with_missing(broken), tmp_path / "run", options, show=False)
    assert not (tmp_path / "run").exists()


def _with_missing(data: DataSet) -> DataSet:
    records = pd.concat([data.records, data.records.iloc[[0]].assign(path="missing.jpg")], ignore_index=True)
    return DataSet(data.name, data.root, records)


def test_the_command_prints_iou_next_to_the_constant_mask(people: Path, description: Path, tmp_path: Path) -> None:
    shared = ("--network", description, "--data", people, "--truth", people, "--parts", "4")
    said = isp("label", *shared, "--out", tmp_path / "a").stdout
    assert "IoU of labels, training images (constant mask): foreground" in said
    assert "IoU of predictions, query and gallery (constant mask): foreground" in said
    assert "by the global feature alone" in said
    assert f"isp app --runs {tmp_path / 'a'}" in said
    printed = json.loads(isp("label", *shared, "--out", tmp_path / "b", "--json").stdout)
    assert printed["metrics"]["mAP"] >= 0


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        ((), "give a run", 2),
        (("--network", "n.yaml", "--run", "r"), "give a run", 2),
        (("--network", "n.yaml", "--epoch", "1"), "--epoch goes with --run", 2),
        (("--run", "r", "--parts", "4", "--labels", "prototypes"), "--labels, --parts: with --network only", 2),
        (("--network", "n.yaml", "--set", "run.epochs=3"), "only options labels", 1),
        (("--network", "n.yaml", "--labels", "clusters"), "--labels takes", 1),
        (("--network", "n.yaml", "--labels", "position-words"), "it compares several stages", 1),
        (("--network", "n.yaml", "--truth", "nowhere"), "nowhere", 1),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    people: Path, tmp_path: Path, arguments: tuple[str, ...], message: str, status: int
) -> None:
    found = isp("label", "--data", people, "--out", tmp_path / "x", *arguments, check=False)
    assert found.returncode == status
    assert message in " ".join(found.stderr.replace("│", " ").split())


def test_a_look_by_another_network_leaves_out_broken_images(people: Path, description: Path, tmp_path: Path) -> None:
    crops = tmp_path / "crops"
    crops.mkdir()
    for file in sorted((people / "query").glob("*.jpg")):
        (crops / file.name).write_bytes(file.read_bytes())
    (crops / "0099_c1s1_000000_00.jpg").write_bytes(b"broken")
    shared = ("look", crops, "--no-app", "--network", description, "--parts", "3")
    found = isp(*shared, "--out", tmp_path / "run", check=False)
    assert found.returncode == 1
    assert "1 of 9 images could not be read" in found.stderr
    assert (tmp_path / "run" / "run.json").exists()
    assert isp(*shared, "--out", tmp_path / "run2", "--run", "r", check=False).returncode == 2
    assert isp("look", crops, "--no-app", "--parts", "3", check=False).returncode == 2


def test_commands_that_need_weights_say_why_there_are_none(made: Run, people: Path, tmp_path: Path) -> None:
    found = isp("label", "--run", made.path, "--data", people, "--out", tmp_path / "maps", check=False)
    assert "a network of another form, without training" in found.stderr
    resumed = isp("train", "--data", people, "--out", made.path, "--resume", check=False)
    assert "it has no training to resume" in resumed.stderr
