"""Names of people, wherever a data set tells them, stay with the records; numbers stay numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isp_core.data.crops import read_crops
from isp_core.data.readers import load
from isp_core.data.records import IDENTITY_NAME
from isp_core.runs.imports import import_run


def _lay(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 16)).save(root / name)
    return root


def _images(people: tuple[str, ...], above: str = "") -> list[str]:
    return [f"{above}{who}/c{camera}_{i}.png" for who in people for camera in (1, 2) for i in (1, 2)]


FOLDERS = {
    "a folder per identity": _images(("ben", "anna", "007a", "dora")),
    "splits": [*_images(("ben", "anna"), "train/"), *_images(("007a", "dora"), "test/")],
}


@pytest.mark.parametrize("layout", FOLDERS)
def test_folders_that_name_people_keep_the_names(layout: str, tmp_path: Path) -> None:
    records = load(_lay(tmp_path, *FOLDERS[layout])).records
    assert set(records[IDENTITY_NAME]) == {"ben", "anna", "007a", "dora"}
    assert (records[IDENTITY_NAME] == records["path"].str.split("/").str[-2]).all()
    assert records.groupby("identity")[IDENTITY_NAME].nunique().max() == 1


def test_numbered_folders_have_no_names(tmp_path: Path) -> None:
    assert IDENTITY_NAME not in load(_lay(tmp_path, *_images(("0001", "0002", "0003")))).records


def test_a_look_at_own_folders_keeps_the_names_of_queries_and_gallery(tmp_path: Path) -> None:
    folder = _lay(tmp_path / "people", *_images(("ben", "anna")))
    records = read_crops(folder).records
    assert (records[IDENTITY_NAME] == records["path"].str.split("/").str[0]).all()
    assert set(records["split"]) == {"query", "gallery"}
    assert IDENTITY_NAME not in read_crops(folder, names=False).records


def test_a_table_that_names_people_keeps_the_names_and_its_other_columns(tmp_path: Path) -> None:
    _lay(tmp_path, "x.png", "y.png", "z.png")
    table = tmp_path / "people.csv"
    table.write_text("path,identity,hat\nx.png,anna,1\ny.png,0012,0\nz.png,0012,1\n")
    found = load(table).records.set_index("path")
    assert found[IDENTITY_NAME].to_dict() == {"x.png": "anna", "y.png": "0012", "z.png": "0012"}
    assert found["hat"].to_dict() == {"x.png": 1, "y.png": 0, "z.png": 1}
    table.write_text("path,identity\nx.png,1\ny.png,2\nz.png,2\n")
    assert IDENTITY_NAME not in load(table).records


def test_an_import_keeps_the_names_that_its_file_has(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    ids = {"q_pids": np.array(["bob", "anna"]), "g_pids": np.array(["anna", "bob", "bob"])}
    np.savez(tmp_path / "f.npz", qf=numbers[:2], gf=numbers[2:], **ids)  # type: ignore[arg-type]
    run, _ = import_run(tmp_path / "run", embeddings=tmp_path / "f.npz")
    assert run.records("query")[IDENTITY_NAME].tolist() == ["bob", "anna"]
    assert run.records("gallery")[IDENTITY_NAME].tolist() == ["anna", "bob", "bob"]
