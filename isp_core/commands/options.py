"""Options that several commands share, and how results are printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

DataOption = Annotated[Path, typer.Option("--data", help="Folder (or CSV file) of the data set.")]
RunOption = Annotated[Path, typer.Option("--run", help="The run directory.")]
EpochOption = Annotated[int | None, typer.Option("--epoch", help="Epoch (default: the last that has weights).")]
VisibilityOption = Annotated[
    str | None,
    typer.Option(
        "--visibility",
        help="Which parts count as visible: eq8 (Eq. 8), peak (calibrated thresholds) or soft (weights). Default: peak "
        "if the run has thresholds, else eq8.",
    ),
]
OutOption = Annotated[Path, typer.Option("--out", help="Folder to write to.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]


def print_json(document: Any) -> None:
    """One JSON document on standard output; NaN becomes null."""
    typer.echo(json.dumps(_plain(document), indent=2, ensure_ascii=False, allow_nan=False))


def printable(text: object) -> str:
    """Text from a run or a file name as one line for a terminal: control characters are written as escapes.

    >>> printable("a\\x1b[31mred\\n")
    'a\\\\x1b[31mred\\\\n'
    """
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in str(text))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item") and not hasattr(value, "__len__"):  # a NumPy scalar
        value = value.item()
    return None if isinstance(value, float) and value != value else value
