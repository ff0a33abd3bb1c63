"""From meshes to a picture: the street's frame as a background, people before it, shade between them, exact labels.

A camera does not move, so a street is rendered once per session into one large frame; each image cuts its box from
that frame and draws only people and occluders. Output is linear light; the sensor comes later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from isp_assets.walkers.generate.arrays import Bytes, Floats, Ints
from isp_assets.walkers.generate.camera import Box, Camera
from isp_assets.walkers.generate.classes import CLASS_COUNT
from isp_assets.walkers.generate.mesh import Mesh, join
from isp_assets.walkers.generate.rasteriser import SunMap, rasterise
from isp_assets.walkers.generate.shading import Light, crevices, lit, surface
from isp_core.compiled import compiled

WIDTH, HEIGHT = 128, 256
SUPERSAMPLING = 2
_ROWS = 128  # of a frame shaded at once
_SKY_DEPTH = 1e4


@dataclass(frozen=True)
class StreetFrame:
    """A street without people: linear light per pixel of a box in tangents, and what casts shade on people."""

    camera: Camera
    light: Light
    box: Box
    ambient: NDArray[np.float32]  # (H, W, 3) light of sky and ground
    direct: NDArray[np.float32]  # (H, W, 3) light of the sun, the street's own shade taken off
    depth: NDArray[np.float32]  # (H, W) m
    sun_map: SunMap

    def save(self, folder: Path) -> None:
        """Writes the frame for `open_frame`: some 60 MB that several processes then share."""
        arrays = {"ambient": self.ambient, "direct": self.direct, "depth": self.depth, "sun": self.sun_map.depth}
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        box = self.box
        np.save(folder / "box.npy", np.array([box.left, box.top, box.right, box.bottom]))


@dataclass(frozen=True)
class Picture:
    """Linear light (256, 128, 3), label map (256, 128), and per class the pixels seen and the pixels there are.

    `seen` counts the target's supersampled pixels inside the box and before all occluders, `whole` those of the target
    alone in an endless frame; both (21,).
    """

    light: Floats
    label: Bytes
    seen: Ints
    whole: Ints


def frame_street(camera: Camera, light: Light, street: Mesh, box: Box, pixels_per_tangent: float) -> StreetFrame:
    """Render a street's meshes once."""
    width, height = int(box.width * pixels_per_tangent), int(box.height * pixels_per_tangent)
    u, v, depth = camera.project(street.vertices)
    seen = rasterise(
        (u - box.left) * pixels_per_tangent, (v - box.top) * pixels_per_tangent, depth, street.faces, width, height
    )
    sun_map = _sun_map(light)
    sun_map.add(street.vertices, street.faces)
    covered = seen.triangle >= 0
    far = np.where(covered, seen.depth, _SKY_DEPTH)
    across, down = box.grid(width, height)
    ambient, direct = np.zeros((height, width, 3), np.float32), np.zeros((height, width, 3), np.float32)
    open_sky = crevices(np.minimum(far, 60.0), 8.0 / pixels_per_tangent, covered)
    for start in range(0, height, _ROWS):
        rows = slice(start, start + _ROWS)
        here = covered[rows]
        rays = camera.rays(across[rows][here], down[rows][here])
        what = surface(street, seen.triangle[rows][here], seen.weights[rows][here], rays)
        points = np.array(camera.position) + rays * far[rows][here][:, None]
        shade = sun_map.shade(points + what.normal * 0.02, 0.05)
        sky, sun = lit(what, light, rays)
        ambient[rows][here] = sky * open_sky[rows][here][:, None]
        direct[rows][here] = sun * (1 - shade)[:, None]
        beyond = ~here
        if beyond.any():
            ambient[rows][beyond] = np.array(light.sky) * 1.3
    return StreetFrame(camera, light, box, ambient, direct, far.astype(np.float32), sun_map)


def open_frame(folder: Path, camera: Camera, light: Light) -> StreetFrame:
    """A saved frame, its arrays mapped from the disk."""

    def mapped(name: str) -> NDArray[Any]:
        return np.asarray(np.load(folder / f"{name}.npy", mmap_mode="c"))

    sun_map = _sun_map(light)
    sun_map.depth = mapped("sun")
    left, top, right, bottom = np.load(folder / "box.npy").tolist()
    box = Box(left, top, right, bottom)
    return StreetFrame(camera, light, box, mapped("ambient"), mapped("direct"), mapped("depth"), sun_map)


def _sun_map(light: Light) -> SunMap:
    """Of a whole street, nothing in it yet."""
    return SunMap(light.direction, np.array([0.0, 1.0, 1.5]), 9.0, 2048)


@compiled
def _bilinear(planes: NDArray[np.float32], x: Floats, y: Floats, out: Floats) -> None:
    height, width, channels = planes.shape
    for i in range(x.size):
        a, b = min(max(x[i], 0.0), width - 1.001), min(max(y[i], 0.0), height - 1.001)
        column, row = int(a), int(b)
        a, b = a - column, b - row
        for k in range(channels):
            high = planes[row, column, k] * (1 - a) + planes[row, column + 1, k] * a
            low = planes[row + 1, column, k] * (1 - a) + planes[row + 1, column + 1, k] * a
            out[i, k] = high * (1 - b) + low * b


def _cut(frame: StreetFrame, u: Floats, v: Floats) -> tuple[Floats, Floats, Floats]:
    """The frame's ambient (n, 3), direct (n, 3) and depth (n,) at tangents (n,), repeated beyond its edge."""
    height, width = frame.depth.shape
    x = (u - frame.box.left) / frame.box.width * width - 0.5
    y = (v - frame.box.top) / frame.box.height * height - 0.5
    ambient, direct = np.empty((len(u), 3)), np.empty((len(u), 3))
    _bilinear(frame.ambient, x, y, ambient)
    _bilinear(frame.direct, x, y, direct)
    row = np.clip(np.rint(y), 0, height - 1).astype(np.int64)
    column = np.clip(np.rint(x), 0, width - 1).astype(np.int64)
    return ambient, direct, frame.depth[row, column].astype(np.float64)


def _contact(meshes: Mesh, centre: Floats, points: Floats) -> Floats:
    """(n,) how much of the sky the bodies above hide from points near the ground: the dark under shoes."""
    size, radius = 128, 1.6
    above = SunMap(np.array([0.0, -1.0, 0.0]), np.array([centre[0], 0.0, centre[2]]), radius, size)
    above.add(meshes.vertices, meshes.faces)  # seen from below: depth is height
    dark = gaussian_filter(np.exp(-np.clip(above.depth, 0, 50) / 0.35), 5)
    x, y, _ = above.project(points)
    column, row = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    inside = (column >= 0) & (row >= 0) & (column < size) & (row < size)
    out = np.zeros(len(points))
    out[inside] = dark[row[inside], column[inside]]
    return out * np.exp(-np.clip(points[:, 1], 0, 9) / 0.25)


def majority(labels: Bytes, factor: int, classes: int = CLASS_COUNT) -> Bytes:
    """(H * f, W * f) -> (H, W): the class most pixels of each f x f block have; the lower number wins a tie."""
    height, width = labels.shape[0] // factor, labels.shape[1] // factor
    block = np.arange(height).repeat(factor)[:, None] * width + np.arange(width).repeat(factor)
    votes = np.bincount((block * classes + labels).ravel(), minlength=height * width * classes)
    return np.asarray(votes.reshape(height, width, classes).argmax(axis=2), np.uint8)


def _whole(camera: Camera, target: Mesh, scale: tuple[float, float]) -> Ints:
    """Pixels per class of the target with nothing before it and no box around it."""
    bounds = camera.bounds(target.vertices)
    u, v, depth = camera.project(target.vertices)
    size = int(bounds.width * scale[0]) + 2, int(bounds.height * scale[1]) + 2
    seen = rasterise((u - bounds.left) * scale[0], (v - bounds.top) * scale[1], depth, target.faces, *size)
    return np.bincount(target.label[seen.triangle[seen.triangle >= 0]], minlength=CLASS_COUNT)


def take(frame: StreetFrame, target: Mesh, others: Sequence[Mesh], box: Box) -> Picture:
    """An image of `target` among `others` (occluders, passers-by), cut at `box`."""
    camera, light = frame.camera, frame.light
    width, height = WIDTH * SUPERSAMPLING, HEIGHT * SUPERSAMPLING
    scale = width / box.width, height / box.height
    scene = join([target, *others])
    u, v, depth = camera.project(scene.vertices)
    drawn = rasterise((u - box.left) * scale[0], (v - box.top) * scale[1], depth, scene.faces, width, height)

    across, down = (axis.ravel() for axis in box.grid(width, height))
    ambient, direct, behind = _cut(frame, across, down)
    rays = camera.rays(across, down)
    triangle, weights, near = drawn.triangle.ravel(), drawn.weights.reshape(-1, 2), drawn.depth.ravel()
    front = (triangle >= 0) & (near < behind)
    distance = np.where(front, near, behind)
    points = np.array(camera.position) + rays * distance[:, None]

    centre = target.vertices.mean(axis=0)
    sun_map = SunMap(light.direction, centre, 2.2, 448)
    sun_map.add(scene.vertices, scene.faces)
    back = ~front
    direct[back] *= (1 - sun_map.shade(points[back], 0.02))[:, None]
    ambient[back] *= (1 - 0.65 * _contact(scene, centre, points[back]))[:, None]

    what = surface(scene, triangle[front], weights[front], rays[front])
    lifted = points[front] + what.normal * 0.012
    shade = np.maximum(sun_map.shade(lifted, 0.02), frame.sun_map.shade(lifted, 0.05))
    middle = float(np.median(near[front])) if front.any() else 1.0
    open_sky = crevices(
        np.minimum(distance, 60.0).reshape(height, width), middle / scale[1], front.reshape(height, width)
    )
    sky, sun = lit(what, light, rays[front])
    ambient[front] = sky * open_sky.ravel()[front][:, None]
    direct[front] = sun * (1 - shade)[:, None]

    colour = (ambient + direct).reshape(HEIGHT, SUPERSAMPLING, WIDTH, SUPERSAMPLING, 3).mean(axis=(1, 3))
    label = np.zeros(len(triangle), np.uint8)
    own = front & (triangle < len(target.faces))
    label[own] = target.label[triangle[own]]
    seen = np.bincount(label[own], minlength=CLASS_COUNT)
    return Picture(colour, majority(label.reshape(height, width), SUPERSAMPLING), seen, _whole(camera, target, scale))
