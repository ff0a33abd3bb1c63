"""Identities and shots: what the seed decides before anything is drawn."""

from dataclasses import fields

import numpy as np
import pytest

pytest.importorskip("numba")
from isp_assets.walkers.generate.camera import Camera
from isp_assets.walkers.generate.dataset import Recipe, label_palette, people_of, plan
from isp_assets.walkers.generate.identities import Identity
from isp_assets.walkers.generate.records import heading_to_camera, visible_fraction

RECIPE = Recipe()
SHOTS = plan(RECIPE)


def differing(first: Identity, second: Identity) -> set[str]:
    names = {f.name for f in fields(Identity)} - {"number", "look_alike", "differs_in", "habit"}
    return {name for name in names if getattr(first, name) != getattr(second, name)}


def test_equal_seeds_plan_equal_shots_and_others_do_not() -> None:
    assert plan(Recipe()) == SHOTS
    assert plan(Recipe(seed=8)) != SHOTS


def test_people_of_train_and_test_are_numbered_apart() -> None:
    train, test, extras = people_of(RECIPE)
    assert [p.number for p in train] == list(range(1, len(train) + 1))
    assert [p.number for p in test] == list(range(len(train) + 1, len(train) + len(test) + 1))
    assert len(extras) == RECIPE.extras


def test_look_alikes_differ_in_one_thing() -> None:
    train, test, _ = people_of(RECIPE)
    people = {p.number: p for p in [*train, *test]}
    kinds = set()
    for person in people.values():
        if not person.differs_in:
            assert person.look_alike == 0
            continue
        twin = people[person.look_alike]
        assert twin.look_alike == person.number
        kinds.add(person.differs_in)
        if person.differs_in == "belonging":
            assert differing(person, twin) == {"belonging"}
        elif person.differs_in == "shoes":
            assert differing(person, twin) == {"outfit"}
            assert person.outfit.shoe_leather != twin.outfit.shoe_leather
            assert person.outfit.top_cloth == twin.outfit.top_cloth
        else:
            assert "shape" in differing(person, twin)
            assert person.outfit.top_cloth == twin.outfit.top_cloth
    assert kinds == {"belonging", "shoes", "person"}


def test_every_person_has_twelve_pictures_over_four_cameras() -> None:
    for number in range(1, RECIPE.train + RECIPE.test + 1):
        mine = [shot for shot in SHOTS if shot.identity == number]
        assert len(mine) >= 12
        assert len({shot.camera for shot in mine}) >= 4


def test_every_query_has_a_match_in_another_camera() -> None:
    seen = {(s.identity, s.camera) for s in SHOTS if s.split == "gallery"}
    for shot in SHOTS:
        if shot.split == "query":
            assert any(identity == shot.identity and camera != shot.camera for identity, camera in seen)


def test_names_are_market_names_and_unique() -> None:
    names = [f"{shot.folder}/{shot.name}" for shot in SHOTS]
    assert len(set(names)) == len(names)
    shot = SHOTS[0]
    assert shot.name == f"0001_c{shot.camera}s{shot.session}_{shot.frame:06d}_01"
    assert {shot.folder for shot in SHOTS} == {"bounding_box_train", "query", "query_occluded", "bounding_box_test"}


def test_occluded_queries_are_all_hidden_by_something_and_enough() -> None:
    hidden = [shot for shot in SHOTS if shot.occluded]
    assert len(hidden) >= 300
    assert all(shot.occlusion for shot in hidden)


def test_heading_is_zero_towards_the_camera_and_turns_to_the_pictures_right() -> None:
    camera = Camera((0, 3, -8), (0, 1, 0))
    assert heading_to_camera(180, (0, 0), camera) == 0
    assert heading_to_camera(0, (0, 0), camera) == 180
    # heading -x: to the picture's right (see test_geometry)
    assert heading_to_camera(270, (0, 0), camera) == 90


def test_visible_fraction_by_hand() -> None:
    seen, whole = np.array([0, 5, 0]), np.array([0, 10, 0])
    assert visible_fraction(seen, whole, (1,)) == 0.5
    assert np.isnan(visible_fraction(seen, whole, (2,)))


def test_palette_gives_belongings_white() -> None:
    colours = np.array(label_palette()).reshape(-1, 3)
    assert colours[0].tolist() == [0, 0, 0]
    assert colours[20].tolist() == [255, 255, 255]
    assert len(np.unique(colours[:21], axis=0)) == 21
