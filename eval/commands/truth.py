"""`python -m eval truth`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from isp_core.commands.options import DataOption, JsonOption, OutOption, print_json


def write_truth(
    data: DataOption,
    out: OutOption,
    onnx: Annotated[Path, typer.Option(help="The parser's ONNX file.")],
    parser: Annotated[
        str, typer.Option(help="Its description: bodypix, schp_lip, or a YAML file of the same form (eval/parsers).")
    ] = "schp_lip",
    split: Annotated[
        list[str] | None, typer.Option(help="Only this split (train, query, gallery); may be repeated.")
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="Threads of the parser; 0: one per core.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Run a part parser (ONNX and a YAML description) over a data set and write label maps in SCHP's way.

    OUT/<picture folder>_parsing_pgt/<name>.png: palette PNGs of the pictures' size. Files that are there are kept: an
    interrupted run goes on. Give OUT as --truth to `eval parsing` and `isp train`, or as --labels to learn from it.
    """
    # imported here: --help need not wait for torch
    from isp_core.data import load
    from isp_eval.truth import PartParser, load_description, make_truth, open_onnx

    description = load_description(parser)
    ready = PartParser(open_onnx(onnx, description, threads), description)
    report = make_truth(ready, load(data), out, split or (), progress=sys.stderr.isatty() and not as_json)
    if as_json:
        print_json(asdict(report) | {"out": str(out), "space": description.space})
        return
    typer.echo(f"{out}: {report.written} label maps written, {report.kept} were there; label space {description.space}")
    for name, share in report.classes.items():
        typer.echo(f"{name:16} {share:6.1%}")
    if report.empty:
        some = ", ".join(report.empty[:3]) + (" ..." if len(report.empty) > 3 else "")
        typer.echo(f"note: nobody was found on {len(report.empty)} pictures ({some})")
    for note in description.notes:
        typer.echo(f"note: {note}")
