"""The plan of a data set: which images are taken of whom, by which camera, in which pose, hidden by what.

Everything is decided here, from the seed, before anything is drawn; only the strength of an occlusion is found by
looking (see dataset.py).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from isp_assets.walkers.generate.gait import Arm, Step
from isp_assets.walkers.generate.garments import LONG_SKIRT
from isp_assets.walkers.generate.identities import Identity
from isp_assets.walkers.generate.streets import PLACES, Place
from isp_assets.walkers.generate.wardrobe import choose

Split = Literal["train", "query", "gallery"]
Occlusion = Literal["", "wall", "car", "pole", "person", "planter", "crop"]
OCCLUSIONS: dict[Occlusion, float] = {"wall": 18, "car": 20, "pole": 12, "person": 26, "planter": 8, "crop": 16}
STANDING_POSES = ("standing01", "standing02", "standing03", "standing04")


@dataclass(frozen=True)
class Quota:
    """Images per identity: of training people; of test people in the gallery and as occluded queries.

    Besides, each camera that saw a test person gives one clear query, as in Market-1501.
    """

    train: int = 15
    gallery: int = 12
    occluded: int = 8
    train_occluded: float = 0.12  # share of the training images
    gallery_occluded: float = 0.05


@dataclass(frozen=True)
class Moment:
    """How somebody is caught: a step, or one of MakeHuman's standing poses by name; where, and turned which way."""

    step: Step
    pose: str  # "" = walk the step
    heading: float  # degrees in the street, 0 faces +z
    place: tuple[float, float]  # x, z in m


@dataclass(frozen=True)
class Shot:
    """One image to take."""

    identity: int
    split: Split
    occluded: bool  # belongs to the subset of occluded queries
    camera: int  # 1-based, as in the records
    session: int  # 1-based
    frame: int
    carried: int  # 0 = nothing, +1 = in the usual way, -1 = on the other side
    moment: Moment
    occlusion: Occlusion
    seed: tuple[int, ...]

    @property
    def name(self) -> str:
        """Market-1501's file name without suffix: identity, camera and sequence, frame, box."""
        return f"{self.identity:04d}_c{self.camera}s{self.session}_{self.frame:06d}_01"

    @property
    def folder(self) -> str:
        if self.split == "query":
            return "query_occluded" if self.occluded else "query"
        return "bounding_box_train" if self.split == "train" else "bounding_box_test"


def _arms(person: Identity, carried: int, rng: np.random.Generator) -> tuple[Arm, Arm]:
    """Left and right arm: what the belonging asks of them, else swinging, at times on the phone or in a pocket."""
    arms: list[Arm] = ["swing", "swing"]
    taken = [False, False]
    if person.belonging is not None and carried:
        side = 0 if person.belonging.side * carried > 0 else 1
        kind = person.belonging.kind
        if kind == "box":
            return "carry", "carry"
        if kind in ("handbag", "shopping bag", "suitcase"):
            arms[side], taken[side] = ("pull" if kind == "suitcase" else "hold"), True
        elif (kind == "shoulder bag" and rng.random() < 0.5) or (kind == "backpack" and rng.random() < 0.25):
            arms[side], taken[side] = "strap", True
    for side in range(2):
        if not taken[side] and rng.random() < 0.11:
            arms[side] = "phone" if rng.random() < 0.5 else "pocket"
    return arms[0], arms[1]


def moment(person: Identity, carried: int, place: Place, rng: np.random.Generator) -> Moment:
    """A moment of somebody's walk through a place: mostly along its lanes, sometimes any way; one in six stands."""
    arms = _arms(person, carried, rng)
    walks = rng.random() < 0.83
    stride = rng.uniform(0.75, 1.1) if walks else rng.uniform(0.05, 0.2)
    if person.outfit.bottom in ("skirt", LONG_SKIRT) or person.outfit.coat_length is not None:
        stride *= 0.72  # cloth that hangs between the legs keeps steps short
    step = Step(
        phase=float(rng.random()), stride=float(stride), swing=float(rng.uniform(0.6, 1.2)), arms=arms,
        look=(float(rng.normal(0, 0.2)), float(rng.normal(0.05, 0.08))), bow=float(rng.normal(0.02, 0.03)),
    )  # fmt: skip
    idle = arms == ("swing", "swing") and (
        person.belonging is None or not carried or person.belonging.kind == "backpack"
    )
    pose = str(rng.choice(STANDING_POSES)) if not walks and idle and rng.random() < 0.6 else ""
    in_lane = rng.random() < 0.55
    heading = float(rng.choice(place.lanes) + rng.normal(0, 22) if in_lane else rng.uniform(0, 360))
    (left, right), (near, far) = place.walk
    spot = (float(rng.uniform(left, right)), float(rng.uniform(near, far)))
    return Moment(step, pose, heading % 360, spot)


def _carrying(person: Identity, camera: int, rng: np.random.Generator) -> int:
    """Whether the belonging is there in this camera; habits change it in about half of the cameras."""
    if person.belonging is None:
        return 0
    changed = rng.random() < 0.5
    if person.habit == "puts down":
        return 0 if changed else 1
    if person.habit == "changes sides":
        return -1 if changed else 1
    return 1


def plan_identity(person: Identity, split: Literal["train", "test"], quota: Quota, seed: int) -> list[Shot]:
    """All images of one person. Test people pass at least five cameras, training people at least four."""
    rng = np.random.default_rng([seed, 2, person.number])
    fewest = 4 if split == "train" else 5
    cameras = sorted(rng.permutation(len(PLACES))[: int(rng.integers(fewest, len(PLACES) + 1))])
    sessions = {camera: int(rng.integers(2)) for camera in cameras}
    carried = {camera: _carrying(person, int(camera), rng) for camera in cameras}
    frames = {camera: int(rng.integers(500, 60000)) for camera in cameras}
    shots: list[Shot] = []

    def take(role: Split, camera: int, hidden: bool, occluded: bool) -> None:
        frames[camera] += int(rng.integers(9, 60))
        what = moment(person, carried[camera], PLACES[camera], rng)
        kind = choose(rng, OCCLUSIONS) if hidden else ""
        shots.append(
            Shot(
                person.number,
                role,
                occluded,
                int(camera) + 1,
                sessions[camera] + 1,
                frames[camera],
                carried[camera],
                what,
                kind,
                (seed, 3, person.number, len(shots)),
            )
        )

    def spread(count: int) -> list[int]:
        turn = rng.permutation(cameras)
        return [int(turn[i % len(turn)]) for i in range(count)]

    if split == "train":
        for camera in spread(quota.train):
            take("train", camera, bool(rng.random() < quota.train_occluded), False)
        return shots
    for camera in cameras:
        take("query", int(camera), False, False)
    for camera in spread(quota.gallery):
        take("gallery", camera, bool(rng.random() < quota.gallery_occluded), False)
    for camera in spread(quota.occluded):
        take("query", camera, True, True)
    return shots
