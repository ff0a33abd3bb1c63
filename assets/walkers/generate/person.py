"""A whole person: body, clothes and belongings joined at rest, then posed and placed in the street as one mesh."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix, vstack
from scipy.spatial import cKDTree

from isp_assets.walkers.generate.arrays import Bytes, Colour, Floats, Ints
from isp_assets.walkers.generate.belongings import WORN, Belonging, held_pieces, worn_parts
from isp_assets.walkers.generate.body import HEAD, LEFT_LEG, RIGHT_LEG, TORSO, Body, Shape
from isp_assets.walkers.generate.classes import (
    BELONGINGS,
    FACE,
    HAIR,
    LEFT_ARM,
    PANTS,
    RIGHT_ARM,
    SKIRT,
    UPPER,
)
from isp_assets.walkers.generate.classes import LEFT_LEG as LEFT_LEG_CLASS
from isp_assets.walkers.generate.classes import RIGHT_LEG as RIGHT_LEG_CLASS
from isp_assets.walkers.generate.garments import LONG_SKIRT, Dressing, Outfit, Part, dress
from isp_assets.walkers.generate.geometry import Z, vertex_normals
from isp_assets.walkers.generate.library import BODY_VERTICES, Library
from isp_assets.walkers.generate.mesh import Material, Mesh, join
from isp_assets.walkers.generate.pose import Pose, bone_motions, skin

LIPS, BROWS, BEARD, SCALP = range(4)
_SKIN_CLASS = np.array([UPPER, LEFT_ARM, RIGHT_ARM, LEFT_LEG_CLASS, RIGHT_LEG_CLASS, FACE, FACE])


@dataclass(frozen=True)
class Complexion:
    """Skin, eyes and the hair that grows on skin. `shaven` paints a cropped scalp where no hair mesh is worn."""

    skin: Material
    iris: Colour
    shaven: bool


def _face_paint(body: Body) -> Floats:
    """(BODY_VERTICES, 4) lips, brows and beard zone, found from the bones of the face."""
    points = body.vertices[:BODY_VERTICES]
    x, y, z = points.T
    paint = np.zeros((BODY_VERTICES, 4))
    eye = body.head("eye.L")
    front = z > eye[2] - 0.25
    mouth = np.array([body.tail(f"oris{n}") for n in ("01", "05", "03.L", "03.R", "07.L", "07.R")])
    centre = mouth.mean(axis=0)
    half = max(float(np.ptp(mouth[:, 0])) / 2, 0.2)
    from_lips = np.hypot((x - centre[0]) / half, (y - centre[1]) / 0.13)
    paint[:, LIPS] = np.where(front & (z > centre[2] - 0.35), np.clip(1.5 - from_lips, 0, 1), 0)
    for side in "LR":
        pupil = body.head(f"eye.{side}")
        outward = (x - pupil[0]) * np.sign(pupil[0])
        from_brow = np.abs(y - (pupil[1] + 0.27 + 0.03 * np.cos(outward * 4)))
        brow = np.where(front & (outward > -0.17) & (outward < 0.27), np.clip(1.6 - from_brow / 0.055, 0, 1), 0)
        paint[:, BROWS] = np.maximum(paint[:, BROWS], brow)
    aside = np.abs(x - centre[0])
    edge = centre[1] + np.where(aside < 0.26, 0.18, -0.12 + 0.75 * (aside - 0.26))  # moustache, then up to the ears
    chin = np.clip((y - centre[1] + 0.85) / 0.15, 0, 1)
    paint[:, BEARD] = np.clip((edge - y) / 0.10, 0, 1) * chin * (z > body.head("head")[2] - 0.2)
    return paint


def _scalp(body: Body, hair: Part | None, shaven: bool) -> Floats:
    """(BODY_VERTICES,) where skin shows hair: under a hair mesh, so that gaps do not shine, or on a cropped head."""
    points = body.vertices[:BODY_VERTICES]
    x, y, z = points.T
    on_head = body.limb_weights[:BODY_VERTICES].argmax(axis=1) == HEAD
    eye = body.head("eye.L")
    if hair is not None:
        distance, _ = cKDTree(hair.vertices).query(points)
        behind = (z < eye[2] - 0.55) | (y > eye[1] + 0.75)
        return np.where(on_head & behind & (y > eye[1] - 0.9), np.clip(1.6 - distance / 0.22, 0, 1), 0)
    if not shaven:
        return np.zeros(BODY_VERTICES)
    line = eye[1] + 0.37 + 0.25 * (1 - np.clip((eye[2] - z) / 0.5, 0, 6))
    ear = (np.abs(x) > 0.80) & (y < eye[1] + 0.2)
    return np.where(on_head & (y > line) & (z < eye[2] + 0.35) & (y > eye[1] - 0.5) & ~ear, 1.0, 0.0)


def _naked_part(body: Body, dressing: Dressing, outfit: Outfit, complexion: Complexion) -> Part:
    """The skin that clothes leave open. Torso skin counts as face and neck above the collar, as clothes below it."""
    base = body.library.base
    faces = base.faces[base.groups == base.group_names.index("body")]
    faces = faces[~dressing.covered[faces].all(axis=1)]
    limb = body.limb_weights.argmax(axis=1)[faces]
    limb = np.where(limb[:, 0] == limb[:, 1], limb[:, 0], limb[:, 2])
    label = _SKIN_CLASS[limb]
    height = body.vertices[faces].mean(axis=1)[:, 1]
    torso = limb == TORSO
    label[torso & (height > body.head("clavicle.L")[1] - 1.2)] = FACE
    skirted = outfit.bottom in ("skirt", LONG_SKIRT)
    label[torso & (height < body.head("spine05")[1] - 0.5)] = SKIRT if skirted else PANTS
    paint = np.zeros((len(body.vertices), 4))
    paint[:BODY_VERTICES] = _face_paint(body)
    paint[:BODY_VERTICES, SCALP] = _scalp(body, dressing.named("hair"), complexion.shaven)
    label[paint[faces, SCALP].mean(axis=1) > 0.5] = HAIR
    used, compact = np.unique(faces, return_inverse=True)
    part = Part.of(
        "skin", body.vertices[used], compact.reshape(-1, 3), body.skeleton.weights[used], complexion.skin, FACE
    )
    part.label, part.paint = label, paint[used]
    return part


def _eyes(body: Body, iris: Colour) -> Part:
    asset = body.library.asset("high-poly")
    vertices = asset.fit.on(body.vertices)
    part = Part.of("eyes", vertices, asset.mesh.faces, asset.bone_weights, Material("eye", iris, gloss=0.3), FACE)
    part.paint = np.zeros((len(vertices), 4))
    for side in "LR":
        centre = body.head(f"eye.{side}")
        sight = body.tail(f"eye.{side}") - centre
        offset = vertices - centre
        cosine = offset @ sight / np.maximum(np.linalg.norm(offset, axis=1) * np.linalg.norm(sight), 1e-9)
        mine = np.sign(vertices[:, 0]) == np.sign(centre[0])
        part.paint[mine, 0] = cosine[mine]
    return part


def _coords(body: Body, part: Part) -> Floats:
    """(V, 7) where cloth patterns are sampled: x, y, z of torso or leg; sleeve weight; x, y, z along the sleeve."""
    coords = np.zeros((len(part.vertices), 7))
    coords[:, :3] = part.vertices
    if part.name not in ("top", "bottom", "overall"):
        return coords
    limbs = np.asarray(part.weights @ body.gather)
    for side, arm, leg in (("L", 1, LEFT_LEG), ("R", 2, RIGHT_LEG)):
        shoulder = body.head(f"upperarm01.{side}")
        along = body.head(f"wrist.{side}") - shoulder
        along = along / np.linalg.norm(along)
        offset = part.vertices - shoulder
        down = offset @ along
        across = offset - np.outer(down, along)
        mine = np.sign(part.vertices[:, 0]) == np.sign(shoulder[0])
        sleeve = np.stack([across @ np.cross(along, Z), shoulder[1] - down, across @ Z], axis=1)
        coords[mine, 4:] = sleeve[mine]
        coords[:, 3] += limbs[:, arm]
        coords[:, 0] -= body.head(f"upperleg01.{side}")[0] * np.clip((limbs[:, leg] - 0.6) / 0.3, 0, 1)
    return coords


@dataclass(frozen=True)
class Stance:
    """Where and how a person stands: a pose, a heading in degrees (0 faces +z), a place on the ground (x, z) in m."""

    pose: Pose
    heading: float
    place: tuple[float, float]


class Person:
    """Somebody at rest, ready to be posed. `label` and `materials` are per triangle of the joined mesh."""

    def __init__(
        self, library: Library, shape: Shape, complexion: Complexion, outfit: Outfit, belonging: Belonging | None
    ) -> None:
        self.body = Body(library, shape)
        self.belonging = belonging
        dressing = dress(self.body, outfit)
        parts = [
            *dressing.parts,
            _naked_part(self.body, dressing, outfit, complexion),
            _eyes(self.body, complexion.iris),
        ]
        if belonging is not None and belonging.kind in WORN:
            parts += worn_parts(self.body, dressing.parts, belonging)
        start = np.cumsum([0] + [len(part.vertices) for part in parts])
        palette = np.cumsum([0] + [len(part.materials) for part in parts])
        self.vertices: Floats = np.concatenate([part.vertices for part in parts])
        self.weights: csr_matrix = csr_matrix(vstack([part.weights for part in parts]))
        self.faces: Ints = np.concatenate([part.faces + s for part, s in zip(parts, start, strict=False)])
        self.material: Ints = np.concatenate([part.material + s for part, s in zip(parts, palette, strict=False)])
        self.materials = tuple(material for part in parts for material in part.materials)
        self.label: Bytes = np.concatenate([part.label for part in parts]).astype(np.uint8)
        self.coords: Floats = np.concatenate([_coords(self.body, part) for part in parts])
        self.paint: Floats = np.concatenate(
            [part.paint if part.paint is not None else np.zeros((len(part.vertices), 4)) for part in parts]
        )

    def _hand(self, motions: Floats, side: str) -> Floats:
        bone = self.body.skeleton.index(f"finger3-1.{side}")
        middle = (self.body.heads[bone] + self.body.tails[bone]) / 2
        grip: Floats = motions[bone, :, :3] @ middle + motions[bone, :, 3]
        return grip

    def stand(self, stance: Stance) -> Mesh:
        """The person in the street, in metres, the lowest point of the body on the ground."""
        motions = bone_motions(self.body, stance.pose)
        posed = skin(self.vertices, self.weights, motions)
        ground = float(posed[:, 1].min())
        meshes = [
            Mesh(
                posed,
                self.faces,
                vertex_normals(posed, self.faces),
                self.material,
                self.label,
                self.coords,
                self.paint,
                self.materials,
            )
        ]
        if self.belonging is not None and self.belonging.kind not in WORN:
            hands = self._hand(motions, "L"), self._hand(motions, "R")
            for vertices, faces, material in held_pieces(*hands, ground, self.belonging):
                meshes.append(Mesh.plain(vertices, faces, material, vertices - vertices.mean(axis=0), BELONGINGS))
        whole = join(meshes)
        metres = replace(whole, vertices=(whole.vertices - [0, ground, 0]) * 0.1)
        return metres.moved(stance.heading, (stance.place[0], 0, stance.place[1]))
