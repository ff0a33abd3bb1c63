"""Parquet tables of a run: regular files inside the run, bounded as isp_core.parquet_files bounds all tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from isp_core.parquet_files import USUAL, ParquetError, read_parquet
from isp_core.runs.errors import RunError
from isp_core.runs.untrusted import MAX_ROWS, read_checked


def read_table(
    path: Path, columns: Sequence[str] | None = None, *, root: Path | None = None, rows: int = MAX_ROWS
) -> pd.DataFrame:
    """A Parquet table of numbers and texts, or some of its columns, with a fresh RangeIndex; see `read_parquet`.

    RunError where it is missing, broken, too large, or holds columns of other types.
    """
    limits = replace(USUAL, rows=rows)

    def read(file: Path) -> pd.DataFrame:
        try:
            return read_parquet(file, columns, limits=limits)
        except ParquetError as error:
            raise RunError(str(error)) from None

    return read_checked(path, read, root)
