"""Prototypes correct what labels got wrong, find planted people and what they carry, and ask for no camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from isp_core.labelling.garments import seed_parts
from isp_core.labelling.prototypes.belongings import find_belongings
from isp_core.labelling.prototypes.labeller import PrototypeLabeller, centred
from isp_core.labelling.prototypes.options import PrototypeOptions
from isp_core.labelling.prototypes.prototypes import learn_prototypes
from isp_core.labelling.rounds import Labels, TrainingPictures, collect
from isp_core.labelling.sources import SOURCES, options_of
from isp_core.models import ISPNet
from isp_core.section import ConfigError
from tests.isp_core.labelling.conftest import EACH, HALF

MAP = (32, 16)


def planted(count: int = 40) -> tuple[torch.Tensor, Labels]:
    """Features (n, h, w, 8) around three prototypes, and the classes that they belong to."""
    generator = torch.Generator().manual_seed(0)
    classes = torch.zeros(count, 12, 6, dtype=torch.long)
    classes[:, 2:6, 2:4], classes[:, 6:10, 2:4] = 1, 2
    prototypes = 3 * torch.eye(8)[:3]
    return prototypes[classes] + torch.randn(count, 12, 6, 8, generator=generator), classes.numpy().astype(np.uint8)


def test_prototypes_correct_labels_that_are_wrong_in_some_images() -> None:
    features, classes = planted()
    wrong = classes.copy()
    wrong[::4, 6:10] = 0  # a quarter of the images lack a part in their labels
    likely = learn_prototypes(features, wrong, 3).probabilities(features)
    np.testing.assert_allclose(likely.sum(-1), 1, rtol=1e-5)
    legs = classes == 2
    assert (wrong == classes)[legs].mean() < 0.76
    assert (likely.argmax(-1) == classes)[legs].mean() > 0.95


def test_position_decides_where_features_say_nothing() -> None:
    _, classes = planted()
    nothing = torch.randn(40, 12, 6, 4, generator=torch.Generator().manual_seed(1))
    likely = learn_prototypes(nothing, classes, 3).probabilities(nothing)
    assert (likely.argmax(-1) == classes).mean() > 0.85


def test_a_class_without_pixels_never_wins() -> None:
    features, classes = planted()
    likely = learn_prototypes(features, classes, 5).probabilities(features)
    assert np.isfinite(likely).all()
    assert (likely[..., 3:] == 0).all()


def test_where_garments_end_below_the_image_nobody_shows_shoes() -> None:
    masks = np.ones((2, 40, 8), bool)
    assert (seed_parts(masks, np.array([0.2, 0.8]), 6, shoes=1.28) != 5).all()
    assert (seed_parts(masks, np.array([0.12, 0.5]), 6, shoes=0.95)[:, -1] == 5).all()


# ------------------------------------------------------------------------------------------------------- belongings


def person(carries: bool, rows: int = 6) -> tuple[torch.Tensor, np.ndarray, np.ndarray, np.ndarray]:
    """One person's looks, colours and masks, and where a box hangs beside the hip."""
    generator = torch.Generator().manual_seed(0)
    masks, box = np.zeros((rows, 24, 12), bool), np.zeros((rows, 24, 12), bool)
    masks[:, 2:22, 4:8] = True
    box[:, 11:16, 8:11] = carries
    masks |= box
    colours = np.full((rows, 24, 12, 3), 90, np.uint8)
    looks = torch.randn(rows, 16, 24, 12, generator=generator) * 0.3
    for channel, (area, colour) in enumerate(
        ((~masks, (90, 90, 90)), (masks & ~box, (40, 60, 150)), (box, (200, 30, 30)))
    ):
        looks[:, channel][torch.from_numpy(area)] += 3
        colours[area] = colour
    return looks, colours, masks, box


def test_a_box_beside_the_hip_is_found_and_who_carries_nothing_is_given_nothing() -> None:
    looks, colours, masks, box = person(carries=True)
    found = find_belongings(looks, colours, masks, clusters=6, aside=0.5)
    assert (found & box).sum() / (found | box).sum() > 0.8
    looks, colours, masks, _ = person(carries=False)
    assert not find_belongings(looks, colours, masks, clusters=6, aside=0.5).any()


def test_what_is_in_one_image_of_a_person_is_no_belonging() -> None:
    looks, colours, masks, box = person(carries=True)
    masks[1:] &= ~box[1:]
    assert not find_belongings(looks, colours, masks, clusters=6, aside=0.5)[box].any()


@pytest.mark.parametrize("rows", [1, 3])
def test_nothing_is_found_in_a_single_image_or_in_empty_masks(rows: int) -> None:
    looks, colours, masks, _ = person(carries=True, rows=rows)
    assert not find_belongings(looks[:1], colours[:1], masks[:1], 6, 0.5).any()
    assert not find_belongings(looks, colours, np.zeros_like(masks), 6, 0.5).any()


# --------------------------------------------------------------------------------------------------- whole rounds


def labeller(data: TrainingPictures) -> PrototypeLabeller:
    options = PrototypeOptions(rows=128, stages=(1, 2), sample=24)
    made = SOURCES["prototypes"].make(options, data, 0)
    assert isinstance(made, PrototypeLabeller)
    return made


def test_people_and_their_parts_are_found_without_cameras_and_walls_have_no_legs(
    network: ISPNet, crowd: tuple[TrainingPictures, Labels]
) -> None:
    data, truth = crowd
    labels = collect(labeller(data).round(network, 0), len(truth), MAP).labels
    found, person = labels > 0, truth > 0
    assert (found & person).sum() / (found | person).sum() > 0.75
    for part in (1, 2, 4):
        assert ((labels == part) & (truth == part)).sum() / (truth == part).sum() > 0.6
    half = np.arange(len(truth)) % EACH == HALF
    assert (labels[half, 20:] > 0).mean() < 0.1  # the wall below them is background


def test_rounds_repeat_and_processes_share_them(network: ISPNet, crowd: tuple[TrainingPictures, Labels]) -> None:
    data, truth = crowd
    whole = collect(labeller(data).round(network, 0), len(truth), MAP)
    shares = [collect(labeller(replace(data, rank=r, world_size=2)).round(network, 0), len(truth), MAP) for r in (0, 1)]
    assert not ((shares[0].labels > 0) & (shares[1].labels > 0)).any()
    np.testing.assert_array_equal(shares[0].labels + shares[1].labels, whole.labels)


@pytest.mark.parametrize("sees_people", [True, False])
def test_later_rounds_follow_the_network_and_keep_first_labels_where_it_sees_nobody(
    network: ISPNet, crowd: tuple[TrainingPictures, Labels], monkeypatch: pytest.MonkeyPatch, sees_people: bool
) -> None:
    data, truth = crowd
    likely = torch.full((1, 6, *MAP), 1e-3)
    likely[:, 0] = 1
    if sees_people:  # a torso, and nothing else
        likely[:, :, 4:28, 5:11] = 1e-3
        likely[:, 2, 4:28, 5:11] = 1
    likely /= likely.sum(1, keepdim=True)
    monkeypatch.setattr(
        "isp_core.labelling.prototypes.labeller.probabilities_with_mirror",
        lambda network, prepared, stages: likely.expand(len(prepared), -1, -1, -1),
    )
    options = PrototypeOptions(rows=128, clusters=0)
    first = np.where(truth > 0, 4, 0).astype(np.uint8)
    made = SOURCES["prototypes"].make(options, data, 0)
    assert made is not None
    labels = collect(made.round(network, 4, first), len(truth), MAP).labels
    if sees_people:
        assert set(np.unique(labels)) == {0, 2}
    else:
        np.testing.assert_array_equal(labels, first)


def test_the_first_guess_is_half_on_the_ellipse() -> None:
    guess = centred((100, 100), (0.4, 0.25), 4.0)
    assert guess.shape == (100, 100, 2)
    assert guess[50, 74, 1] == pytest.approx(0.5, abs=0.05)
    assert guess[90, 50, 1] == pytest.approx(0.5, abs=0.05)
    assert guess[0, 0, 0] > 0.99


def test_it_has_at_most_ten_tuned_options_and_refuses_others_by_name() -> None:
    shared = {"source", "parts", "every", "start", "stop", "advanced"}
    assert len(set(PrototypeOptions.model_fields) - shared) == 9  # as many as its documents say
    with pytest.raises(Exception, match="certain"):
        options_of({"source": "prototypes", "certain": 0.4})
    with pytest.raises((ConfigError, ValueError)):
        options_of({"source": "prototypes", "parts": 9})
