"""`python -m eval truth` and `isp truth`."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isp_core.commands.options import JsonOption, print_json
from isp_core.errors import IspError
from isp_core.paths import writable_folder

if TYPE_CHECKING:
    from isp_eval.parser_truth import Source, TruthReport

CONFIDENCES = "confidence.csv"


def write_truth(
    images: Annotated[Path | None, typer.Argument(help="A data set, or any folder of person crops.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write label maps to.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="The same as the folder without an option name.")] = None,
    parser: Annotated[
        str,
        typer.Option(help="body (BlazePose and BodyPix), bodypix, schp_lip, or a YAML description (eval/parsers)."),
    ] = "body",
    onnx: Annotated[
        Path | None, typer.Option(help="ONNX file of the parser; needed for schp_lip and your own.")
    ] = None,
    pose: Annotated[Path | None, typer.Option(help="BlazePose's .tflite file, if it is not in the cache.")] = None,
    split: Annotated[
        list[str] | None, typer.Option(help="Only this split of a data set (train, query, gallery); may be repeated.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each network.")] = 1,
    get_models: Annotated[
        bool,
        typer.Option(
            "--get-models",
            help="Download BlazePose (npm or pip) into your cache; the only step that needs internet access.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make ground-truth maps of images with a part parser, named as SCHP does.

    OUT/<image folder>_parsing_pgt/<name>.png: palette PNGs of the images' size. Existing maps are kept, so the same
    command continues after an interruption. OUT/overlay.png shows maps over images, the least confident first;
    OUT/confidence.csv lists all. Use OUT as --truth of `isp eval parsing` and `isp train`, or as --labels of
    `isp train`.
    """
    # imported here: --help need not wait for torch
    from isp_eval.parser_truth import make_truth, overlay_sheet
    from isp_eval.parsers.models import get_models as download
    from isp_eval.parsers.registry import ParserFiles, open_parser

    if get_models:
        typer.echo(f"BlazePose is at {download()}", err=as_json)
        if images is None and data is None:
            return
    folder = images or data
    if folder is None or out is None:
        raise typer.BadParameter("name a folder of images and --out, such as: isp truth IMAGES --out MAPS")
    writable_folder(out)
    source = _source(folder, split or ())
    ready = open_parser(parser, ParserFiles(onnx, pose, threads))
    report = make_truth(ready, source, out, progress=not as_json)
    if report.maps:
        sheet = overlay_sheet(source, out, report, ready.space)
        _write_confidences(out / CONFIDENCES, report)
        if as_json:
            print_json(asdict(report) | {"out": str(out), "space": ready.space, "sheet": str(sheet)})
        else:
            _print(out, report, ready.space, ready.notes)
    if report.broken:
        count = len(report.broken)
        raise IspError("\n  ".join([f"{count} of {len(source.paths)} images could not be read:", *report.broken]))


def _source(folder: Path, splits: list[str] | tuple[()]) -> Source:
    """The images of a data set, or of a plain folder where no layout is recognised and no split was asked for."""
    from isp_core.data import DataError, load
    from isp_eval.parser_truth import plain_folder, source_of

    try:
        return source_of(load(folder), splits)
    except DataError as error:
        if splits or not folder.is_dir():
            raise
        try:
            return plain_folder(folder)
        except IspError:
            raise error from None


def _write_confidences(file: Path, report: TruthReport) -> None:
    import pandas as pd

    from isp_core.tables import write_csv

    rows = sorted(report.maps.items(), key=lambda item: item[1])
    write_csv(pd.DataFrame(rows, columns=["image", "confidence"]).round(4), file)


def _print(out: Path, report: TruthReport, space: str, notes: tuple[str, ...]) -> None:
    count = len(report.maps)
    typer.echo(f"{out}: {report.written} label maps written, {report.kept} kept; label space {space}")
    for name, share in report.classes.items():
        typer.echo(f"{name:16} {share:6.1%} of pixels")
    known = sorted(value for value in report.maps.values() if not math.isnan(value))
    if known:
        typer.echo(f"confidence       median {known[len(known) // 2]:.2f}, lowest {known[0]:.2f}")
    some = f": {', '.join(report.empty[:3])}" + (" ..." if len(report.empty) > 3 else "") if report.empty else ""
    typer.echo(f"empty maps       {len(report.empty)} of {count} ({len(report.empty) / count:.1%}){some}")
    for note in notes:
        typer.echo(f"note: {note}")
