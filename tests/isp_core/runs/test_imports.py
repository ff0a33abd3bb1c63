"""Other tools' results as runs: torchreid's and fast-reid's files, tables in any order, and files not to be trusted."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from isp_core.__main__ import main
from isp_core.data import DataSet
from isp_core.errors import IspError
from isp_core.runs import open_run
from isp_core.runs.import_records import find_rows
from isp_core.runs.imports import import_run, stored_distances
from isp_core.runs.schema import TEST, Split
from tests.isp_core.runs.made import features

SHUFFLED = pd.DataFrame(
    {
        "img_path": ["g/2.jpg", "q/1.jpg", "t/1.jpg", "g/1.jpg", "q/2.jpg", "g/3.jpg"],
        "pid": [8, 7, 3, 7, 8, 0],
        "camid": [1, 0, 0, 1, 0, 1],  # counted from 0, as torchreid does
        "split": ["gallery", "query", "train", "gallery", "query", "gallery"],
    }
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    SHUFFLED.to_csv(tmp_path / "records.csv", index=False)
    return tmp_path / "records.csv"


def test_rows_follow_the_records_whatever_their_order(tmp_path: Path, table: Path) -> None:
    f = features()
    np.savez(tmp_path / "f.npz", embeddings=f)
    run, notes = import_run(tmp_path / "run", table, embeddings=tmp_path / "f.npz", tool="torchreid")
    assert list(run.records("query").path) == ["q/1.jpg", "q/2.jpg"]
    np.testing.assert_allclose(run.embeddings("query", 0).global_, f[[1, 4]], rtol=1e-3)
    np.testing.assert_allclose(run.embeddings("gallery", 0).global_, f[[3, 0, 5]], rtol=1e-3)
    assert run.info.imported
    assert run.epochs == [0]
    assert set(run.records().camera) == {1, 2}
    assert any("numbered from 0" in note for note in notes)


@pytest.mark.parametrize("kind", ["npz", "pt", "parquet", "parquet with columns"])
def test_every_file_type_gives_the_same_run(tmp_path: Path, table: Path, kind: str) -> None:
    f, file = features(), tmp_path / f"f.{kind.split()[0]}"
    if kind == "npz":
        np.savez(file, features=f)
    elif kind == "pt":
        torch.save({"feat": torch.from_numpy(f)}, file)
    elif kind == "parquet":  # has paths, so that its order is free
        order = [3, 1, 5, 0, 2, 4]
        pd.DataFrame({"path": SHUFFLED.img_path[order], "embedding": list(f[order])}).to_parquet(file)
    else:
        pd.DataFrame(f, columns=[f"f{i}" for i in range(4)]).to_parquet(file)
    run, _ = import_run(tmp_path / "run", table, embeddings=file)
    np.testing.assert_allclose(run.embeddings("gallery", 0).global_, f[[3, 0, 5]], rtol=1e-3)


def test_a_file_with_its_own_identities_needs_no_table(tmp_path: Path) -> None:
    q, g = features(3), features(5)
    content = {"qf": torch.from_numpy(q), "gf": torch.from_numpy(g), "q_pids": [1, 2, 3], "g_pids": [1, 2, 3, 0, -1]}
    torch.save(
        content | {"q_camids": torch.tensor([1, 1, 1]), "g_camids": torch.tensor([2, 2, 2, 2, 2])}, tmp_path / "f.pt"
    )
    run, _ = import_run(tmp_path / "run", None, embeddings=tmp_path / "f.pt")
    np.testing.assert_allclose(run.embeddings("gallery", 0).global_, g, rtol=1e-3)
    assert run.records("gallery").identity.tolist() == [1, 2, 3, 0, -1]


def elsewhere(data: DataSet, split: Split, order: list[int]) -> list[str]:
    """The pictures' paths on the machine where the other tool ran, in its order."""
    return [f"/home/them/{data.split(split).path[row]}" for row in order]


def test_pictures_are_found_in_the_data_set_by_path_whatever_root_and_order(tmp_path: Path, data: DataSet) -> None:
    q, g = features(2), features(3)
    np.savez(
        tmp_path / "f.npz",
        qf=q[[1, 0]],
        gf=g[[2, 0, 1]],
        q_paths=elsewhere(data, "query", [1, 0]),
        g_paths=elsewhere(data, "gallery", [2, 0, 1]),
    )
    run, notes = import_run(tmp_path / "run", data=data, embeddings=tmp_path / "f.npz")
    np.testing.assert_allclose(run.embeddings("query", 0).global_, q, rtol=1e-3)
    np.testing.assert_allclose(run.embeddings("gallery", 0).global_, g, rtol=1e-3)
    assert run.info.data.fingerprint == data.fingerprint
    assert len(run.records("train")) == 2
    assert notes == data.notes


def test_a_table_in_the_tools_order_is_found_in_the_data_set(tmp_path: Path, data: DataSet) -> None:
    order = {"gallery": [1, 2, 0], "query": [1, 0]}  # the gallery comes first, there is no training
    paths = [path for split in order for path in elsewhere(data, split, order[split])]  # type: ignore[arg-type]
    table = pd.DataFrame({"img_path": paths, "pid": [3, 3, 2, 3, 2], "split": ["gallery"] * 3 + ["query"] * 2})
    table.to_csv(tmp_path / "t.csv", index=False)
    f, d = features(5), np.arange(6, dtype=float).reshape(2, 3)
    torch.save(torch.from_numpy(f), tmp_path / "f.pt")
    np.save(tmp_path / "d.npy", d)
    run, _ = import_run(tmp_path / "run", tmp_path / "t.csv", data=data, embeddings=tmp_path / "f.pt")
    np.testing.assert_allclose(run.embeddings("gallery", 0).global_, f[[2, 0, 1]], rtol=1e-3)
    np.testing.assert_allclose(run.embeddings("query", 0).global_, f[[4, 3]], rtol=1e-3)
    ranked, _ = import_run(tmp_path / "ranked", tmp_path / "t.csv", data=data, distances=tmp_path / "d.npy")
    np.testing.assert_array_equal(stored_distances(ranked), d[[1, 0]][:, [2, 0, 1]])


def save_as_bpbreid(folder: Path, queries: np.ndarray, gallery: np.ndarray) -> Path:
    """As its part-based engine does with test.save_features: a tensor (n, 1 + P, C) each, nothing else."""
    folder.mkdir()
    torch.save(torch.from_numpy(queries), folder / "query_features_market1501.pt")
    torch.save(torch.from_numpy(gallery), folder / "gallery_features_market1501.pt")
    return folder


def test_the_features_of_bpbreid_are_read_by_a_table_in_its_loaders_order(tmp_path: Path, table: Path) -> None:
    f = np.random.default_rng(1).standard_normal((5, 4, 6)).astype(np.float32)
    folder = save_as_bpbreid(tmp_path / "features", f[:2], f[2:])  # queries q/1, q/2; gallery g/2, g/1, g/3
    run, _ = import_run(tmp_path / "run", table, embeddings=folder, tool="bpbreid")
    query, gallery = (run.embeddings(split, 0) for split in TEST)
    np.testing.assert_allclose(query.global_, f[[0, 1], 0], rtol=1e-3)
    np.testing.assert_allclose(gallery.global_, f[[3, 2, 4], 0], rtol=1e-3)
    np.testing.assert_allclose(gallery.parts, f[[3, 2, 4], 1:], rtol=1e-3)
    assert query.foreground.shape == (2, 0)
    assert query.visibility.all()
    assert run.info.parts == 4


def test_the_features_of_bpbreid_need_a_table_and_one_data_set(tmp_path: Path, table: Path, data: DataSet) -> None:
    f = np.zeros((5, 3, 6), np.float32)
    folder = save_as_bpbreid(tmp_path / "features", f[:2], f[2:])
    with pytest.raises(IspError, match="give --records"):
        import_run(tmp_path / "run", data=data, embeddings=folder)
    torch.save(torch.zeros(3, 6), folder / "gallery_features_market1501.pt")
    with pytest.raises(IspError, match=r"shape \(3, 6\); bpbreid saves"):
        import_run(tmp_path / "run", table, embeddings=folder)
    (folder / "gallery_features_market1501.pt").rename(folder / "gallery_features_duke.pt.old")
    with pytest.raises(IspError, match="found none"):
        import_run(tmp_path / "run", table, embeddings=folder)
    (folder / "query_features_duke.pt").write_bytes((folder / "query_features_market1501.pt").read_bytes())
    with pytest.raises(IspError, match="one data set a folder"):
        import_run(tmp_path / "run", table, embeddings=folder)


@pytest.mark.parametrize("ending", [".npy", ".png.npy"])  # fast-reid's demo; its first version kept PNGs' endings
def test_a_folder_of_one_file_a_picture_is_read(tmp_path: Path, data: DataSet, ending: str) -> None:
    f = features(5)
    names = [Path(p).stem for split in ("query", "gallery") for p in data.split(split).path]  # type: ignore[arg-type]
    (tmp_path / "demo").mkdir()
    for name, feature in zip(names, f, strict=True):
        np.save(tmp_path / "demo" / f"{name}{ending}", feature[None])
    run, _ = import_run(tmp_path / "run", data=data, embeddings=tmp_path / "demo")
    np.testing.assert_allclose(run.embeddings("gallery", 0).global_, f[2:], rtol=1e-3)
    np.save(tmp_path / "demo" / "other.npy", np.zeros(9))
    with pytest.raises(IspError, match="4 to 9 numbers"):
        import_run(tmp_path / "again", data=data, embeddings=tmp_path / "demo")


def test_rows_in_another_order_than_the_data_sets_are_noticed(tmp_path: Path, data: DataSet) -> None:
    """Whoever saves identities without paths is checked by them; whoever saves neither is told what was assumed."""
    q, g = features(2), features(3)
    np.savez(tmp_path / "g.npz", qf=q, gf=g, q_pids=[7, 8], g_pids=[8, 7, 8])
    with pytest.raises(IspError, match=r"gallery identities are not those .* stand in another order"):
        import_run(tmp_path / "run", data=data, embeddings=tmp_path / "g.npz")
    np.savez(tmp_path / "h.npz", qf=q, gf=g, q_pids=[7, 8], g_pids=[7, 8, 8])  # other numbers, the same people
    _, notes = import_run(tmp_path / "run", data=data, embeddings=tmp_path / "h.npz")
    assert any("taken to stand in the data set's order" in note for note in notes)


def test_pictures_without_a_row_are_counted_and_named(tmp_path: Path, data: DataSet) -> None:
    paths = elsewhere(data, "gallery", [0, 1])
    arrays = {"qf": features(2), "gf": features(2), "q_paths": elsewhere(data, "query", [0, 1])}
    np.savez(tmp_path / "f.npz", **arrays, g_paths=paths)
    missing = r"1 of 3 gallery images have no embedding in .*, such as bounding_box_test/0003_c3s1_000001_01\.jpg"
    with pytest.raises(IspError, match=missing):
        import_run(tmp_path / "run", data=data, embeddings=tmp_path / "f.npz")
    np.savez(tmp_path / "f.npz", **arrays, g_paths=np.array(paths, object))
    with pytest.raises(IspError, match=r"dtype=str"):
        import_run(tmp_path / "run", data=data, embeddings=tmp_path / "f.npz")


def test_two_pictures_that_cannot_be_told_apart_are_refused() -> None:
    assert find_rows(["a/x.jpg"], ["/r/b/x.jpg", "/r/a/x.jpg"]).tolist() == [1]
    with pytest.raises(IspError, match="may both be a/x"):
        find_rows(["a/x.jpg"], ["/r/b/x.jpg", "/r/c/x.jpg"])


def test_people_numbered_from_0_are_no_distractors(tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", qf=features(2), gf=features(3), q_pids=[0, 1], g_pids=[1, 0, 0])
    run, notes = import_run(tmp_path / "run", embeddings=tmp_path / "f.npz")
    assert run.records("query").identity.tolist() == [1, 2]
    assert run.records("gallery").identity.tolist() == [2, 1, 1]
    assert any("Identities were numbered from 0" in note for note in notes)


def test_the_command_imports_and_says_what_it_did(
    tmp_path: Path, data: DataSet, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "f.npz", qf=features(2), gf=features(3))
    given = ["runs", "import", "--out", str(tmp_path / "run"), "--data", str(data.root), "--tool", "torchreid"]
    with pytest.raises(SystemExit) as stopped:
        main([*given, "--embeddings", str(tmp_path / "f.npz"), "--json"])
    assert stopped.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert told["pictures"] == {"gallery": 3, "query": 2, "train": 2}
    assert open_run(tmp_path / "run").info.backbone == "torchreid"
    with pytest.raises(SystemExit) as stopped:
        main(["runs", "import", "--out", str(tmp_path / "other"), "--data", str(data.root)])
    assert stopped.value.code == 1
    assert "nothing to import" in capsys.readouterr().err


def test_parts_and_visibility_come_along(tmp_path: Path, table: Path) -> None:
    parts, visible = np.random.default_rng(1).random((6, 3, 4)), np.eye(6, 3) > 0
    np.savez(tmp_path / "f.npz", embeddings=features(), parts=parts, visibility=visible, foreground=features())
    run, _ = import_run(tmp_path / "run", table, embeddings=tmp_path / "f.npz")
    found = run.embeddings("gallery", 0)
    assert run.info.parts == 4
    np.testing.assert_allclose(found.parts, parts[[3, 0, 5]], rtol=1e-2, atol=1e-3)
    np.testing.assert_array_equal(found.visibility, visible[[3, 0, 5]])


def test_a_distance_matrix_is_brought_into_the_records_order(tmp_path: Path, table: Path) -> None:
    d = np.arange(6, dtype=float).reshape(2, 3)  # queries 1, 2; gallery 2, 1, 3: the table's order
    np.save(tmp_path / "d.npy", d)
    run, _ = import_run(tmp_path / "run", table, distances=tmp_path / "d.npy")
    np.testing.assert_array_equal(stored_distances(run), d[:, [1, 0, 2]])
    assert run.embedding_epochs() == []


def test_label_maps_of_another_tool_become_parts(tmp_path: Path, table: Path) -> None:
    maps = tmp_path / "maps"
    maps.mkdir()
    labels = np.repeat(np.array([[0], [13], [5], [9], [18], [6], [0], [0]], np.uint8), 4, axis=1)
    for name in ("1", "2"):
        (maps / "q").mkdir(exist_ok=True)
        Image.fromarray(labels).save(maps / "q" / f"{name}.png")
    run, notes = import_run(tmp_path / "run", table, labels=maps, space="lip", size=(32, 16))
    stored = run.labels("test", 0)
    np.testing.assert_array_equal(stored[0, :, 0], [0, 1, 2, 3, 4, 6, 0, 0])
    assert (stored[2:] == 255).all()
    assert run.info.parts == 7
    assert run.label_epochs("train") == []
    assert any("3 of 5 images have no ground truth" in note for note in notes)


def test_nothing_is_unpickled(tmp_path: Path, table: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "pwned",))  # type: ignore[return-value]

    (tmp_path / "f.pt").write_bytes(pickle.dumps({"features": Evil()}))
    np.savez(tmp_path / "f.npz", embeddings=np.array([Evil()], dtype=object))
    np.save(tmp_path / "d.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    torch.save({"features": Evil()}, tmp_path / "g.pt")
    for name in ("f.pt", "f.npz", "g.pt"):
        with pytest.raises(IspError, match=name.replace(".", r"\.")):
            import_run(tmp_path / "run", table, embeddings=tmp_path / name)
    with pytest.raises(IspError, match=r"d\.npy"):
        import_run(tmp_path / "run", table, distances=tmp_path / "d.npy")
    assert not (tmp_path / "pwned").exists()
    assert not (tmp_path / "run").exists()


def test_files_that_do_not_fit_the_records_are_explained(tmp_path: Path, table: Path) -> None:
    def refuse(message: str, **arrays: np.ndarray) -> None:
        np.savez(tmp_path / "f.npz", **arrays)
        with pytest.raises(IspError, match=message):
            import_run(tmp_path / "run", table, embeddings=tmp_path / "f.npz")
        assert not (tmp_path / "run").exists()

    refuse("5 rows of global, but the records have 6", embeddings=features(5))
    refuse("row 2 is not finite", embeddings=np.where(np.arange(6)[:, None] == 2, np.nan, features()))
    refuse("beyond half precision", embeddings=features() * 1e6)
    refuse("holds weights", weights=features())
    refuse("two networks", query=features(2, 4), gallery=features(3, 5))
    refuse("not numbers", embeddings=np.array(["a"] * 6))
    refuse("3 rows of global, but the records have 2", query=features(3), gallery=features(3))
    np.save(tmp_path / "d.npy", np.zeros((3, 3)))
    with pytest.raises(IspError, match=r"shape \(3, 3\); the records have 2 queries and 3 gallery"):
        import_run(tmp_path / "run", table, distances=tmp_path / "d.npy")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"drop": "pid"}, r"no column identity \(it has img_path"),
        ({"split": "test"}, "split 'test' is not train, query or gallery"),
        ({"pid": ""}, "line 2: the identity is empty"),
    ],
)
def test_tables_that_are_not_understood_say_so(tmp_path: Path, change: dict[str, str], message: str) -> None:
    frame = SHUFFLED.astype(object)
    for column, value in change.items():
        frame = frame.drop(columns=value) if column == "drop" else frame.assign(**{column: value})
    frame.to_csv(tmp_path / "t.csv", index=False)
    np.savez(tmp_path / "f.npz", embeddings=features())
    with pytest.raises(IspError, match=message):
        import_run(tmp_path / "run", tmp_path / "t.csv", embeddings=tmp_path / "f.npz")


def test_an_existing_run_is_never_overwritten(tmp_path: Path, table: Path) -> None:
    np.savez(tmp_path / "f.npz", embeddings=features())
    run, _ = import_run(tmp_path / "run", table, embeddings=tmp_path / "f.npz")
    with pytest.raises(IspError, match="holds a run already"):
        import_run(tmp_path / "run", table, embeddings=tmp_path / "f.npz")
    assert run.epochs == [0]


def test_nothing_and_both_are_refused(tmp_path: Path, table: Path) -> None:
    with pytest.raises(IspError, match="nothing to import"):
        import_run(tmp_path / "run", table)
    with pytest.raises(IspError, match="not both"):
        import_run(tmp_path / "run", table, embeddings=tmp_path / "a.npz", distances=tmp_path / "b.npy")


def test_a_size_that_no_run_may_have_is_refused_before_anything_is_written(tmp_path: Path, data: DataSet) -> None:
    np.savez(tmp_path / "f.npz", qf=features(2), gf=features(3))
    with pytest.raises(IspError, match=r"no run can be made with size"):
        import_run(tmp_path / "run", data=data, embeddings=tmp_path / "f.npz", size=(20000, 1))
    assert not (tmp_path / "run").exists()
