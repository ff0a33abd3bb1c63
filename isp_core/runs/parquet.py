"""Parquet tables of a run: numbers and texts, bounded by what the file's metadata declares before they are unfolded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from isp_core.runs.errors import RunError
from isp_core.runs.untrusted import MAX_ROWS, read_checked

MAX_CELLS = 6 * MAX_ROWS
MAX_COLUMNS = 2_000
MAX_TEXT = 4_096  # bytes of one text cell: the longest path that Linux takes
MAX_TABLE = 2**30  # bytes of a table in memory


def read_table(
    path: Path, columns: Sequence[str] | None = None, *, root: Path | None = None, rows: int = MAX_ROWS
) -> pd.DataFrame:
    """A Parquet table of numbers and texts, or some of its columns, with a fresh RangeIndex.

    Bounded by what the file's metadata declares before anything is unfolded: a few hundred kilobytes may hold 10^8
    rows. What pandas noted in the file (an index, types of its own) is not followed. RunError where it is missing,
    broken, too large, or holds columns of other types.
    """
    return read_checked(path, lambda file: _table(file, columns, rows), root)


def _table(path: Path, columns: Sequence[str] | None, most: int) -> pd.DataFrame:
    with pq.ParquetFile(path) as opened:
        schema, metadata = opened.schema_arrow, opened.metadata
    names = [name for name in schema.names if columns is None or name in columns]
    if metadata.num_rows > most:
        raise RunError(f"{path} declares {metadata.num_rows:,} rows; at most {most:,} are read")
    if len(names) > MAX_COLUMNS or len(names) * metadata.num_rows > MAX_CELLS:
        raise RunError(f"{path} declares {len(names):,} columns of {metadata.num_rows:,} rows: too many to read")
    if len(set(names)) < len(names):
        raise RunError(f"{path} has two columns of one name")
    declared = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    if declared > MAX_TABLE:
        raise RunError(f"{path} declares {declared:,} bytes of content; at most {MAX_TABLE:,} are read")
    texts = []
    for name in names:
        kind = schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            texts.append(name)
        elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or kind in (pa.bool_(), pa.null())):
            raise RunError(f"{path}: column {name!r} holds {kind} values; numbers or texts are read")
    # texts are read as dictionaries: one long text repeated in every row is measured before it is unfolded
    with pq.ParquetFile(path, read_dictionary=texts) as opened:
        table = opened.read(columns=names)
    for name in texts:
        table = table.set_column(table.column_names.index(name), name, _texts(path, name, table.column(name)))
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    return frame


def _texts(path: Path, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    total = 0
    for chunk in column.chunks:
        values = chunk.dictionary if pa.types.is_dictionary(chunk.type) else chunk
        lengths = pc.binary_length(values)
        longest = pc.max(lengths).as_py() or 0
        if longest > MAX_TEXT:
            raise RunError(f"{path}: a text in column {name!r} has {longest:,} bytes; at most {MAX_TEXT:,} are read")
        total += pc.sum(pc.take(lengths, chunk.indices) if values is not chunk else lengths).as_py() or 0
    if total > MAX_TABLE:
        raise RunError(f"{path}: column {name!r} unfolds to {total:,} bytes; at most {MAX_TABLE:,} are read")
    return column.cast(pa.large_string())
