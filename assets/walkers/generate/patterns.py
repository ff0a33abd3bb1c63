"""Colours of people: cloth, leather, hair, skin and eyes as functions of rest-pose coordinates in dm.

Each takes a material, coords (n, 7) and paint (n, 4) and returns sRGB (n, 3). Light is not its business.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isp_assets.walkers.generate.arrays import Bools, Floats
from isp_assets.walkers.generate.mesh import Material
from isp_assets.walkers.generate.noise import cells, fractal

Pattern = Callable[[Material, Floats, Floats], Floats]


def blend(first: Floats, second: Floats, share: NDArray[np.floating[Any]] | Bools) -> Floats:
    """Rows of `first` where share (n,) is 0, of `second` where it is 1."""
    weight = np.asarray(share, float)[:, None]
    mixed: Floats = first * (1 - weight) + second * weight
    return mixed


def _local(coords: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """x, y, z in the frame of the torso or of the sleeve, and the angle about that frame's long axis."""
    sleeve = coords[:, 3] > 0.5
    x, y, z = np.where(sleeve[:, None], coords[:, 4:7], coords[:, :3]).T
    around = np.arctan2(x, z + np.where(sleeve, 0, 0.1)) * np.where(sleeve, 0.8, 1.6)
    return x, y, z, around


def _cloth(material: Material, coords: Floats, second: Floats | Bools, share: float = 1.0) -> Floats:
    base = np.broadcast_to(np.array(material.colour), (len(coords), 3))
    other = np.broadcast_to(np.array(material.second), (len(coords), 3))
    colour = blend(base, other, np.asarray(second, float) * share)
    x, y, z, _ = _local(coords)
    worn = 0.92 + 0.16 * fractal(x * 1.7 + 3, y * 1.7 + z, 11, 2)
    thread = 0.96 + 0.08 * fractal(x * 24 + z * 9, y * 24, 12, 1)
    out: Floats = colour * (worn * thread)[:, None]
    return out


def plain(material: Material, coords: Floats, paint: Floats) -> Floats:
    return _cloth(material, coords, np.zeros(len(coords)))


def stripes(material: Material, coords: Floats, paint: Floats) -> Floats:
    _, y, _, _ = _local(coords)
    return _cloth(material, coords, (y / material.period) % 1 < material.share)


def pinstripes(material: Material, coords: Floats, paint: Floats) -> Floats:
    _, _, _, around = _local(coords)
    return _cloth(material, coords, (around / material.period) % 1 < material.share)


def plaid(material: Material, coords: Floats, paint: Floats) -> Floats:
    _, y, _, around = _local(coords)
    rows = ((y / material.period) % 1 < 0.5) * 0.5
    columns = ((around / material.period) % 1 < 0.5) * 0.5
    return _cloth(material, coords, rows + columns)


def yoke(material: Material, coords: Floats, paint: Floats) -> Floats:
    _, y, _, _ = _local(coords)
    return _cloth(material, coords, y > material.height)


def band(material: Material, coords: Floats, paint: Floats) -> Floats:
    _, y, _, _ = _local(coords)
    return _cloth(material, coords, (y > material.height) & (y < material.height + material.period))


def _on_chest(material: Material, coords: Floats) -> tuple[Floats, Floats, Bools]:
    x, y, z, _ = _local(coords)
    front = (z > 0) & (coords[:, 3] < 0.1)
    return x / material.period, (y - material.height) / material.period, front


def disc(material: Material, coords: Floats, paint: Floats) -> Floats:
    u, v, front = _on_chest(material, coords)
    return _cloth(material, coords, front & (u * u + v * v < 1) & (u * u + v * v > material.share))


def lettering(material: Material, coords: Floats, paint: Floats) -> Floats:
    u, v, front = _on_chest(material, coords)
    glyphs = cells(u * 5 + 50, v * 4 + 50, material.seed) > 0.45
    return _cloth(material, coords, front & (abs(u) < 1.3) & (abs(v) < 0.6) & glyphs)


def dots(material: Material, coords: Floats, paint: Floats) -> Floats:
    x, y, _, _ = _local(coords)
    u, v = x / material.period % 1 - 0.5, y / material.period % 1 - 0.5
    return _cloth(material, coords, u * u + v * v < 0.06)


def mottled(material: Material, coords: Floats, paint: Floats) -> Floats:
    x, y, z, _ = _local(coords)
    colour = _cloth(material, coords, fractal(x * 1.1 + y * 0.2, y * 1.1 + z, 3) > 0.5)
    third = np.broadcast_to(np.array(material.third), colour.shape)
    return blend(colour, third, fractal(x * 1.3 + 9, y * 1.2 - z, 7) > 0.58)


def denim(material: Material, coords: Floats, paint: Floats) -> Floats:
    x, y, z, _ = _local(coords)
    colour = plain(material, coords, paint) * (0.8 + 0.4 * fractal(x * 2.2, y * 1.1 + z, 5))[:, None]
    faded = 0.10 * np.clip(z / 1.5, 0, 1) * np.clip(fractal(x * 0.8, y * 0.5, 2) * 2 - 0.6, 0, 1)
    out: Floats = colour + faded[:, None]
    return out


def hair(material: Material, coords: Floats, paint: Floats) -> Floats:
    strands = fractal(coords[:, 0] * 14 + coords[:, 2] * 5, coords[:, 1] * 2 + coords[:, 2], 3)
    out: Floats = np.array(material.colour) * (0.55 + 0.85 * strands)[:, None]
    return out


def skin(material: Material, coords: Floats, paint: Floats) -> Floats:
    """Paint channels: lips, brows, beard zone, scalp. `second` is the hair's colour, `share` the beard's density."""
    tone, hair_colour = np.array(material.colour), np.array(material.second)
    colour = tone * (0.95 + 0.1 * fractal(coords[:, 0] * 2, coords[:, 1] * 2, 4, 2))[:, None]
    rows = np.broadcast_to(hair_colour, colour.shape)
    lips = np.broadcast_to(tone * np.array([0.80, 0.55, 0.52]), colour.shape)
    colour = blend(colour, rows * 0.8, np.clip(paint[:, 2], 0, 1) * material.share)
    colour = blend(colour, lips, np.clip(paint[:, 0], 0, 1) * 0.8)
    colour = blend(colour, rows * 0.7, np.clip(paint[:, 1], 0, 1) * 0.75)
    return blend(colour, rows * 0.85, np.clip(paint[:, 3] * 2 - 0.4, 0, 1))


def eye(material: Material, coords: Floats, paint: Floats) -> Floats:
    """The first paint channel is the cosine to the line of sight."""
    colour = np.full((len(coords), 3), 0.78)
    colour[paint[:, 0] > 0.86] = material.colour
    colour[paint[:, 0] > 0.97] = 0.02
    return colour


CLOTH: dict[str, Pattern] = {
    function.__name__: function
    for function in (
        plain, stripes, pinstripes, plaid, yoke, band, disc, lettering, dots, mottled, denim, hair, skin, eye,
    )
}  # fmt: skip
