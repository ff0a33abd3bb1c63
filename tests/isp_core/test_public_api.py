"""`import isp_core as isp`: what it exports, what importing it costs, and that each function does what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import isp_core as isp
from isp_core.config import check_config
from isp_core.models import ISPNet
from isp_core.models.build import network_spec
from tests.app import synthetic

SMALLEST = {"model": {"backbone": "test_efficientnet", "stages": [3, 4], "grid": 8, "channels": 16}}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with K = 6 and weights."""
    folder = tmp_path_factory.mktemp("api")
    synthetic.write_run(folder / "k6", parts=6, epochs=2, weights=True)
    return folder / "k6"


def small_parser(parts: int = 4) -> isp.HumanParser:
    torch.manual_seed(0)
    labels = {"parts": parts} if parts else {"source": "none"}
    config = check_config({**SMALLEST, "labels": labels})
    return isp.HumanParser(ISPNet(network_spec(config, identities=2), weights="none"), (64, 32))


def some_images(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (70 + n, 40, 3), np.uint8) for n in range(count)]


def test_importing_it_loads_no_library() -> None:
    code = "import sys, isp_core; print([m for m in ('torch', 'pandas', 'numpy', 'pydantic') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("name", isp.__all__)
def test_every_exported_name_exists_and_says_what_it_is(name: str) -> None:
    found = getattr(isp, name)
    assert name in dir(isp)
    assert isinstance(found, str) or (found.__doc__ or "").strip()


def test_an_unknown_name_is_an_attribute_error_that_lists_the_known_ones() -> None:
    with pytest.raises(AttributeError, match=r"has no attribute 'HumanParsr'; it has .*HumanParser"):
        _ = isp.HumanParsr


def test_reading_gives_in_one_pass_what_parsing_and_embedding_give_in_two(monkeypatch: pytest.MonkeyPatch) -> None:
    parser, images = small_parser(), some_images(3)
    parsing, embeddings = parser.parse(images), parser.embed(images)
    passes = []
    forward = ISPNet.forward

    def counted(self: ISPNet, *arguments: object, **named: object) -> object:
        passes.append(len(arguments[0]))  # type: ignore[arg-type]
        return forward(self, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(ISPNet, "forward", counted)
    seen = parser.read(images)
    assert passes == [3]
    assert len(seen) == 3
    np.testing.assert_array_equal(seen.labels, parsing.labels)
    np.testing.assert_array_equal(seen.probabilities, parsing.probabilities)
    np.testing.assert_array_equal(seen.probabilities.argmax(1), seen.labels)
    np.testing.assert_array_equal(seen.embeddings.global_, embeddings.global_)
    np.testing.assert_array_equal(seen.embeddings.visibility, parsing.visibility)
    np.testing.assert_allclose(seen.foreground, 1 - seen.probabilities[:, 0], atol=1e-3)


def test_a_baseline_is_read_too_but_cannot_be_parsed() -> None:
    seen = small_parser(parts=0).read(some_images(2))
    assert seen.probabilities.shape[:2] == (2, 0)
    assert not seen.labels.any()
    assert seen.embeddings.global_.shape[0] == 2
    with pytest.raises(isp.IspError, match="baseline without parts"):
        _ = seen.parsing


def test_no_image_at_all_is_an_error() -> None:
    with pytest.raises(isp.IspError, match=r"no images were given"):
        small_parser().read([])


def test_matching_takes_a_parser_or_a_run_and_an_image_has_no_distance_to_itself(run: Path) -> None:
    first, second = some_images(2)
    by_run = isp.match(first, [first, second], run=run)
    by_parser = isp.match(first, [first, second], run=isp.HumanParser.load(run))
    assert by_run.distance[0] == pytest.approx(0, abs=1e-3)
    assert by_run.distance[1] > 1e-3
    np.testing.assert_array_equal(by_run.distance, by_parser.distance)


def test_drawing_tints_parts_and_leaves_the_background_alone(run: Path) -> None:
    image = np.full((8, 4, 3), 200, np.uint8)
    labels = np.zeros((8, 4), np.uint8)
    labels[4:] = 1
    for given in (None, run):
        drawn = np.asarray(isp.draw(image, labels, given))
        assert (drawn[:4] == 200).all()
        assert (drawn[4:] != 200).any(axis=-1).all()


def test_a_run_can_be_trained_labelled_and_resumed_from_python(tmp_path: Path) -> None:
    synthetic.write_pictures(tmp_path / "data", synthetic.records(3, 4, 2))
    data = isp.load_data(tmp_path / "data")
    options = {
        "model.backbone": "test_efficientnet",
        "model.weights": "none",
        "model.stages": [3, 4],
        "model.grid": 8,
        "model.channels": 16,
        "model.output_stride": 32,
        "data.size": [64, 32],
        "data.identities_per_batch": 3,
        "data.pictures_per_identity": 2,
        "labels.source": "clustering",
        "labels.parts": 4,
        "labels.every": 1,
        "run.epochs": 1,
    }
    lines: list[str] = []
    run = isp.train(data, tmp_path / "run", options=options, report=lines.append)
    assert run.last_epoch == 1
    assert run.info.versions["isp-reid"] == isp.__version__
    assert any("epoch 1/1" in line for line in lines)
    labelled = dict(isp.label(run.path, tmp_path / "data"))
    assert len(labelled) == len(data.split("train"))
    assert all(labels.dtype == np.uint8 and labels.ndim == 2 for labels in labelled.values())
    resumed = isp.train(
        tmp_path / "data", tmp_path / "run", options={"run.epochs": 2}, resume=True, report=lines.append
    )
    assert resumed.last_epoch == 2
    with pytest.raises(isp.IspError, match="a resumed run keeps its configuration"):
        isp.train(data, tmp_path / "run", options={"labels.parts": 5}, resume=True)
