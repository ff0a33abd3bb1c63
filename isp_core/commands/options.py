"""Options that several commands share, and how results are printed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from isp_core.json_text import json_text
from isp_core.paths import there


def existing_data(path: Path | None) -> Path | None:
    """The path of a data set, asked for before anything slow is loaded; PathError where nothing is there."""
    return None if path is None else there(path, "{}: no such folder or table of a data set")


def existing_run(path: Path | None) -> Path | None:
    """The path of a run, asked for before anything slow is loaded; PathError where nothing is there."""
    return None if path is None else there(path, "{} does not exist. `isp runs list DIR` shows the runs of a folder")


DataOption = Annotated[
    Path, typer.Option("--data", help="Folder (or CSV file) of the data set.", callback=existing_data)
]
RunOption = Annotated[Path, typer.Option("--run", help="The run directory.", callback=existing_run)]
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
    """One JSON document on standard output."""
    typer.echo(json_text(document), nl=False)
