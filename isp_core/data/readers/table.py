"""Any pictures listed in a table: CSV, or Parquet as written by the Walkers generator (records.parquet).

    path,identity,camera,split,subset       path and identity are needed, other columns are left alone
    north/7.jpg,anna,1,train,

Paths are relative to the table's folder, or absolute. Splits are train, query, gallery, or test, which is divided by
the rule in splitting.py; without a split column that rule divides all.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as parquet

from isp_core.data.readers.layout import Found, Reader
from isp_core.data.readers.naming import number_people, parse_integer
from isp_core.data.readers.splitting import QUERY_RULE, choose_queries, split_identities
from isp_core.data.records import JUNK, SPLITS, UNKNOWN_CAMERA, DataError, make_records

NAMED_TABLES = ("records.parquet", "records.csv")
REQUIRED = ("path", "identity")


def _first_line(table: Path) -> str:
    with table.open(encoding="utf-8-sig") as file:
        return file.readline()


def _columns(table: Path) -> list[str]:
    """The column names; ValueError or OSError where the file is not a table."""
    if table.suffix.lower() == ".parquet":
        return list(parquet.read_schema(table).names)
    header = _first_line(table)
    return [name.strip().strip('"').lower() for name in header.split(_separator(header))]


def _separator(header: str) -> str:
    return max(",;\t", key=header.count)


def _is_table(path: Path) -> bool:
    try:
        return path.is_file() and set(REQUIRED) <= set(_columns(path))
    except (ValueError, OSError):
        return False


def _named_table(root: Path) -> Path | None:
    return next((root / name for name in NAMED_TABLES if _is_table(root / name)), None)


def _only_csv(root: Path) -> Path | None:
    tables = [path for path in sorted(root.glob("*.csv")) if _is_table(path)]
    return tables[0] if len(tables) == 1 else None


def read_table(table: Path) -> Found:
    """The records of one CSV or Parquet file.

    Raises:
        DataError: naming the file, the line and the value at fault.
    """
    frame = _load(table)
    if frame.empty:
        raise DataError(f"{table}: the table has no rows")
    where = [str(place) for place in frame.index]
    root, paths = _relative_paths(table, where, frame["path"].tolist())
    identities, identity_notes = _identities(where, frame["identity"].tolist())
    cameras, camera_notes = _cameras(frame["camera"].tolist() if "camera" in frame else [""] * len(frame))
    splits, split_notes = _splits(where, frame, paths, identities, cameras)
    _refuse_doubles(where, paths, splits)
    subsets = frame["subset"].tolist() if "subset" in frame else None
    records, notes = make_records(paths, identities, cameras, splits, subsets)
    return Found(root, records, (*identity_notes, *camera_notes, *split_notes, *notes))


def _load(table: Path) -> pd.DataFrame:
    """All columns as text, "" for empty cells; the index says where in the file a row stands."""
    try:
        names = _columns(table)
    except UnicodeDecodeError:
        raise DataError(f"{table}: not UTF-8 text; save the table as CSV in UTF-8") from None
    except (ValueError, OSError) as error:
        raise DataError(f"{table}: not readable as a table ({error})") from error
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise DataError(
            f"{table}: no column {' or '.join(missing)} (it has {', '.join(names) or 'none'}); "
            "needed are path and identity, optional are camera, split and subset"
        )
    try:
        if table.suffix.lower() == ".parquet":
            wanted = [name for name in (*REQUIRED, "camera", "split", "subset") if name in names]
            frame = pd.read_parquet(table, columns=wanted).reset_index(drop=True)
            frame = frame.astype(object).where(frame.notna(), "").astype(str)
            first, unit = 1, "row"
        else:
            separator = _separator(_first_line(table))
            frame = pd.read_csv(
                table, sep=separator, dtype=str, na_filter=False, encoding="utf-8-sig", skip_blank_lines=False
            ).fillna("")
            frame.columns = pd.Index([str(name).strip().lower() for name in frame.columns])
            first, unit = 2, "line"
    except (ValueError, OSError) as error:
        raise DataError(f"{table}: not readable as a table ({error})") from error
    frame = frame.apply(lambda column: column.str.strip())
    frame.index = pd.Index([f"{table}, {unit} {row + first}" for row in range(len(frame))], name="where")
    filled: pd.DataFrame = frame[(frame != "").any(axis=1)]
    return filled


def _relative_paths(table: Path, where: list[str], paths: list[str]) -> tuple[Path, list[str]]:
    """The folder that holds all pictures, and their paths relative to it."""
    for row, path in enumerate(paths):
        if not path:
            raise DataError(f"{where[row]}: the path is empty")
    base = table.parent.absolute()
    full = [os.path.normpath(base / path.replace("\\", "/")) for path in paths]
    if all(Path(path).is_relative_to(base) for path in full):
        root, base = table.parent, base
    else:
        root = base = Path(os.path.commonpath([str(Path(path).parent) for path in full]))
    return root, [Path(path).relative_to(base).as_posix() for path in full]


def _identities(where: list[str], texts: list[str]) -> tuple[list[int], tuple[str, ...]]:
    """Identity numbers. In a table, 0 is left to make_records: with splits, it can truly be a distractor."""
    for row, text in enumerate(texts):
        if not text:
            raise DataError(f"{where[row]}: the identity is empty; -1 marks junk, 0 a distractor")
    numbers = [parse_integer(text) for text in texts]
    kept = [number for number in numbers if number is not None]
    if len(kept) == len(numbers):
        if min(kept) < JUNK:
            row = next(row for row, number in enumerate(kept) if number < JUNK)
            raise DataError(f"{where[row]}: identity {kept[row]}; people count from 1, -1 is junk, 0 a distractor")
        return kept, ()
    named, notes = number_people(texts)
    return [named[text] for text in texts], notes


def _cameras(texts: list[str]) -> tuple[list[int], tuple[str, ...]]:
    """Camera numbers; empty cells and -1 are unknown, names ("north") are numbered in their order."""
    numbers = [UNKNOWN_CAMERA if not text else parse_integer(text) for text in texts]
    if all(number is not None for number in numbers):
        return [max(number, UNKNOWN_CAMERA) for number in numbers if number is not None], ()
    order = {name: i for i, name in enumerate(sorted(set(texts) - {""}), start=1)}
    note = f"Cameras are named; they are numbered {', '.join(f'{name} = {i}' for name, i in order.items())}."
    return [order.get(text, UNKNOWN_CAMERA) for text in texts], (note,)


def _splits(
    where: list[str], frame: pd.DataFrame, paths: list[str], identities: list[int], cameras: list[int]
) -> tuple[list[str], tuple[str, ...]]:
    people, seen_by = np.asarray(identities, np.int64), np.asarray(cameras, np.int64)
    if "split" not in frame:
        if JUNK not in identities and 0 in identities:
            people = people + 1  # counted from 0: make_records moves the numbers, the rule must see people
        splits, rule = split_identities(paths, people, seen_by)
        return splits, (rule,)
    splits = [text.lower() for text in frame["split"]]
    for row, split in enumerate(splits):
        if split not in (*SPLITS, "test"):
            raise DataError(f"{where[row]}: split {split!r}; allowed are {', '.join(SPLITS)} and test")
    test = [row for row, split in enumerate(splits) if split == "test"]
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
