"""A person's naked shape: morphed base mesh, joints, and which limb each vertex belongs to."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from isp_assets.walkers.generate.arrays import Floats, Ints
from isp_assets.walkers.generate.library import Library

TORSO, LEFT_ARM, RIGHT_ARM, LEFT_LEG, RIGHT_LEG, NECK, HEAD = range(7)
_LIMBS = (
    (("upperleg", "lowerleg", "foot", "toe"), LEFT_LEG, RIGHT_LEG),
    (("upperarm", "lowerarm", "wrist", "finger", "metacarpal"), LEFT_ARM, RIGHT_ARM),
    (("neck",), NECK, NECK),
    (("root", "pelvis", "spine", "clavicle", "shoulder", "breast"), TORSO, TORSO),
)


@dataclass(frozen=True)
class Shape:
    """Coordinates in MakeHuman's space of adult bodies.

    gender 0 female .. 1 male; age 0 young .. 1 old; muscle, weight, height, proportions -1 .. 1. `ancestry` weighs
    the three base morphs that MakeHuman's targets need; it varies faces and is neither recorded nor a label.
    """

    gender: float
    age: float
    muscle: float
    weight: float
    height: float
    proportions: float
    ancestry: tuple[float, float, float]


def _three(value: float, names: tuple[str, str, str]) -> Iterator[tuple[str, float]]:
    yield from zip(names, (max(0.0, -value), 1 - abs(value), max(0.0, value)), strict=True)


def target_amounts(shape: Shape) -> dict[str, float]:
    """The morph targets of a shape and how much of each: the product of its factors' weights; zeros left out."""
    amounts: dict[str, float] = {}
    tall = "maxheight" if shape.height > 0 else "minheight"
    ideal = "idealproportions" if shape.proportions > 0 else "uncommonproportions"
    for gender, of_gender in (("female", 1 - shape.gender), ("male", shape.gender)):
        for age, of_age in (("young", 1 - shape.age), ("old", shape.age)):
            who, share = f"{gender}-{age}", of_gender * of_age
            for kind, weight in zip(("caucasian", "asian", "african"), shape.ancestry, strict=True):
                amounts[f"{kind}-{who}"] = share * weight
            for muscle, of_muscle in _three(shape.muscle, ("minmuscle", "averagemuscle", "maxmuscle")):
                for weight_name, of_weight in _three(shape.weight, ("minweight", "averageweight", "maxweight")):
                    amount, build = share * of_muscle * of_weight, f"{who}-{muscle}-{weight_name}"
                    amounts[f"universal-{build}"] = amount
                    amounts[f"{build}-{tall}"] = amount * abs(shape.height)
                    amounts[f"{build}-{ideal}"] = amount * abs(shape.proportions)
    return {name: amount for name, amount in amounts.items() if amount > 1e-4}


def bone_limbs(names: tuple[str, ...]) -> Ints:
    """(B,) the limb of each bone; what is no limb, neck or torso is head."""
    out = np.full(len(names), HEAD, np.int64)
    for i, name in enumerate(names):
        for starts, left, right in _LIMBS:
            if name.startswith(starts):
                out[i] = right if name.endswith(".R") else left
                break
    return out


class Body:
    """A shape's vertices (19158, 3) in dm, joints (B, 3) and limb weights (19158, 7)."""

    def __init__(self, library: Library, shape: Shape) -> None:
        self.library = library
        self.skeleton = library.skeleton
        self.vertices = library.base.vertices.copy()
        for name, amount in target_amounts(shape).items():
            target = library.target(name)
            if target is not None:
                self.vertices[target.indices] += amount * target.offsets
        self.heads = np.array([self.vertices[joint].mean(axis=0) for joint in self.skeleton.heads])
        self.tails = np.array([self.vertices[joint].mean(axis=0) for joint in self.skeleton.tails])
        limbs = bone_limbs(self.skeleton.names)
        self.gather = np.eye(7)[limbs]  # (B, 7)
        self.limb_weights = np.asarray(self.skeleton.weights @ self.gather)  # (V, 7)

    def head(self, bone: str) -> Floats:
        joint: Floats = self.heads[self.skeleton.index(bone)]
        return joint

    def tail(self, bone: str) -> Floats:
        joint: Floats = self.tails[self.skeleton.index(bone)]
        return joint
