"""What hides people: walls, cars, poles, planters and passers-by between them and the camera, and boxes cut short."""

from collections.abc import Sequence

import numpy as np

from isp_assets.walkers.generate import furniture as f
from isp_assets.walkers.generate.arrays import Colour, Floats
from isp_assets.walkers.generate.camera import Box, Camera
from isp_assets.walkers.generate.gait import Step, walking
from isp_assets.walkers.generate.mesh import Material, Mesh
from isp_assets.walkers.generate.person import Person, Stance
from isp_assets.walkers.generate.shots import Occlusion

_WALLS = (
    Material("brick", (0.44, 0.25, 0.18), (0.52, 0.49, 0.44), seed=3),
    Material("concrete", (0.56, 0.55, 0.53), period=1.6, seed=6),
    Material("plaster", (0.62, 0.58, 0.50), (0.40, 0.38, 0.35), height=0.2, seed=2),
)
_BARK = Material("bark", (0.27, 0.22, 0.17), seed=5)
_PAINTS: tuple[Colour, ...] = (
    (0.68, 0.69, 0.71),
    (0.36, 0.37, 0.39),
    (0.09, 0.09, 0.10),
    (0.12, 0.17, 0.30),
    (0.46, 0.09, 0.09),
    (0.78, 0.78, 0.76),
)


def bulk(person: Person) -> tuple[float, float]:
    """How far the left and right arm are kept from the torso, for `gait.walking`: further outside a slung bag."""
    width = float(np.ptp(person.body.vertices[:13380, 0]))
    base = 0.2 + max(0.0, (width - 11.0) * 0.02)
    bag = person.belonging
    if bag is None or bag.kind not in ("shoulder bag", "messenger bag"):
        return base, base
    return (base + 1.0, base) if bag.side > 0 else (base, base + 1.0)


def stroll(person: Person, place: tuple[float, float], heading: float, rng: np.random.Generator) -> Mesh:
    """A passer-by in some step of a walk."""
    holds = person.belonging is not None and person.belonging.kind in ("handbag", "shopping bag", "suitcase")
    left = holds and person.belonging is not None and person.belonging.side > 0
    step = Step(
        phase=float(rng.random()), stride=float(rng.uniform(0.6, 1.0)), swing=1.0,
        arms=("hold" if left else "swing", "hold" if holds and not left else "swing"),
        look=(float(rng.normal(0, 0.2)), 0.05), bow=0.02,
    )  # fmt: skip
    return person.stand(Stance(walking(person.body, step, bulk(person)), heading, place))


def _towards(camera: Camera, place: tuple[float, float]) -> tuple[Floats, Floats, float]:
    """On the ground, from a place: unit vectors to the camera and aside, and the yaw that faces it."""
    to = np.array([camera.position[0] - place[0], camera.position[2] - place[1]])
    to /= np.linalg.norm(to)
    return to, np.array([-to[1], to[0]]), float(np.degrees(np.arctan2(to[0], to[1])))


def place_occluder(
    kind: Occlusion, camera: Camera, place: tuple[float, float], crowd: Sequence[Person], rng: np.random.Generator
) -> list[Mesh]:
    """Meshes before a person at `place`; none for "crop" (see `cut_short`) and ""."""
    to, aside, yaw = _towards(camera, place)

    def at(ahead: float, right: float) -> tuple[float, float]:
        spot = np.array(place) + to * ahead + aside * right
        return float(spot[0]), float(spot[1])

    if kind == "wall":
        x, z = at(rng.uniform(0.6, 1.0), 0)
        wall = _WALLS[rng.integers(len(_WALLS))]
        return [f.box((x, 0, z), (7, rng.uniform(0.5, 0.95), 0.22), wall, yaw + rng.normal(0, 6))]
    if kind == "car":
        x, z = at(rng.uniform(1.3, 1.6), rng.uniform(-1.6, 1.6))
        colour = _PAINTS[rng.integers(len(_PAINTS))]
        return [f.car(x, z, yaw + rng.choice([0, 180]) + rng.normal(0, 5), colour, rng.uniform(3.8, 4.5))]
    if kind == "pole":
        x, z = at(rng.uniform(0.5, 1.1), rng.uniform(-0.2, 0.2))
        if rng.random() < 0.4:
            return [f.pole(x, z, 4.5, rng.uniform(0.09, 0.14), _BARK)]
        return [f.pole(x, z, 4.5, rng.uniform(0.06, 0.16), f.STEEL if rng.random() < 0.6 else f.DARK)]
    if kind == "planter":
        x, z = at(rng.uniform(0.6, 0.9), rng.uniform(-0.5, 0.5))
        return [f.hedge(x, z, rng.uniform(1.0, 2.4), rng.uniform(0.6, 1.05), 0.5, rng, yaw)]
    if kind == "person":
        other = crowd[int(rng.integers(len(crowd)))]
        spot = at(rng.uniform(0.7, 1.2), float(rng.choice([-1, 1])) * rng.uniform(0.14, 0.4))
        return [stroll(other, spot, float(rng.uniform(0, 360)), rng)]
    return []


def passer_by(camera: Camera, place: tuple[float, float], crowd: Sequence[Person], rng: np.random.Generator) -> Mesh:
    """Somebody behind a person at `place`, hiding nothing."""
    to, aside, _ = _towards(camera, place)
    spot = np.array(place) - to * rng.uniform(1.0, 3.0) + aside * rng.uniform(-0.9, 0.9)
    return stroll(
        crowd[int(rng.integers(len(crowd)))], (float(spot[0]), float(spot[1])), float(rng.uniform(0, 360)), rng
    )


def detector_box(bounds: Box, rng: np.random.Generator) -> Box:
    """A detector's box about a person: a little loose, a little off, never slimmer than people are."""
    height = bounds.height * (1.06 + 0.035 * rng.normal())
    width = max(height * (0.46 + 0.03 * rng.normal()), min(bounds.width * 1.06, height * 0.72))
    off = 0.03 * rng.normal() * height, 0.014 * rng.normal() * height
    return bounds.resized(width, height).shifted(*off)


def cut_short(box: Box, rng: np.random.Generator) -> Box:
    """A box that a detector cut too short: legs, head or one side outside; half of them keep their width."""
    edge = rng.choice(["bottom", "bottom", "side", "top"])
    if edge == "bottom":
        box = Box(box.left, box.top, box.right, box.top + box.height * rng.uniform(0.45, 0.75))
    elif edge == "top":
        box = Box(box.left, box.top + box.height * rng.uniform(0.15, 0.32), box.right, box.bottom)
    else:
        return box.shifted(box.width * float(rng.choice([-1, 1])) * rng.uniform(0.32, 0.5), 0)
    return box.resized(max(box.height * 0.46, box.width * 0.8), box.height)
