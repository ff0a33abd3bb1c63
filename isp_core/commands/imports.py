"""`isp runs import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isp_core.commands.options import JsonOption, print_json


def import_results(
    out: Annotated[Path, typer.Option("--out", help="The run directory to make.")],
    embeddings: Annotated[
        Path | None,
        typer.Option(
            help="Features of query and gallery: .npz, .mat, .parquet, .pt (tensors only), or a folder of .npy."
        ),
    ] = None,
    distances: Annotated[
        Path | None, typer.Option(help="Instead: distances, a row per query, a column per gallery picture.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="Folder of label maps named like the pictures.")] = None,
    space: Annotated[str, typer.Option(help="Label space of the maps: lip, atr, ..., or a YAML file.")] = "lip",
    data: Annotated[
        Path | None,
        typer.Option(help="The data set they were made on; makes the run comparable with others of it."),
    ] = None,
    records: Annotated[
        Path | None,
        typer.Option(help="Table of pictures in the file's order (CSV, Parquet): path, identity, camera, split."),
    ] = None,
    tool: Annotated[str, typer.Option(help="What made them, for captions.")] = "",
    size: Annotated[
        str, typer.Option(help="Height x width of the input; maps are kept at a quarter of it.")
    ] = "256x128",
    as_json: JsonOption = False,
) -> None:
    """Turn another tool's results into a run that eval and the app read beside one's own.

    Who is on the pictures is told by --data, by --records, or by the file itself (qf, gf, q_pids, g_pids, q_camids,
    g_camids). Pictures are found in --data by the paths that the file or the table holds, whatever their root.
    No pickled objects are loaded. docs/importing.md has examples for torchreid, fast-reid, bpbreid and SCHP.
    """
    # imported here: --help need not wait for torch
    from isp_core.commands.training import parse_size
    from isp_core.data import load
    from isp_core.runs.imports import import_run

    run, notes = import_run(
        out,
        records,
        data=None if data is None else load(data),
        embeddings=embeddings,
        distances=distances,
        labels=labels,
        space=space,
        tool=tool,
        size=parse_size(size),
    )
    counts = {split: count.pictures for split, count in run.info.data.splits.items()}
    if as_json:
        print_json({"run": str(out), "data": run.info.data.name, "pictures": counts, "notes": list(notes)})
        return
    typer.echo(f"{out}: imported, {', '.join(f'{n} {split}' for split, n in counts.items())} pictures")
    for note in notes:
        typer.echo(f"note: {note}")
