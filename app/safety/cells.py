"""CSV that opens right in a spreadsheet: text cells that a spreadsheet would run as a formula are quoted."""

from __future__ import annotations

import io

import pandas as pd

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def quote(value: object) -> object:
    """A text that starts with = + - @ (or a tab) gets an apostrophe in front; numbers are left alone.

    >>> quote("=1+1"), quote(-3.5), quote("0002_c1.jpg")
    ("'=1+1", -3.5, '0002_c1.jpg')
    """
    return f"'{value}" if isinstance(value, str) and value.lstrip().startswith(_FORMULA) else value


def to_csv(table: pd.DataFrame) -> bytes:
    """UTF-8 with a byte order mark (spreadsheets need it), quoted text cells, empty cells for missing values."""
    columns = {
        str(quote(str(name))): column
        if pd.api.types.is_numeric_dtype(column)
        else column.map(quote, na_action="ignore")
        for name, column in table.items()
    }
    safe = pd.DataFrame(columns)
    buffer = io.StringIO()
    safe.to_csv(buffer, index=False, lineterminator="\r\n")
    return b"\xef\xbb\xbf" + buffer.getvalue().encode("utf-8")
