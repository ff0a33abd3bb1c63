"""Ingredients of the labels that start from words: each does what its name says on a case made for it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isp_core.labelling.body import body_height
from isp_core.labelling.garments import cut_garments, garment_correlation
from isp_core.labelling.position_words.words import (
    identity_camera_contrast,
    learn_vocabulary,
    position_ratio,
    standardise,
    words_of,
)
from isp_core.labelling.refine import Certainty, cut_all, grab_cut


def scene(people: int, seed: int = 0) -> tuple[torch.Tensor, np.ndarray, np.ndarray, np.ndarray]:
    """Feature maps (n, 16, 8, 8): a person's own look in the middle, a camera's own look around it, and noise."""
    generator = torch.Generator().manual_seed(seed)
    looks = torch.randn(people, 16, generator=generator) + 2 * torch.eye(16)[0]  # people share a direction
    views = torch.randn(2, 16, generator=generator) - 2 * torch.eye(16)[0]
    maps, identities, cameras = [], [], []
    for person in range(people):
        for camera in (0, 1, 0, 1):
            picture = views[camera][:, None, None].repeat(1, 8, 8)
            picture[:, 1:7, 3:6] = looks[person][:, None, None]
            maps.append(picture + 0.3 * torch.randn(16, 8, 8, generator=generator))
            identities.append(person + 1)
            cameras.append(camera + 1)
    truth = np.zeros((8, 8), bool)
    truth[1:7, 3:6] = True
    return torch.stack(maps), np.array(identities), np.array(cameras), truth


def test_contrast_is_high_on_people() -> None:
    maps, identities, cameras, truth = scene(6)
    contrast = identity_camera_contrast(maps, identities, cameras).numpy()
    assert contrast[:, truth].min() > contrast[:, ~truth].max()
    np.testing.assert_allclose(contrast.mean((1, 2)), 0, atol=1e-5)


@pytest.mark.parametrize("with_contrast", [True, False], ids=["with cameras", "without cameras"])
def test_words_of_people_score_above_words_of_the_background(with_contrast: bool) -> None:
    maps, identities, cameras, truth = scene(6)
    contrast = identity_camera_contrast(maps, identities, cameras) if with_contrast else None
    scores = learn_vocabulary(maps, contrast, words=8).score(maps).numpy()
    assert (scores[:, truth] > 0).mean() > 0.95
    assert (scores[:, ~truth] < 0).mean() > 0.95


def test_words_do_not_depend_on_the_order_of_asking() -> None:
    maps, *_ = scene(4)
    vocabulary = learn_vocabulary(maps, None, words=5)
    whole = words_of(maps, vocabulary.origin, vocabulary.centres)
    torch.testing.assert_close(words_of(maps[3:5], vocabulary.origin, vocabulary.centres), whole[3:5])


def test_position_ratio_of_a_word_in_the_middle() -> None:
    found = torch.zeros(1, 1, 100, dtype=torch.long)
    found[..., 40:60] = 1
    ratio = position_ratio(found, 2)
    assert ratio[1] > 5
    assert ratio[0] < 0


def test_a_flat_picture_standardises_to_nothing() -> None:
    assert standardise(torch.full((1, 2, 2), 3.0)).abs().max() == 0


def test_grab_cut_follows_the_edge_of_colours() -> None:
    picture = np.full((64, 32, 3), (40, 90, 40), np.uint8)
    picture[10:60, 8:24] = (200, 30, 30)
    picture = (picture + np.random.default_rng(0).normal(0, 5, picture.shape)).clip(0, 255).astype(np.uint8)
    scores = np.full((16, 8), -1, np.float32)
    scores[4:14, 3:5] = 1  # a guess that is too narrow
    mask = grab_cut(picture, scores, Certainty(-2, 0.9))
    truth = np.zeros((16, 8), bool)
    truth[2:15, 2:6] = True
    assert (mask == truth).mean() > 0.9
    np.testing.assert_array_equal(mask, grab_cut(picture, scores, Certainty(-2, 0.9)))


def test_pictures_are_cut_alike_one_by_one_and_many_at_a_time() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (6, 32, 16, 3), np.uint8)
    scores = rng.normal(0, 1, (6, 8, 4)).astype(np.float32)
    certainty, before = Certainty(-1, 1), torch.get_num_threads()
    alone = np.stack([grab_cut(picture, score, certainty) for picture, score in zip(pictures, scores, strict=True)])
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            np.testing.assert_array_equal(cut_all(pictures, scores, certainty), alone)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("value", [-1.0, 1.0])
def test_grab_cut_has_nothing_to_cut_where_all_is_one(value: float) -> None:
    mask = grab_cut(np.zeros((8, 8, 3), np.uint8), np.full((4, 4), value, np.float32), Certainty(-2, 2))
    assert (mask == (value > 0)).all()


def test_height_is_measured_within_the_person() -> None:
    mask = np.zeros((1, 21, 4), bool)
    mask[0, 5:16, 1:3] = True
    height = body_height(mask)
    assert height[0, 5, 0] == pytest.approx(0)
    assert height[0, 15, 3] == pytest.approx(1)
    assert height[0, 10, 0] == pytest.approx(0.5)
    assert np.isfinite(body_height(np.zeros((1, 4, 4), bool))).all()


def test_garments_are_found_where_colours_change_together() -> None:
    rng = np.random.default_rng(0)
    pictures = np.zeros((60, 32, 8, 3), np.uint8)
    identities = np.repeat(np.arange(20), 3)
    for identity in range(20):
        for top, bottom in ((0, 5), (5, 18), (18, 29), (29, 32)):
            pictures[identities == identity, top:bottom] = rng.integers(0, 256, 3)
    correlation = garment_correlation(pictures, np.ones((60, 32, 8), bool), identities)
    np.testing.assert_allclose(np.diag(correlation), 1)
    np.testing.assert_allclose(cut_garments(correlation, 4) * 32, [5, 18, 29], atol=1)
