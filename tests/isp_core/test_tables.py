"""Tables as people's spreadsheets and tools write them are read alike everywhere; ours open right in a spreadsheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from isp_core.data import DataError, load
from isp_core.runs.import_records import read_records
from isp_core.tables import TableError, read_table, to_csv, write_csv

ROWS = [("north/a.jpg", "anna", "north", "train"), ("b.jpg", "anna", "", "train"), ("c.jpg", "ben", "south", "query"),
        ("d.jpg", "ben", "north", "gallery")]  # fmt: skip


def text(delimiter: str, header: tuple[str, ...] = ("path", "identity", "camera", "split")) -> str:
    return "\n".join(delimiter.join(row) for row in (header, *ROWS)) + "\n"


WRITTEN = {
    "commas": ("t.csv", text(",").encode()),
    "semicolons": ("t.csv", text(";").encode()),
    "tabs in a .csv": ("t.csv", text("\t").encode()),
    "a .tsv": ("t.tsv", text("\t").encode()),
    "bars": ("t.csv", text("|").encode()),
    "a byte order mark": ("t.csv", text(",").encode("utf-8-sig")),
    "UTF-16, as Excel's Unicode text": ("t.csv", text("\t").encode("utf-16")),
    "Excel's sep= line": ("t.csv", b"sep=;\r\n" + text(";").replace("\n", "\r\n").encode()),
    "capitals and spaces in the header": ("t.csv", text(",", (" Path", "IDENTITY ", "Camera", "Split")).encode()),
    "torchreid's names": ("t.csv", text(",", ("img_path", "pid", "camid", "split")).encode()),
    "quoted cells": ("t.csv", text('","').replace("\n", '"\n"').encode().join([b'"', b""])[:-1]),
    "blank lines": ("t.csv", text(",").replace("\n", "\n\n").encode()),
    "empty cells behind the last": ("t.csv", text(",").replace("\n", ",,\n").encode()),
    "old Macintosh line ends": ("t.csv", text(",").replace("\n", "\r").encode()),
}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for path, *_ in ROWS:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 16)).save(tmp_path / path)
    return tmp_path


@pytest.mark.parametrize(("name", "content"), WRITTEN.values(), ids=WRITTEN)
def test_data_sets_and_imports_read_the_same_from_every_spelling(name: str, content: bytes, images: Path) -> None:
    file = images / name
    file.write_bytes(content)
    data, imported = load(file).records, read_records(file).frame
    for records in (data, imported):
        assert list(records["path"]) == ["d.jpg", "c.jpg", "b.jpg", "north/a.jpg"]
        assert list(records["identity"]) == [2, 2, 1, 1]
        assert list(records["camera"]) == [1, 2, -1, 1]


def test_the_table_of_a_folder_is_found_whatever_its_delimiter_and_beside_macos_companions(images: Path) -> None:
    (images / "mine.tsv").write_text(text("\t"))
    (images / "._mine.tsv").write_bytes(b"\0\5\x16\7")
    assert len(load(images).records) == 4


def test_identities_of_more_digits_than_64_bits_hold_are_names(images: Path) -> None:
    file = images / "t.csv"
    file.write_text(text(",").replace("anna", "9" * 25).replace("ben", "1" * 5000))
    data = load(file)
    assert list(data.records["identity"]) == [1, 1, 2, 2]
    assert "named" in data.notes[0]


@pytest.mark.parametrize("name", ["99999999999999999999_c1s1_000001_00.jpg", "0001_c99999999999999999999_01.jpg"])
def test_a_file_name_whose_number_no_table_holds_is_named(name: str, tmp_path: Path) -> None:
    for each in (name, "0002_c1s1_000001_00.jpg"):
        (tmp_path / "bounding_box_train").mkdir(exist_ok=True)
        Image.new("RGB", (8, 16)).save(tmp_path / "bounding_box_train" / each)
    with pytest.raises(DataError, match=f"{name}: (identity|camera) 9999"):
        load(tmp_path)


def test_a_folder_name_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    for name in (b"\xd5\xc5\xc8\xfd", b"\xc0\xee"):  # two names in GBK
        folder = tmp_path / name.decode("utf-8", "surrogateescape")
        folder.mkdir()
        for i in range(2):
            Image.new("RGB", (8, 16)).save(folder / f"{i}.jpg")
    with pytest.raises(DataError, match=r"\\xc0\\xee.*not UTF-8.*convmv"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,identity\na.jpg,1,2\n", "line 2: 3 cells, but the header has 2 columns"),
        ("path,identity,path\na.jpg,1,b.jpg\n", "the column path occurs twice"),
        ('path,identity\n"a.jpg,1\n', "not readable as a table"),
        ("path,identity\na.jpg,1\n,2\n", "line 3: the path is empty"),
        ("path,identity\na.jpg,\n", "line 2: the identity is empty"),
        ("path,identity\n", "no rows"),
        ("", "no column path or identity"),
        ("path,identity\n\na.jpg,-2\n", "line 3: identity -2"),
    ],
)
def test_a_wrong_table_names_its_line(content: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(content)
    with pytest.raises(DataError, match=message):
        load(file)


@pytest.mark.parametrize("content", [b"path,identity\ncaf\xe9.jpg,1\n", b"path,identity\n\0\0\n"])
def test_bytes_that_are_no_text_are_an_error_of_ours(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"t\.csv"):
        load(file)


class TestWriting:
    def test_a_spreadsheet_runs_no_formula(self) -> None:
        table = pd.DataFrame(
            {"=name": ["=1+1", "+a", "-b", "@c", "\t=d", "plain"], "number": [-1.5, 2, 3, 4, 5, np.nan]}
        )
        lines = to_csv(table).decode("utf-8-sig").split("\r\n")
        assert lines[0] == "'=name,number"
        assert lines[1:4] == ["'=1+1,-1.5", "'+a,2.0", "'-b,3.0"]
        assert lines[6] == "plain,"

    def test_columns_of_one_name_stay_apart(self) -> None:
        table = pd.DataFrame([[1, "=2"]], columns=["a", "a"])
        assert to_csv(table).decode("utf-8-sig") == "a,a\r\n1,'=2\r\n"

    def test_a_place_that_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(TableError, match=r"t\.csv could not be written"):
            write_csv(pd.DataFrame({"a": [1]}), tmp_path / "file" / "t.csv")

    @settings(deadline=None)
    @given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1), min_size=1))
    def test_what_is_written_is_read_again(self, texts: list[str]) -> None:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            kept = [each.strip() for each in texts]
            file = write_csv(pd.DataFrame({"n": range(len(kept)), "cell": kept}), Path(folder) / "t.csv")
            assert list(read_table(file)["cell"]) == kept
