"""Any images listed in a table: CSV or TSV, or Parquet as written by the Walkers generator (records.parquet).

    path,identity,camera,split,subset       path and identity are needed; other columns are kept to find images by
    north/7.jpg,anna,1,train,

Paths are relative to the table's folder, or absolute. Splits are train, query, gallery, or test, which is divided by
the rule in splitting.py; without a split column that rule divides all.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from isp_core.data.readers.layout import Found, Reader
from isp_core.data.readers.splitting import QUERY_RULE, choose_queries, split_identities
from isp_core.data.record_table import TEST, RecordTable, known_columns, read_record_table
from isp_core.data.records import JUNK, DataError, make_records
from isp_core.errors import IspError
from isp_core.images import is_hidden
from isp_core.tables import SUFFIXES

NAMED_TABLES = tuple(f"records{suffix}" for suffix in (".parquet", ".csv", ".tsv"))
_ANY = (".csv", ".tsv")


# columns that only a table of people has; others, such as name and label, are understood where the file is given
_TELLING = {"path": ("path", "img_path", "image_path"), "identity": ("identity", "pid", "person_id")}


def _is_table(path: Path) -> bool:
    try:
        columns = known_columns(path) if path.is_file() else {}
    except IspError:
        return False
    return all(columns.get(what) in names for what, names in _TELLING.items())


def _named_table(root: Path) -> Path | None:
    return next((root / name for name in NAMED_TABLES if _is_table(root / name)), None)


def _only_csv(root: Path) -> Path | None:
    files = sorted(path for path in root.iterdir() if path.suffix.lower() in _ANY and not is_hidden(path))
    tables = [path for path in files if _is_table(path)]
    return tables[0] if len(tables) == 1 else None


def read_table(table: Path) -> Found:
    """The records of one table file as a data set.

    Raises:
        DataError: naming the file, the line and the value at fault.
    """
    if table.suffix.lower() not in SUFFIXES:
        raise DataError(f"{table}: a file, not a folder; give a folder, or a .csv with columns path and identity")
    try:
        rows = read_record_table(table)
    except DataError:
        raise
    except IspError as error:
        raise DataError(str(error)) from None
    root, paths = _relative_paths(table, rows.paths)
    splits, split_notes = _splits(rows, paths)
    _refuse_doubles(rows.where, paths, splits)
    records, notes = make_records(paths, rows.identities, rows.cameras, splits, rows.subsets, rows.extra)
    return Found(root, records, (*rows.notes, *split_notes, *notes))


def _relative_paths(table: Path, paths: list[str]) -> tuple[Path, list[str]]:
    """The folder that holds all images, and their paths relative to it."""
    base = table.parent.absolute()
    full = [os.path.normpath(base / path.replace("\\", "/")) for path in paths]
    if all(Path(path).is_relative_to(base) for path in full):
        root, base = table.parent, base
    else:
        root = base = Path(os.path.commonpath([str(Path(path).parent) for path in full]))
    return root, [Path(path).relative_to(base).as_posix() for path in full]


def _splits(rows: RecordTable, paths: list[str]) -> tuple[list[str], tuple[str, ...]]:
    people, seen_by = np.asarray(rows.identities, np.int64), np.asarray(rows.cameras, np.int64)
    if rows.splits is None:
        if JUNK not in rows.identities and 0 in rows.identities:
            people = people + 1  # counted from 0: make_records moves the numbers, the rule must see people
        splits, rule = split_identities(paths, people, seen_by)
        return splits, (rule,)
    splits = list(rows.splits)
    test = [row for row, split in enumerate(splits) if split == TEST]
    if not test:
        return splits, ()
    for row, split in zip(test, choose_queries([paths[i] for i in test], people[test], seen_by[test]), strict=True):
        splits[row] = split
    return splits, (f"The split test is divided: {QUERY_RULE}",)


def _refuse_doubles(where: list[str], paths: list[str], splits: list[str]) -> None:
    first: dict[tuple[str, str], int] = {}
    for row, key in enumerate(zip(paths, splits, strict=True)):
        if key in first:
            raise DataError(
                f"{where[row]}: {key[0]} is listed in {key[1]} already ({where[first[key]].rpartition(', ')[2]})"
            )
        first[key] = row


def _read_named(root: Path) -> Found:
    return read_table(_named_table(root) or root / NAMED_TABLES[0])


def _read_only_csv(root: Path) -> Found:
    return read_table(_only_csv(root) or root / "*.csv")


NAMED = Reader("table of records", "records.csv", lambda root: _named_table(root) is not None, _read_named)
ONLY_CSV = Reader("CSV", "a CSV (path, identity)", lambda root: _only_csv(root) is not None, _read_only_csv)
