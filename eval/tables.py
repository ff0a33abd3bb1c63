"""Tables as text, CSV, Markdown and LaTeX. An empty cell is a value that does not exist, never a zero.

Out of scope: what stands in them.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from isp_core import tables
from isp_core.paths import written
from isp_core.text_files import printable

_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"} | {
    sign: "\\" + sign for sign in "&%$#_{}"
}

_MARKUP = re.compile(r"[\\|<\[`]")  # what would end a cell, or be a link, an image, HTML or code


def write_table(frame: pd.DataFrame, folder: Path, name: str, caption: str, decimals: int = 1) -> list[Path]:
    """Writes NAME.csv (all digits), NAME.md and NAME.tex into `folder`; returns the files."""
    files = [write_csv(frame, folder, name)]
    texts = {".md": f"{printable(caption)}\n\n{markdown(frame, decimals)}\n", ".tex": latex(frame, caption, decimals)}
    for suffix, text in texts.items():
        with written(folder / f"{name}{suffix}") as file:
            file.write_text(text, encoding="utf-8")
        files.append(file)
    return files


def write_csv(frame: pd.DataFrame, folder: Path, name: str) -> Path:
    """NAME.csv alone, for tables that are too long to print."""
    return tables.write_csv(frame, folder / f"{name}.csv")


def range_words(low: float, high: float) -> str:
    """An interval as a cell: "60.1 to 64.2"; empty where there is none.

    >>> range_words(60.12, 64.2), range_words(float("nan"), float("nan"))
    ('60.1 to 64.2', '')
    """
    return "" if low != low or high != high else f"{low:.1f} to {high:.1f}"


def text(frame: pd.DataFrame, decimals: int = 1) -> str:
    """Columns under each other, numbers to the right, for a terminal."""
    rows = [_names(frame), *_cells(frame, decimals)]
    widths = [max(len(row[i]) for row in rows) for i in range(frame.shape[1])]
    numeric = [pd.api.types.is_numeric_dtype(frame[column]) for column in frame.columns]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in rows
    )


def markdown(frame: pd.DataFrame, decimals: int = 1) -> str:
    """
    >>> print(markdown(pd.DataFrame({"K": [6, 7], "mAP": [78.94, float("nan")]})))
    | K | mAP |
    |--:|--:|
    | 6 | 78.9 |
    | 7 |  |
    """
    rule = ["--:" if pd.api.types.is_numeric_dtype(frame[column]) else ":--" for column in frame.columns]
    lines = [_row(_names(frame)), "|" + "|".join(rule) + "|"]
    return "\n".join(lines + [_row(cells) for cells in _cells(frame, decimals)])


def latex(frame: pd.DataFrame, caption: str, decimals: int = 1) -> str:
    """A table environment for booktabs."""
    columns = "".join("r" if pd.api.types.is_numeric_dtype(frame[column]) else "l" for column in frame.columns)
    lines = [
        r"\begin{table}",
        rf"\caption{{{_escape(printable(caption))}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        " & ".join(map(_escape, _names(frame))) + r" \\",
        r"\midrule",
        *(" & ".join(_escape(cell) for cell in cells) + r" \\" for cells in _cells(frame, decimals)),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _cells(frame: pd.DataFrame, decimals: int) -> list[list[str]]:
    columns = []
    for name in frame.columns:
        values = frame[name]
        whole = pd.api.types.is_integer_dtype(values)
        columns.append([_cell(value, 0 if whole else decimals) for value in values])
    return [list(cells) for cells in zip(*columns, strict=True)] if columns else []


def _cell(value: object, decimals: int) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.{decimals}f}" if isinstance(value, float) else printable(value)


def _names(frame: pd.DataFrame) -> list[str]:
    return [printable(column) for column in frame.columns]


def _row(cells: list[str]) -> str:
    escaped = (_MARKUP.sub(r"\\\g<0>", cell) for cell in cells)
    return "| " + " | ".join(escaped) + " |"


def _escape(cell: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in cell)
