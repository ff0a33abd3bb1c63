"""Dressing a body: which mesh pieces make a top, a bottom, shoes and hair, and how they are kept from poking through.

MakeHuman ships whole suits; here their pieces are worn in any combination. Colours are given, not chosen.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_matrix

from isp_assets.walkers.generate.arrays import Bools, Floats, Ints
from isp_assets.walkers.generate.body import LEFT_LEG, RIGHT_LEG, TORSO, Body
from isp_assets.walkers.generate.classes import HAIR, HAT, JUMPSUIT, LEFT_SHOE, PANTS, RIGHT_SHOE, SKIRT, UPPER
from isp_assets.walkers.generate.geometry import vertex_normals
from isp_assets.walkers.generate.mesh import Material

# name -> (suit that holds it, ranks of its connected pieces)
TOPS: dict[str, tuple[str, tuple[int, ...]]] = {
    "long tee": ("male_casualsuit02", (0,)),
    "shirt": ("male_casualsuit03", (0,)),
    "tee": ("male_casualsuit04", (1,)),
    "jacket": ("male_casualsuit05", (0, 2, 3)),
    "polo": ("male_casualsuit06", (0,)),
    "suit coat": ("male_elegantsuit01", (0,)),
    "fitted tee": ("female_casualsuit01", (0,)),
    "blouse": ("female_elegantsuit01", (0,)),
    "crop top": ("female_sportsuit01", (0,)),
}
BOTTOMS: dict[str, tuple[str, tuple[int, ...]]] = {
    "jeans": ("male_casualsuit02", (1,)),
    "slacks": ("male_elegantsuit01", (1,)),
    "slim jeans": ("female_casualsuit01", (1,)),
    "shorts": ("female_casualsuit02", (0, 2)),
    "skirt": ("female_elegantsuit01", (1,)),
    "leggings": ("female_sportsuit01", (1,)),
}
LONG_SKIRT, DUNGAREES = "long skirt", "dungarees"
BARE_LEGS = ("shorts", "skirt", LONG_SKIRT)
_SOCK = 144  # vertices of a sock in every shoe file


@dataclass(frozen=True)
class Outfit:
    """What a person wears. Lengths in dm; a coat is a top continued down to `coat_length` below the knee's height."""

    top: str
    bottom: str  # a key of BOTTOMS, LONG_SKIRT or DUNGAREES
    shoes: str
    hair: str | None
    hat: str | None
    coat_length: float | None
    skirt_length: float
    top_cloth: Material
    inner_cloth: Material
    bottom_cloth: Material
    shoe_leather: Material
    sole: Material
    sock: Material
    hair_strands: Material
    hat_felt: Material


@dataclass
class Part:
    """A piece of a person at rest: mesh, bone weights, and per triangle its material and label."""

    name: str
    vertices: Floats  # (V, 3) dm
    faces: Ints  # (F, 3)
    weights: csr_matrix  # (V, B)
    materials: list[Material]
    material: Ints  # (F,) index into materials
    label: Ints  # (F,)
    component: Ints | None = None  # (V,)
    paint: Floats | None = None  # (V, 4)

    @staticmethod
    def of(name: str, vertices: Floats, faces: Ints, weights: csr_matrix, material: Material, label: int) -> "Part":
        count = len(faces)
        return Part(name, vertices, faces, weights, [material], np.zeros(count, np.int64), np.full(count, label))

    def repaint(self, triangles: Bools, material: Material) -> None:
        self.materials.append(material)
        self.material[triangles] = len(self.materials) - 1

    def keep(self, triangles: Bools) -> None:
        self.faces, self.material, self.label = self.faces[triangles], self.material[triangles], self.label[triangles]

    def centres(self) -> Floats:
        centres: Floats = self.vertices[self.faces].mean(axis=1)
        return centres


@dataclass
class Dressing:
    """The pieces worn, and which body vertices they cover."""

    parts: list[Part] = field(default_factory=list)
    covered: Bools = field(default_factory=lambda: np.zeros(0, bool))

    def named(self, name: str) -> Part | None:
        return next((part for part in self.parts if part.name == name), None)


def _wear(
    body: Body, dressing: Dressing, key: str, name: str, material: Material, label: int,
    pieces: tuple[int, ...] | None = None, inflate: float = 0.0, covers: Bools | None = None,
) -> Part:  # fmt: skip
    """Fit pieces of a garment file to the body; `covers` says which of the hidden body vertices count."""
    asset = body.library.asset(key)
    vertices = asset.fit.on(body.vertices)
    if inflate:
        vertices = vertices + vertex_normals(vertices, asset.mesh.faces) * inflate
    worn = np.isin(asset.component, pieces) if pieces is not None else np.ones(len(vertices), bool)
    faces = asset.mesh.faces[worn[asset.mesh.faces].all(axis=1)]
    used, compact = np.unique(faces, return_inverse=True)
    part = Part.of(name, vertices[used], compact.reshape(-1, 3), asset.bone_weights[used], material, label)
    part.component = asset.component[used]
    dressing.parts.append(part)
    if covers is not None:
        dressing.covered[asset.fit.hidden[covers[asset.fit.hidden]]] = True
    return part


def _hang_skirt(body: Body, dressing: Dressing, lowest: float, material: Material, label: int, inflate: float) -> None:
    """MakeHuman's ankle-long helper cone, cut at height `lowest`: long skirts and coat tails."""
    base = body.library.base
    faces = base.faces[base.groups == base.group_names.index("helper-skirt")]
    vertices = body.vertices + vertex_normals(body.vertices, faces) * inflate
    faces = faces[vertices[faces][:, :, 1].min(axis=1) > lowest - 0.15]
    used, compact = np.unique(faces, return_inverse=True)
    weights = body.skeleton.weights[used]
    dressing.parts.append(Part.of("bottom", vertices[used], compact.reshape(-1, 3), weights, material, label))


def _tuck(body: Body, bottom: Part, top: Part) -> None:
    """Drop the trousers that a top hides, so that they cannot poke through it: above its hem, per angular sector."""
    sectors, waist = 24, body.head("spine05")
    on_torso = np.asarray(top.weights @ body.gather)[:, TORSO] > 0.4

    def sector(points: Floats) -> Ints:
        turn = np.arctan2(points[:, 0], points[:, 2] - waist[2]) / (2 * np.pi) + 0.5
        return np.asarray(np.floor(turn * sectors), np.int64) % sectors

    hem = np.full(sectors, np.inf)
    np.minimum.at(hem, sector(top.vertices[on_torso]), top.vertices[on_torso, 1])
    hem = np.maximum(hem, np.maximum(np.roll(hem, 1), np.roll(hem, -1)))
    centres = bottom.centres()
    bottom.keep(centres[:, 1] <= hem[sector(centres)] + 0.14)


def _legs_and_torso(body: Body, outfit: Outfit, dressing: Dressing) -> None:
    limb = body.limb_weights.argmax(axis=1)
    height = body.vertices[:, 1]
    lower = (limb == LEFT_LEG) | (limb == RIGHT_LEG) | ((limb == TORSO) & (height < body.head("spine05")[1]))
    if outfit.bottom == DUNGAREES:
        whole = np.ones(len(lower), bool)
        suit = _wear(body, dressing, "male_worksuit01", "overall", outfit.bottom_cloth, JUMPSUIT, covers=whole)
        assert suit.component is not None
        tee = suit.component[suit.faces[:, 0]] == 1
        suit.label[tee] = UPPER
        suit.repaint(tee, outfit.top_cloth)
        return
    bottom = None
    if outfit.bottom in BOTTOMS:
        key, pieces = BOTTOMS[outfit.bottom]
        label = SKIRT if outfit.bottom == "skirt" else PANTS
        tight = -0.02 if outfit.bottom == "leggings" else 0.0
        bottom = _wear(body, dressing, key, "bottom", outfit.bottom_cloth, label, pieces, tight, lower)
    key, pieces = TOPS[outfit.top]
    loose = 0.12 if outfit.top == "jacket" else 0.04
    top = _wear(body, dressing, key, "top", outfit.top_cloth, UPPER, pieces, loose, ~lower)
    assert top.component is not None
    if outfit.top == "jacket":
        top.repaint(np.isin(top.component[top.faces[:, 0]], pieces[1:]), outfit.inner_cloth)
    if bottom is not None:
        _tuck(body, bottom, top)
    knee, hip = body.head("lowerleg01.L")[1], body.head("upperleg01.L")[1]
    if outfit.bottom == LONG_SKIRT:
        _hang_skirt(body, dressing, knee - outfit.skirt_length, outfit.bottom_cloth, SKIRT, 0.0)
        dressing.covered[lower & (height > hip - 1.0)] = True
    if outfit.coat_length is not None:
        _hang_skirt(body, dressing, knee + outfit.coat_length, outfit.top_cloth, UPPER, 0.12)


def _shoes(body: Body, outfit: Outfit, dressing: Dressing) -> None:
    everywhere = np.ones(len(body.vertices), bool)
    shoes = _wear(body, dressing, outfit.shoes, "shoes", outfit.shoe_leather, LEFT_SHOE, covers=everywhere)
    asset = body.library.asset(outfit.shoes)
    assert shoes.component is not None
    shoes.label[:] = np.where(shoes.vertices[shoes.faces[:, 0], 0] > 0, LEFT_SHOE, RIGHT_SHOE)
    sock = np.bincount(asset.component)[shoes.component[shoes.faces[:, 0]]] == _SOCK
    shoes.repaint(sock, outfit.sock)
    ground = shoes.vertices[:, 1].min()
    shoes.repaint((shoes.centres()[:, 1] < ground + 0.25) & ~sock, outfit.sole)
    if outfit.bottom not in BARE_LEGS:  # under long trousers socks only poke through
        shoes.keep(~sock)


def _head(body: Body, outfit: Outfit, dressing: Dressing) -> None:
    hair = hat = None
    if outfit.hair is not None:
        hair = _wear(body, dressing, outfit.hair, "hair", outfit.hair_strands, HAIR)
    if outfit.hat is not None:
        hat = _wear(body, dressing, outfit.hat, "hat", outfit.hat_felt, HAT)
    if hair is not None and hat is not None:
        brim = np.percentile(hat.vertices[:, 1], 12)
        hair.keep(hair.centres()[:, 1] <= brim + 0.05)
        middle = hat.vertices.mean(axis=0)
        hat.vertices = middle + (hat.vertices - middle) * [1.06, 1, 1.06]


def dress(body: Body, outfit: Outfit) -> Dressing:
    """Everything worn, in rest pose."""
    dressing = Dressing(covered=np.zeros(len(body.vertices), bool))
    _legs_and_torso(body, outfit, dressing)
    _shoes(body, outfit, dressing)
    _head(body, outfit, dressing)
    return dressing
