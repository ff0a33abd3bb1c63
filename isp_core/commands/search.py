"""`isp search`: the gallery pictures nearest to one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isp_core.commands.options import EpochOption, JsonOption, RunOption, VisibilityOption, print_json
from isp_core.errors import IspError


def search_gallery(
    run: RunOption,
    pictures: Annotated[list[Path], typer.Argument(help="Images of people to search for.")],
    epoch: EpochOption = None,
    top: Annotated[int, typer.Option(min=1, help="Gallery images to list for each.")] = 10,
    candidates: Annotated[
        int, typer.Option(min=1, help="Candidates that global and foreground features propose, to be ranked by Eq. 10.")
    ] = 400,
    index: Annotated[
        Path | None,
        typer.Option(
            help="Index file of this gallery: read if it exists, otherwise written. Use only files that you made."
        ),
    ] = None,
    visibility: VisibilityOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the gallery images of a run that are nearest to your own images (Eq. 10).

    Someone is always nearest, even when the person is not in the gallery: a rank is not an identification.
    """
    # imported here: --help need not wait for torch
    from isp_core.gallery import GalleryIndex
    from isp_core.parser import HumanParser
    from isp_core.runs import open_run

    missing = [str(picture) for picture in pictures if not picture.is_file()]
    if missing:
        raise IspError(f"{missing[0]}: no such image" + (f", nor {len(missing) - 1} more" if missing[1:] else ""))
    opened = open_run(run)
    known = sorted(set(opened.embedding_epochs()) & set(opened.weight_epochs()))
    if not known:
        raise IspError(
            f"{run} has no epoch with both weights and gallery embeddings: `isp extract --run {run} --data DIR`"
        )
    epoch = known[-1] if epoch is None else epoch
    gallery = opened.embeddings("gallery", epoch, visibility)
    if index is not None and index.exists():
        indexed = GalleryIndex.load(index, gallery)
    else:
        indexed = GalleryIndex.build(gallery)
        if index is not None:
            indexed.save(index)
    parser = HumanParser.load(opened, epoch, visibility=visibility)
    query = parser.embed([*pictures])
    found = indexed.search(query, top, max(top, candidates))
    records = opened.records("gallery")
    results = [
        [
            {"path": str(records.path[int(row)]), "identity": int(records.identity[int(row)]), "distance": float(far)}
            for row, far in zip(rows, distances, strict=True)
            if row >= 0
        ]
        for rows, distances in zip(found.rows, found.distances, strict=True)
    ]
    if as_json:
        each = [{"picture": str(picture), "nearest": near} for picture, near in zip(pictures, results, strict=True)]
        print_json(
            {
                "run": str(run),
                "epoch": epoch,
                "gallery": len(gallery),
                "visibility": parser.visibility,
                "pictures": each,
            }
        )
        return
    for picture, near in zip(pictures, results, strict=True):
        typer.echo(f"{picture}, nearest of {len(gallery)} at epoch {epoch}, visibility by {parser.visibility}:")
        for rank, item in enumerate(near, start=1):
            typer.echo(f"{rank:4}  {item['distance']:.4f}  {item['path']}  (person {item['identity']})")
