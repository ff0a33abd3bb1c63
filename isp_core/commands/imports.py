"""`isp runs import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isp_core.commands.options import JsonOption, print_json
from isp_core.paths import place_of_run, require_no_run


def import_results(
    out: Annotated[Path, typer.Option("--out", help="The run directory to write.")],
    embeddings: Annotated[
        Path | None,
        typer.Option(
            help="Features of query and gallery: .npz, .mat, .parquet, .pt (tensors only), or a folder of .npy."
        ),
    ] = None,
    distances: Annotated[
        Path | None, typer.Option(help="Instead: distances, one row per query and one column per gallery image.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="Folder of label maps named like the images.")] = None,
    space: Annotated[str, typer.Option(help="Label space of the maps: lip, atr, ..., or a YAML file.")] = "lip",
    data: Annotated[
        Path | None,
        typer.Option(help="The data set that they belong to; makes the run comparable with other runs on it."),
    ] = None,
    records: Annotated[
        Path | None,
        typer.Option(help="Table of images in the file's order (CSV, Parquet): path, identity, camera, split."),
    ] = None,
    tool: Annotated[str, typer.Option(help="Name of the tool, for captions.")] = "",
    size: Annotated[
        str, typer.Option(help="Height x width of the input; maps are stored at a quarter of it.")
    ] = "256x128",
    as_json: JsonOption = False,
) -> None:
    """Turn another tool's results into a run that can be evaluated and shown like your own.

    Identities and cameras come from --data, from --records, or from the file itself (qf, gf, q_pids, g_pids, q_camids,
    g_camids). Images are found in --data by the paths in the file or the table, whatever their root folder.
    No pickled objects are loaded. docs/importing.md has examples for torchreid, fast-reid, bpbreid and SCHP.
    """
    require_no_run(place_of_run(out))
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
    typer.echo(f"{out}: imported, {', '.join(f'{n} {split}' for split, n in counts.items())} images")
    for note in notes:
        typer.echo(f"note: {note}")
