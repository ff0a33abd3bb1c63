"""Columns beyond ours: they reach a run from its data set's table, bounded, and change nothing else."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from PIL import Image

from isp_core.data import load
from isp_core.data.extra_columns import MAX_COLUMNS, MAX_TEXT, keep
from isp_core.runs import RunWriter, open_run
from tests.app import synthetic


def _data_set(folder: Path, **columns: list[str]) -> Path:
    table = synthetic.records(2, 2, 3)
    for path in table["path"]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 16)).save(folder / path)
    more = {name: values * (len(table) // len(values)) for name, values in columns.items()}
    table.assign(**more).to_csv(folder / "records.csv", index=False)
    return folder


def test_a_tables_other_columns_are_read_row_by_row_as_numbers_or_texts(tmp_path: Path) -> None:
    plain = load(_data_set(tmp_path / "plain"))
    more = load(_data_set(tmp_path / "more", belonging=["tote", ""], heading=["12.5", "90"], shot=["1", "2"]))
    columns = list(plain.records.columns)
    assert more.records[columns].equals(plain.records[columns])
    assert more.fingerprint == plain.fingerprint
    assert set(more.records["belonging"]) == {"tote", ""}
    assert more.records["heading"].dtype == float
    by_bag = more.records.groupby("belonging")["heading"].unique().to_dict()
    assert {bag: list(found) for bag, found in by_bag.items()} == {"tote": [12.5], "": [90.0]}


def test_a_run_keeps_them_and_reads_them_back(tmp_path: Path) -> None:
    data = load(_data_set(tmp_path / "data", belonging=["tote", ""], heading=["12.5", ""]))
    RunWriter.create(tmp_path / "run", synthetic.info(data.records, 4), data.records)
    again = open_run(tmp_path / "run").records()
    assert again["belonging"].tolist() == data.records["belonging"].tolist()
    assert again["heading"].isna().sum() == 6


def test_a_run_written_without_them_gets_them_later_and_stays_the_same_run(tmp_path: Path) -> None:
    data = load(_data_set(tmp_path / "data", belonging=["tote", ""]))
    ours = ["path", "identity", "camera", "split", "subset"]
    held = data.records[ours].copy()
    held.loc[held["identity"] == 1, "split"] = "validation"  # people that training held out
    RunWriter.create(tmp_path / "run", synthetic.info(held, 4), held)
    RunWriter(tmp_path / "run").add_columns(held, data.records)
    again = open_run(tmp_path / "run").records()
    assert again[ours].equals(held)
    assert again["belonging"].tolist() == data.records["belonging"].tolist()


def test_columns_are_bounded_in_number_name_and_length() -> None:
    cells = pd.DataFrame({f"c{i}": ["1"] for i in range(MAX_COLUMNS + 3)} | {"x" * 65: ["1"], "a\nb": ["1"], "": ["1"]})
    kept, notes = keep(cells)
    assert len(kept.columns) == MAX_COLUMNS
    assert any("3 columns are left out, such as" in note for note in notes)
    assert any("keeps the first 64" in note for note in notes)
    texts, _ = keep(pd.DataFrame({"note": ["y" * 500, "a\x00b\u202e", "nan", "inf"]}))
    assert len(texts["note"][0]) == MAX_TEXT
    assert texts["note"][1] == "a\\x00b\\u202e"
    assert texts["note"].tolist()[2:] == ["nan", "inf"]


def test_a_column_cannot_take_the_name_of_ours() -> None:
    kept, _ = keep(pd.DataFrame({"path": ["a"], "identity": ["7"], "weather": ["rain"]}))
    assert list(kept.columns) == ["weather"]
