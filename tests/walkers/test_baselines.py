"""The card's figures: masks, histograms and the protocol, on cases small enough to check by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

pytest.importorskip("numba")
from isp_assets.walkers.generate.baselines import best_level, colour_histograms, constant_masks, evaluate, iou, members


def test_iou_is_summed_over_maps() -> None:
    truth = np.array([[[1, 1, 0, 0]], [[1, 0, 0, 0]]], bool)
    # the mask covers two pixels: 2 + 1 hits, 2 + 2 pixels in the unions
    assert iou(np.array([[True, True, False, False]]), truth) == pytest.approx(75)


def test_best_level_is_the_best_of_all_levels() -> None:
    truth = np.random.default_rng(0).random((20, 6, 5)) < np.linspace(0, 1, 5)
    mean = truth.mean(axis=0)
    best = iou(mean >= best_level(mean, truth), truth)
    assert best >= max(iou(mean >= level, truth) for level in np.linspace(0.05, 0.85, 17)) - 1e-9


def test_groups_cover_the_foreground_once() -> None:
    labels = np.array([[0, 1, 2, 5, 9, 10, 12, 13, 14, 15, 16, 17, 18, 19, 20]], np.uint8)
    parts = members(labels)
    foreground = parts.pop("foreground")
    assert (np.sum(list(parts.values()), axis=0) == foreground).all()


def test_a_constant_world_is_solved_by_a_constant_mask() -> None:
    labels = np.zeros((4, 8, 4), np.uint8)
    labels[:, :2], labels[:, 2:5], labels[:, 5:7], labels[:, 7], labels[:, 3, 0] = 2, 5, 9, 18, 20
    assert set(constant_masks(labels, labels).values()) == {100.0}


def test_pictures_of_the_querys_own_camera_are_left_out() -> None:
    query = pd.DataFrame({"identity": [1], "camera": [1]})
    gallery = pd.DataFrame({"identity": [1, 2, 1, 3, 1], "camera": [1, 1, 2, 3, 3]})
    # the first is of the same camera; then 2 (wrong), 1, 3 (wrong), 1: precision 1/2 and 2/4
    result = evaluate(np.array([[0.0, 0.1, 0.2, 0.3, 0.4]]), query, gallery)
    assert result.mean_ap == pytest.approx(50)
    assert result.rank1 == 0


def test_histograms_sum_to_one_and_see_stripes(tmp_path: Path) -> None:
    top, bottom = np.full((12, 4, 3), (255, 0, 0), np.uint8), np.full((12, 4, 3), (0, 0, 255), np.uint8)
    Image.fromarray(np.concatenate([top, bottom])).save(tmp_path / "a.png")
    Image.fromarray(np.concatenate([bottom, top])).save(tmp_path / "b.png")
    first, second = colour_histograms(tmp_path, pd.DataFrame({"path": ["a.png", "b.png"]}))
    assert first.sum() == pytest.approx(1)
    assert np.minimum(first, second).sum() == 0
