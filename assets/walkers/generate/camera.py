"""Pinhole cameras and the boxes that a detector would cut from their frames.

A point ahead of the camera has tangents (u right, v down): its offset divided by its depth. Boxes are in tangents too,
so they do not depend on any resolution.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from isp_assets.walkers.generate.arrays import Floats


@dataclass(frozen=True)
class Box:
    """A rectangle in tangents."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def resized(self, width: float, height: float) -> "Box":
        """Another size about the same centre."""
        x, y = (self.left + self.right) / 2, (self.top + self.bottom) / 2
        return Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)

    def shifted(self, right: float, down: float) -> "Box":
        return Box(self.left + right, self.top + down, self.right + right, self.bottom + down)

    def grid(self, width: int, height: int) -> tuple[Floats, Floats]:
        """Tangents (height, width) of the centres of width x height pixels."""
        u = self.left + (np.arange(width) + 0.5) * self.width / width
        v = self.top + (np.arange(height) + 0.5) * self.height / height
        across, down = np.meshgrid(u, v)
        return across, down


@dataclass(frozen=True)
class Camera:
    """Where a camera hangs (m) and the point it looks at."""

    position: tuple[float, float, float]
    target: tuple[float, float, float]

    @cached_property
    def axes(self) -> Floats:
        """(3, 3) rows: right, down, forward."""
        forward = np.array(self.target, float) - np.array(self.position)
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 1.0, 0.0])
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(forward, right), forward])

    def project(self, points: Floats) -> tuple[Floats, Floats, Floats]:
        """Tangents u, v and depth (m) of points (n, 3); what is behind the camera has depth <= 0."""
        right, down, depth = self.axes @ (points - np.array(self.position)).T
        safe = np.where(np.abs(depth) < 1e-6, 1e-6, depth)
        return right / safe, down / safe, depth

    def rays(self, u: Floats, v: Floats) -> Floats:
        """(n, 3) directions with forward component 1, so that depth times ray is the offset from the camera."""
        rays: Floats = np.stack([u, v, np.ones_like(u)], axis=1) @ self.axes
        return rays

    def bounds(self, points: Floats) -> Box:
        """The tightest box about points that are all ahead of the camera."""
        u, v, _ = self.project(points)
        return Box(float(u.min()), float(v.min()), float(u.max()), float(v.max()))
