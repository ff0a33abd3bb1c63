"""The folder of meshes, read once and kept: base mesh, skeleton, morph targets, clothes, poses."""

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components

from isp_assets.walkers.generate.arrays import Floats, Ints
from isp_assets.walkers.generate.meshes import (
    Fit,
    MeshError,
    Obj,
    Skeleton,
    Target,
    read_bvh,
    read_mhclo,
    read_obj,
    read_skeleton,
    read_target,
)

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
    """MakeHuman's CC0 data under `root` (folders `data` and `base`)."""

    def __init__(self, root: Path) -> None:
        if not (root / "data/3dobjs/base.obj").is_file():
            raise MeshError(
                f"{root}: data/3dobjs/base.obj is missing; give the folder with MakeHuman's `data` and `base`"
            )
        self.root = root
        self.asset = cache(self._asset)
        self.target = cache(self._target)
        self.pose = cache(self._pose)

    @cached_property
    def base(self) -> Obj:
        return read_obj(self.root / "data/3dobjs/base.obj")

    @cached_property
    def skeleton(self) -> Skeleton:
        rigs = self.root / "data/rigs"
        return read_skeleton(rigs / "default.mhskel", rigs / "default_weights.mhw", len(self.base.vertices))

    @cached_property
    def _targets(self) -> dict[str, Path]:
        return {path.stem: path for path in sorted((self.root / "data/targets/macrodetails").rglob("*.target"))}

    def _target(self, name: str) -> Target | None:
        """The morph of that name, None where MakeHuman has none (an average needs no correction)."""
        return read_target(self._targets[name]) if name in self._targets else None

    @cached_property
    def _assets(self) -> dict[str, Path]:
        found = [
            path
            for folder in ("base/clothes", "base/hair", "data/eyes")
            for path in (self.root / folder).rglob("*.mhclo")
        ]
        return {path.stem: path for path in sorted(found)}

    def _asset(self, name: str) -> Asset:
        if name not in self._assets:
            raise MeshError(f"{self.root}: no garment, shoe or hair `{name}` (have {', '.join(self._assets)})")
        path = self._assets[name]
        mesh, fit = read_obj(path.with_suffix(".obj")), read_mhclo(path)
        if len(fit.anchors) != len(mesh.vertices):
            raise MeshError(f"{path}: fits {len(fit.anchors)} vertices, its mesh has {len(mesh.vertices)}")
        return Asset(mesh, fit, ranked_components(mesh), self.bound(fit.anchors, fit.weights.clip(0, None)))

    def bound(self, anchors: Ints, weights: Floats) -> csr_matrix:
        """Bone weights (n, B) of things that hang on base vertices `anchors` (n, k) with `weights` (n, k) >= 0."""
        n, k = anchors.shape
        share = weights / weights.sum(axis=1, keepdims=True)
        hang = csr_matrix(
            (share.ravel(), (np.repeat(np.arange(n), k), anchors.ravel())), shape=(n, len(self.base.vertices))
        )
        return csr_matrix(hang @ self.skeleton.weights)

    def _pose(self, name: str) -> dict[str, Floats]:
        return read_bvh(self.root / f"base/poses/{name}.bvh")
