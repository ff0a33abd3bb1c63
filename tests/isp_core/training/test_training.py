"""A run trains, can be killed, and comes to the same weights; what it measures stands in its metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from isp_core.config import Config, changed, load_config
from isp_core.data import load
from isp_core.errors import IspError
from isp_core.extraction import extract
from isp_core.parser import HumanParser
from isp_core.runs import Run, RunWriter, open_run
from isp_core.runs.maintenance import verify
from isp_core.training import train

TINY: dict[str, Any] = {
    "model.backbone": "test_efficientnet",
    "model.weights": "none",
    "model.grid": 8,
    "model.stages": [3, 4],
    "model.channels": 16,
    "data.size": [64, 32],
    "data.identities_per_batch": 3,
    "data.pictures_per_identity": 2,
    "labels.parts": 4,
    "run.epochs": 3,
    "run.eval_every": 1,
    "optim.warmup_epochs": 1,
}


def tiny(**changes: Any) -> Config:
    return changed(
        load_config("paper", overrides=TINY), {key.replace("__", "."): value for key, value in changes.items()}
    )


def quietly(config: Config, people: Path, out: Path, **options: Any) -> Run:
    return train(config, load(people), out, report=lambda _: None, progress=False, **options)


def weights(run: Run, epoch: int) -> dict[str, torch.Tensor]:
    folder = run.checkpoint(epoch)
    assert folder is not None
    return load_file(folder / "model.safetensors")


@pytest.fixture(scope="module")
def undisturbed(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "undisturbed"
    return quietly(tiny(), people, out, truth=(people, "lip"))


def test_a_run_holds_every_epoch(undisturbed: Run) -> None:
    assert undisturbed.epochs == [0, 1, 2, 3]
    assert undisturbed.label_epochs("train") == [0, 1, 2, 3]
    assert undisturbed.label_epochs("test") == [0, 1, 2, 3]
    assert undisturbed.embedding_epochs() == [0, 1, 2, 3]
    assert verify(undisturbed) == []
    labels = undisturbed.labels("train", 3)
    assert labels.shape == (36, 16, 8)
    assert set(np.unique(labels)) <= {0, 1, 2, 3}


def test_metrics_say_what_was_measured(undisturbed: Run) -> None:
    metrics = undisturbed.metrics()
    for name in ("loss_total", "loss_parsing", "lr", "churn", "seconds_train", "seconds_network", "seconds_clustering"):
        assert metrics[name].iloc[1:].notna().all(), name
    for name in ("R-1", "mAP", "mINP", "R-1_all-parts", "mAP_global", "test_iou_foreground", "train_iou_legs"):
        assert metrics[name].between(0, 1).all(), name
    sizes = metrics[[f"size_{part}" for part in range(4)]].sum(axis=1)
    np.testing.assert_allclose(sizes, 1)
    constant = undisturbed.read_evaluation("constant")
    assert 0 < constant["test"]["foreground"] <= 1
    assert set(undisturbed.read_evaluation("parts")) == {"0", "1", "2", "3"}


@pytest.mark.parametrize("killed_after", [0, 1, 2])
def test_a_killed_run_resumes_to_the_same_weights(
    undisturbed: Run, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    class Killed(BaseException):
        pass

    finish = RunWriter.finish_epoch

    def killed(writer: RunWriter, epoch: int, row: Any) -> None:
        if epoch == killed_after + 1:
            raise Killed  # everything of this epoch is written but the row that makes it count
        finish(writer, epoch, row)

    with monkeypatch.context() as patch:
        patch.setattr(RunWriter, "finish_epoch", killed)
        with pytest.raises(Killed):
            quietly(tiny(), people, tmp_path / "run")
    assert open_run(tmp_path / "run").last_epoch == killed_after

    run = quietly(tiny(), people, tmp_path / "run", resume=True)
    assert run.epochs == undisturbed.epochs
    for name, tensor in weights(undisturbed, 3).items():
        torch.testing.assert_close(weights(run, 3)[name], tensor, rtol=0, atol=0, msg=name)
    np.testing.assert_array_equal(run.labels("train", 3), undisturbed.labels("train", 3))
    measured = [name for name in run.metrics() if not str(name).startswith(("seconds_", "train_", "test_", "purity_"))]
    pd.testing.assert_frame_equal(run.metrics()[measured], undisturbed.metrics()[measured])


def test_equal_seeds_give_equal_runs_and_others_do_not(undisturbed: Run, people: Path, tmp_path: Path) -> None:
    same = quietly(tiny(run__epochs=1), people, tmp_path / "same")
    other = quietly(tiny(run__epochs=1, run__seed=1), people, tmp_path / "other")
    name = "neck_global.classifier.weight"
    assert torch.equal(weights(same, 1)[name], weights(undisturbed, 1)[name])
    assert not torch.equal(weights(other, 1)[name], weights(undisturbed, 1)[name])


def test_the_baseline_has_no_parts(people: Path, tmp_path: Path) -> None:
    run = quietly(tiny(labels__source="none", run__epochs=1), people, tmp_path / "baseline")
    assert run.info.parts == 0
    assert run.label_epochs("train") == []
    assert run.embeddings("query", 1).n_parts == 0
    assert run.metrics()["mAP"].between(0, 1).all()
    with pytest.raises(IspError, match="baseline without parts"):
        HumanParser.load(run).parse(people / "query" / "0007_c1s1_000000_00.jpg")


def test_labels_may_start_from_position_words(people: Path, tmp_path: Path) -> None:
    config = tiny(labels__source="position-words", labels__parts=6, run__epochs=3)
    run = quietly(config, people, tmp_path / "words", truth=(people, "lip"))
    assert run.label_epochs("train") == [0, 1, 2, 3]  # words, then masks of the network, then its own predictions
    for epoch in (0, 1):
        labels = run.labels("train", epoch)
        assert labels.max() <= 5
        assert 0.05 < (labels > 0).mean() < 0.95
    own = HumanParser.load(run).parse(people / run.records("train").path[0])
    assert own.labels.shape == (1, 16, 8)


def test_maps_of_a_parser_are_a_label_source(people: Path, tmp_path: Path) -> None:
    config = tiny(labels__source="maps", labels__folder=str(people), labels__parts=5, run__epochs=2)
    run = quietly(config, people, tmp_path / "semantics", truth=(people, "lip"))
    assert run.label_epochs("train") == [0]  # nothing to make anew
    assert run.metrics()["train_iou_foreground"].iloc[0] == 1.0


@pytest.mark.slow
def test_parsing_is_learnt_from_good_labels(people: Path, tmp_path: Path) -> None:
    config = tiny(
        labels__source="maps",
        labels__folder=str(people),
        labels__parts=5,
        data__identities_per_batch=6,
        data__pictures_per_identity=6,
        data__erase=0,
        model__stages=[1, 2, 3],
        model__grid=4,
        loss__parsing=5.0,
        optim__lr=1e-2,
        run__epochs=40,
        run__eval_every=40,
        run__keep="last",
    )
    run = quietly(config, people, tmp_path / "run", truth=(people, "lip"))
    last, constant = run.metrics().iloc[-1], run.read_evaluation("constant")["test"]
    assert last["test_iou_foreground"] > constant["foreground"]


@pytest.mark.parametrize("keep", ["last", "best"])
def test_fewer_weights_on_demand(people: Path, tmp_path: Path, keep: str) -> None:
    run = quietly(tiny(run__keep=keep, run__epochs=2), people, tmp_path / "run")
    kept = run.weight_epochs()
    best = int(run.metrics().index[run.metrics()["mAP"].argmax()])
    assert kept == ([2] if keep == "last" else sorted({2, best}))


def test_wrong_beginnings_are_refused(people: Path, tmp_path: Path, undisturbed: Run) -> None:
    with pytest.raises(IspError, match="holds a run already"):
        quietly(tiny(), people, undisturbed.path)
    with pytest.raises(IspError, match="not exist"):
        quietly(tiny(), people, tmp_path / "none", resume=True)
    fewer = load(people).take_identities(4)
    with pytest.raises(IspError, match="trained on other data"):
        train(tiny(), fewer, undisturbed.path, resume=True, report=lambda _: None, progress=False)
    with pytest.raises(IspError, match=r"batches of 9 identities from 6"):
        quietly(tiny(data__identities_per_batch=9), people, tmp_path / "few")


def test_a_disk_that_is_too_small_is_refused_before_training(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(IspError, match="this run will take about"):
        quietly(tiny(), people, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_parser_reads_pictures_in_every_form(undisturbed: Run, people: Path) -> None:
    from PIL import Image

    parser = HumanParser.load(undisturbed)
    file = sorted((people / "query").glob("*.jpg"))[0]
    image = Image.open(file)
    array = np.asarray(image)
    tensor = torch.from_numpy(array.copy()).permute(2, 0, 1)
    parsing = parser.parse([file, str(file), image, array, tensor, tensor / 255])
    assert parsing.probabilities.shape == (6, 4, 16, 8)
    np.testing.assert_allclose(parsing.probabilities.sum(1), 1, atol=1e-5)
    assert (parsing.labels == parsing.labels[0]).all()
    np.testing.assert_array_equal(parsing.visibility[0], [(parsing.labels[0] == part).any() for part in (1, 2, 3)])
    stored = undisturbed.embeddings("query", 3)
    np.testing.assert_allclose(parser.embed(file).global_[0], stored.global_[0], atol=2e-3)
    same = parser.match(file, [file, sorted((people / "query").glob("*.jpg"))[5]])
    assert same.distance[0] == pytest.approx(0, abs=1e-3)
    assert same.distance[1] > same.distance[0]


def test_a_batch_is_several_pictures(undisturbed: Run, people: Path) -> None:
    from PIL import Image

    parser = HumanParser.load(undisturbed)
    files = sorted((people / "query").glob("*.jpg"))[:2]
    arrays = np.stack([np.asarray(Image.open(file)) for file in files])
    expected = parser.parse(files).labels
    np.testing.assert_array_equal(parser.parse(arrays).labels, expected)
    np.testing.assert_array_equal(parser.parse(torch.from_numpy(arrays).permute(0, 3, 1, 2)).labels, expected)


def test_a_pil_picture_is_read_like_its_file(undisturbed: Run, people: Path, tmp_path: Path) -> None:
    from PIL import Image

    file = sorted((people / "query").glob("*.jpg"))[0]
    upright = Image.open(file)
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side, to be turned by a quarter
    upright.rotate(90, expand=True).save(tmp_path / "turned.png", exif=exif)
    parser = HumanParser.load(undisturbed)
    whole = parser.parse([tmp_path / "turned.png", Image.open(tmp_path / "turned.png"), file])
    np.testing.assert_array_equal(whole.labels[0], whole.labels[1])
    np.testing.assert_array_equal(whole.labels[0], whole.labels[2])


def test_embeddings_are_those_the_run_asks_for(people: Path, tmp_path: Path) -> None:
    run = quietly(tiny(run__epochs=1, run__features="before-bn"), people, tmp_path / "run")
    stored = run.embeddings("query", 1).global_
    file = people / run.records("query").path[0]
    np.testing.assert_allclose(HumanParser.load(run).embed(file).global_[0], stored[0], atol=2e-3)
    extract(run.path, 1, people)
    np.testing.assert_array_equal(open_run(run.path).embeddings("query", 1).global_, stored)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros((4, 4), np.uint8), "RGB"),
        (np.zeros((4, 4, 3), np.float32), "uint8"),
        (torch.zeros(1, 4, 4), r"\(3, H, W\)"),
        (torch.full((3, 4, 4), 7.0), "do not normalise"),
        ("nowhere.jpg", "nowhere.jpg"),
        ([], "no images"),
    ],
)
def test_what_is_no_picture_is_explained(undisturbed: Run, picture: Any, message: str) -> None:
    with pytest.raises(IspError, match=message):
        HumanParser.load(undisturbed).parse(picture)


def test_weights_of_another_network_are_explained(undisturbed: Run, people: Path, tmp_path: Path) -> None:
    other = quietly(tiny(model__channels=8, run__epochs=1), people, tmp_path / "other")
    folder = other.checkpoint(1)
    assert folder is not None
    (undisturbed.path / "checkpoints/epoch_0002/model.safetensors").write_bytes(
        (folder / "model.safetensors").read_bytes()
    )
    with pytest.raises(IspError, match=r"another network's weights.*of another shape"):
        HumanParser.load(undisturbed, 2)
    with pytest.raises(IspError, match="no weights of epoch 9"):
        HumanParser.load(undisturbed, 9)
