"""Imported rows are checked against the identities and cameras that come with them, in every form that tools write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from isp_core.data import DataSet
from isp_core.errors import IspError
from isp_core.runs.imports import import_run
from isp_core.runs.schema import Split
from tests.isp_core.runs.made import features


def of_the_data(data: DataSet, split: Split) -> tuple[np.ndarray, np.ndarray]:
    frame = data.split(split)
    return frame.identity.to_numpy(), frame.camera.to_numpy()


def baseline_mat(file: Path, data: DataSet, q: np.ndarray, g: np.ndarray, order: list[int]) -> None:
    """What Person_reID_baseline_pytorch's test.py saves; loadmat gives its lists as (1, N)."""
    (q_ids, q_cams), (g_ids, g_cams) = (of_the_data(data, split) for split in ("query", "gallery"))  # type: ignore[arg-type]
    scipy.io.savemat(
        file,
        {
            "gallery_f": g[order],
            "gallery_label": g_ids[order].tolist(),
            "gallery_cam": g_cams[order].tolist(),
            "query_f": q,
            "query_label": q_ids.tolist(),
            "query_cam": q_cams.tolist(),
        },
    )


def test_the_mat_of_person_reid_baseline_is_read(tmp_path: Path, data: DataSet) -> None:
    q, g = features(2), features(3)
    baseline_mat(tmp_path / "pytorch_result.mat", data, q, g, [0, 1, 2])
    for given in (data, None):
        run, _ = import_run(tmp_path / f"run-{given is None}", data=given, embeddings=tmp_path / "pytorch_result.mat")
        np.testing.assert_allclose(run.embeddings("query", 0).global_, q, rtol=1e-3)
        np.testing.assert_allclose(run.embeddings("gallery", 0).global_, g, rtol=1e-3)
        assert run.records("gallery").identity.tolist() == [2, 3, 3]
        assert run.records("gallery").camera.tolist() == [2, 2, 3]


@pytest.mark.parametrize("shape", [(1, -1), (-1, 1), (-1,)])
def test_rows_in_another_order_are_refused_whatever_the_shape_of_the_identities(
    tmp_path: Path, data: DataSet, shape: tuple[int, ...]
) -> None:
    q, g = features(2), features(3)
    (q_ids, _), (g_ids, _) = of_the_data(data, "query"), of_the_data(data, "gallery")
    np.savez(tmp_path / "f.npz", qf=q, gf=g, q_pids=q_ids.reshape(shape), g_pids=g_ids[[1, 0, 2]].reshape(shape))
    with pytest.raises(IspError, match="gallery identities are not those of the records row by row"):
        import_run(tmp_path / "run", data=data, embeddings=tmp_path / "f.npz")
    baseline_mat(tmp_path / "r.mat", data, q, g, [1, 0, 2])
    with pytest.raises(IspError, match="gallery identities are not those of the records row by row"):
        import_run(tmp_path / "run", data=data, embeddings=tmp_path / "r.mat")
    distances = features(2, 3)
    np.savez(tmp_path / "d.npz", distmat=distances, g_pids=g_ids[[1, 0, 2]].reshape(shape))
    with pytest.raises(IspError, match="gallery identities are not those of the records row by row"):
        import_run(tmp_path / "run", data=data, distances=tmp_path / "d.npz")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("wrong", [np.array([2]), np.arange(4), np.array([[2, 3], [3, 0]]), np.array(7)])
def test_a_check_that_does_not_fit_is_refused_and_not_left_out(
    tmp_path: Path, data: DataSet, wrong: np.ndarray
) -> None:
    np.savez(tmp_path / "f.npz", qf=features(2), gf=features(3), g_pids=wrong)
    with pytest.raises(IspError, match=r"g_pids has shape .* where there are 3 rows"):
        import_run(tmp_path / "run", data=data, embeddings=tmp_path / "f.npz")


@pytest.mark.parametrize("kind", [str, "S"])
def test_identities_that_are_texts(tmp_path: Path, data: DataSet, kind: type | str) -> None:
    q_ids, g_ids = np.array(["anna", "bob"]).astype(kind), np.array(["anna", "bob", "bob"]).astype(kind)
    np.savez(tmp_path / "f.npz", qf=features(2), gf=features(3), q_pids=q_ids, g_pids=g_ids)
    run, _ = import_run(tmp_path / "with-data", data=data, embeddings=tmp_path / "f.npz")
    assert run.records("query").identity.tolist() == [2, 3]
    run, notes = import_run(tmp_path / "alone", embeddings=tmp_path / "f.npz")
    people = run.records("query").identity.tolist()
    assert len(set(people)) == 2
    assert run.records("gallery").identity.tolist() == [people[0], people[1], people[1]]
    assert notes


def test_cameras_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    halves = {"qf": features(1), "gf": features(1), "q_pids": [1], "g_pids": [1.0], "g_camids": [0.5]}
    np.savez(tmp_path / "f.npz", **halves)  # type: ignore[arg-type]
    with pytest.raises(IspError, match=r"camera must be whole numbers; got 0.5"):
        import_run(tmp_path / "run", embeddings=tmp_path / "f.npz")


def test_a_mat_file_is_bounded_and_its_format_named(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "zeros.mat", {"query_f": np.zeros((40_000, 2_000))}, do_compression=True)
    with pytest.raises(IspError, match="features do not compress so far"):
        import_run(tmp_path / "run", embeddings=tmp_path / "zeros.mat")
    (tmp_path / "new.mat").write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(128) + b"\x89HDF")
    with pytest.raises(IspError, match=r"format 7\.3: save it with"):
        import_run(tmp_path / "run", embeddings=tmp_path / "new.mat")
    (tmp_path / "no.mat").write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(IspError, match="cannot be read"):
        import_run(tmp_path / "run", embeddings=tmp_path / "no.mat")
