"""`isp match`: how far apart two people are, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isp_core.commands.options import EpochOption, JsonOption, VisibilityOption, print_json
from isp_core.commands.readers import ReaderOption, open_reader
from isp_core.errors import IspError
from isp_core.paths import writable_file, written


def match_images(
    run: ReaderOption,
    first: Annotated[Path, typer.Argument(help="An image of a person.", metavar="A")],
    second: Annotated[Path, typer.Argument(help="Another image.", metavar="B")],
    epoch: EpochOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Sheet to save (PNG); default: A-B.png in this folder.")
    ] = None,
    visibility: VisibilityOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the distance of two images with its terms (Eq. 8-10), and save both with their parts as one sheet.

    A small distance is no identification: someone is always nearest.
    """
    # imported here: --help need not wait for torch
    from isp_core.matching import describe_rule
    from isp_core.pair_sheet import pair_sheet, terms_of

    for image in (first, second):
        if image.is_dir():
            raise IspError(
                f"{image} is a folder; match compares two images: use `isp parse` or `isp search` for folders"
            )
    target = out or Path(f"{first.stem}-{second.stem}.png")
    writable_file(target, ".png")
    if target.exists() and target.resolve() in (first.resolve(), second.resolve()):
        raise IspError(f"--out {target} is one of the two images: give another name")
    parser, palette = open_reader(run, epoch, visibility)
    seen = parser.read([first, second])
    explanation = parser.match(seen.embeddings[:1], seen.embeddings[1:])
    terms, distance = terms_of(explanation, palette), float(explanation.distance[0])
    labels = (seen.labels[0], seen.labels[1]) if parser.parts else None
    sheet = pair_sheet((first, second), labels, terms, distance, palette)
    with written(target):
        sheet.save(target)
    if as_json:
        found = [{"name": term.name, "distance": term.distance, "counts": term.counts} for term in terms]
        print_json(
            {
                "first": first,
                "second": second,
                "distance": distance,
                "visibility": parser.visibility,
                "terms": found,
                "sheet": target,
            }
        )
        return
    typer.echo(f"distance {max(distance, 0):.4f}: the mean of the terms that count (Eq. 10)")
    for term in terms:
        typer.echo(
            f"  {max(term.distance, 0):.4f}  {term.name}{'' if term.counts else '  (not visible in both: left out)'}"
        )
    if parser.parts:
        typer.echo(f"visible parts: {describe_rule(parser.visibility)}")
    typer.echo(f"{target}: both images{' with their parts' if parser.parts else ''}")
