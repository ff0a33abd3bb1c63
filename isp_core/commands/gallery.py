"""`isp gallery`: galleries whose images come and go, in a Milvus store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isp_core import extras
from isp_core.commands.application import Application
from isp_core.commands.options import EpochOption, JsonOption, RunOption, VisibilityOption, print_json
from isp_core.commands.readers import searchable_epoch
from isp_core.errors import IspError

if TYPE_CHECKING:
    from isp_core.gallery.filling import Filled
    from isp_core.gallery.filters import Where
    from isp_core.gallery.milvus import MilvusStore
    from isp_core.gallery.network import Network
    from isp_core.gallery.searching import Match
    from isp_core.runs import Run
    from isp_core.runs.schema import Split

app = Application(
    help="Search, fill and empty a gallery whose images come and go (Milvus: a local store, a server or a cluster).",
    no_args_is_help=True,
)

StoreOption = Annotated[
    str,
    typer.Option("--store", help="A local store, whose name ends with .db, or the address of a Milvus server."),
]
NameOption = Annotated[str, typer.Option("--name", help="The gallery's name, where a store holds several.")]
IdentityOption = Annotated[list[str] | None, typer.Option("--identity", help="Only these identities (repeatable).")]
CameraOption = Annotated[list[str] | None, typer.Option("--camera", help="Only these cameras (repeatable).")]
TABLE = ("rank", "distance", "identity", "camera", "time", "path")


@app.command("build")
def build_store(
    run: Annotated[Path, typer.Argument(help="The run directory.", metavar="RUN")],
    store: StoreOption,
    split: Annotated[str, typer.Option(help="gallery, query, or validation.")] = "gallery",
    epoch: EpochOption = None,
    data: Annotated[
        Path | None,
        typer.Option(help="The run's data set: images are then recognised by their content when they are added again."),
    ] = None,
    name: NameOption = "gallery",
    as_json: JsonOption = False,
) -> None:
    """Put a split of a run into a store, from the embeddings that the run holds. Started again, it goes on."""
    _require_engine()
    from isp_core.gallery.filling import build
    from isp_core.runs import open_run

    opened = open_run(run)
    chosen = _epoch_of(opened, epoch, store, name, stored=_split(split))
    filled = build(_opener(store, name), opened, chosen, _split(split), data)
    _report(filled, store, name, as_json)


@app.command("add")
def add_images(
    images: Annotated[list[Path], typer.Argument(help="Images, folders of them, or a table (CSV) of them.")],
    run: RunOption,
    store: StoreOption,
    epoch: EpochOption = None,
    identity: Annotated[
        str | None, typer.Option(help="Who is on all of them, any text (default: by names such as 0002_c1s1_...).")
    ] = None,
    camera: Annotated[str | None, typer.Option(help="The camera of all of them, any text (default: by names).")] = None,
    time: Annotated[
        str | None, typer.Option(help="When all of them were taken: a number, or a date such as 2026-11-30T12:00:00.")
    ] = None,
    name: NameOption = "gallery",
    as_json: JsonOption = False,
) -> None:
    """Parse images with a run's network and put them into a store. Images that are there already are skipped.

    A table has the columns path, identity, camera and time (or timestamp, frame), of which only path is needed; paths
    are relative to the table. Images that cannot be read are named at the end; the exit status is then 1.
    """
    _require_engine()
    from isp_core.gallery.filling import add
    from isp_core.gallery.sources import labelled_images
    from isp_core.runs import open_run

    files = labelled_images(images, identity=identity, camera=camera, time=time)
    opened = open_run(run)
    filled = add(_opener(store, name), opened, _epoch_of(opened, epoch, store, name), files)
    _report(filled, store, name, as_json)


@app.command("search")
def search_entries(
    images: Annotated[list[Path], typer.Argument(help="Images of people to search for.")],
    run: RunOption,
    store: StoreOption,
    epoch: EpochOption = None,
    top: Annotated[int, typer.Option(min=1, help="Entries to list for each.")] = 10,
    candidates: Annotated[
        int, typer.Option(min=1, help="Candidates that global and foreground features propose, to be ranked by Eq. 10.")
    ] = 400,
    identity: IdentityOption = None,
    camera: CameraOption = None,
    not_camera: Annotated[
        list[str] | None, typer.Option("--not-camera", help="Leave these cameras out (repeatable).")
    ] = None,
    since: Annotated[str | None, typer.Option(help="Taken then or later: a number or a date.")] = None,
    until: Annotated[str | None, typer.Option(help="Taken then or earlier: a number or a date.")] = None,
    visibility: VisibilityOption = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the table to this CSV file too.")] = None,
    name: NameOption = "gallery",
    as_json: JsonOption = False,
) -> None:
    """Find the entries of a store that are nearest to your images (Eq. 10).

    Someone is always nearest, even when the person is not in the gallery: a rank is not an identification.
    """
    _require_engine()
    from isp_core.gallery.entries import time_of
    from isp_core.gallery.filters import Where
    from isp_core.gallery.milvus import open_store
    from isp_core.gallery.network import Network, require_same
    from isp_core.gallery.searching import search_store
    from isp_core.matching.visibility_rules import EQ8
    from isp_core.parser import HumanParser
    from isp_core.paths import writable_file
    from isp_core.runs import open_run

    missing = [str(image) for image in images if not image.is_file()]
    if missing:
        raise IspError(f"{missing[0]}: no such image" + (f", nor {len(missing) - 1} more" if missing[1:] else ""))
    if csv is not None:
        writable_file(csv, ".csv", "--csv")
    where = Where(
        identities=identity or [],
        cameras=camera or [],
        not_cameras=not_camera or [],
        since=None if since is None else time_of(since),
        until=None if until is None else time_of(until),
    )
    opened = open_run(run)
    with open_store(store, name) as gallery:
        _say(gallery)
        chosen = _epoch_in(opened, epoch, gallery.network)
        require_same(gallery.network, Network.of(opened, chosen), gallery.place)
        count = gallery.count()
        if not count:
            raise IspError(f"{gallery.place} is empty: add images with `isp gallery add`")
        parser = HumanParser.load(opened, chosen, visibility=visibility)
        found = search_store(
            gallery,
            parser.embed([*images]),
            top=top,
            candidates=max(top, candidates),
            where=where,
            rule=parser.visibility if parser.parts else EQ8,
            calibration=parser.calibration,
        )
    if not any(found):
        raise IspError(f"{gallery.place} has no entry that meets these conditions, of {count}")
    if csv is not None:
        _write_csv(csv, images, found)
    if as_json:
        each = [
            {"image": str(image), "nearest": [_row(match) for match in near]}
            for image, near in zip(images, found, strict=True)
        ]
        head = {"run": str(run), "epoch": chosen, "store": gallery.place, "gallery": count}
        print_json(head | {"visibility": parser.visibility, "images": each})
        return
    for image, near in zip(images, found, strict=True):
        typer.echo(f"{image}, nearest of {count} at epoch {chosen}, visibility by {parser.visibility}:")
        for rank, match in enumerate(near, start=1):
            typer.echo(f"{rank:4}  {match.distance:.4f}  {match.image.path}{_told(match)}")


@app.command("remove")
def remove_entries(
    store: StoreOption,
    image: Annotated[
        list[Path] | None, typer.Option(help="An image file, or a path that the store shows (repeatable).")
    ] = None,
    identity: IdentityOption = None,
    camera: CameraOption = None,
    name: NameOption = "gallery",
    as_json: JsonOption = False,
) -> None:
    """Remove the entries that meet all conditions given."""
    _require_engine()
    from isp_core.gallery.filters import Where
    from isp_core.gallery.milvus import open_store

    where = Where(identities=identity or [], cameras=camera or [])
    if where.everything and not image:
        raise IspError("say which entries to remove: --image, --identity or --camera")
    with open_store(store, name) as gallery:
        _say(gallery)
        removed = gallery.remove(_with_images(gallery, where, image) if image else where)
        left = gallery.count()
    if not removed:
        raise IspError(f"{gallery.place}: no entry meets these conditions; nothing was removed")
    if as_json:
        print_json({"store": gallery.place, "removed": removed, "entries": left})
    else:
        typer.echo(f"{gallery.place}: removed {removed}, left {left} entries")


@app.command("info")
def describe_store(store: StoreOption, name: NameOption = "gallery", as_json: JsonOption = False) -> None:
    """Print how many entries a store holds, by which network, and its size."""
    _require_engine()
    from isp_core.gallery.milvus import open_store

    with open_store(store, name) as gallery:
        _say(gallery)
        network, layout = gallery.network, gallery.network.layout
        document: dict[str, Any] = {
            "store": gallery.place,
            "name": name,
            "entries": gallery.count(),
            "run": network.run,
            "epoch": network.epoch,
            "weights": network.weights,
            "parts": network.parts,
            "channels": None if layout is None else [layout.global_, layout.foreground, layout.channels],
            **gallery.facts(),
        }
    if as_json:
        print_json(document)
        return
    size = document["bytes"]
    typer.echo(f"{gallery.place}, {name!r}: {document['entries']} entries")
    typer.echo(f"  network   {network.describe()}")
    typer.echo(f"  channels  global, foreground and each part: {', '.join(map(str, document['channels'] or []))}")
    typer.echo(f"  engine    {document['engine']}, index {document['index']}")
    typer.echo(f"  size      {'not known: it is on a server' if size is None else f'{size / 1e6:.1f} MB on the disk'}")


def _require_engine() -> None:
    extras.require("gallery", "pymilvus", "milvus_lite", "faiss")


def _split(name: str) -> Split:
    from isp_core.runs.schema import TEST, VALIDATION

    known = (*TEST, VALIDATION)
    for each in known:
        if each == name:
            return each
    raise IspError(f"--split {name!r}: there are {', '.join(known)}")


def _opener(store: str, name: str) -> Callable[[Network], MilvusStore]:
    from isp_core.gallery.milvus import open_store

    def opened(network: Network) -> MilvusStore:
        gallery = open_store(store, name, network=network)
        _say(gallery)
        return gallery

    return opened


def _say(gallery: MilvusStore) -> None:
    for note in gallery.notes:
        typer.echo(note, err=True)


def _epoch_of(run: Run, epoch: int | None, store: str, name: str, stored: Split | None = None) -> int:
    """The epoch that was asked for, that of the store where it is this run's, or the run's last that can be used."""
    from isp_core.gallery.milvus import exists, open_store

    if epoch is not None:
        return epoch
    if exists(store, name):
        with open_store(store, name) as gallery:
            return _epoch_in(run, None, gallery.network)
    return _last_with_weights(run) if stored is None else searchable_epoch(run, stored)


def _epoch_in(run: Run, epoch: int | None, network: Network) -> int:
    """The store's epoch where the run has weights of it, else its last: `require_same` then says what differs."""
    last = _last_with_weights(run)
    return epoch if epoch is not None else network.epoch if run.has_weights(network.epoch) else last


def _last_with_weights(run: Run) -> int:
    from isp_core.runs.listing import why_no_weights

    known = run.weight_epochs()
    if not known:
        raise IspError(why_no_weights(run))
    return known[-1]


def _with_images(gallery: MilvusStore, where: Where, images: list[Path]) -> Where:
    """The entries of these images: by the content of a file that is there, else by the path that the store shows."""
    from dataclasses import replace

    from isp_core.gallery.entries import file_fingerprint, stored_path
    from isp_core.gallery.store import MAX_CANDIDATES

    files = [file_fingerprint(image) for image in images if image.is_file()]
    known = set(gallery.present(files))
    paths = [text for image in images for text in (stored_path(image), stored_path(image.absolute()))]
    named = gallery.few(MAX_CANDIDATES, replace(where, paths=paths))
    found = [*known, *(each.fingerprint for each in (named.images if named else []) if each.fingerprint not in known)]
    return replace(where, fingerprints=found or ["none"])


def _report(filled: Filled, store: str, name: str, as_json: bool) -> None:
    from isp_core.gallery.places import without_credentials

    place = without_credentials(store)
    if as_json:
        print_json(
            {
                "store": place,
                "name": name,
                "added": filled.added,
                "there_already": filled.kept,
                "other_labels": filled.other_labels,
                "unreadable": len(filled.broken),
            }
        )
    else:
        typer.echo(f"{place}: {filled.added} entries added, {filled.kept} were there already")
        if filled.other_labels:
            typer.echo(
                f"  {len(filled.other_labels)} of these are there with another identity, camera or time, which was "
                f"kept, such as {filled.other_labels[0]}: `isp gallery remove --image` them first to change that"
            )
    if filled.broken:
        raise IspError("\n  ".join([f"{len(filled.broken)} images could not be read:", *filled.broken]))


def _row(match: Match) -> dict[str, object]:
    labels = match.image.labels
    told = {"identity": labels.identity, "camera": labels.camera, "time": labels.time}
    return {"path": match.image.path, **told, "distance": match.distance}


def _told(match: Match) -> str:
    labels = match.image.labels
    told = [
        f"person {labels.identity}" if labels.identity else "",
        f"camera {labels.camera}" if labels.camera else "",
        "" if labels.time is None else f"time {labels.time:.15g}",
    ]
    return f"  ({', '.join(each for each in told if each)})" if any(told) else ""


def _write_csv(file: Path, images: list[Path], found: list[list[Match]]) -> None:
    import pandas as pd

    from isp_core.tables import write_csv

    rows = [
        {"image": str(image), "rank": rank, **_row(match)}
        for image, near in zip(images, found, strict=True)
        for rank, match in enumerate(near, start=1)
    ]
    write_csv(pd.DataFrame(rows), file)
