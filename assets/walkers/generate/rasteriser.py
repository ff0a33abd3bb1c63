"""Triangles to pixels: a depth-buffered rasteriser in perspective, and depth maps along the sun's rays."""

from dataclasses import dataclass

import numpy as np

from isp_assets.walkers.generate.arrays import Floats, Ints
from isp_core.compiled import compiled

NEAR = 0.05  # metres; triangles that reach nearer than this are left out


@dataclass(frozen=True)
class Fragments:
    """What each pixel sees: triangle (H, W) or -1, its first two barycentric weights (H, W, 2), depth (H, W) in m."""

    triangle: Ints
    weights: Floats
    depth: Floats  # inf where nothing is


@compiled
def _perspective(
    x: Floats, y: Floats, z: Floats, faces: Ints, triangle: Ints, weights: Floats, inverse: Floats
) -> None:
    height, width = triangle.shape
    for t in range(faces.shape[0]):
        i, j, k = faces[t, 0], faces[t, 1], faces[t, 2]
        if z[i] < NEAR or z[j] < NEAR or z[k] < NEAR:
            continue
        x0, y0, x1, y1, x2, y2 = x[i], y[i], x[j], y[j], x[k], y[k]
        left = max(0, int(np.floor(min(x0, x1, x2) - 0.5)))
        right = min(width - 1, int(np.ceil(max(x0, x1, x2) - 0.5)))
        top = max(0, int(np.floor(min(y0, y1, y2) - 0.5)))
        bottom = min(height - 1, int(np.ceil(max(y0, y1, y2) - 0.5)))
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if left > right or top > bottom or abs(area) < 1e-12:
            continue
        w0, w1, w2 = 1 / z[i], 1 / z[j], 1 / z[k]
        for row in range(top, bottom + 1):
            v = row + 0.5
            for column in range(left, right + 1):
                u = column + 0.5
                a = ((x1 - u) * (y2 - v) - (x2 - u) * (y1 - v)) / area
                b = ((x2 - u) * (y0 - v) - (x0 - u) * (y2 - v)) / area
                c = 1 - a - b
                if a < -1e-9 or b < -1e-9 or c < -1e-9:
                    continue
                near = a * w0 + b * w1 + c * w2
                if near > inverse[row, column]:
                    inverse[row, column] = near
                    triangle[row, column] = t
                    weights[row, column, 0] = a * w0 / near
                    weights[row, column, 1] = b * w1 / near


@compiled
def _parallel(x: Floats, y: Floats, z: Floats, faces: Ints, depth: Floats) -> None:
    size = depth.shape[0]
    for t in range(faces.shape[0]):
        i, j, k = faces[t, 0], faces[t, 1], faces[t, 2]
        x0, y0, x1, y1, x2, y2 = x[i], y[i], x[j], y[j], x[k], y[k]
        left = max(0, int(np.floor(min(x0, x1, x2) - 0.5)))
        right = min(size - 1, int(np.ceil(max(x0, x1, x2) - 0.5)))
        top = max(0, int(np.floor(min(y0, y1, y2) - 0.5)))
        bottom = min(size - 1, int(np.ceil(max(y0, y1, y2) - 0.5)))
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if left > right or top > bottom or abs(area) < 1e-12:
            continue
        for row in range(top, bottom + 1):
            v = row + 0.5
            for column in range(left, right + 1):
                u = column + 0.5
                a = ((x1 - u) * (y2 - v) - (x2 - u) * (y1 - v)) / area
                b = ((x2 - u) * (y0 - v) - (x0 - u) * (y2 - v)) / area
                c = 1 - a - b
                if a < 0 or b < 0 or c < 0:
                    continue
                here = a * z[i] + b * z[j] + c * z[k]
                depth[row, column] = min(depth[row, column], here)


@compiled
def _shaded(x: Floats, y: Floats, depth: Floats, nearest: Floats, bias: float, spread: float, out: Floats) -> None:
    size = nearest.shape[0]
    for i in range(x.size):
        hidden = 0
        for right in range(-1, 2):
            for down in range(-1, 2):
                column, row = int(np.floor(x[i] + right * spread)), int(np.floor(y[i] + down * spread))
                if 0 <= column < size and 0 <= row < size and nearest[row, column] < depth[i] - bias:
                    hidden += 1
        out[i] = hidden / 9


def rasterise(x: Floats, y: Floats, depth: Floats, faces: Ints, width: int, height: int) -> Fragments:
    """Nearest triangle per pixel. x, y (V,) are pixels from the top left, depth (V,) metres ahead of the camera."""
    triangle = np.full((height, width), -1, np.int64)
    weights = np.zeros((height, width, 2))
    inverse = np.zeros((height, width))
    _perspective(x, y, depth, faces, triangle, weights, inverse)
    with np.errstate(divide="ignore"):
        return Fragments(triangle, weights, 1 / inverse)


class SunMap:
    """Depth along parallel rays over a square of 2 * radius metres about `centre`: who stands in whose shade."""

    def __init__(self, towards_sun: Floats, centre: Floats, radius: float, size: int) -> None:
        self.towards_sun, self.centre, self.radius, self.size = towards_sun, centre, radius, size
        aside = np.cross(towards_sun, [0.0, 1.0, 0.0] if abs(towards_sun[1]) < 0.99 else [1.0, 0.0, 0.0])
        self.aside = aside / np.linalg.norm(aside)
        self.above = np.cross(towards_sun, self.aside)
        self.depth = np.full((size, size), np.inf)

    def project(self, points: Floats) -> tuple[Floats, Floats, Floats]:
        offset = points - self.centre
        scale = self.size / (2 * self.radius)
        return (
            offset @ self.aside * scale + self.size / 2,
            offset @ self.above * scale + self.size / 2,
            -(offset @ self.towards_sun),
        )

    def add(self, vertices: Floats, faces: Ints) -> None:
        _parallel(*self.project(vertices), faces, self.depth)

    def shade(self, points: Floats, bias: float, spread: float = 1.3) -> Floats:
        """(n,) how much of the sun is hidden at points (n, 3): 0 lit .. 1 shaded, softened over nine samples."""
        x, y, depth = self.project(points)
        out = np.empty(len(points))
        _shaded(x, y, depth, self.depth, bias, spread, out)
        return out
