"""What people carry: built around a dressed body at rest (packs, slung bags) or around a posed hand (held things).

All in dm. Which identity carries what is decided elsewhere.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial import ConvexHull, cKDTree

from isp_assets.walkers.generate.arrays import Floats, Ints
from isp_assets.walkers.generate.body import TORSO, Body
from isp_assets.walkers.generate.classes import BELONGINGS
from isp_assets.walkers.generate.garments import Part
from isp_assets.walkers.generate.geometry import X, Z, plane_cut, ribbon, rotation, rounded_box, smooth_path
from isp_assets.walkers.generate.library import TIGHTS
from isp_assets.walkers.generate.mesh import Material

Kind = Literal["backpack", "messenger bag", "shoulder bag", "handbag", "shopping bag", "suitcase", "box"]
WORN: tuple[Kind, ...] = ("backpack", "messenger bag", "shoulder bag")


@dataclass(frozen=True)
class Belonging:
    """A thing carried; `side` +1 is the bearer's left. Size is width, height, depth in dm."""

    kind: Kind
    size: tuple[float, float, float]
    cloth: Material
    trim: Material
    side: int = 1


Piece = tuple[Floats, Ints, Material]  # vertices, faces, material


class Torso:
    """The outline of a dressed torso, for straps to follow."""

    def __init__(self, body: Body, parts: list[Part]) -> None:
        points = [body.vertices[TIGHTS[body.limb_weights[TIGHTS, TORSO] > 0.6]]]
        for part in parts:
            if part.name in ("top", "overall"):
                points.append(part.vertices[np.asarray(part.weights @ body.gather)[:, TORSO] > 0.75])
        cloud = np.concatenate(points)
        self.points = cloud[cloud[:, 1] < body.head("clavicle.L")[1] + 0.35]
        self.triangles: Ints = ConvexHull(self.points).simplices

    def half_width(self, height: float, within: float) -> float:
        return float(np.abs(self.points[np.abs(self.points[:, 1] - height) < within, 0]).max())

    def outline(
        self, origin: Floats, normal: Floats, centre: Floats, up: Floats, front: Floats, angles: Floats
    ) -> Floats:
        """The hull's cut by a plane, sampled at angles about `centre` measured from `up` towards `front`."""
        cut = plane_cut(self.points, self.triangles, origin, normal)
        angle = np.arctan2((cut - centre) @ front, (cut - centre) @ up)
        order = np.argsort(angle)
        cut, angle = cut[order], angle[order]
        turns = np.concatenate([angle - 2 * np.pi, angle, angle + 2 * np.pi])
        return np.stack([np.interp(angles, turns, np.tile(cut[:, axis], 3)) for axis in range(3)], axis=1)


def _rigid(body: Body, count: int, bone: str) -> csr_matrix:
    shape = (count, len(body.skeleton.names))
    return csr_matrix((np.ones(count), (np.arange(count), np.full(count, body.skeleton.index(bone)))), shape=shape)


def _follow(body: Body, vertices: Floats) -> csr_matrix:
    """Bone weights of the nearest torso skin, so that a strap bends with the chest."""
    near = TIGHTS[body.limb_weights[TIGHTS, TORSO] > 0.6]
    distance, index = cKDTree(body.vertices[near]).query(vertices, k=6)
    return body.library.bound(near[index], 1 / (distance + 0.05))


def _part(body: Body, vertices: Floats, faces: Ints, material: Material, bone: str | None) -> Part:
    weights = _rigid(body, len(vertices), bone) if bone else _follow(body, vertices)
    return Part.of("belonging", vertices, faces, weights, material, BELONGINGS)


def _box(
    body: Body, size: tuple[float, float, float], roundness: float, at: list[float], material: Material, bone: str
) -> Part:
    vertices, faces = rounded_box(*size, roundness)
    return _part(body, vertices + np.array(at), faces, material, bone)


def _backpack(body: Body, torso: Torso, bag: Belonging) -> list[Part]:
    width, height, depth = bag.size
    shoulder = body.head("clavicle.L")[1]
    top = shoulder + 0.1
    middle = top - height / 2
    points = torso.points
    behind = points[(np.abs(points[:, 0]) < width / 2) & (points[:, 1] < top) & (points[:, 1] > top - height)]
    back = float(behind[:, 2].min())
    parts = [
        _box(body, (width, height, depth), 0.5, [0, middle, back - depth / 2 + 0.12], bag.cloth, "spine02"),
        _box(
            body,
            (width * 0.78, height * 0.42, depth * 0.45),
            0.35,
            [0, middle - height * 0.22, back - depth + 0.05],
            bag.trim,
            "spine02",
        ),
    ]
    for side in (1, -1):
        x = side * 0.95
        low = body.head("spine03")[1] + 0.3
        slice_ = plane_cut(points, torso.triangles, np.array([x, 0, 0]), X)
        centre = np.array([x, (shoulder + low) / 2, slice_[:, 2].mean()])
        over = torso.outline(
            np.array([x, 0, 0]), X, centre, Z, np.array([0.0, 1, 0]), np.radians(np.linspace(-35, 150, 26))
        )
        start = over[0]
        flank = side * (torso.half_width(start[1] - 0.6, 0.5) + 0.05)
        bottom = top - height * 0.8
        under = np.array(
            [
                [side * width * 0.42, bottom, back + 0.1],
                [flank * 0.97, bottom + 0.15, back + 0.75],
                [flank, (start[1] + bottom) / 2, (start[2] + back) / 2],
                [(flank + start[0]) / 2 + side * 0.12, start[1] - 0.35, start[2] - 0.12],
            ]
        )
        path = smooth_path(np.concatenate([under, over]), 40)
        outward = path - np.array([0, path[:, 1].mean(), points[:, 2].mean()]) * [0, 1, 1]
        outward[:, 0] *= 0.6
        outward /= np.linalg.norm(outward, axis=1, keepdims=True)
        path = path + outward * 0.06
        across = np.cross(np.gradient(path, axis=0), outward)
        across /= np.linalg.norm(across, axis=1, keepdims=True)
        parts.append(_part(body, *ribbon(path, across, 0.5, 0.1), bag.trim, None))
    return parts


def _messenger_bag(body: Body, torso: Torso, bag: Belonging) -> list[Part]:
    width, height, depth = bag.size
    side, points = bag.side, torso.points
    hip = torso.half_width(body.head("spine05")[1], 0.6)
    shoulder = np.array([-side * 0.85, body.head("clavicle.L")[1] + 0.25, 0])
    resting = np.array([side * hip, body.head("upperleg01.L")[1] + 0.6, 0])
    along = (resting - shoulder) / np.linalg.norm(resting - shoulder)
    normal = np.cross(along, Z)
    normal /= np.linalg.norm(normal)
    centre = (shoulder + resting) / 2
    centre[2] = points[:, 2].mean()
    path = torso.outline(shoulder, normal, centre, along, Z, np.linspace(-np.pi, np.pi, 61))
    outward = path - centre
    outward -= np.outer(outward @ normal, normal)
    path = path + outward / np.linalg.norm(outward, axis=1, keepdims=True) * 0.10
    strap = _part(body, *ribbon(path, np.tile(normal, (len(path), 1)), 0.36, 0.08), bag.trim, None)
    y, z = resting[1] - height * 0.35, points[:, 2].mean() - 1.3
    return [
        strap,
        _box(body, (depth, height, width), 0.4, [side * (hip + depth / 2 + 0.05), y, z], bag.cloth, "root"),
        _box(
            body,
            (depth * 0.35, height * 0.6, width * 0.96),
            0.15,
            [side * (hip + depth + 0.05), y + height * 0.18, z],
            bag.trim,
            "root",
        ),
    ]


def _shoulder_bag(body: Body, torso: Torso, bag: Belonging) -> list[Part]:
    width, height, depth = bag.size
    side, points = bag.side, torso.points
    hip = torso.half_width(body.head("spine05")[1], 0.6)
    shoulder = body.head("upperarm01.L")[0] * 0.80
    above = points[np.abs(points[:, 0] - shoulder) < 0.25]
    top = float(above[:, 1].max()) + 0.12
    z = float(above[above[:, 1] > top - 0.5, 2].mean())
    rim = body.head("spine04")[1] - 0.2
    x = max(hip, shoulder * 0.95) + depth / 2 + 0.12
    parts = [_box(body, (depth, height, width), 0.45, [side * x, rim - height / 2, z - 0.15], bag.cloth, "spine03")]
    for edge in (-1, 1):
        path = smooth_path(
            np.array(
                [
                    [side * x, rim - 0.1, z - 0.15 + edge * width * 0.33],
                    [side * (x * 0.6 + shoulder * 0.4), (rim + top) / 2 + 0.3, z + edge * 0.75],
                    [side * (shoulder + 0.05), top - 0.35, z + edge * 0.45],
                    [side * shoulder, top, z + edge * 0.06],
                ]
            ),
            14,
        )
        parts.append(_part(body, *ribbon(path, np.tile(X, (14, 1)), 0.28, 0.1), bag.trim, "spine02"))
    return parts


def worn_parts(body: Body, parts: list[Part], bag: Belonging) -> list[Part]:
    """The parts of a pack or slung bag, at rest on a body dressed in `parts`."""
    torso = Torso(body, parts)
    build = {"backpack": _backpack, "messenger bag": _messenger_bag, "shoulder bag": _shoulder_bag}[bag.kind]
    return build(body, torso, bag)


def _loops(hand: Floats, bag: Belonging, centre: Floats) -> list[Piece]:
    width, height, depth = bag.size
    top = centre[1] + height / 2
    bend = np.linspace(0, np.pi, 13)
    pieces: list[Piece] = []
    for offset in (-0.3, 0.3):
        x = (centre[0] + offset * depth * 0.5) * (1 - np.sin(bend)) + hand[0] * np.sin(bend)
        y = top - 0.15 + np.sin(bend) * (hand[1] - top + 0.25)
        path = np.stack([x, y, centre[2] + np.cos(bend) * width * 0.3], axis=1)
        pieces.append((*ribbon(path, np.tile(X, (13, 1)), 0.18, 0.12), bag.trim))
    return pieces


def _hanging(hand: Floats, ground: float, bag: Belonging) -> list[Piece]:
    width, height, depth = bag.size
    vertices, faces = rounded_box(depth, height, width, 0.25 if bag.kind == "handbag" else 0.10)
    lift = vertices[:, 1] / height + 0.5  # 0 at the bottom, 1 at the rim
    if bag.kind == "handbag":
        vertices[:, 2] *= 1 - 0.25 * lift
    else:  # a filled plastic bag bulges below and gathers at the handles
        vertices[:, 0] *= 1.25 - 0.7 * lift
        vertices[:, 2] *= 1.05 - 0.35 * lift**2
    drop = 1.3 if bag.kind == "handbag" else 1.8
    centre = hand + np.array([bag.side * 0.15, 0.1 - drop - height / 2, 0])
    centre[1] = max(centre[1], ground + height / 2 + 0.3)
    return [(vertices + centre, faces, bag.cloth), *_loops(hand, bag, centre)]


def _trailing(hand: Floats, ground: float, bag: Belonging) -> list[Piece]:
    width, height, depth = bag.size
    tilt = rotation(X, -0.42)
    vertices, faces = rounded_box(depth, height, width, 0.25)
    vertices = vertices @ tilt.T
    centre = np.array([hand[0] + bag.side * 0.2, ground + 0.35 - vertices[:, 1].min(), hand[2] - 2.6])
    top = centre + tilt @ np.array([0, height / 2, 0])
    pieces: list[Piece] = [(vertices + centre, faces, bag.cloth)]
    for offset in (-0.35, 0.35):
        aside = np.array([offset * depth * 0.4, 0, 0])
        path = np.linspace(top + aside, hand + aside, 6)
        pieces.append((*ribbon(path, np.tile(X, (6, 1)), 0.14, 0.14), bag.trim))
    for side in (-1, 1):
        vertices, faces = rounded_box(0.3, 0.7, 0.7, 1.0, cells=8)
        pieces.append(
            (vertices + centre + tilt @ np.array([side * depth * 0.4, -height / 2, -width * 0.3]), faces, bag.trim)
        )
    return pieces


def held_pieces(left_hand: Floats, right_hand: Floats, ground: float, bag: Belonging) -> list[Piece]:
    """The pieces of a thing held in the hand (or hands), in the posed person's space; `ground` is the lowest y."""
    hand = left_hand if bag.side > 0 else right_hand
    if bag.kind == "suitcase":
        return _trailing(hand, ground, bag)
    if bag.kind == "box":
        _, height, depth = bag.size
        gap = max(1.0, float(np.linalg.norm(left_hand - right_hand)) - 0.6)
        vertices, faces = rounded_box(gap, height, depth, 0.08)
        return [(vertices + (left_hand + right_hand) / 2 + [0, height * 0.3, depth * 0.36], faces, bag.cloth)]
    return _hanging(hand, ground, bag)
