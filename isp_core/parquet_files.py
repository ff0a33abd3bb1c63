"""Parquet tables from anyone: numbers, texts and lists of numbers, bounded by what a file declares of itself.

A few hundred kilobytes may hold 10^8 rows. Out of scope: whose the file is (isp_core.runs.parquet, isp_core.tables,
isp_core.runs.arrays).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from isp_core.errors import IspError
from isp_core.text_files import shown

MAX_TEXT = 4_096  # bytes of one text cell: the longest path that Linux takes


class ParquetError(IspError):
    """A Parquet table that is broken, too large, or holds columns of other types; the message begins with its path."""


@dataclass(frozen=True)
class Limits:
    """What a table may have at most; MSMT17 has 126,441 images, LUPerson, the largest set of people, 4.2 million."""

    rows: int = 5_000_000
    columns: int = 2_000
    cells: int = 30_000_000
    bytes: int = 2**30  # in memory


USUAL = Limits()


def column_names(path: Path) -> list[str]:
    """The names of a table's columns; ParquetError where it is no Parquet table."""
    try:
        with _opened(path) as file:
            return [str(name) for name in pq.read_schema(file).names]
    except Exception as error:  # broken files raise many kinds
        raise _unreadable(path, error) from None


def read_parquet(
    path: Path,
    columns: Sequence[str] | None = None,
    *,
    lists: Sequence[str] = (),
    skip: bool = False,
    limits: Limits = USUAL,
) -> pd.DataFrame:
    """A Parquet table, or some of its columns, with a fresh RangeIndex.

    What pandas noted in the file (an index, types of its own) is not followed.

    Args:
        path: the file.
        columns: names of those to read; None: all. One that the table lacks is no error here.
        lists: columns that may hold a list of numbers in every row.
        skip: leave out columns of other types (dates, structures) instead of refusing them.
        limits: rows, columns, cells and bytes that are read at most; a list's numbers are cells.

    Raises:
        ParquetError: missing, broken, too large, or a column that holds neither numbers nor texts.
    """
    try:
        with _opened(path) as file:
            return _table(file, shown(path), columns, lists, skip, limits)
    except ParquetError:
        raise
    except Exception as error:  # broken files raise many kinds
        raise _unreadable(path, error) from None


def write_parquet(table: pd.DataFrame, path: Path, *, index: bool = False) -> None:
    """Writes a table, with its index or without, to a path of any name; OSError where it cannot be written."""
    with path.open("wb") as file:
        table.to_parquet(file, index=index)


def _opened(path: Path) -> BinaryIO:
    """The file, for pyarrow: of paths it takes only those in UTF-8."""
    if path.exists() and not path.is_file():
        raise OSError("not a regular file")
    return path.open("rb")


def _table(
    file: BinaryIO, where: str, columns: Sequence[str] | None, lists: Sequence[str], skip: bool, limits: Limits
) -> pd.DataFrame:
    with pq.ParquetFile(file) as opened:
        schema, metadata = opened.schema_arrow, opened.metadata
    names = [name for name in schema.names if columns is None or name in columns]
    if metadata.num_rows > limits.rows:
        raise ParquetError(f"{where} declares {metadata.num_rows:,} rows; at most {limits.rows:,} are read")
    cells = sum(count for name, count in _declared(metadata) if name in names)
    if len(names) > limits.columns or cells > limits.cells:
        raise ParquetError(
            f"{where} declares {len(names):,} columns of {metadata.num_rows:,} rows, {cells:,} cells: too many to read"
        )
    if len(set(names)) < len(names):
        raise ParquetError(f"{where} has two columns of one name")
    declared = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    if declared > limits.bytes:
        raise ParquetError(f"{where} declares {declared:,} bytes of content; at most {limits.bytes:,} are read")
    kinds = {name: _kind(schema.field(name).type, name in lists) for name in names}
    strange = [name for name, kind in kinds.items() if kind is None]
    if strange and not skip:
        kind = schema.field(strange[0]).type
        raise ParquetError(f"{where}: column {strange[0]!r} holds {kind} values; numbers or texts are read")
    names = [name for name in names if kinds[name] is not None]
    texts = [name for name in names if kinds[name] == "text"]
    # texts are read as dictionaries: one long text repeated in every row is measured before it is unfolded
    with pq.ParquetFile(file, read_dictionary=texts) as opened:
        table = opened.read(columns=names)
    for name in texts:
        column = _texts(where, name, table.column(name), limits.bytes)
        table = table.set_column(table.column_names.index(name), name, column)
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    return frame


def _declared(metadata: pq.FileMetaData) -> Iterator[tuple[str, int]]:
    """The numbers of values that a file declares, by column; a list's are those of all its rows."""
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(place)
            yield chunk.path_in_schema.split(".")[0], chunk.num_values


def _kind(kind: pa.DataType, lists: bool) -> str | None:
    """ "number" or "text"; None for what is not read. lists: whether a list of numbers is a number too."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if lists and (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        return "number" if _kind(kind.value_type, False) == "number" else None
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "text"
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or kind in (pa.bool_(), pa.null())
    return "number" if number else None


def _texts(where: str, name: str, column: pa.ChunkedArray, limit: int) -> pa.ChunkedArray:
    total = 0
    for chunk in column.chunks:
        values = chunk.dictionary if pa.types.is_dictionary(chunk.type) else chunk
        lengths = pc.binary_length(values)
        longest = pc.max(lengths).as_py() or 0
        if longest > MAX_TEXT:
            raise ParquetError(
                f"{where}: a text in column {name!r} has {longest:,} bytes; at most {MAX_TEXT:,} are read"
            )
        total += pc.sum(pc.take(lengths, chunk.indices) if values is not chunk else lengths).as_py() or 0
    if total > limit:
        raise ParquetError(f"{where}: column {name!r} unfolds to {total:,} bytes; at most {limit:,} are read")
    return column.cast(pa.large_string())


def _unreadable(path: Path, error: Exception) -> ParquetError:
    if isinstance(error, PermissionError):
        return ParquetError(f"{shown(path)} cannot be read (Permission denied)")
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return ParquetError(f"{shown(path)}: not readable as a table ({reason})")
