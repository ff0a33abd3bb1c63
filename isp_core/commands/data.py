"""`isp data`: what a folder of images holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isp_core.commands.options import JsonOption, existing_data, print_json
from isp_core.progress import progress_bar


def describe_data(
    folder: Annotated[Path, typer.Argument(help="Folder (or CSV file) of the data set.", callback=existing_data)],
    check: Annotated[bool, typer.Option("--check", help="Also decode every image and name the broken ones.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print splits, identities, images and cameras of a data set, and what looks wrong."""
    # imported here: --help need not wait for torch
    from isp_core.data import describe, load

    data = load(folder)
    with progress_bar("images", len(data.records) * (2 if check else 1)) as bar:
        report = describe(data, check_pictures=check, progress=bar.update)
    if as_json:
        print_json(report.to_json())
    else:
        typer.echo(report.to_text())
