"""Which images a user means by paths, and what is known of each: by a table, by their names, or said for all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from isp_core.data.readers.naming import parse_name
from isp_core.data.record_table import SPELLINGS
from isp_core.gallery.entries import Labels, time_of
from isp_core.gallery.errors import GalleryError
from isp_core.gallery.filling import TIMES
from isp_core.images import IMAGE_SUFFIXES, images_below
from isp_core.tables import SUFFIXES, read_table


def labelled_images(
    places: Sequence[Path], *, identity: str | None = None, camera: str | None = None, time: str | None = None
) -> list[tuple[Path, Labels]]:
    """Every image that is meant, each with its labels, in the order given.

    places: images, folders of them, or tables whose paths are relative to them. identity, camera, time: of all images,
    instead of what tables and names say. GalleryError where there is no such place, no image in it, or a table that
    names a file that is not there.
    """
    when = None if time is None else time_of(time)

    def as_said(labels: Labels) -> Labels:
        return Labels(
            labels.identity if identity is None else identity,
            labels.camera if camera is None else camera,
            labels.time if when is None else when,
        )

    return [(file, as_said(labels)) for place in places for file, labels in _below(place)]


def _below(place: Path) -> list[tuple[Path, Labels]]:
    if place.is_dir():
        files = images_below(place)
        if not files:
            raise GalleryError(f"{place} holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
        return _by_names(files)
    if not place.exists():
        raise GalleryError(f"{place}: no such image, folder or table")
    if place.suffix.lower() in SUFFIXES:
        return _by_table(place)
    return _by_names([place])


def _by_names(files: list[Path]) -> list[tuple[Path, Labels]]:
    """What names tell; nothing where one of them tells nothing: among others, what looks like an identity is chance."""
    told = [parse_name(file.name) for file in files]
    labels = [Labels() if one is None else Labels(str(one.identity), _camera(one.camera)) for one in told]
    return list(zip(files, [Labels()] * len(files) if None in told else labels, strict=True))


def _camera(number: int) -> str:
    return "" if number < 0 else str(number)


def _by_table(table: Path) -> list[tuple[Path, Labels]]:
    frame = read_table(table)

    def column(names: Sequence[str]) -> list[str] | None:
        name = next((each for each in names if each in frame), None)
        return None if name is None else [str(cell) for cell in frame[name]]

    paths = column(SPELLINGS["path"])
    if paths is None:
        raise GalleryError(f"{table}: no column path (it has {', '.join(frame.columns) or 'none'})")
    if not paths:
        raise GalleryError(f"{table}: the table has no rows")
    empty = [""] * len(paths)
    identities = column(SPELLINGS["identity"]) or empty
    cameras, times = column(SPELLINGS["camera"]) or empty, column(TIMES) or empty
    rows = []
    for where, path, identity, camera, time in zip(frame.index, paths, identities, cameras, times, strict=True):
        file = table.parent / path
        if not path or not file.is_file():
            raise GalleryError(f"{where}: no such image {path!r}")
        try:
            rows.append((file, Labels(identity, camera, time_of(time) if time else None)))
        except GalleryError as error:
            raise GalleryError(f"{where}: {error}") from None
    return rows
