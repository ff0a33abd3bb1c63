"""What is drawn: materials, and meshes whose vertices carry the coordinates that materials are painted with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from isp_assets.walkers.generate.arrays import Bytes, Colour, Floats, Ints
from isp_assets.walkers.generate.geometry import Y, rotation, vertex_normals


@dataclass(frozen=True)
class Material:
    """A surface. `pattern` names a function of patterns.py or surfaces.py; the rest are its parameters."""

    pattern: str
    colour: Colour
    second: Colour = (0.5, 0.5, 0.5)
    third: Colour = (0.5, 0.5, 0.5)
    period: float = 1.0  # length of a repeat, dm on people, m in streets
    share: float = 0.5  # of the second colour in a repeat; of the beard on skin
    height: float = 0.0  # where a band or print sits
    seed: int = 0
    gloss: float = 0.04
    folds: float = 0.0  # depth of cloth folds, 0 none .. 1 strong


@dataclass(frozen=True)
class Mesh:
    """Triangles in metres, ready to be drawn. `label` is the class of each triangle (0 = not a person's part)."""

    vertices: Floats  # (V, 3)
    faces: Ints  # (F, 3)
    normals: Floats  # (V, 3)
    material: Ints  # (F,) index into materials
    label: Bytes  # (F,)
    coords: Floats  # (V, 7) where a pattern is sampled: x, y, z; sleeve weight; sleeve x, y, z
    paint: Floats  # (V, 4) free channels of the pattern: lips, brows, beard, scalp on skin
    materials: tuple[Material, ...]

    @staticmethod
    def plain(
        vertices: Floats, faces: Ints, material: Material, coords: Floats | None = None, label: int = 0
    ) -> "Mesh":
        """A mesh of one material; coordinates are the vertices themselves unless given (V, 3)."""
        seven = np.zeros((len(vertices), 7))
        seven[:, :3] = vertices if coords is None else coords
        return Mesh(
            vertices=vertices,
            faces=faces,
            normals=vertex_normals(vertices, faces),
            material=np.zeros(len(faces), np.int64),
            label=np.full(len(faces), label, np.uint8),
            coords=seven,
            paint=np.zeros((len(vertices), 4)),
            materials=(material,),
        )

    def moved(self, yaw: float, at: tuple[float, float, float]) -> "Mesh":
        """Turned by `yaw` degrees about y, then shifted; patterns move along."""
        turn = rotation(Y, np.radians(yaw)).T
        return replace(self, vertices=self.vertices @ turn + np.array(at), normals=self.normals @ turn)


def join(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of many, in order."""
    vertex = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    palette = np.cumsum([0] + [len(mesh.materials) for mesh in meshes])
    return Mesh(
        vertices=np.concatenate([mesh.vertices for mesh in meshes]),
        faces=np.concatenate([mesh.faces + start for mesh, start in zip(meshes, vertex, strict=False)]),
        normals=np.concatenate([mesh.normals for mesh in meshes]),
        material=np.concatenate([mesh.material + start for mesh, start in zip(meshes, palette, strict=False)]),
        label=np.concatenate([mesh.label for mesh in meshes]),
        coords=np.concatenate([mesh.coords for mesh in meshes]),
        paint=np.concatenate([mesh.paint for mesh in meshes]),
        materials=tuple(material for mesh in meshes for material in mesh.materials),
    )
