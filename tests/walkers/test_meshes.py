"""MakeHuman's formats, read from files small enough to check by hand."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")
from isp_assets.walkers.generate.library import ranked_components
from isp_assets.walkers.generate.meshes import (
    MeshError,
    Obj,
    read_bvh,
    read_mhclo,
    read_obj,
    read_skeleton,
    read_target,
)


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_obj_quads_become_fans_and_keep_their_group(tmp_path: Path) -> None:
    text = "# CC0\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\ng body\nf 1/1 2/1 3/1 4/1\ng helper\nf 1 2 3\n"
    mesh = read_obj(written(tmp_path, "a.obj", text))
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2]]
    assert [mesh.group_names[g] for g in mesh.groups] == ["body", "body", "helper"]


def test_obj_with_faces_of_missing_vertices_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MeshError, match=r"a\.obj"):
        read_obj(written(tmp_path, "a.obj", "v 0 0 0\nf 1 2 3\n"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MeshError, match=r"none\.obj: cannot be read"):
        read_obj(tmp_path / "none.obj")


def test_mhclo_fits_by_weights_and_scaled_offsets(tmp_path: Path) -> None:
    text = "x_scale 0 1 2.0\nverts 0\n0 1 2 0.5 0.5 0 1 0 0\n2\ndelete_verts\n3 5 - 7\nz_depth 50\n"
    fit = read_mhclo(written(tmp_path, "a.mhclo", text))
    base = np.array([[0, 0, 0], [4, 0, 0], [0, 8, 0]], float)  # x is twice as wide as the file's 2.0
    assert fit.on(base).tolist() == [[4.0, 0.0, 0.0], [0.0, 8.0, 0.0]]
    assert fit.hidden.tolist() == [3, 5, 6, 7]


def test_mhclo_without_vertices_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MeshError, match="verts 0"):
        read_mhclo(written(tmp_path, "a.mhclo", "name nothing\n"))


def test_target_is_sparse_and_may_be_empty(tmp_path: Path) -> None:
    target = read_target(written(tmp_path, "a.target", "# CC0\n7 .5 0 -1\n9 0 0 2\n"))
    assert target.indices.tolist() == [7, 9]
    assert target.offsets.tolist() == [[0.5, 0, -1], [0, 0, 2]]
    assert len(read_target(written(tmp_path, "b.target", "# nothing moves\n")).indices) == 0


def test_skeleton_puts_parents_first_and_normalises_weights(tmp_path: Path) -> None:
    rig = written(
        tmp_path,
        "a.mhskel",
        '{"joints": {"a": [0], "b": [1, 2]}, "bones": {"child": {"head": "b", "tail": "a", "parent": "root"},'
        ' "root": {"head": "a", "tail": "b", "parent": null}}}',
    )
    weights = written(tmp_path, "a.mhw", '{"weights": {"root": [[0, 0.5], [1, 3.0]], "child": [[1, 1.0]]}}')
    skeleton = read_skeleton(rig, weights, 3)
    assert skeleton.names == ("root", "child")
    assert skeleton.parents.tolist() == [-1, 0]
    assert skeleton.weights.toarray().tolist() == [[1, 0], [0.75, 0.25], [0, 0]]


def test_bvh_turns_z_up_into_y_up_and_ignores_positions(tmp_path: Path) -> None:
    text = (
        "HIERARCHY\nROOT root\nOFFSET 0 0 0\nCHANNELS 6 Xposition Yposition Zposition Xrotation Yrotation Zrotation\n"
        "JOINT arm\nOFFSET 0 0 0\nCHANNELS 3 Xrotation Yrotation Zrotation\nMOTION\nFrames: 1\nFrame Time: 0.04\n"
        "5 6 7 0 0 90 0 0 0\n"
    )
    pose = read_bvh(written(tmp_path, "a.bvh", text))
    # a quarter turn about the file's z (up) is one about our y
    assert np.allclose(pose["root"] @ [0, 0, 1], [1, 0, 0])
    assert np.allclose(pose["arm"], np.eye(3))


def test_components_are_welded_by_position_and_ranked_by_size() -> None:
    vertices = np.array(
        [[0, 0, 0], [1, 0, 0], [0, 1, 0], [9, 0, 0], [8, 0, 0], [9, 1, 0], [1, 0, 0], [2, 0, 0], [2, 1, 0]]
    )
    mesh = Obj(vertices.astype(float), np.array([[3, 4, 5], [0, 1, 2], [6, 7, 8]]), np.zeros(3, np.int64), ("all",))
    assert ranked_components(mesh).tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0]  # the seam at (1, 0, 0) joins two triangles
