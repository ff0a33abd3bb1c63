"""Which columns of a wide table are in sight: as many as a laptop's screen holds, the others one click away.

The main part of a page is ROOM wide in a window of 1280 pixels; a table that is wider scrolls sideways, and what it was
opened for may be out of sight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from isp_app.state.controls import all_found, by_hand

ROOM = 910
TICKS = 40  # the column of ticks of a table whose rows can be chosen
_LETTER, _MARGIN, _LEAST, _MOST = 6.2, 20, 42, 168  # pixels


def choose(table: pd.DataFrame, key: str, usual: Sequence[str], always: Sequence[str] = ()) -> list[str]:
    """The columns to show, in the table's order: those that the user chose, else `usual`; `always` too. The control is
    drawn here; its choice is the URL's parameter `key`."""
    names = [str(name) for name in table.columns]
    all_found(key, names, "Column")
    with st.popover("Columns", help="Columns to show; the CSV file has all of them"):
        wanted = st.multiselect(
            "Columns",
            [name for name in names if name not in always],
            key=key,
            bind="query-params",
            persist_state="session",
            on_change=by_hand,
            args=(key,),
            placeholder=f"{', '.join(usual[:4])} ...",
        )
    kept = {*always, *(wanted or usual)}
    return [name for name in names if name in kept]


def fitting(widths: Mapping[str, int], importance: Sequence[str], room: int = ROOM) -> list[str]:
    """The first columns by importance that fit next to each other, up to the first that does not.

    >>> fitting({"run": 90, "K": 40, "mAP": 50}, ["run", "mAP", "K"], room=150)
    ['run', 'mAP']
    """
    left, found = room, []
    for name in importance:
        left -= widths[name]
        if left < 0:
            break
        found.append(name)
    return found


def widths(table: pd.DataFrame, labels: Mapping[str, str] | None = None) -> dict[str, int]:
    """Pixels of each column: as wide as its header and its cells, long texts cut. labels: headers other than names."""
    return {str(name): _width((labels or {}).get(str(name), str(name)), table[name]) for name in table.columns}


def _width(header: str, cells: pd.Series) -> int:
    whole = pd.api.types.is_integer_dtype(cells) or not pd.api.types.is_numeric_dtype(cells)
    longest = max((len(str(cell)) for cell in cells.dropna()), default=0) if whole else len("100.0")
    return round(min(_MOST, max(_LEAST, _MARGIN + _LETTER * max(len(header), longest))))


def config(
    table: pd.DataFrame, labels: Mapping[str, str] | None = None, helps: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """How each column is drawn: its width, its header, one decimal of fractions."""
    found: dict[str, Any] = {}
    for name, width in widths(table, labels).items():
        words: dict[str, Any] = {"width": width, "help": (helps or {}).get(name)}
        label = (labels or {}).get(name, name)
        if pd.api.types.is_float_dtype(table[name]):
            found[name] = st.column_config.NumberColumn(label, format="%.1f", **words)
        elif pd.api.types.is_numeric_dtype(table[name]):
            found[name] = st.column_config.NumberColumn(label, **words)
        else:
            found[name] = st.column_config.TextColumn(label, **words)
    return found
