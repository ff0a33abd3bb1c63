"""Drawing for notebooks: label maps keep their numbers, pictures come in any form, figures show what counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from isp_core.drawing import curves, film, label_image, overlay, run_palette, strip, terms
from isp_core.errors import IspError
from isp_core.matching import Explanation
from isp_core.palette import SLOTS
from isp_core.runs import RunWriter

LABELS = np.array([[0, 1], [2, 255]], np.uint8)


def test_a_label_picture_holds_the_labels() -> None:
    image = label_image(LABELS, size=(4, 8))
    assert (image.mode, image.size) == ("P", (4, 8))
    np.testing.assert_array_equal(np.asarray(image), LABELS.repeat(4, 0).repeat(2, 1))
    with pytest.raises(IspError, match=r"\(h, w\); got \(1, 2, 2\)"):
        label_image(LABELS[None])


def test_only_parts_are_tinted() -> None:
    grey = Image.new("RGB", (2, 2), (100, 100, 100))
    shown = np.asarray(overlay(grey, LABELS, opacity=1.0))
    assert shown[0, 0].tolist() == shown[1, 1].tolist() == [100, 100, 100]
    palette = np.asarray(label_image(LABELS).convert("RGB"))
    np.testing.assert_array_equal(shown[0, 1], palette[0, 1])
    np.testing.assert_array_equal(np.asarray(overlay(grey, LABELS, opacity=0.0)), np.asarray(grey))
    with pytest.raises(IspError, match=r"opacity lies in \[0, 1\]; got 2"):
        overlay(grey, LABELS, opacity=2)


def test_pictures_come_in_any_form(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (8, 4, 3), dtype=np.uint8)
    Image.fromarray(array).save(tmp_path / "a.png")
    tensor = torch.from_numpy(array).permute(2, 0, 1)
    shown = [np.asarray(overlay(each, LABELS)) for each in (tmp_path / "a.png", array, tensor, Image.fromarray(array))]
    assert all((each == shown[0]).all() for each in shown)


def test_a_strip_has_one_height() -> None:
    sheet = strip([Image.new("RGB", (4, 8), "red"), Image.new("RGB", (4, 16), "blue")], gap=1)
    assert sheet.size == (4 + 1 + 2, 8)
    assert sheet.getpixel((0, 0)) == (255, 0, 0)
    assert sheet.getpixel((6, 7)) == (0, 0, 255)
    with pytest.raises(IspError, match="at least one"):
        strip([])


@pytest.fixture
def run(tiny_run: Path) -> Path:
    writer = RunWriter(tiny_run)
    for epoch in (0, 1):
        maps = np.zeros((4, 8, 4), np.uint8)
        maps[:, :2], maps[:, 5:] = 1, 2 + epoch
        writer.write_maps("train", epoch, [(np.arange(4), maps)], 4)
        writer.finish_epoch(epoch, {"loss_total": 2.0 - epoch, "mAP": float("nan") if epoch == 0 else 0.5})
    return tiny_run


def test_a_runs_colours_are_those_of_its_parts(run: Path) -> None:
    head, legs = SLOTS[0].rgb, SLOTS[4].rgb
    assert run_palette(run).parts[0].rgb == head  # by height
    RunWriter(run).write_evaluation("parts", {"0": {"rule": "x", "head": [1]}, "1": {"rule": "x", "legs": [1]}})
    assert run_palette(run).parts[0].rgb == legs  # as the last epoch's truth says


def test_a_film_shows_every_epoch(run: Path) -> None:
    frames = film(run, 0, height=16)
    assert frames.size == (8 + 4 + 8, 16)
    before, after = frames.getpixel((0, 15)), frames.getpixel((12, 15))
    assert before != after


def test_curves_leave_out_what_was_not_measured(run: Path) -> None:
    figure = curves(run, ["loss_total", "mAP"])
    assert [(list(line.x), list(line.y)) for line in figure.data] == [([0, 1], [2.0, 1.0]), ([1], [0.5])]
    with pytest.raises(IspError, match=r"no metric 'R-9'; it has loss_total, mAP"):
        curves(run, ["R-9"])


def test_terms_pale_where_a_part_is_hidden() -> None:
    explanation = Explanation(
        np.float32([0.1]), np.float32([0.2]), np.float32([[0.3, 0.9]]), np.array([[True, False]]), np.float32([0.2])
    )
    bar = terms(explanation).data[0]
    assert list(bar.x) == ["global", "foreground", "part 1", "part 2"]
    assert [round(y, 1) for y in bar.y] == [0.1, 0.2, 0.3, 0.9]
    assert list(bar.marker.opacity) == [1, 1, 1, 0.25]
