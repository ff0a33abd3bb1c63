"""The six places where cameras hang: what stands there, who looks from where, in which light on which day.

World axes: y up, cameras look roughly along +z, people walk about the origin. Six places differ in height, lens,
ground and walls; each has two sessions (Market-1501's sequence number) with other light and other parked cars.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from isp_assets.walkers.generate import furniture as f
from isp_assets.walkers.generate import weather
from isp_assets.walkers.generate.arrays import Colour
from isp_assets.walkers.generate.camera import Camera
from isp_assets.walkers.generate.mesh import Material, Mesh, join
from isp_assets.walkers.generate.weather import Session

_CAR_COLOURS: tuple[Colour, ...] = (
    (0.70, 0.71, 0.73), (0.42, 0.43, 0.45), (0.10, 0.10, 0.11), (0.80, 0.80, 0.79),
    (0.13, 0.18, 0.30), (0.45, 0.08, 0.08),
)  # fmt: skip
_KERB = Material("concrete", (0.60, 0.59, 0.57), period=0.9)


@dataclass(frozen=True)
class Place:
    """A camera's place. `lanes` are the headings (degrees) that most people walk in; `walk` the ground they use (m)."""

    name: str
    camera: Camera
    build: Callable[[np.random.Generator], list[Mesh]]
    sessions: tuple[Session, Session]
    walk: tuple[tuple[float, float], tuple[float, float]]  # x range, z range
    lanes: tuple[float, ...]
    bystanders: tuple[tuple[float, float], ...]  # where people stand all day in the background

    def street(self, rng: np.random.Generator) -> Mesh:
        return join(self.build(rng))


def _parked(rng: np.random.Generator, z: float, start: float, count: int, yaw: float) -> list[Mesh]:
    cars, x = [], start
    for _ in range(count):
        length = rng.uniform(3.8, 4.6)
        colour = _CAR_COLOURS[rng.integers(len(_CAR_COLOURS))]
        cars.append(f.car(x + length / 2, z + rng.normal(0, 0.08), yaw, colour, length, rng.uniform(0.97, 1.15)))
        x += length + rng.uniform(0.5, 1.4)
    return cars


def _posters(
    rng: np.random.Generator, z: float, xs: tuple[float, ...], bottom: float, size: tuple[float, float]
) -> list[Mesh]:
    sheets = []
    for x in xs:
        first, second, third = (tuple(float(c) for c in rng.uniform(0.1, 0.8, 3)) for _ in range(3))
        material = Material("poster", first, second, third, period=size[0], height=size[1], seed=int(rng.integers(99)))  # type: ignore[arg-type]
        sheets.append(f.box((x, bottom - 0.04, z + 0.03), (size[0] + 0.1, size[1] + 0.08, 0.05), f.STEEL))
        sheets.append(f.sheet(x, z - 0.01, bottom, size, material))
    return sheets


def _shops(rng: np.random.Generator) -> list[Mesh]:
    """A pavement before a row of shops."""
    wood: Colour = (0.20, 0.23, 0.24)
    parts = [
        f.ground((-9, 9), (-5, 5.2), Material("paving", (0.55, 0.53, 0.50), period=0.6, seed=2)),
        f.box(
            (-5.6, 0, 5.6), (6.4, 3.2, 0.8), Material("shop", wood, (0.35, 0.10, 0.09), period=2.1, height=2.5, seed=4)
        ),
        f.box(
            (1.0, 0, 5.6),
            (6.8, 3.2, 0.8),
            Material("shop", (0.52, 0.47, 0.38), (0.12, 0.25, 0.28), period=1.7, height=2.5, seed=9),
        ),
        f.box((7.6, 0, 5.6), (6.4, 3.2, 0.8), Material("brick", (0.44, 0.24, 0.17), (0.52, 0.48, 0.43), seed=3)),
        f.box(
            (0, 3.2, 5.7), (20, 6, 0.8), Material("windows", (0.48, 0.30, 0.23), (0.75, 0.74, 0.70), period=1.9, seed=5)
        ),
        f.sheet(-2.35, 5.15, 0, (0.9, 2.1), Material("door", (0.16, 0.22, 0.19), gloss=0.2)),
        f.sheet(5.2, 5.15, 0, (1.0, 2.1), Material("door", (0.35, 0.20, 0.12), gloss=0.2)),
        f.box((7.3, 0.5, 5.1), (1.9, 2.0, 0.1), Material("shutter", (0.45, 0.47, 0.48), (0.2, 0.25, 0.5), seed=3)),
        f.bin_(3.3, 4.6, (0.16, 0.24, 0.18)),
        f.pole(-3.6, 4.2, 5.0, 0.06),
        f.bicycle(-0.7, 4.75, 4, (0.30, 0.08, 0.08)),
        f.ground((-0.55, 0.15), (2.2, 2.9), Material("metal", (0.20, 0.20, 0.21), gloss=0.2), 0.004),
    ]
    parts += [
        f.box((x, 0, 4.3), (0.62, 0.95, 0.05), Material("boards", (0.13, 0.13, 0.14), period=0.9), 12) for x in (1.4,)
    ]
    parts += [f.planter(x, 4.75, 0.9, rng) for x in (-5.2, 2.2)]
    return parts


def _crossing(rng: np.random.Generator) -> list[Mesh]:
    """A zebra crossing, parked cars behind it, a far pavement."""
    paint = Material("marking", (0.78, 0.78, 0.75), (0.27, 0.27, 0.28))
    parts = [
        f.ground((-14, 14), (-7, 4.4), Material("asphalt", (0.30, 0.30, 0.315), seed=1)),
        f.box((0, 0, 6.9), (28, 0.12, 5.0), Material("paving", (0.52, 0.51, 0.49), period=0.5, seed=7)),
        f.box((0, 0, 4.4), (28, 0.13, 0.18), _KERB),
        f.box(
            (0, 0, 10.2), (28, 7, 1.4), Material("plaster", (0.66, 0.60, 0.48), (0.36, 0.34, 0.32), height=0.9, seed=4)
        ),
        f.ground((-14, 14), (3.95, 4.07), Material("marking", (0.70, 0.62, 0.20), (0.27, 0.27, 0.28)), 0.005),
        f.pole(4.2, 4.8, 3.2, 0.05),
        f.pole(-4.6, 4.8, 3.0, 0.05, f.DARK),
        f.bin_(2.9, 5.0, (0.15, 0.30, 0.20)),
    ]
    parts += [f.ground((-1.9 + 0.95 * k, -1.45 + 0.95 * k), (-3.4, 2.6), paint, 0.005) for k in range(-1, 6)]
    parts += [f.ground((x, x + 0.12), (-6, 3.9), paint, 0.005) for x in (-5.4, 6.0)]
    parts += [f.sheet(x, 9.45, 0.12, (1.0, 2.1), Material("door", (0.28, 0.16, 0.10))) for x in (-6.0, 0.8, 7.5)]
    parts += [
        f.sheet(x, 9.44, 1.1, (1.2, 1.4), Material("windows", (0.7, 0.7, 0.66), (0.8, 0.8, 0.78), period=1.2))
        for x in (-3.4, 3.8)
    ]
    parts += _parked(rng, 3.0, -13.5, 2, 0) + _parked(rng, 3.0, 6.6, 2, 180)
    parts += _parked(rng, 8.1, -9.0, 1, 180)
    parts += [f.tree(-2.2, 6.0, 4.6, rng), f.tree(7.4, 6.0, 4.8, rng)]
    return parts


def _arcade(rng: np.random.Generator) -> list[Mesh]:
    """A covered passage of concrete with columns, posters and a bench; the light comes from its open side."""
    grey = Material("concrete", (0.57, 0.57, 0.56), period=1.5, seed=3)
    parts = [
        f.ground((-9, 9), (-6, 5.0), Material("concrete", (0.46, 0.46, 0.45), period=1.2, seed=8)),
        f.box((0, 0, 5.2), (20, 4.5, 0.5), Material("concrete", (0.62, 0.61, 0.58), period=2.4, seed=5)),
        f.box((0, 4.2, 1.0), (20, 0.4, 8.0), grey),
        f.box((2.9, 0, 4.95), (2.2, 2.3, 0.1), Material("shutter", (0.50, 0.52, 0.50), (0.45, 0.12, 0.1), seed=7)),
        f.sheet(-4.3, 4.93, 0, (1.0, 2.15), Material("door", (0.24, 0.33, 0.42), gloss=0.2)),
        f.bench(0.5, 4.3),
        f.bin_(1.9, 4.4, (0.30, 0.31, 0.32)),
        f.bicycle(-2.6, 4.6, -3, (0.10, 0.22, 0.40)),
    ]
    parts += [f.box((x, 0, 3.3), (0.5, 4.2, 0.5), grey) for x in (-5.2, -1.7, 4.6)]
    parts += _posters(rng, 4.9, (-0.5, 0.75, 6.4), 0.75, (0.9, 1.35))
    return parts


def _park(rng: np.random.Generator) -> list[Mesh]:
    """A gravel path at eye level, lawns, hedges, trees and a railing; dappled shade."""
    green = Material("metal", (0.08, 0.16, 0.12), gloss=0.2)
    lawn = Material("grass", (0.27, 0.36, 0.16), (0.42, 0.36, 0.26), seed=2)
    parts = [
        f.ground((-14, 14), (-8, 2.4), Material("gravel", (0.58, 0.53, 0.45), seed=6)),
        f.ground((-20, 20), (2.4, 26), lawn, 0.01),
        f.box((0, 0, 2.4), (28, 0.09, 0.10), _KERB),
        f.railing((-7, -0.6), 3.0, 0.8, green),
        f.hedge(4.2, 5.6, 6.0, 1.1, 0.8, rng),
        f.hedge(-7.5, 9.0, 9.0, 1.5, 0.9, rng, 4),
        f.box((2, 0, 27), (44, 9, 1), Material("windows", (0.55, 0.50, 0.44), (0.78, 0.77, 0.74), period=2.4, seed=8)),
        f.bench(1.7, 2.95),
        f.bin_(3.1, 2.9, (0.13, 0.2, 0.15)),
        f.pole(0.2, 3.3, 4.2, 0.05, green),
    ]
    spots = ((-4.0, 5.2), (-1.6, 8.0), (3.0, 9.5), (6.5, 7.0), (-8.5, 6.5), (9.0, 12.0), (0.5, 14.0), (-5.0, 15.0))
    parts += [f.tree(x, z, rng.uniform(4.6, 6.4), rng) for x, z in spots]
    parts += [f.tree(-4.6, -2.2, 5.6, rng)]
    return parts


def _square(rng: np.random.Generator) -> list[Mesh]:
    """A cobbled square from high up: planters, bicycles, a news stand, bollards."""
    parts = [
        f.ground((-14, 14), (-9, 5.0), Material("cobbles", (0.50, 0.48, 0.45), period=0.16, seed=5)),
        f.ground((-14, 14), (5.0, 16), Material("paving", (0.60, 0.57, 0.52), period=0.9, seed=3)),
        f.ground((-14, 14), (2.5, 2.8), Material("concrete", (0.58, 0.57, 0.54), period=1.0), 0.004),
        f.ground((-2.2, -1.9), (-9, 5.0), Material("concrete", (0.58, 0.57, 0.54), period=1.0), 0.004),
        f.box((-4.6, 0, 6.4), (2.6, 2.5, 2.0), Material("boards", (0.16, 0.30, 0.27), period=0.14, seed=2)),
        f.box(
            (0, 0, 13),
            (30, 9, 1),
            Material("shop", (0.58, 0.53, 0.44), (0.25, 0.14, 0.10), period=2.6, height=2.7, seed=6),
        ),
        f.bench(-1.4, 5.6),
        f.bin_(1.2, 5.4, (0.2, 0.2, 0.21)),
        f.ground((2.6, 3.3), (-1.6, -0.9), Material("metal", (0.20, 0.20, 0.21), gloss=0.2), 0.004),
    ]
    parts += [f.planter(x, 4.4, 1.9, rng) for x in (3.4, 6.2, -7.8)]
    parts += [f.pole(x, 3.6, 0.9, 0.07, f.DARK) for x in (-6.0, -4.4, -2.8, -1.2, 0.4, 2.0)]
    parts += [f.bicycle(1.0 + 0.6 * k, 6.6, 80 + 6 * k, _CAR_COLOURS[k]) for k in range(5)]
    parts += [f.tree(-8.0, 3.0, 5.0, rng), f.tree(6.9, 8.0, 5.2, rng)]
    return parts


def _station(rng: np.random.Generator) -> list[Mesh]:
    """A tiled hall under lamps: posters, ticket machines, a yellow line."""
    parts = [
        f.ground(
            (-9, 9), (-5, 4.6), Material("tiles", (0.47, 0.44, 0.40), (0.47, 0.44, 0.40), period=0.4, height=99, seed=4)
        ),
        f.ground((-9, 9), (2.9, 3.15), Material("marking", (0.72, 0.60, 0.18), (0.45, 0.42, 0.38)), 0.004),
        f.box(
            (0, 0, 4.8),
            (20, 4, 0.4),
            Material("tiles", (0.73, 0.71, 0.64), (0.25, 0.33, 0.42), period=0.16, height=2.0, seed=3),
        ),
        f.box((0, 0, 4.58), (20, 0.14, 0.05), Material("metal", (0.18, 0.15, 0.13))),
        f.box((3.2, 0, 4.3), (0.85, 1.9, 0.6), Material("metal", (0.16, 0.26, 0.40), gloss=0.2)),
        f.sheet(3.2, 3.98, 1.05, (0.5, 0.4), Material("metal", (0.55, 0.66, 0.70), gloss=0.3)),
        f.box((4.2, 0, 4.3), (0.85, 1.9, 0.6), Material("metal", (0.55, 0.56, 0.56), gloss=0.2)),
        f.bench(-0.2, 4.15),
        f.bin_(1.6, 4.2, (0.42, 0.43, 0.44)),
        f.box(
            (-5.2, 0, 2.0),
            (0.6, 4, 0.6),
            Material("tiles", (0.60, 0.58, 0.52), (0.60, 0.58, 0.52), period=0.16, height=9.0),
        ),
    ]
    parts += _posters(rng, 4.55, (-3.9, -2.2, 0.4, 6.2), 0.8, (1.2, 1.1))
    return parts


# fmt: off
PLACES: tuple[Place, ...] = (
    Place("shops", Camera((0.4, 3.1, -7.5), (0, 0.9, 0)), _shops, weather.SHOPS,
          ((-1.7, 1.7), (-1.3, 2.4)), (90, 270), ((-3.0, 4.3), (6.3, 3.9))),
    Place("crossing", Camera((1.6, 4.7, -8.4), (0, 0.8, 0)), _crossing, weather.CROSSING,
          ((-1.8, 1.8), (-1.5, 1.6)), (0, 180), ((3.6, 6.4),)),
    Place("arcade", Camera((-1.0, 2.1, -6.2), (0, 1.0, 0)), _arcade, weather.ARCADE,
          ((-1.6, 1.6), (-1.2, 2.0)), (90, 270), ((3.6, 4.2),)),
    Place("park", Camera((0.2, 1.6, -9.0), (0, 0.98, 0)), _park, weather.PARK,
          ((-1.6, 1.6), (-1.4, 1.3)), (90, 270, 0, 180), ((-2.4, 3.4), (5.4, 3.6))),
    Place("square", Camera((2.0, 5.8, -10.0), (0, 0.8, 0)), _square, weather.SQUARE,
          ((-1.8, 1.8), (-1.6, 2.0)), (0, 90, 180, 270), ((-3.4, 4.9), (4.9, 5.6))),
    Place("station", Camera((0, 2.7, -5.3), (0, 0.95, 0)), _station, weather.STATION,
          ((-1.5, 1.5), (-1.1, 1.8)), (90, 270), ((-3.2, 3.7), (2.4, 3.6))),
)
# fmt: on
