"""Meshes of the street, in metres: boxes, poles, ground, cars, trees, hedges, benches, bicycles, railings."""

from dataclasses import replace

import numpy as np

from isp_assets.walkers.generate.arrays import Colour, Floats
from isp_assets.walkers.generate.mesh import Material, Mesh, join

STEEL = Material("metal", (0.34, 0.35, 0.37), gloss=0.2)
DARK = Material("metal", (0.08, 0.085, 0.09), gloss=0.15)


def ground(x: tuple[float, float], z: tuple[float, float], material: Material, height: float = 0.0) -> Mesh:
    """A horizontal rectangle, cut into squares of at most a metre so that none straddles the camera."""
    columns = np.linspace(*x, int(np.ceil(x[1] - x[0])) + 1)
    rows = np.linspace(*z, int(np.ceil(z[1] - z[0])) + 1)
    a, b = (axis.ravel() for axis in np.meshgrid(columns, rows, indexing="ij"))
    i, j = (axis.ravel() for axis in np.meshgrid(np.arange(len(columns) - 1), np.arange(len(rows) - 1), indexing="ij"))
    corner = i * len(rows) + j
    quad = np.stack([corner, corner + 1, corner + len(rows) + 1, corner + len(rows)], axis=1)
    vertices = np.stack([a, np.full(len(a), height), b], axis=1)
    return Mesh.plain(
        vertices, np.concatenate([quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]]), material, vertices[:, [0, 2, 1]]
    )


def box(at: tuple[float, float, float], size: tuple[float, float, float], material: Material, yaw: float = 0.0) -> Mesh:
    """A box whose bottom centre is `at`; coordinates run along each face and up from its bottom."""
    half = np.array([size[0] / 2, size[1], size[2] / 2])
    corners: list[Floats] = []
    coords: list[Floats] = []
    faces: list[tuple[int, int, int]] = []
    for axis, sign in ((0, -1), (0, 1), (1, 1), (2, -1), (2, 1)):  # no underside
        along, up = {0: (2, 1), 1: (0, 2), 2: (0, 1)}[axis]
        face = np.zeros((4, 3))
        face[:, along] = np.array([-1, 1, 1, -1]) * half[along]
        face[:, up] = np.array([0, 0, 1, 1]) * half[1] if up == 1 else np.array([-1, -1, 1, 1]) * half[up]
        face[:, axis] = sign * half[axis] if axis != 1 else half[1]
        start = len(corners) * 4
        faces += [(start, start + 1, start + 2), (start, start + 2, start + 3)]
        corners.append(face)
        coords.append(face[:, [along, up, axis]])
    vertices, where = np.concatenate(corners), np.concatenate(coords)
    mesh = Mesh.plain(vertices, np.array(faces), material, where)
    inward = ((vertices - vertices.mean(axis=0)) * mesh.normals).sum(axis=1, keepdims=True) < 0
    return replace(mesh, normals=mesh.normals * np.where(inward, -1, 1)).moved(yaw, at)


def beam(
    start: tuple[float, float, float],
    end: tuple[float, float, float],
    radius: float,
    material: Material,
    sides: int = 10,
) -> Mesh:
    """A round bar between two points."""
    a, b = np.array(start, float), np.array(end, float)
    along = (b - a) / np.linalg.norm(b - a)
    aside = np.cross(along, [1.0, 0, 0] if abs(along[0]) < 0.9 else [0, 1.0, 0])
    aside /= np.linalg.norm(aside)
    above = np.cross(along, aside)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    ring = np.outer(np.cos(angle), aside) + np.outer(np.sin(angle), above)
    vertices = np.concatenate([a + ring * radius, b + ring * radius])
    coords = np.zeros((len(vertices), 3))
    coords[:, 0] = np.tile(angle * radius, 2)
    coords[sides + 1 :, 1] = np.linalg.norm(b - a)
    k = np.arange(sides)
    faces = np.concatenate([np.stack([k, k + 1, k + sides + 1], 1), np.stack([k + 1, k + sides + 2, k + sides + 1], 1)])
    return replace(Mesh.plain(vertices, faces, material, coords), normals=np.concatenate([ring, ring]))


def pole(x: float, z: float, height: float, radius: float, material: Material = STEEL) -> Mesh:
    return beam((x, 0, z), (x, height, z), radius, material, sides=14)


def leaves(
    at: tuple[float, float, float], radii: tuple[float, float, float], count: int, colour: Colour,
    rng: np.random.Generator, size: float = 0.09, shell: float = 0.5, square: bool = False,
) -> Mesh:  # fmt: skip
    """A crown of loose triangles in an ellipsoid (or a box), denser towards its surface."""
    if square:
        place = rng.uniform(-1, 1, (count, 3))
        axis = rng.integers(0, 3, count)
        place[np.arange(count), axis] = np.sign(place[np.arange(count), axis]) * rng.uniform(0.8, 1.0, count)
    else:
        place = rng.normal(size=(count, 3))
        place /= np.linalg.norm(place, axis=1, keepdims=True)
        place *= rng.uniform(shell, 1.0, count)[:, None] ** 0.6
    outward = place / np.maximum(np.linalg.norm(place, axis=1, keepdims=True), 1e-9)
    centre = place * np.array(radii) + np.array(at)
    corner = rng.normal(size=(count, 3, 3)) * size
    vertices = (centre[:, None] + corner).reshape(-1, 3)
    vertices[:, 1] = np.maximum(vertices[:, 1], 0.02)
    faces = np.arange(3 * count).reshape(-1, 3)
    mesh = Mesh.plain(
        vertices, faces, Material("leaf", colour, seed=int(rng.integers(99))), np.repeat(centre, 3, axis=0)
    )
    normals = mesh.normals * 0.5 * np.sign((mesh.normals * np.repeat(outward, 3, 0)).sum(1, keepdims=True)) + np.repeat(
        outward, 3, 0
    )
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return replace(mesh, normals=normals)


def tree(x: float, z: float, height: float, rng: np.random.Generator, colour: Colour = (0.20, 0.33, 0.12)) -> Mesh:
    trunk = Material("bark", (0.26, 0.21, 0.16), seed=int(rng.integers(99)))
    fork = height * 0.5
    parts = [beam((x, 0, z), (x + 0.05, fork, z), 0.02 * height + 0.03, trunk)]
    for _ in range(5):
        dx, dz = rng.normal(0, 0.16 * height, 2)
        tip = (x + dx, height * rng.uniform(0.7, 0.9), z + dz)
        parts.append(beam((x + 0.05, fork * rng.uniform(0.8, 1.0), z), tip, 0.01 * height, trunk, sides=6))
        parts.append(leaves(tip, (0.17 * height,) * 3, 700, colour, rng, shell=0.2))
    return join(parts)


def hedge(
    x: float, z: float, length: float, height: float, depth: float, rng: np.random.Generator, yaw: float = 0.0
) -> Mesh:
    core = box((0, 0, 0), (length * 0.97, height * 0.94, depth * 0.9), Material("leaf", (0.06, 0.10, 0.04), gloss=0.0))
    count = int(3000 * length * (height + depth))
    green = leaves(
        (0, height / 2, 0), (length / 2, height / 2, depth / 2), count, (0.19, 0.30, 0.11), rng, 0.03, square=True
    )
    return join([core, green]).moved(yaw, (x, 0, z))


# A car's side view, front to the right: station along the length (share of it), belt height, roof height, half width.
_PROFILE = np.array(
    [
        (-1.00, 0.52, 0.52, 0.70), (-0.985, 0.80, 0.80, 0.76), (-0.90, 0.92, 0.95, 0.80), (-0.78, 0.95, 1.22, 0.83),
        (-0.60, 0.96, 1.40, 0.85), (-0.30, 0.95, 1.46, 0.86), (0.00, 0.94, 1.45, 0.86), (0.20, 0.93, 1.36, 0.86),
        (0.36, 0.92, 1.12, 0.85), (0.47, 0.92, 0.94, 0.85), (0.60, 0.88, 0.89, 0.84), (0.80, 0.80, 0.81, 0.81),
        (0.95, 0.70, 0.71, 0.76), (0.99, 0.60, 0.60, 0.70), (1.00, 0.45, 0.45, 0.66),
    ]
)  # fmt: skip


def car(x: float, z: float, yaw: float, colour: Colour, length: float = 4.2, tall: float = 1.0) -> Mesh:
    """A hatchback: a lofted shell with glazing, lamps and door gaps painted by pattern `car`, and four wheels."""
    stations = np.linspace(-1, 1, 61)
    belt, roof, half = (np.interp(stations, _PROFILE[:, 0], _PROFILE[:, k]) for k in (1, 2, 3))
    belt, roof = belt * tall, roof * tall
    cabin = roof - belt
    inner = half - np.clip(cabin, 0, 0.5) * 0.36
    rows = [
        (np.full_like(half, 0.17), half * 0.93, 0), (np.full_like(half, 0.32), half * 0.99, 0),
        ((belt + 0.32) / 2, half * 1.015, 0), (belt - 0.02, half, 0), (belt + cabin * 0.06, half * 0.985, 1),
        (belt + cabin * 0.88, inner + 0.02, 1), (roof - 0.01, inner * 0.93, 0), (roof + 0.012, inner * 0.6, 0),
        (roof + 0.02, inner * 0.0, 0),
    ]  # fmt: skip
    ring = rows + [(y, -w, g) for y, w, g in rows[-2::-1]]
    vertices = np.stack(
        [np.stack([stations * length / 2, np.minimum(y, np.maximum(roof + 0.02, 0.17)), w], 1) for y, w, _ in ring]
    )
    count = len(stations)
    i, j = (axis.ravel() for axis in np.meshgrid(np.arange(len(ring) - 1), np.arange(count - 1), indexing="ij"))
    corner = i * count + j
    quad = np.stack([corner, corner + 1, corner + count + 1, corner + count], axis=1)
    paint_code = Material("car", colour, period=length, gloss=0.45, seed=int(abs(x * 7 + z * 3)) % 50)
    flat = vertices.reshape(-1, 3)
    shell = Mesh.plain(flat, np.concatenate([quad[:, [0, 2, 1]], quad[:, [0, 3, 2]]]), paint_code, flat)
    # glazing: side windows between belt and roof but for the pillars; screens where the roof line is steep
    pillars = (np.abs(stations + 0.13) < 0.018) | (np.abs(stations + 0.62) < 0.03)
    steep = np.abs(np.gradient(roof, stations * length / 2)) > 0.42
    for k, (_, _, side) in enumerate(ring):
        glazed = (cabin > 0.12) & ~pillars if side else np.zeros(count, bool)
        if 5 <= k <= len(ring) - 6:
            glazed = glazed | (steep & (cabin > 0.06))
        shell.paint[k * count : (k + 1) * count, 0] = glazed
    parts = [shell]
    for along in (0.60, -0.62):
        for side in (-1, 1):
            hub = np.array([along * length / 2, 0.30, side * 0.80])
            inner_end, outer_end = (hub[0], hub[1], hub[2] - side * 0.16), (hub[0], hub[1], hub[2] + side * 0.02)
            parts.append(beam(inner_end, outer_end, 0.30, DARK, sides=20))
            for radius, material, out in ((0.30, DARK, 0.02), (0.19, STEEL, 0.025)):
                angle = np.linspace(0, 2 * np.pi, 21)[:-1]
                rim = np.stack([np.cos(angle) * radius, np.sin(angle) * radius, np.full(20, side * out)], axis=1)
                disc = np.concatenate([[[0, 0, side * out]], rim]) + hub
                spoke = np.arange(20)
                faces = np.stack([np.zeros(20, np.int64), 1 + spoke, 1 + (spoke + 1) % 20], axis=1)
                parts.append(Mesh.plain(disc, faces, material))
    return join(parts).moved(yaw, (x, 0, z))


def railing(x: tuple[float, float], z: float, height: float, material: Material, pitch: float = 0.13) -> Mesh:
    count = int((x[1] - x[0]) / pitch)
    bars = [beam((a, 0, z), (a, height, z), 0.011, material, sides=6) for a in np.linspace(*x, count)]
    rails = [beam((x[0], h, z), (x[1], h, z), 0.02, material, sides=8) for h in (height, 0.12)]
    return join(bars + rails)


def bench(x: float, z: float, yaw: float = 0.0) -> Mesh:
    wood = Material("boards", (0.42, 0.28, 0.17), period=0.1)
    parts = [box((0, 0.42, dz), (1.7, 0.05, 0.11), wood) for dz in (-0.16, 0, 0.16)]
    parts += [box((0, 0.62 + dy, 0.24), (1.7, 0.10, 0.03), wood) for dy in (0, 0.16)]
    parts += [box((dx, 0, 0), (0.06, 0.42, 0.4), DARK) for dx in (-0.7, 0.7)]
    return join(parts).moved(yaw, (x, 0, z))


def bicycle(x: float, z: float, yaw: float, colour: Colour) -> Mesh:
    frame = Material("metal", colour, gloss=0.3)
    parts = []
    angle = np.linspace(0, 2 * np.pi, 25)
    for hub in (-0.52, 0.52):
        rim = [(hub + 0.33 * np.cos(a), 0.34 + 0.33 * np.sin(a), 0.0) for a in angle]
        parts += [beam(rim[k], rim[k + 1], 0.016, DARK, sides=5) for k in range(24)]
        parts += [beam((hub, 0.34, 0), rim[k], 0.003, STEEL, sides=3) for k in range(0, 24, 3)]
    joints = {
        "back": (-0.52, 0.34, 0.0),
        "crank": (-0.08, 0.28, 0.0),
        "seat": (-0.22, 0.82, 0.0),
        "head": (0.36, 0.80, 0.0),
        "front": (0.52, 0.34, 0.0),
    }
    for a, b in (
        ("back", "crank"),
        ("back", "seat"),
        ("crank", "seat"),
        ("crank", "head"),
        ("seat", "head"),
        ("head", "front"),
    ):
        parts.append(beam(joints[a], joints[b], 0.018, frame, sides=6))
    parts.append(beam((0.34, 0.98, -0.27), (0.34, 0.98, 0.27), 0.015, DARK, sides=6))
    parts.append(beam((0.36, 0.78, 0), (0.34, 0.98, 0), 0.015, DARK, sides=6))
    parts.append(box((-0.24, 0.88, 0), (0.25, 0.05, 0.13), DARK))
    return join(parts).moved(yaw, (x, 0, z))


def bin_(x: float, z: float, colour: Colour) -> Mesh:
    lid = beam((x, 0.85, z), (x, 0.93, z), 0.26, DARK, sides=14)
    return join([pole(x, z, 0.85, 0.24, Material("metal", colour)), lid])


def planter(x: float, z: float, length: float, rng: np.random.Generator) -> Mesh:
    tub = box((x, 0, z), (length, 0.5, 0.6), Material("concrete", (0.55, 0.54, 0.51), period=3.0))
    return join(
        [tub, leaves((x, 0.72, z), (length / 2, 0.34, 0.34), int(900 * length), (0.22, 0.34, 0.13), rng, 0.06, 0.1)]
    )


def sheet(x: float, z: float, bottom: float, size: tuple[float, float], material: Material) -> Mesh:
    """An upright rectangle facing the camera side (-z): posters, doors, signs."""
    w, h = size[0] / 2, size[1]
    vertices = np.array([(x - w, bottom, z), (x + w, bottom, z), (x + w, bottom + h, z), (x - w, bottom + h, z)])
    coords = np.array([(-w, 0, 0), (w, 0, 0), (w, h, 0), (-w, h, 0)], float)
    return Mesh.plain(vertices, np.array([(0, 2, 1), (0, 3, 2)]), material, coords)
