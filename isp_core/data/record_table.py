"""Who is on which image, from a table: the columns that tools use, named or numbered identities, cameras, splits.

Read by data sets that are tables (readers/table.py) and by imported results (isp_core.runs.import_records) alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from isp_core.data import extra_columns
from isp_core.data.readers.naming import number_people, parse_integer
from isp_core.data.records import IDENTITY_NAME, JUNK, SPLITS, UNKNOWN_CAMERA, DataError
from isp_core.tables import column_names, read_table

SPELLINGS: Mapping[str, tuple[str, ...]] = {
    # names that torchreid, fast-reid and their relatives use
    "path": ("path", "img_path", "image_path", "image", "img", "file", "filename", "file_name", "name"),
    "identity": ("identity", "pid", "person_id", "person", "id", "label"),
    "camera": ("camera", "camid", "camera_id", "cam", "cam_id"),
    "split": ("split", "set", "subset_of"),
    "subset": ("subset",),
}
NEEDED = ("path", "identity")
TEST = "test"


@dataclass(frozen=True)
class RecordTable:
    """The rows of a table, in its order.

    where: the file and line of each. paths: as written, never empty. identities: -1 junk, 0 distractor or the first
    person, else a person. cameras: -1 where unknown. splits: of SPLITS or "test"; None without such a column.
    extra: what other columns the table has, see isp_core.data.extra_columns.
    """

    where: list[str]
    paths: list[str]
    identities: list[int]
    cameras: list[int]
    splits: list[str] | None
    subsets: list[str]
    extra: pd.DataFrame
    notes: tuple[str, ...]


def known_columns(file: Path) -> dict[str, str]:
    """What each column that we know is called in this table: {"identity": "pid", ...}; TableError or TextError."""
    names = column_names(file)
    found = {what: next((name for name in spelled if name in names), None) for what, spelled in SPELLINGS.items()}
    return {what: name for what, name in found.items() if name is not None}


def read_record_table(file: Path) -> RecordTable:
    """The records of a CSV, TSV or Parquet table.

    Raises:
        DataError: naming the file, the line and the value at fault.
        TableError, TextError: the file is no table that can be read.
    """
    columns = known_columns(file)
    missing = [what for what in NEEDED if what not in columns]
    if missing:
        raise DataError(
            f"{file}: no column {' or '.join(missing)} (it has {', '.join(column_names(file)) or 'none'}); "
            "needed are path and identity, optional are camera, split and subset"
        )
    frame = read_table(file)
    if frame.empty:
        raise DataError(f"{file}: the table has no rows")
    where = [str(place) for place in frame.index]
    cells = {what: [str(cell) for cell in frame[name]] for what, name in columns.items()}
    for what, advice in (("path", ""), ("identity", "; -1 marks junk, 0 a distractor")):
        empty = next((row for row, cell in enumerate(cells[what]) if not cell), None)
        if empty is not None:
            raise DataError(f"{where[empty]}: the {what} is empty{advice}")
    people = numbered_identities(where, cells["identity"])
    cameras, more = _cameras(cells.get("camera", [""] * len(where)))
    extra, left_out = extra_columns.keep(frame.drop(columns=list(columns.values())).reset_index(drop=True))
    if people.names is not None and IDENTITY_NAME not in extra:
        extra.insert(0, IDENTITY_NAME, people.names)
    return RecordTable(
        where,
        cells["path"],
        people.identities,
        cameras,
        _splits(where, cells["split"]) if "split" in cells else None,
        cells.get("subset", [""] * len(where)),
        extra,
        (*people.notes, *more, *left_out),
    )


@dataclass(frozen=True)
class Numbered:
    """The identity of each row as a number; what it is called, None where the numbers are all there is."""

    identities: list[int]
    names: list[str] | None = None
    notes: tuple[str, ...] = ()


def numbered_identities(where: list[str], texts: list[str]) -> Numbered:
    """Identities as numbers, from texts; `where` says which row is at fault.

    0 is left to make_records: with splits, it can truly be a distractor.
    """
    numbers = [parse_integer(text) for text in texts]
    kept = [number for number in numbers if number is not None]
    if len(kept) < len(numbers):
        people = number_people(texts)
        return Numbered([people.numbers[text] for text in texts], people.names_of(texts), people.notes)
    below = next((row for row, number in enumerate(kept) if number < JUNK), None)
    if below is not None:
        raise DataError(f"{where[below]}: identity {kept[below]}; people count from 1, -1 is junk, 0 a distractor")
    return Numbered(kept)


def _cameras(texts: list[str]) -> tuple[list[int], tuple[str, ...]]:
    """Camera numbers; empty cells and -1 are unknown, names ("north") are numbered in their order."""
    numbers = [UNKNOWN_CAMERA if not text else parse_integer(text) for text in texts]
    if all(number is not None for number in numbers):
        return [max(number, UNKNOWN_CAMERA) for number in numbers if number is not None], ()
    order = {name: i for i, name in enumerate(sorted(set(texts) - {""}), start=1)}
    note = f"Cameras are named; they are numbered {', '.join(f'{name} = {i}' for name, i in order.items())}."
    return [order.get(text, UNKNOWN_CAMERA) for text in texts], (note,)


def _splits(where: list[str], texts: list[str]) -> list[str]:
    splits = [text.lower() for text in texts]
    for row, split in enumerate(splits):
        if split not in (*SPLITS, TEST):
            raise DataError(f"{where[row]}: split {split!r}; allowed are {', '.join(SPLITS)} and {TEST}")
    return splits
