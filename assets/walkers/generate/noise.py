"""Repeatable value noise in two dimensions: the grain of every fabric and surface. Knows nothing of either."""

import numpy as np

from isp_assets.walkers.generate.arrays import Floats
from isp_core.compiled import compiled


@compiled
def _lattice(x: int, y: int, seed: int) -> float:
    n = (x * 374761393 + y * 668265263 + seed * 982451653) & 0x7FFFFFFF
    n = ((n ^ (n >> 13)) * 1274126177) & 0x7FFFFFFF
    return ((n ^ (n >> 16)) & 0xFFFF) / 65535.0


@compiled
def _hash_all(x: Floats, y: Floats, seed: int, out: Floats) -> None:
    for i in range(x.size):
        out[i] = _lattice(int(np.floor(x[i])), int(np.floor(y[i])), seed)


@compiled
def _fractal(x: Floats, y: Floats, seed: int, octaves: int, out: Floats) -> None:
    for i in range(x.size):
        total, amplitude, scale, weight = 0.0, 0.5, 1.0, 0.0
        for octave in range(octaves):
            u, v = x[i] * scale, y[i] * scale
            a, b = int(np.floor(u)), int(np.floor(v))
            u, v = u - a, v - b
            u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
            s = seed + octave
            low = _lattice(a, b, s) * (1 - u) + _lattice(a + 1, b, s) * u
            high = _lattice(a, b + 1, s) * (1 - u) + _lattice(a + 1, b + 1, s) * u
            total += amplitude * (low * (1 - v) + high * v)
            weight += amplitude
            amplitude /= 2
            scale *= 2
        out[i] = total / weight


def cells(x: Floats, y: Floats, seed: int = 0) -> Floats:
    """One number in 0..1 per unit cell: (n,), (n,) -> (n,)."""
    out = np.empty(len(x))
    _hash_all(np.ascontiguousarray(x, float), np.ascontiguousarray(y, float), seed, out)
    return out


def fractal(x: Floats, y: Floats, seed: int = 0, octaves: int = 3) -> Floats:
    """Smooth noise in 0..1 with mean about 0.5, each octave half as strong and twice as fine: (n,), (n,) -> (n,)."""
    out = np.empty(len(x))
    _fractal(np.ascontiguousarray(x, float), np.ascontiguousarray(y, float), seed, octaves, out)
    return out
