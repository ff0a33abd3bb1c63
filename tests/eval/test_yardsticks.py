"""Masks that use neither identities nor training, and where they stand in the parsing protocol."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isp_core.data import PictureCache
from isp_core.metrics.spaces import load_space
from isp_core.models.weights import WeightsError
from isp_core.runs import Run
from isp_eval.label_maps import maps_of
from isp_eval.parsing_protocol import evaluate
from isp_eval.yardsticks import YARDSTICKS, ellipse_scores, yardstick_masks
from tests.eval.made_runs import make_run, write_truth

ELLIPSE = "ellipse + GrabCut"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path / "run")


@pytest.fixture
def images(run: Run, tmp_path: Path) -> Path:
    """A bright person on a dark street, as in the ground truth, with some noise."""
    write_truth(tmp_path / "images", run.records())
    rng = np.random.default_rng(0)
    for path in run.records().path:
        person = np.load((tmp_path / "images" / path).with_suffix(".npy")) > 0
        grey = np.kron(np.where(person, 200, 60), np.ones((4, 4)))[..., None] + rng.normal(0, 12, (64, 32, 3))
        Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(tmp_path / "images" / path)
    return tmp_path / "images"


def test_the_ellipse_is_central_and_covers_a_person_who_fills_the_crop() -> None:
    inside = ellipse_scores((48, 24)) > 0
    assert 0.3 < inside.mean() < 0.6
    assert (inside == inside[::-1]).all()
    assert (inside == inside[:, ::-1]).all()


def test_grabcut_follows_the_colours_from_the_ellipse(tmp_path: Path) -> None:
    """A slim person, whom the ellipse alone would give twice the pixels."""
    rows, columns = np.mgrid[:64, :32]
    person = ((rows - 32) / 26) ** 2 + ((columns - 16) / 6) ** 2 < 1
    grey = np.where(person, 200, 60)[..., None] + np.random.default_rng(0).normal(0, 12, (64, 32, 3))
    Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(tmp_path / "slim.png")
    mask = yardstick_masks(ELLIPSE, tmp_path, ("slim.png",), (64, 32), (64, 32))[0]
    assert (mask & person).sum() / (mask | person).sum() > 0.9
    assert (ellipse_scores((64, 32)) > 0).sum() > 1.5 * person.sum()


def test_yardsticks_have_a_row_in_every_table_and_a_place_in_the_document(run: Run, images: Path) -> None:
    maps = replace(maps_of(run, "test", None), root=images)
    found = evaluate(run, maps, images, load_space("lip"), yardsticks=(ELLIPSE,))
    row = found.table().set_index("rule").loc[ELLIPSE]
    assert row["class"] == "foreground"
    assert 0 < row["IoU"] < 100
    assert row["IoU, 95% low"] <= row["IoU"] <= row["IoU, 95% high"]
    (document,) = found.document()["yardsticks"]
    assert document["name"] == ELLIPSE
    assert document["iou"]["units"] == 3


def test_missing_images_are_said_and_the_rest_is_evaluated(run: Run, images: Path) -> None:
    for maps in (maps_of(run, "test", None), replace(maps_of(run, "test", None), root=images / "elsewhere")):
        found = evaluate(run, maps, images, load_space("lip"))
        assert found.yardsticks == ()
        assert [note for note in found.notes if "looks at images, is missing" in note] == [
            f"{name}, which looks at images, is missing: give the images' data set as --data" for name in YARDSTICKS
        ]


def test_missing_weights_of_the_backbone_are_said(run: Run, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_weights(pictures: PictureCache, size: tuple[int, int], progress: bool) -> np.ndarray:
        raise WeightsError("no weights of mobilenetv2_100 here: run `make setup`")

    monkeypatch.setitem(YARDSTICKS, "position words + GrabCut", no_weights)  # type: ignore[misc]
    maps = replace(maps_of(run, "test", None), root=images)
    found = evaluate(run, maps, images, load_space("lip"))
    assert [each.name for each in found.yardsticks] == [ELLIPSE]
    assert any("position words + GrabCut is missing: no weights" in note for note in found.notes)


@pytest.mark.slow
def test_position_words_find_people_whom_nobody_labelled() -> None:
    """A few rendered people; the words are learned from these very images."""
    from isp_core.metrics.ground_truth import read_truth

    walkers = Path(__file__).parents[2] / "assets" / "walkers"
    paths = tuple(
        f"bounding_box_train/{file.name}" for file in sorted((walkers / "bounding_box_train").glob("*"))[::24]
    )
    masks = yardstick_masks("position words + GrabCut", walkers, paths, (192, 96), (48, 24))
    targets = read_truth(walkers, paths, load_space("walkers"), (48, 24), walkers).targets
    person, known = (targets > 0) & (targets < 255), targets < 255
    assert (masks & person).sum() / ((masks | person) & known).sum() > 0.5
