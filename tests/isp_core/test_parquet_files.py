"""Parquet tables of users: read as they are, or refused by what they declare before memory is spent."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isp_core.parquet_files import Limits, ParquetError, read_parquet
from isp_core.runs import RunError
from isp_core.runs.arrays import read_arrays
from isp_core.tables import TableError, column_names, read_table

SMALL = Limits(rows=10, columns=3, cells=25, bytes=2**20)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "t.parquet"


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"a": range(11)}), "declares 11 rows; at most 10"),
        (pd.DataFrame(np.zeros((1, 4)), columns=[*"abcd"]), "declares 4 columns"),
        (pd.DataFrame(np.zeros((9, 3)), columns=[*"abc"]), "27 cells: too many"),
        (pd.DataFrame({"a": [[0.0] * 30]}), "30 cells: too many"),
        (pd.DataFrame({"b": [dt.date(2026, 1, 1)]}), "column 'b' holds date32"),
        (pd.DataFrame({"b": [{"x": 1}]}), "column 'b' holds struct"),
        (pd.DataFrame({"b": [b"x"]}), "column 'b' holds binary"),
        (pd.DataFrame({"a": [["x"]]}), "column 'a' holds list"),
        (pd.DataFrame({"b": ["x" * 5_000]}), "a text in column 'b' has 5,000 bytes"),
    ],
)
def test_a_table_that_declares_too_much_or_other_types_is_refused(
    file: Path, frame: pd.DataFrame, message: str
) -> None:
    frame.to_parquet(file)
    with pytest.raises(ParquetError, match=message) as error:
        read_parquet(file, lists=["a"], limits=SMALL)
    assert str(error.value).startswith(str(file))


def test_columns_that_are_not_wanted_count_for_nothing(file: Path) -> None:
    pd.DataFrame({"a": range(9), "b": [[0.0] * 90] * 9, "c": [dt.date(2026, 1, 1)] * 9}).to_parquet(file)
    assert read_parquet(file, ["a"], limits=SMALL)["a"].tolist() == list(range(9))


@pytest.fixture
def unfolds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object, **__: object) -> None:
        raise AssertionError("the table was unfolded")

    monkeypatch.setattr(pq.ParquetFile, "read", read)


@pytest.mark.usefixtures("unfolds_nothing")
def test_a_hundred_kilobytes_that_declare_twenty_million_rows_are_not_unfolded(file: Path) -> None:
    million = pa.table({"path": pa.array(["a"] * 1_000_000), "identity": pa.array([1] * 1_000_000)})
    with pq.ParquetWriter(file, million.schema) as writer:
        for _ in range(20):
            writer.write_table(million)
    assert file.stat().st_size < 200_000
    for read, error in ((read_table, TableError), (read_arrays, RunError)):
        with pytest.raises(error, match="declares 20,000,000 rows"):
            read(file)


@pytest.mark.usefixtures("unfolds_nothing")
def test_the_numbers_in_lists_count_before_they_are_unfolded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isp_core.runs.arrays._LIMITS", SMALL)
    pd.DataFrame({"embedding": [[0.0] * 20, [0.0] * 20]}).to_parquet(file)
    with pytest.raises(RunError, match="40 cells: too many to read"):
        read_arrays(file)


def test_features_are_read_whatever_stands_beside_them(file: Path) -> None:
    features = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(8, dtype=np.float32)), 4)
    seen = pa.array([dt.datetime(2026, 1, 1)] * 2)
    pq.write_table(pa.table({"path": ["a.jpg", "b.jpg"], "embedding": features, "seen": seen}), file)
    found = read_arrays(file)
    assert found["path"].tolist() == ["a.jpg", "b.jpg"]
    assert found["embeddings"].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_features_of_2048_columns_are_read(file: Path) -> None:
    wide = pd.DataFrame(np.ones((2, 2048), np.float32), columns=[f"f{i}" for i in range(2048)])
    wide.assign(path=["a", "b"]).to_parquet(file)
    assert read_arrays(file)["embeddings"].shape == (2, 2048)


def test_a_row_without_features_is_named(file: Path) -> None:
    pd.DataFrame({"embedding": [[1.0, 2.0], None]}).to_parquet(file)
    with pytest.raises(RunError, match="row 1 has nothing in 'embedding'"):
        read_arrays(file)


def test_bytes_that_are_no_parquet_are_named(file: Path) -> None:
    file.write_bytes(b"PAR1" + b"x" * 50 + b"PAR1")
    for read in (read_table, column_names):
        with pytest.raises(TableError, match="not readable as a table"):
            read(file)
    with pytest.raises(RunError, match="not readable as a table"):
        read_arrays(file)


def test_two_columns_of_one_name_in_other_letters_are_refused(file: Path) -> None:
    pd.DataFrame({"Path": ["a"], "path": ["b"]}).to_parquet(file)
    with pytest.raises(TableError, match="the column path occurs twice"):
        read_table(file)


def test_a_table_of_too_many_rows_or_columns_of_text_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isp_core.tables.LIMITS", SMALL)
    (tmp_path / "rows.csv").write_text("path\n" + "a\n" * 11)
    with pytest.raises(TableError, match=r"rows.csv has more than 10 rows of 1 columns"):
        read_table(tmp_path / "rows.csv")
    (tmp_path / "columns.csv").write_text("a,b,c,d\n")
    with pytest.raises(TableError, match=r"columns.csv has 4 columns; at most 3"):
        read_table(tmp_path / "columns.csv")
