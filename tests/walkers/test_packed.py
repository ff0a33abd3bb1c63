"""The packed meshes: small, whole, and exactly what MakeHuman's files say."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")
from isp_assets.walkers.generate.library import Library
from isp_assets.walkers.generate.meshes import MeshError, read_bvh, read_mhclo, read_obj, read_skeleton, read_target
from isp_assets.walkers.generate.packed import MESHES, Packed, pack, whole_numbers


def test_they_are_small_and_their_owners_are_named() -> None:
    sizes = [path.stat().st_size for path in MESHES.glob("*.npz")]
    assert max(sizes) < 2e6
    assert sum(sizes) < 12e6
    for file in (MESHES / "README.md", MESHES.parents[1] / "NOTICE"):
        text = file.read_text()
        assert "CC0 1.0" in text
        assert "Data Collection AB, Joel Palmius" in text


@pytest.mark.slow
def test_they_are_exactly_what_makehumans_files_say(shared_data: Path) -> None:
    makehuman = shared_data / "makehuman"
    if not makehuman.is_dir():
        pytest.skip("no MakeHuman meshes in ../shared/data/makehuman")
    packed = Packed()
    base = read_obj(makehuman / "data/3dobjs/base.obj")
    assert np.array_equal(packed.base.vertices, base.vertices)
    assert np.array_equal(packed.base.faces, base.faces)
    rigs = makehuman / "data/rigs"
    skeleton = read_skeleton(rigs / "default.mhskel", rigs / "default_weights.mhw", len(base.vertices))
    assert packed.skeleton.names == skeleton.names
    assert np.array_equal(packed.skeleton.weights.data, skeleton.weights.data)
    assert np.array_equal(packed.skeleton.weights.indices, skeleton.weights.indices)
    assert all(map(np.array_equal, packed.skeleton.heads, skeleton.heads))
    for path in sorted(makehuman.rglob("*.target"))[::20]:
        target, held = read_target(path), packed.targets[path.stem]
        moved = target.offsets.any(axis=1)
        assert np.array_equal(held.indices, target.indices[moved])
        assert np.array_equal(held.offsets, target.offsets[moved])
    for path in makehuman.rglob("*.mhclo"):
        mesh, fit = packed.clothes[path.stem]
        assert np.array_equal(mesh.vertices, read_obj(path.with_suffix(".obj")).vertices)
        original = read_mhclo(path)
        assert fit.scales == original.scales
        assert np.array_equal(fit.on(base.vertices), original.on(base.vertices))
        assert np.array_equal(fit.hidden, original.hidden)
    for name, pose in packed.poses.items():
        original_pose = read_bvh(makehuman / f"base/poses/{name}.bvh")
        assert pose.keys() == original_pose.keys()
        assert all(np.array_equal(pose[bone], original_pose[bone]) for bone in pose)


def test_packing_refuses_to_lose_a_digit() -> None:
    assert whole_numbers(np.array([-0.0005, 1.25]), 10_000).tolist() == [-5, 12500]
    with pytest.raises(MeshError, match="finer or larger"):
        whole_numbers(np.array([0.00005]), 10_000)
    with pytest.raises(MeshError, match="finer or larger"):
        whole_numbers(np.array([33.0]), 1_000, np.int16)


def test_a_missing_or_damaged_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MeshError, match=r"base\.npz is missing"):
        Library(tmp_path)
    (tmp_path / "base.npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(MeshError, match=r"base\.npz is damaged"):
        Library(tmp_path)


def test_an_unknown_garment_is_answered_with_those_there_are() -> None:
    with pytest.raises(MeshError, match=r"`cape` \(have fedora, .*, high-poly\)"):
        Library().asset("cape")


def test_packing_needs_makehumans_folders(tmp_path: Path) -> None:
    with pytest.raises(MeshError, match=r"base\.obj is missing"):
        pack(tmp_path, tmp_path / "out")
