"""Small geometry: rotations, two-bone inverse kinematics, vertex normals, rounded boxes, ribbons, smooth paths."""

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.spatial.transform import Rotation

from isp_assets.walkers.generate.arrays import Floats, Ints

X, Y, Z = np.eye(3)


def rotation(axis: Floats, angle: float) -> Floats:
    """(3, 3) turning by `angle` radians about `axis`, right-handed."""
    matrix: Floats = Rotation.from_rotvec(np.asarray(axis, float) / np.linalg.norm(axis) * angle).as_matrix()
    return matrix


def arc(start: Floats, end: Floats, share: float = 1.0) -> Floats:
    """(3, 3) the shortest turn of direction `start` towards `end`, or a share of it."""
    axis = np.cross(start, end)
    length = float(np.linalg.norm(axis))
    if length < 1e-9:
        return np.eye(3)
    return rotation(axis, float(np.arctan2(length, start @ end)) * share)


def two_bones(upper: float, lower: float, target: Floats, pole: Floats) -> tuple[Floats, Floats]:
    """Unit directions of an upper and a lower bone that reach `target` from the origin, the elbow towards `pole`.

    A target out of reach is approached with an almost straight limb.
    """
    distance = float(np.linalg.norm(target))
    reach = min(max(distance, abs(upper - lower) * 1.005), (upper + lower) * 0.995)
    ahead = target / distance
    angle = np.arccos(np.clip((upper**2 + reach**2 - lower**2) / (2 * upper * reach), -1, 1))
    side = pole - (pole @ ahead) * ahead
    side = side / np.linalg.norm(side)
    elbow = upper * (np.cos(angle) * ahead + np.sin(angle) * side)
    return elbow / upper, (reach * ahead - elbow) / lower


def vertex_normals(vertices: Floats, faces: Ints) -> Floats:
    """(V, 3) unit normals, each the area-weighted mean of the triangles around a vertex."""
    corners = vertices[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    out = np.stack(
        [np.bincount(faces.ravel(), np.repeat(normal[:, axis], 3), minlength=len(vertices)) for axis in range(3)],
        axis=1,
    )
    unit: Floats = out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
    return unit


def rounded_box(width: float, height: float, depth: float, roundness: float, cells: int = 12) -> tuple[Floats, Ints]:
    """A superellipsoid-like box about the origin; roundness 0 is sharp, 1 nearly a ball. Returns vertices and faces."""
    grid = np.linspace(-1, 1, cells + 1)
    a, b = (axis.ravel() for axis in np.meshgrid(grid, grid, indexing="ij"))
    points: list[Floats] = []
    faces: list[Ints] = []
    row, column = (axis.ravel() for axis in np.meshgrid(np.arange(cells), np.arange(cells), indexing="ij"))
    corner = row * (cells + 1) + column
    quad = np.stack([corner, corner + cells + 1, corner + cells + 2, corner + 1], axis=1)
    for axis in range(3):
        for sign in (-1, 1):
            side = np.empty((len(a), 3))
            side[:, axis], side[:, (axis + 1) % 3], side[:, (axis + 2) % 3] = sign, a, b
            turned = (quad if sign > 0 else quad[:, ::-1]) + len(points) * len(a)
            faces += [turned[:, [0, 1, 2]], turned[:, [0, 2, 3]]]
            points.append(side)
    vertices = np.concatenate(points)
    power = 2 / (roundness * 0.9 + 0.08)
    vertices = vertices / (np.abs(vertices) ** power).sum(axis=1, keepdims=True) ** (1 / power)
    vertices = vertices / np.abs(vertices).max(axis=0)
    _, first, inverse = np.unique(np.round(vertices, 6), axis=0, return_index=True, return_inverse=True)
    return vertices[first] * np.array([width, height, depth]) / 2, inverse.ravel()[np.concatenate(faces)]


def ribbon(path: Floats, side: Floats, width: float, thickness: float) -> tuple[Floats, Ints]:
    """A flat band along `path` (n, 3) whose width points along the unit vectors `side` (n, 3)."""
    along = np.gradient(path, axis=0)
    across = np.cross(along, side)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    half, thick = side * width / 2, across * thickness / 2
    vertices = np.stack([path + half + thick, path - half + thick, path - half - thick, path + half - thick], axis=1)
    start = (np.arange(len(path) - 1) * 4)[:, None]
    k = np.arange(4)[None]
    a, b = start + k, start + (k + 1) % 4
    faces = np.concatenate([np.stack([a, b, a + 4], axis=2), np.stack([b, b + 4, a + 4], axis=2)]).reshape(-1, 3)
    return vertices.reshape(-1, 3), faces


def smooth_path(points: Floats, count: int) -> Floats:
    """`count` points evenly along a shape-preserving curve through `points` (n, 3)."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    curve: Floats = PchipInterpolator(length, points)(np.linspace(0, length[-1], count))
    return curve


def plane_cut(points: Floats, triangles: Ints, origin: Floats, normal: Floats) -> Floats:
    """Where the edges of a triangle mesh cross a plane: (n, 3), in no order."""
    height = (points - origin) @ normal
    found = []
    for first, second in ((0, 1), (1, 2), (2, 0)):
        i, j = triangles[:, first], triangles[:, second]
        cross = height[i] * height[j] < 0
        i, j = i[cross], j[cross]
        share = height[i] / (height[i] - height[j])
        found.append(points[i] + (points[j] - points[i]) * share[:, None])
    return np.unique(np.round(np.concatenate(found), 5), axis=0)
