"""Readers of MakeHuman's open file formats: .obj, .mhclo, .target, .mhskel, .mhw and pose .bvh.

Written from the data files alone. Lengths are decimetres, y is up, the face looks along +z, the left hand is at +x.
Nothing here knows what a garment or a bone means.
"""

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial.transform import Rotation

from isp_assets.walkers.generate.arrays import Floats, Ints
from isp_core.errors import IspError


class MeshError(IspError):
    """A mesh file is missing or does not hold what its format promises."""


@dataclass(frozen=True)
class Obj:
    """A triangle mesh: quads are cut into fans, groups are kept per triangle."""

    vertices: Floats  # (V, 3)
    faces: Ints  # (F, 3)
    groups: Ints  # (F,) index into group_names, -1 = none
    group_names: tuple[str, ...]


@dataclass(frozen=True)
class Fit:
    """How a garment hangs on the base mesh: vertex i = sum_k weights[i, k] base[anchors[i, k]] + offsets[i] * scale."""

    anchors: Ints  # (V, 3) base vertices
    weights: Floats  # (V, 3)
    offsets: Floats  # (V, 3)
    scales: tuple[tuple[int, int, float] | None, ...]  # per axis: two base vertices and their distance at rest
    hidden: Ints  # base vertices that the garment covers

    def on(self, base: Floats) -> Floats:
        """The garment's vertices (V, 3) on a morphed base mesh (19158, 3)."""
        scale = np.ones(3)
        for axis, entry in enumerate(self.scales):
            if entry is not None:
                first, second, distance = entry
                scale[axis] = abs(base[first, axis] - base[second, axis]) / distance
        fitted: Floats = np.einsum("vk,vkc->vc", self.weights, base[self.anchors]) + self.offsets * scale
        return fitted


@dataclass(frozen=True)
class Target:
    """A sparse morph: add `amount * offsets` to the vertices named by `indices`."""

    indices: Ints  # (n,)
    offsets: Floats  # (n, 3)


@dataclass(frozen=True)
class Skeleton:
    """Bones in an order where parents come first; a joint is the mean of a few base vertices."""

    names: tuple[str, ...]
    parents: Ints  # (B,) -1 for the root
    heads: tuple[Ints, ...]  # base vertices whose mean is the bone's head
    tails: tuple[Ints, ...]
    weights: csr_matrix  # (19158, B), rows sum to one

    def index(self, name: str) -> int:
        return self.names.index(name)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise MeshError(f"{path}: cannot be read ({error.strerror}); is MakeHuman's folder complete?") from error


def read_obj(path: Path) -> Obj:
    vertices: list[list[float]] = []
    faces: list[tuple[int, int, int]] = []
    groups: list[int] = []
    names: list[str] = []
    group = -1
    for line in _lines(path):
        if line.startswith("v "):
            vertices.append([float(x) for x in line.split()[1:4]])
        elif line.startswith("g "):
            name = line.split()[1]
            if name not in names:
                names.append(name)
            group = names.index(name)
        elif line.startswith("f "):
            corners = [int(corner.split("/")[0]) - 1 for corner in line.split()[1:]]
            for second, third in pairwise(corners[1:]):
                faces.append((corners[0], second, third))
                groups.append(group)
    if not faces or max(map(max, faces)) >= len(vertices):
        raise MeshError(f"{path}: not a triangle mesh (no faces, or faces of missing vertices)")
    return Obj(np.array(vertices), np.array(faces, np.int64), np.array(groups, np.int64), tuple(names))


def _indices(words: list[str]) -> list[int]:
    """`12 15 - 18 41` -> [12, 15, 16, 17, 18, 41]."""
    out: list[int] = []
    position = 0
    while position < len(words):
        if words[position] == "-":
            out.extend(range(out[-1] + 1, int(words[position + 1]) + 1))
            position += 2
        else:
            out.append(int(words[position]))
            position += 1
    return out


def read_mhclo(path: Path) -> Fit:
    rows: list[list[float]] = []
    scales: list[tuple[int, int, float] | None] = [None, None, None]
    hidden: set[int] = set()
    block = ""
    for line in _lines(path):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        numeric = words[0].lstrip("-").isdecimal()
        if words[0] in ("verts", "delete_verts"):
            block = words[0]
        elif block == "verts" and numeric:
            values = [float(word) for word in words]
            if len(values) == 1:
                values = [values[0]] * 3 + [1, 0, 0]
            rows.append([*values, 0.0, 0.0, 0.0][:9])
        elif block == "delete_verts" and numeric:
            hidden.update(_indices(words))
        elif words[0] in ("x_scale", "y_scale", "z_scale"):
            scales["xyz".index(words[0][0])] = (int(words[1]), int(words[2]), float(words[3]))
    if not rows:
        raise MeshError(f"{path}: holds no block `verts 0`, so it fits nothing")
    table = np.array(rows)
    return Fit(
        table[:, :3].astype(np.int64), table[:, 3:6], table[:, 6:9], tuple(scales), np.array(sorted(hidden), np.int64)
    )


def read_target(path: Path) -> Target:
    lines = [line for line in _lines(path) if line and not line.startswith("#")]
    if not lines:
        return Target(np.empty(0, np.int64), np.empty((0, 3)))  # an average body needs no morph
    table = np.loadtxt(lines, ndmin=2)
    return Target(table[:, 0].astype(np.int64), table[:, 1:4])


def read_skeleton(rig: Path, weights: Path, vertex_count: int) -> Skeleton:
    """`rig` is an .mhskel, `weights` the .mhw next to it; weights are normalised per vertex."""
    description = json.loads("\n".join(_lines(rig)))
    bones, joints = description["bones"], description["joints"]
    order = [name for name, bone in bones.items() if not bone["parent"]]
    for name in order:  # grows while it is walked: breadth first
        order.extend(child for child, bone in bones.items() if bone["parent"] == name)
    position = {name: i for i, name in enumerate(order)}
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for name, pairs in json.loads("\n".join(_lines(weights)))["weights"].items():
        for vertex, weight in pairs:
            rows.append(vertex)
            columns.append(position[name])
            values.append(weight)
    matrix = csr_matrix((values, (rows, columns)), shape=(vertex_count, len(order)))
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    matrix = csr_matrix(matrix.multiply(1 / np.maximum(sums, 1e-9)[:, None]))
    return Skeleton(
        names=tuple(order),
        parents=np.array([position[bones[n]["parent"]] if bones[n]["parent"] else -1 for n in order], np.int64),
        heads=tuple(np.array(joints[bones[name]["head"]], np.int64) for name in order),
        tails=tuple(np.array(joints[bones[name]["tail"]], np.int64) for name in order),
        weights=matrix,
    )


def read_bvh(path: Path, frame: int = 0) -> dict[str, Floats]:
    """One frame of a pose as local rotations (3, 3) per bone, in the mesh's axes; translations are left out.

    The files are z-up; C turns their axes into ours.
    """
    names: list[str] = []
    channels: list[list[str]] = []
    frames: list[list[float]] | None = None
    for line in _lines(path):
        words = line.split()
        if not words:
            continue
        if words[0] in ("ROOT", "JOINT"):
            names.append(words[1])
        elif words[0] == "CHANNELS":
            channels.append(words[2:])
        elif words[0] == "Frame":
            frames = []
        elif frames is not None:
            frames.append([float(word) for word in words])
    if not frames:
        raise MeshError(f"{path}: holds no frame of motion")
    turn = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], float)
    rotations: dict[str, Floats] = {}
    values = iter(frames[frame])
    for name, kinds in zip(names, channels, strict=True):
        rotation = Rotation.identity()
        for kind in kinds:
            value = next(values)
            if kind.endswith("rotation"):
                rotation = rotation * Rotation.from_euler(kind[0].lower(), value, degrees=True)
        rotations[name] = turn @ rotation.as_matrix() @ turn.T
    return rotations
