"""Columns that a table of records has beyond those we know (a belonging, an occlusion): kept to find images by.

Nothing is computed from them. They come from outside, so their number, names and texts are bounded.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from isp_core.text_files import shown

MAX_COLUMNS = 64
MAX_NAME = 64  # characters of a column's name
MAX_TEXT = 200  # characters of a cell
RESERVED = ("path", "identity", "camera", "split", "subset")


def keep(cells: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The columns of `cells` (texts) that a run keeps, numbers where every filled cell is one; what was left out.

    Columns whose name is ours, too long or not printable are left out, empty ones without a word; so are those beyond
    MAX_COLUMNS. Texts are cut to MAX_TEXT characters, what is not printable in them is shown as escapes.

    >>> kept, notes = keep(pd.DataFrame({"belonging": ["tote", ""], "heading": ["12.5", ""], "path": ["a", "b"]}))
    >>> kept.to_dict("list"), notes
    ({'belonging': ['tote', ''], 'heading': [12.5, nan]}, ())
    """
    usable = [name for name in cells.columns if _is_name(name) and bool((cells[name] != "").any())]
    strange = [name for name in cells.columns if not _is_name(name) and name not in RESERVED]
    notes = []
    if strange:
        first = shown(strange[0])[:MAX_NAME]
        notes.append(
            f"{len(strange)} columns are left out, such as {first!r}: a name has 1 to {MAX_NAME} printable characters."
        )
    if len(usable) > MAX_COLUMNS:
        notes.append(
            f"{len(usable) - MAX_COLUMNS} columns are left out: a run keeps the first {MAX_COLUMNS} beyond its own."
        )
    kept = {name: _typed(cells[name]) for name in usable[:MAX_COLUMNS]}
    return pd.DataFrame(kept, index=cells.index), tuple(notes)


def _is_name(name: object) -> bool:
    text = str(name)
    return text not in RESERVED and 0 < len(text) <= MAX_NAME and text.isprintable()


def _typed(column: pd.Series) -> pd.Series:
    filled = column.where(column != "")
    numbers = pd.to_numeric(filled, errors="coerce")
    if bool((numbers.notna() == filled.notna()).all()) and bool(np.isfinite(numbers.dropna()).all()):
        return numbers
    return column.map(bounded).astype("str")


def bounded(text: str) -> str:
    """A text from outside as it may be kept: printable, of at most MAX_TEXT characters."""
    text = shown(text)
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
