"""Colours of streets: ground, walls, shop fronts, cars and leaves as functions of surface coordinates in metres.

Each takes a material, coords (n, 7) whose first two columns run along the surface (for walls: along, up), and paint
(n, 4), and returns sRGB (n, 3). Light is not its business.
"""

import numpy as np

from isp_assets.walkers.generate.arrays import Bools, Floats
from isp_assets.walkers.generate.mesh import Material
from isp_assets.walkers.generate.noise import cells, fractal
from isp_assets.walkers.generate.patterns import Pattern, blend


def _rows(material: Material, count: int) -> Floats:
    return np.broadcast_to(np.array(material.colour), (count, 3)).copy()


def _grime(u: Floats, v: Floats, seed: int, depth: float) -> Floats:
    """(n,) slow and fast variation about 1: sun-bleached patches, dirt, grain."""
    slow, fast = fractal(u * 0.45, v * 0.45, seed, 3), fractal(u * 9, v * 9, seed + 20, 3)
    out: Floats = 1 + depth * (1.6 * (slow - 0.5) + 0.9 * (fast - 0.5))
    return out


def _cracks(u: Floats, v: Floats, seed: int) -> Bools:
    warp = fractal(u * 0.8, v * 0.8, seed, 4)
    return (np.abs(warp - 0.5) < 0.004) & (fractal(u * 0.3, v * 0.3, seed + 9, 2) > 0.62)


def _spots(u: Floats, v: Floats, seed: int, pitch: float, share: float, radius: float) -> Floats:
    """(n,) soft round spots (chewing gum, oil), one at most in each cell of side `pitch`, in a share of the cells."""
    a, b = u / pitch, v / pitch
    dx = a % 1 - 0.25 - 0.5 * cells(a, b, seed)
    dy = b % 1 - 0.25 - 0.5 * cells(a, b, seed + 1)
    here = cells(a, b, seed + 2) < share
    return np.where(here, np.clip(1.5 - np.hypot(dx, dy) * pitch / radius, 0, 1), 0.0)


def paving(material: Material, coords: Floats, paint: Floats) -> Floats:
    """Slabs of `period` m in running bond."""
    u, v = coords[:, 0] / material.period, coords[:, 1] / material.period * 1.4
    v = v + 0.5 * (np.floor(u) % 2)
    slab = cells(u, v, material.seed)
    tone = 0.86 + 0.22 * slab
    joint = np.minimum(np.minimum(u % 1, 1 - u % 1), np.minimum(v % 1, 1 - v % 1)) * material.period
    colour = _rows(material, len(u)) * (tone * _grime(coords[:, 0], coords[:, 1], material.seed, 0.34))[:, None]
    colour *= (1 - 0.42 * np.clip(1.6 - joint / 0.006, 0, 1))[:, None]
    return colour * (1 - 0.32 * _spots(coords[:, 0], coords[:, 1], material.seed + 5, 0.35, 0.22, 0.022))[:, None]


def cobbles(material: Material, coords: Floats, paint: Floats) -> Floats:
    u = coords[:, 0] / material.period
    v = coords[:, 1] / material.period + 0.5 * (np.floor(u) % 2)
    dome = np.maximum(np.abs(u % 1 - 0.5), np.abs(v % 1 - 0.5))
    tone = (0.75 + 0.4 * cells(u, v, material.seed)) * (1.1 - 1.3 * np.clip(dome - 0.3, 0, 1))
    return _rows(material, len(u)) * (tone * _grime(coords[:, 0], coords[:, 1], material.seed, 0.3))[:, None]


def asphalt(material: Material, coords: Floats, paint: Floats) -> Floats:
    u, v = coords[:, 0], coords[:, 1]
    aggregate = 0.8 + 0.4 * fractal(u * 60, v * 60, material.seed + 3, 2)
    patch = (np.abs(u * 0.31 + 3.2) % 1 < 0.3) & (np.abs(v * 0.23 + 0.4) % 1 < 0.25)
    tone = aggregate * _grime(u, v, material.seed, 0.4) * np.where(patch, 0.78, 1.0)
    tone = tone * np.where(_cracks(u, v, material.seed + 7), 0.55, 1.0)
    tone = tone * (1 - 0.35 * _spots(u, v, material.seed + 4, 1.3, 0.3, 0.16))
    return _rows(material, len(u)) * tone[:, None]


def concrete(material: Material, coords: Floats, paint: Floats) -> Floats:
    """Cast slabs of `period` m; on walls, dark streaks run down from the top edge."""
    u, v = coords[:, 0], coords[:, 1]
    seam = np.minimum(u / material.period % 1, v / material.period % 1) * material.period < 0.014
    streak = 1 - 0.25 * np.clip(fractal(u * 5, v * 0.25, material.seed + 2, 3) * 2 - 0.9, 0, 1)
    tone = _grime(u, v, material.seed, 0.32) * streak * np.where(seam, 0.6, 1.0)
    tone = tone * np.where(_cracks(u, v, material.seed + 7), 0.75, 1.0)
    return _rows(material, len(u)) * tone[:, None]


def plaster(material: Material, coords: Floats, paint: Floats) -> Floats:
    """A painted wall with a darker plinth up to `height` and splashes above it."""
    u, v = coords[:, 0], coords[:, 1]
    colour = _rows(material, len(u)) * _grime(u, v, material.seed, 0.16)[:, None]
    second = np.broadcast_to(np.array(material.second), colour.shape) * _grime(u, v, material.seed + 1, 0.25)[:, None]
    colour = colour * (1 - 0.3 * np.exp(-np.clip(v - material.height, 0, 9) * 3) * fractal(u * 3, v * 2, 5))[:, None]
    return blend(colour, second, v < material.height)


def grass(material: Material, coords: Floats, paint: Floats) -> Floats:
    u, v = coords[:, 0], coords[:, 1]
    blades = fractal(u * 40, v * 14, material.seed, 3)
    bare = np.clip(fractal(u * 0.9, v * 0.9, material.seed + 4, 3) * 4 - 2.3, 0, 1)
    colour = _rows(material, len(u)) * (0.45 + 1.1 * blades)[:, None] * _grime(u, v, material.seed, 0.3)[:, None]
    return blend(colour, np.broadcast_to(np.array(material.second), colour.shape), bare)


def gravel(material: Material, coords: Floats, paint: Floats) -> Floats:
    u, v = coords[:, 0], coords[:, 1]
    stones = 0.7 + 0.6 * cells(u * 45 + 3 * fractal(u * 9, v * 9, 2, 1), v * 45, material.seed)
    return _rows(material, len(u)) * (stones * _grime(u, v, material.seed, 0.35))[:, None]


def brick(material: Material, coords: Floats, paint: Floats) -> Floats:
    u, v = coords[:, 0], coords[:, 1]
    course = np.floor(v / 0.075)
    along = u / 0.225 + 0.5 * (course % 2)
    tone = 0.7 + 0.5 * cells(along, v / 0.075, material.seed)
    mortar = ((along % 1) < 0.05) | ((v / 0.075 % 1) < 0.14)
    colour = blend(
        _rows(material, len(u)) * tone[:, None], np.broadcast_to(np.array(material.second), (len(u), 3)), mortar
    )
    out: Floats = colour * _grime(u, v, material.seed, 0.24)[:, None]
    return out


def tiles(material: Material, coords: Floats, paint: Floats) -> Floats:
    """Glazed tiles of `period` m; a band of the second colour from `height` up."""
    u, v = coords[:, 0] / material.period, coords[:, 1] / material.period
    joint = ((u % 1) < 0.03) | ((v % 1) < 0.03)
    colour = _rows(material, len(u))
    colour[coords[:, 1] > material.height] = material.second
    tone = (0.92 + 0.12 * cells(u, v, material.seed)) * np.where(joint, 0.72, 1.0)
    out: Floats = colour * (tone * _grime(coords[:, 0], coords[:, 1], material.seed, 0.14))[:, None]
    return out


def boards(material: Material, coords: Floats, paint: Floats) -> Floats:
    u, v = coords[:, 0], coords[:, 1]
    board = np.floor(u / material.period)
    grain = 0.7 + 0.5 * fractal(u * 30 + board * 7, v * 2.2, material.seed, 3)
    tone = (
        grain * (0.8 + 0.35 * cells(board, board, material.seed)) * np.where(u / material.period % 1 < 0.05, 0.4, 1.0)
    )
    return _rows(material, len(u)) * tone[:, None]


def shutter(material: Material, coords: Floats, paint: Floats) -> Floats:
    u, v = coords[:, 0], coords[:, 1]
    slat = 0.75 + 0.35 * np.abs(np.sin(v / 0.08 * np.pi))
    tag = (np.abs(fractal(u * 1.4, v * 2.0, material.seed + 5, 2) - 0.52) < 0.03) & (v < 1.9) & (v > 0.6)
    colour = _rows(material, len(u)) * (slat * _grime(u, v, material.seed, 0.25))[:, None]
    return blend(colour, np.broadcast_to(np.array(material.second), colour.shape), tag * 0.8)


def shop(material: Material, coords: Floats, paint: Floats) -> Floats:
    """Bays of `period` m: plinth, window with goods and reflections, fascia with lettering above `height`."""
    u, v = coords[:, 0], coords[:, 1]
    bay, inside = np.floor(u / material.period), u / material.period % 1 * material.period
    window = (v > 0.55) & (v < material.height - 0.12) & (inside > 0.12) & (inside < material.period - 0.06)
    shelf, on_shelf = np.floor(v / 0.42), v / 0.42 % 1
    lot = np.floor(u * 6.3 + 0.4 * np.sin(u * 2.1)) + bay * 7
    tall = 0.35 + 0.5 * cells(lot, shelf, material.seed)
    goods = (on_shelf < tall) & (v < 1.75) & (cells(lot, shelf, material.seed + 1) > 0.25)
    hue = np.stack([cells(lot + 31 * k, shelf + 17 * k, material.seed + k) for k in range(3)], axis=1)
    lamp = np.exp(-(((v - material.height * 0.8) / 0.45) ** 2))
    dim = 0.07 + 0.12 * lamp + 0.04 * (on_shelf > 0.93)
    grey = hue.mean(axis=1, keepdims=True)
    interior = dim[:, None] + (goods * 0.30)[:, None] * (0.55 * grey + 0.45 * hue) * np.array([1.0, 0.95, 0.85])
    interior = interior * (0.7 + 0.6 * fractal(u * 1.1, v * 1.5, material.seed + 6, 2))[:, None]
    mirrored = 0.20 * np.clip(fractal(u * 0.7 + v * 0.35, v * 0.5, material.seed + 8, 3) * 2.4 - 0.7, 0, 1)
    colour = _rows(material, len(u)) * _grime(u, v, material.seed, 0.18)[:, None]
    colour = np.where(window[:, None], interior + mirrored[:, None] * [0.85, 0.95, 1.0], colour)
    fascia = v > material.height
    letters = fascia & (np.abs(v - material.height - 0.28) < 0.13) & (cells(u * 7, v * 6, material.seed + 3) > 0.42)
    letters &= (inside > 0.2 * material.period) & (inside < 0.8 * material.period)
    sign = np.broadcast_to(np.array(material.second), colour.shape)
    colour = blend(colour, sign, fascia)
    return blend(colour, np.full(colour.shape, 0.86), letters * 0.9)


def windows(material: Material, coords: Floats, paint: Floats) -> Floats:
    """A façade of upper floors: framed panes every `period` m, some with curtains."""
    u, v = coords[:, 0] / material.period, coords[:, 1] / (material.period * 1.3)
    a, b = u % 1, v % 1
    pane = (a > 0.24) & (a < 0.76) & (b > 0.22) & (b < 0.82)
    frame = pane & ((np.abs(a - 0.5) < 0.02) | (a < 0.27) | (a > 0.73) | (b < 0.25) | (b > 0.79))
    sill = (a > 0.2) & (a < 0.8) & (b > 0.18) & (b < 0.22)
    colour = _rows(material, len(u)) * _grime(coords[:, 0], coords[:, 1], material.seed, 0.2)[:, None]
    glass = 0.12 + 0.28 * fractal(coords[:, 0] * 0.4, coords[:, 1] * 0.5, material.seed, 2)
    curtain = cells(u, v, material.seed + 4) > 0.6
    panes = np.where(curtain, 0.5 + 0.1 * np.sin(a * 90), glass)
    colour = np.where(pane[:, None], panes[:, None] * [0.9, 0.97, 1.0], colour)
    colour[frame | sill] = material.second
    return colour


def door(material: Material, coords: Floats, paint: Floats) -> Floats:
    u, v = coords[:, 0], coords[:, 1]
    panel = (np.abs(np.abs(u) - 0.22) < 0.16) & ((np.abs(v - 0.6) < 0.35) | (np.abs(v - 1.55) < 0.4))
    colour = _rows(material, len(u)) * _grime(u, v, material.seed, 0.15)[:, None]
    return colour * np.where(panel, 0.8, 1.0)[:, None]


def poster(material: Material, coords: Floats, paint: Floats) -> Floats:
    """A printed sheet, `period` wide and `height` high: a gradient, a large shape, lines of text, a pale margin."""
    u, v = coords[:, 0] / material.period + 0.5, coords[:, 1] / material.height
    first, second = np.array(material.colour), np.array(material.second)
    colour = blend(
        np.broadcast_to(first, (len(u), 3)), np.broadcast_to(second, (len(u), 3)), np.clip(v * 1.2 - 0.1, 0, 1)
    )
    shade = fractal(u * 3, v * 4, material.seed, 3)
    wobble = 0.08 * (shade - 0.5)
    shape = np.hypot((u - 0.35 - 0.3 * (material.seed % 2)) / 0.26, (v - 0.58) / 0.24) + wobble < 1
    colour = (
        blend(colour, np.broadcast_to(np.array(material.third), colour.shape), shape * 0.9)
        * (0.8 + 0.4 * shade)[:, None]
    )
    line = (
        (v > 0.08)
        & (v < 0.26)
        & (v * 16 % 1 < 0.55)
        & (u > 0.1)
        & (u < 0.5 + 0.4 * cells(v * 16, v * 16, material.seed))
    )
    line &= cells(u * 26, v * 16, material.seed + 1) > 0.2
    colour = blend(colour, np.full(colour.shape, 0.92), line * 0.85)
    edge = (u < 0.035) | (u > 0.965) | (v < 0.02) | (v > 0.98)
    return blend(colour, np.full(colour.shape, 0.8), edge)


def marking(material: Material, coords: Floats, paint: Floats) -> Floats:
    """Road paint, worn through to the asphalt below (`second`)."""
    u, v = coords[:, 0], coords[:, 1]
    worn = np.clip(fractal(u * 5, v * 5, material.seed, 4) * 5 - 2.7 - fractal(u * 60, v * 60, 3, 1), 0, 1)
    return (
        blend(_rows(material, len(u)), np.broadcast_to(np.array(material.second), (len(u), 3)), worn)
        * _grime(u, v, 3, 0.2)[:, None]
    )


def metal(material: Material, coords: Floats, paint: Floats) -> Floats:
    return _rows(material, len(coords)) * _grime(coords[:, 0] * 2, coords[:, 1] * 2, material.seed, 0.16)[:, None]


def bark(material: Material, coords: Floats, paint: Floats) -> Floats:
    ridges = 0.55 + 0.9 * fractal(coords[:, 0] * 30, coords[:, 1] * 5, material.seed, 3)
    return _rows(material, len(coords)) * ridges[:, None]


def leaf(material: Material, coords: Floats, paint: Floats) -> Floats:
    """Coordinates are the leaf's own centre, so that each leaf has one colour, darker inside the crown."""
    tone = 0.6 + 0.8 * cells(coords[:, 0] * 97, coords[:, 1] * 89, material.seed)
    depth = 0.55 + 0.9 * fractal(coords[:, 0] * 2.2, coords[:, 1] * 2.2 + coords[:, 2], material.seed, 2)
    return _rows(material, len(coords)) * (tone * depth)[:, None]


def car(material: Material, coords: Floats, paint: Floats) -> Floats:
    """Coordinates: length from the middle, height, width; `period` is the length. Paint: 1 where glazed."""
    x, y, z = coords[:, 0], coords[:, 1], coords[:, 2]
    half = material.period / 2
    colour = _rows(material, len(x)) * (0.93 + 0.14 * fractal(x * 1.2, y * 2 + z, material.seed, 2))[:, None]
    side = np.abs(z) > 0.62
    axle = np.minimum(np.abs(x - half * 0.60), np.abs(x + half * 0.62))
    colour[side & (axle**2 + (y - 0.30) ** 2 < 0.40**2)] = 0.03
    gap = side & (np.abs(np.abs(x + 0.12) - 0.55) < 0.012) & (y > 0.35) & (y < 0.95)
    colour[gap] *= 0.4
    colour[y < 0.30] = 0.06
    handle = side & (np.abs(y - 0.80) < 0.025) & (np.abs(np.abs(x - 0.1) - 0.42) < 0.09)
    colour[handle] *= 0.6
    ends = np.abs(x) > half - 0.16
    lamps = ends & (np.abs(y - 0.68) < 0.09) & (np.abs(z) > 0.38)
    colour[lamps & (x > 0)] = (0.82, 0.84, 0.84)
    colour[lamps & (x < 0)] = (0.55, 0.05, 0.05)
    plate = ends & (np.abs(y - 0.45) < 0.06) & (np.abs(z) < 0.26)
    colour[plate] = (0.82, 0.82, 0.78)
    glazed = paint[:, 0] > 0.5
    glass = 0.06 + 0.16 * np.clip(fractal(x * 1.3 + 5, y * 3 + z, 4, 2) * 2 - 0.8, 0, 1)
    colour[glazed] = glass[glazed, None] * [0.9, 0.97, 1.0]
    return colour


STREET: dict[str, Pattern] = {
    function.__name__: function
    for function in (
        paving, cobbles, asphalt, concrete, plaster, grass, gravel, brick, tiles, boards, shutter, shop, windows, door,
        poster, marking, metal, bark, leaf, car,
    )
}  # fmt: skip
