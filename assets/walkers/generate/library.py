"""The packed meshes, read once and kept: base mesh, skeleton, morph targets, clothes, poses."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components

from isp_assets.walkers.generate.arrays import Floats, Ints
from isp_assets.walkers.generate.meshes import Fit, MeshError, Obj, Target
from isp_assets.walkers.generate.packed import MESHES, Packed

BODY_VERTICES = 13380  # the body proper comes first in base.obj; helpers follow
TIGHTS = np.arange(15328, 18002)  # helper-tights: an offset skin that clothes and straps hang on


@dataclass(frozen=True)
class Asset:
    """A garment, shoe, hair or eye mesh with its fit; `component` ranks connected pieces by size, largest first."""

    mesh: Obj
    fit: Fit
    component: Ints  # (V,)
    bone_weights: csr_matrix  # (V, B)


def ranked_components(mesh: Obj) -> Ints:
    """(V,) which connected piece each vertex belongs to, after welding equal positions; 0 is the largest."""
    _, welded = np.unique(np.round(mesh.vertices, 4), axis=0, return_inverse=True)
    welded = welded.ravel()
    edges = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(edges)), (welded[edges[:, 0]], welded[edges[:, 1]])), shape=(welded.max() + 1,) * 2)
    _, piece = connected_components(graph, directed=False)
    piece = piece[welded]
    _, piece = np.unique(piece, return_inverse=True)
    rank = np.argsort(np.argsort(-np.bincount(piece), kind="stable"), kind="stable")
    return np.asarray(rank[piece], np.int64)


class Library:
    """MakeHuman's CC0 meshes, packed in `folder`."""

    def __init__(self, folder: Path = MESHES) -> None:
        self._packed = Packed(folder)
        self.base = self._packed.base
        self.skeleton = self._packed.skeleton
        self.asset = cache(self._asset)

    def target(self, name: str) -> Target | None:
        """The morph of that name, None where MakeHuman has none (an average needs no correction)."""
        return self._packed.targets.get(name)

    def pose(self, name: str) -> dict[str, Floats]:
        """Local rotations (3, 3) by bone of a standing pose."""
        return self._packed.poses[name]

    def _asset(self, name: str) -> Asset:
        clothes = self._packed.clothes
        if name not in clothes:
            raise MeshError(f"no garment, shoe or hair is called `{name}` (have {', '.join(clothes)})")
        mesh, fit = clothes[name]
        return Asset(mesh, fit, ranked_components(mesh), self.bound(fit.anchors, fit.weights.clip(0, None)))

    def bound(self, anchors: Ints, weights: Floats) -> csr_matrix:
        """Bone weights (n, B) of things that hang on base vertices `anchors` (n, k) with `weights` (n, k) >= 0."""
        n, k = anchors.shape
        share = weights / weights.sum(axis=1, keepdims=True)
        hang = csr_matrix(
            (share.ravel(), (np.repeat(np.arange(n), k), anchors.ravel())), shape=(n, len(self.base.vertices))
        )
        return csr_matrix(hang @ self.skeleton.weights)
