"""The one reader and the one writer of tables as text (CSV, TSV), for the command line and the app.

Reading takes what spreadsheets and tools write: commas, semicolons, tabs or bars; UTF-8 or UTF-16; any case of the
header. Writing gives what spreadsheets open right: a byte order mark, and text that would run as a formula quoted.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd

from isp_core import parquet_files
from isp_core.errors import IspError
from isp_core.paths import written
from isp_core.text_files import read_text, shown

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
SUFFIXES = (*TEXT_SUFFIXES, ".parquet")
MAX_BYTES = 256 * 2**20
LIMITS = parquet_files.USUAL
_DELIMITERS = ",;\t|"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_HINT = "sep="  # Excel's first line that names the delimiter


class TableError(IspError):
    """A table that cannot be read or written; the message begins with its path, and names the line."""


def read_table(path: Path, columns: tuple[str, ...] | None = None) -> pd.DataFrame:
    """A table's cells as text, "" where empty. Rows of empty cells are left out.

    Args:
        path: a file that ends in one of SUFFIXES.
        columns: keep only these; names are in lower case. A column that the table lacks is no error here.

    Returns:
        Columns in lower case; the index says where each row stands, as "FILE, line 7".

    Raises:
        TableError: missing, not text, no table, cells beyond the header's columns, or a column that occurs twice.
    """
    if path.suffix.lower() == ".parquet":
        return _read_parquet(path, columns)
    header, rows = _read_rows(path)
    keep = [i for i, name in enumerate(header) if name and (columns is None or name in columns)]
    filled = [(line, row) for line, row in rows if any(row)]
    frame = pd.DataFrame(
        [[row[i] for i in keep] for _, row in filled],
        columns=pd.Index([header[i] for i in keep]),
        index=pd.Index([f"{shown(path)}, line {line}" for line, _ in filled], dtype=object),
        dtype=object,
    )
    return frame


def column_names(path: Path) -> list[str]:
    """The names of a table's columns in lower case, without reading its rows; TableError as `read_table`."""
    if path.suffix.lower() == ".parquet":
        try:
            return [_plain(name) for name in parquet_files.column_names(path)]
        except parquet_files.ParquetError as error:
            raise TableError(str(error)) from None
    return _read_rows(path, header_only=True)[0]


def to_csv(table: pd.DataFrame) -> bytes:
    """A table as CSV in UTF-8 with a byte order mark (spreadsheets need it); missing values are empty cells."""
    columns = [
        column if pd.api.types.is_numeric_dtype(column) else column.map(quote, na_action="ignore")
        for _, column in table.items()
    ]
    safe = pd.concat(columns, axis=1, keys=range(len(columns))) if columns else pd.DataFrame()
    safe.columns = pd.Index([quote(str(name)) for name in table.columns])
    buffer = io.StringIO()
    safe.to_csv(buffer, index=False, lineterminator="\r\n")
    return b"\xef\xbb\xbf" + buffer.getvalue().encode("utf-8")


def write_csv(table: pd.DataFrame, file: Path) -> Path:
    """Writes `to_csv` of the table to `file`, whose folder is made; returns the file.

    Raises:
        TableError: it cannot be written there.
    """
    with written(file, TableError):
        file.write_bytes(to_csv(table))
    return file


def quote(value: object) -> object:
    """A text that starts with = + - @ (or a tab) gets an apostrophe in front, and bytes that are not UTF-8 become
    escapes; numbers are left alone.

    >>> quote("=1+1"), quote(-3.5), quote("0002_c1.jpg")
    ("'=1+1", -3.5, '0002_c1.jpg')
    """
    if not isinstance(value, str):
        return value
    text = shown(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def unquote(cell: str) -> str:
    """The text of a cell that `quote` wrote.

    >>> unquote("'=1+1"), unquote("'tis")
    ('=1+1', "'tis")
    """
    return cell[1:] if cell.startswith("'") and cell[1:].lstrip().startswith(_FORMULA) else cell


def _read_rows(path: Path, header_only: bool = False) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header in lower case, and each row with its line, padded to the header's length."""
    text = read_text(path, MAX_BYTES)
    first, _, rest = text.partition("\n")
    skipped, delimiter = 0, ""
    if first.strip().lower().startswith(_HINT):
        delimiter, text, skipped = first.strip()[len(_HINT) :][:1], rest, 1
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter or _delimiter(text), strict=True)
    try:
        names = [_plain(name) for name in next(reader, [])]
        if len(names) > LIMITS.columns:
            raise TableError(f"{shown(path)} has {len(names):,} columns; at most {LIMITS.columns:,} are read")
        twice = next((name for name in names if name and names.count(name) > 1), None)
        if twice is not None:
            raise TableError(f"{shown(path)}: the column {twice} occurs twice")
        if header_only:
            return names, []
        rows: list[tuple[int, list[str]]] = []
        most = min(LIMITS.rows, LIMITS.cells // max(1, len(names)))
        for cells in reader:
            if len(rows) >= most:
                raise TableError(
                    f"{shown(path)} has more than {most:,} rows of {len(names)} columns: too many to read; give only "
                    "the columns that are needed"
                )
            row = [unquote(cell.strip()) for cell in cells]
            line = reader.line_num + skipped
            if len(row) > len(names) and any(row[len(names) :]):
                raise TableError(
                    f"{shown(path)}, line {line}: {len(row)} cells, but the header has {len(names)} columns"
                )
            rows.append((line, row[: len(names)] + [""] * (len(names) - len(row))))
    except csv.Error as error:
        raise TableError(
            f"{shown(path)}, line {reader.line_num + skipped}: not readable as a table ({error})"
        ) from None
    return names, rows


def _delimiter(text: str) -> str:
    """The delimiter that occurs most in the first line that is not empty."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(_DELIMITERS, key=header.count)


def _read_parquet(path: Path, columns: tuple[str, ...] | None) -> pd.DataFrame:
    try:
        wanted = [name for name in parquet_files.column_names(path) if columns is None or _plain(name) in columns]
        frame = parquet_files.read_parquet(path, wanted)[wanted]
    except parquet_files.ParquetError as error:
        raise TableError(str(error)) from None
    frame.columns = pd.Index([_plain(name) for name in frame.columns])
    if not frame.columns.is_unique:
        raise TableError(f"{shown(path)}: the column {frame.columns[frame.columns.duplicated()][0]} occurs twice")
    text = frame.astype(object).where(frame.notna(), "").map(lambda cell: str(cell).strip())
    text.index = pd.Index([f"{shown(path)}, row {row}" for row in range(1, len(text) + 1)], dtype=object)
    filled: pd.DataFrame = text[(text != "").any(axis=1)]
    return filled


def _plain(name: str) -> str:
    return name.strip().lower()
