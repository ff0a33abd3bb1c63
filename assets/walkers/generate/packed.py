"""MakeHuman's meshes in three small files, without loss: their decimals are kept as whole numbers.

`pack` makes the files from MakeHuman's folders; `Packed` reads them. A value is exactly what the text file says,
because dividing a whole number by a power of ten rounds as reading the decimal does; what is not a decimal of the text
(rotations, normalised bone weights) is kept as float64.
"""

import zipfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from isp_assets.walkers.generate.arrays import Floats
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

MESHES = Path(__file__).resolve().parents[2] / "meshes"
"""Where the packed files are installed."""

_BASE, _TARGETS = "base.npz", "targets.npz"
_WORN = {"clothes.npz": "base/clothes", "hair.npz": "base/hair", "eyes.npz": "data/eyes"}  # and MakeHuman's folder
_POSITION, _FIT, _OFFSET = 10_000, 100_000, 1_000  # whole numbers to the decimetre: .obj, .mhclo and .target
Arrays = dict[str, NDArray[Any]]


class Packed:
    """The packed files in `folder`. MeshError where one is missing or damaged."""

    def __init__(self, folder: Path = MESHES) -> None:
        self.folder = folder

    @cached_property
    def base(self) -> Obj:
        return _obj(self._base_file, "base")

    @cached_property
    def skeleton(self) -> Skeleton:
        file = self._base_file
        bones = len(file["bones/names"])
        return Skeleton(
            names=tuple(file["bones/names"].tolist()),
            parents=file["bones/parents"].astype(np.int64),
            heads=_ragged(file, "bones/heads"),
            tails=_ragged(file, "bones/tails"),
            weights=csr_matrix(
                (file["weights/values"], file["weights/bones"], file["weights/starts"]),
                shape=(len(self.base.vertices), bones),
            ),
        )

    @cached_property
    def clothes(self) -> dict[str, tuple[Obj, Fit]]:
        """Garments, shoes, hair and eyes by name."""
        files = [self._read(name) for name in _WORN]
        return {name: (_obj(file, name), _fit(file, name)) for file in files for name in file["names"].tolist()}

    @cached_property
    def targets(self) -> dict[str, Target]:
        file = self._read(_TARGETS)
        found = {}
        for name, offsets in zip(file["names"].tolist(), file["offsets"], strict=True):  # (3, V)
            moved = np.flatnonzero(offsets.any(axis=0))
            found[name] = Target(moved, offsets[:, moved].T / _OFFSET)
        return found

    @cached_property
    def poses(self) -> dict[str, dict[str, Floats]]:
        """Standing poses by name: local rotations (3, 3) by bone."""
        file = self._base_file
        poses = {}
        for name in file["poses"].tolist():
            poses[name] = dict(zip(file[f"{name}/bones"].tolist(), file[f"{name}/turns"], strict=True))
        return poses

    @cached_property
    def _base_file(self) -> Arrays:
        return self._read(_BASE)

    def _read(self, name: str) -> Arrays:
        path = self.folder / name
        try:
            with np.load(path, allow_pickle=False) as file:
                return dict(file)
        except FileNotFoundError:
            raise MeshError(f"{path} is missing: install the package again, or pack MakeHuman's files") from None
        except Exception as error:  # zipfile, lzma and NumPy each have their own
            raise MeshError(f"{path} is damaged ({error}): install the package again") from error


def pack(makehuman: Path, folder: Path = MESHES) -> list[Path]:
    """Packs MakeHuman's folders `data` and `base` in `makehuman` into `folder`; returns the files written."""
    data = makehuman / "data"
    if not (data / "3dobjs/base.obj").is_file():
        raise MeshError(f"{makehuman}: data/3dobjs/base.obj is missing; give the folder with `data` and `base`")
    mesh = read_obj(data / "3dobjs/base.obj")
    rigs = data / "rigs"
    skeleton = read_skeleton(rigs / "default.mhskel", rigs / "default_weights.mhw", len(mesh.vertices))
    targets = {path.stem: read_target(path) for path in sorted((data / "targets/macrodetails").rglob("*.target"))}
    poses = {path.stem: read_bvh(path) for path in sorted((makehuman / "base/poses").glob("standing*.bvh"))}
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _write(folder / _BASE, _base_arrays(mesh, skeleton, poses)),
        *(_write(folder / name, _clothes_arrays(_worn(makehuman / place))) for name, place in _WORN.items()),
        _write(folder / _TARGETS, _target_arrays(targets, len(mesh.vertices))),
    ]


def _worn(folder: Path) -> dict[str, tuple[Obj, Fit]]:
    """All garments below `folder` by name."""
    worn = {}
    for path in sorted(folder.rglob("*.mhclo")):
        mesh, fit = read_obj(path.with_suffix(".obj")), read_mhclo(path)
        if len(fit.anchors) != len(mesh.vertices):
            raise MeshError(f"{path}: fits {len(fit.anchors)} vertices, its mesh has {len(mesh.vertices)}")
        worn[path.stem] = mesh, fit
    return worn


def whole_numbers(values: Floats, unit: int, dtype: type[np.signedinteger[Any]] = np.int32) -> NDArray[Any]:
    """`values` in 1 / `unit`, as whole numbers. MeshError where that would lose anything.

    >>> whole_numbers(np.array([0.125, -2.0]), 1000).tolist()
    [125, -2000]
    """
    numbers = np.rint(values * unit)
    if not np.array_equal(numbers / unit, values) or np.abs(numbers).max(initial=0) > np.iinfo(dtype).max:
        raise MeshError(f"these meshes have finer or larger numbers than 1/{unit} in {np.dtype(dtype).name} can hold")
    return numbers.astype(dtype)


def _obj_arrays(name: str, mesh: Obj) -> Arrays:
    return {
        f"{name}/vertices": whole_numbers(mesh.vertices, _POSITION),
        f"{name}/faces": mesh.faces.astype(np.int32),
        f"{name}/groups": mesh.groups.astype(np.int16),
        f"{name}/group_names": np.array(mesh.group_names, str),
    }


def _obj(file: Mapping[str, NDArray[Any]], name: str) -> Obj:
    return Obj(
        file[f"{name}/vertices"] / _POSITION,
        file[f"{name}/faces"].astype(np.int64),
        file[f"{name}/groups"].astype(np.int64),
        tuple(file[f"{name}/group_names"].tolist()),
    )


def _clothes_arrays(clothes: Mapping[str, tuple[Obj, Fit]]) -> Arrays:
    arrays: Arrays = {"names": np.array(list(clothes))}
    for name, (mesh, fit) in clothes.items():
        arrays |= _obj_arrays(name, mesh)
        arrays[f"{name}/anchors"] = fit.anchors.astype(np.int32)
        arrays[f"{name}/weights"] = whole_numbers(fit.weights, _FIT)
        arrays[f"{name}/offsets"] = whole_numbers(fit.offsets, _FIT)
        arrays[f"{name}/scales"] = np.array([scale or (-1, -1, 1) for scale in fit.scales], float)
        arrays[f"{name}/hidden"] = fit.hidden.astype(np.int32)
    return arrays


def _fit(file: Mapping[str, NDArray[Any]], name: str) -> Fit:
    scales = [(int(a), int(b), float(d)) if a >= 0 else None for a, b, d in file[f"{name}/scales"]]
    return Fit(
        file[f"{name}/anchors"].astype(np.int64),
        file[f"{name}/weights"] / _FIT,
        file[f"{name}/offsets"] / _FIT,
        tuple(scales),
        file[f"{name}/hidden"].astype(np.int64),
    )


def _base_arrays(mesh: Obj, skeleton: Skeleton, poses: Mapping[str, Mapping[str, Floats]]) -> Arrays:
    arrays = _obj_arrays("base", mesh)
    arrays["bones/names"] = np.array(skeleton.names)
    arrays["bones/parents"] = skeleton.parents.astype(np.int32)
    for kind, joints in (("heads", skeleton.heads), ("tails", skeleton.tails)):
        arrays[f"bones/{kind}"] = np.concatenate(joints).astype(np.int32)
        arrays[f"bones/{kind}/ends"] = np.cumsum([len(joint) for joint in joints]).astype(np.int32)
    arrays["weights/values"] = skeleton.weights.data
    arrays["weights/bones"] = skeleton.weights.indices.astype(np.int32)
    arrays["weights/starts"] = skeleton.weights.indptr.astype(np.int32)
    arrays["poses"] = np.array(list(poses))
    for name, pose in poses.items():
        arrays[f"{name}/bones"], arrays[f"{name}/turns"] = np.array(list(pose)), np.array(list(pose.values()))
    return arrays


def _ragged(file: Mapping[str, NDArray[Any]], name: str) -> tuple[NDArray[np.int64], ...]:
    return tuple(np.split(file[name].astype(np.int64), file[f"{name}/ends"][:-1]))


def _target_arrays(targets: Mapping[str, Target], vertices: int) -> Arrays:
    offsets = np.zeros((len(targets), 3, vertices), np.int16)
    for row, target in zip(offsets, targets.values(), strict=True):
        row[:, target.indices] = whole_numbers(target.offsets, _OFFSET, np.int16).T
    return {"names": np.array(list(targets)), "offsets": offsets}


def _write(path: Path, arrays: Arrays) -> Path:
    """An .npz file as `numpy.load` reads it, smaller than NumPy writes it, the same bytes each time."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")  # its time is 1980 unless told: equal arrays give equal files
            member.compress_type = zipfile.ZIP_LZMA
            with archive.open(member, "w") as entry:
                np.lib.format.write_array(entry, np.ascontiguousarray(array), allow_pickle=False)
    return path
