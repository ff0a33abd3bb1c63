"""`isp search`: the gallery images nearest to your own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isp_core import extras
from isp_core.commands.options import EpochOption, JsonOption, RunOption, VisibilityOption, print_json
from isp_core.commands.readers import searchable_epoch
from isp_core.errors import IspError
from isp_core.paths import writable_file

if TYPE_CHECKING:
    from isp_core.prediction import ImageParser
    from isp_core.runs import Run


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
    onnx: Annotated[
        Path | None, typer.Option("--onnx", help="Read the images by this export of the run's network (isp export).")
    ] = None,
    visibility: VisibilityOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the gallery images of a run that are nearest to your own images (Eq. 10).

    Someone is always nearest, even when the person is not in the gallery: a rank is not an identification. An image
    that is itself in the gallery comes first, with distance 0; its next rank is the nearest other image.
    """
    # imported here: --help need not wait for torch
    extras.require("gallery", "faiss")
    from isp_core.data.people import called
    from isp_core.gallery import GalleryIndex
    from isp_core.runs import open_run

    missing = [str(picture) for picture in pictures if not picture.is_file()]
    if missing:
        raise IspError(f"{missing[0]}: no such image" + (f", nor {len(missing) - 1} more" if missing[1:] else ""))
    if index is not None:
        writable_file(index, "", "--index")
    opened = open_run(run)
    parser, epoch = _reader(opened, epoch, onnx, visibility)
    gallery = opened.embeddings("gallery", epoch, visibility)
    if index is not None and index.exists():
        indexed = GalleryIndex.load(index, gallery)
    else:
        indexed = GalleryIndex.build(gallery)
        if index is not None:
            indexed.save(index)
    query = parser.embed([*pictures])
    found = indexed.search(query, top, max(top, candidates))
    records = opened.records("gallery")
    people = called(records)
    results = [
        [
            {
                "path": str(records.path[int(row)]),
                "identity": int(records.identity[int(row)]),
                "person": people[int(row)],
                "distance": float(far),
            }
            for row, far in zip(rows, distances, strict=True)
            if row >= 0
        ]
        for rows, distances in zip(found.rows, found.distances, strict=True)
    ]
    if as_json:
        each = [{"image": str(picture), "nearest": near} for picture, near in zip(pictures, results, strict=True)]
        print_json(
            {
                "run": str(run),
                "epoch": epoch,
                "gallery": len(gallery),
                "visibility": parser.visibility,
                "images": each,
            }
        )
        return
    for picture, near in zip(pictures, results, strict=True):
        typer.echo(f"{picture}, nearest of {len(gallery)} at epoch {epoch}, visibility by {parser.visibility}:")
        for rank, item in enumerate(near, start=1):
            typer.echo(f"{rank:4}  {item['distance']:.4f}  {item['path']}  (person {item['person']})")


def _reader(run: Run, epoch: int | None, onnx: Path | None, visibility: str | None) -> tuple[ImageParser, int]:
    """What reads the images, and the epoch of the gallery that they are compared with."""
    if onnx is not None:
        from isp_core.exported import export_of

        exported = export_of(run, onnx, epoch, visibility)
        chosen = int(exported.epoch or 0)
        if chosen not in run.embedding_epochs():
            raise IspError(
                f"{run.path} has no gallery embeddings of epoch {chosen}, which {onnx} was exported from: "
                f"`isp extract --run {run.path} --epoch {chosen} --data DIR`"
            )
        return exported, chosen
    from isp_core.parser import HumanParser

    last = searchable_epoch(run)
    chosen = last if epoch is None else epoch
    return HumanParser.load(run, chosen, visibility=visibility), chosen
