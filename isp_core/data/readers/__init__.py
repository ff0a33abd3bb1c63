"""Readers: from a folder as people have it on disk to the one table of records.

A layout is recognised by what lies in the folder, never by its name, so that every spelling in use works. To add a
layout, write a module with a `Reader` and name it in READERS; the shared test then wants an example of it.
"""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

import pandas as pd

from isp_core.data.readers import folders, market, msmt17, occluded_reid, table
from isp_core.data.readers.files import name_some, subfolders
from isp_core.data.readers.layout import Found, Reader
from isp_core.data.readers.published import recognise
from isp_core.data.records import DataError, DataSet
from isp_core.images import has_images
from isp_core.paths import as_path

__all__ = ["READERS", "load"]

# Order matters: a table next to Market-1501's folders (Walkers) knows more than the names do.
READERS: tuple[Reader, ...] = (
    table.NAMED,
    market.READER,
    msmt17.READER,
    occluded_reid.READER,
    table.ONLY_CSV,
    folders.SPLITS,
    folders.FLAT,
    folders.PEOPLE,
)
_LOOSE = 2  # the last readers, which accept almost any folder of images
_SEARCH_DEPTH = 3
_SEARCH_FOLDERS = 2000  # someone who gives "/" shall get an answer


def load(root: Path, name: str | None = None) -> DataSet:
    """Reads a data set, whichever layout it has.

    Args:
        root: its folder, a folder with exactly one data set somewhere in it, or a CSV or Parquet table.
        name: what to call it; by default the known data set's name, else the folder's.

    Raises:
        DataError: no such folder; no known layout; several data sets; unreadable names. Images are not opened
            (see `check_pictures`).
    """
    root = as_path(root)
    if not root.exists():
        what = "file; give a .csv or the folder" if root.suffix else "folder; give the folder"
        raise DataError(f"{root}: no such {what} of a data set")
    if root.is_file():
        return _load_file(root, name)
    if (root / "run.json").is_file():
        raise DataError(f"{root}: this is a run, not a data set; give the folder with the images it was made from")
    try:
        _refuse_single_split(root)
        reader = _reader_of(root)
        if reader is None:
            root, reader = _search(root)
        found = reader.read(root)
    except OSError as error:
        raise DataError(f"{error.filename or root}: cannot be read ({error.strerror or error})") from error
    return _name(root, reader.layout, found, name)


def _load_file(path: Path, name: str | None) -> DataSet:
    return _name(path.parent, "table of records", table.read_table(path), name)


_RUN = "run.json"  # what a run directory holds (isp_core.runs, which is built upon this package)


def _reader_of(root: Path) -> Reader | None:
    return next((reader for reader in READERS if reader.recognises(root)), None)


def _refuse_single_split(root: Path) -> None:
    parent = root.absolute().parent
    if root.absolute().name.lower() in market.FOLDERS and market.READER.recognises(parent):
        raise DataError(f"{root}: one split of a data set; give the folder above it, {parent}")


def _search(root: Path) -> tuple[Path, Reader]:
    """The only data set in the folders below; nothing is looked for inside of one."""
    candidates: list[tuple[Path, Reader]] = []
    queue = deque((folder, 1) for folder in _readable_subfolders(root))
    seen = 0
    while queue and seen < _SEARCH_FOLDERS:
        seen += 1
        folder, depth = queue.popleft()
        if (folder / _RUN).exists():
            continue  # a run holds records of a data set, not its images
        reader = _whole_layout(folder)
        if reader is not None:
            candidates.append((folder, reader))
        elif depth < _SEARCH_DEPTH:
            queue.extend((below, depth + 1) for below in _readable_subfolders(folder))
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        found = name_some([str(folder) for folder, _ in candidates])
        raise DataError(f"{root}: {len(candidates)} data sets lie in here; choose one of {found}")
    held = name_some(sorted(path.name + "/" * path.is_dir() for path in root.iterdir()), 6) or "nothing"
    if any((below / _RUN).exists() for below in _readable_subfolders(root)):
        raise DataError(f"{root} holds runs, no data set: `isp runs list {root}` shows them")
    loose = name_some([str(folder) for folder in _readable_subfolders(root) if _loose_layout(folder)], 3)
    raise DataError(
        f"{root}: no known layout (it holds {held}). Known: {'; '.join(reader.looks_like for reader in READERS)}. "
        + (f"Images with identities in their names lie in {loose}: give that folder itself. " if loose else "")
        + (
            f"`isp look {root}` (with --network, if you gave one) takes these images as they are. "
            if _holds_images(root)
            else ""
        )
        + "Anything else works through a CSV (path, identity)."
    )


def _whole_layout(folder: Path) -> Reader | None:
    """The layout of a folder that no one named: no loose ones, and nothing that may not be read."""
    try:
        return next((reader for reader in READERS[:-_LOOSE] if reader.recognises(folder)), None)
    except OSError:
        return None


def _holds_images(folder: Path) -> bool:
    """Whether images lie in the folder or in one directly below."""
    try:
        return any(map(has_images, (folder, *_readable_subfolders(folder))))
    except OSError:
        return False


def _loose_layout(folder: Path) -> bool:
    try:
        return folder.name.lower() not in folders.MAPS and folders.FLAT.recognises(folder)
    except OSError:
        return False


def _readable_subfolders(folder: Path) -> list[Path]:
    try:
        return subfolders(folder)
    except OSError:
        return []


def _name(folder: Path, layout: str, found: Found, name: str | None) -> DataSet:
    """Gives the data set its name, and marks occluded queries where the layout itself does not say it."""
    place = Path(os.path.normpath(folder.absolute()))
    known = recognise(place, found.records)
    records = found.records
    occluded = (known is not None and known.occluded_queries) or "occlu" in place.name.lower()
    if occluded and (records["subset"] == "").all():
        records = _mark_queries(records, "occluded")
    given = name or (known.name if known is not None else place.name)
    return DataSet(name=given, root=found.root, records=records, notes=found.notes, layout=layout)


def _mark_queries(records: pd.DataFrame, subset: str) -> pd.DataFrame:
    records = records.copy()
    records.loc[records["split"] == "query", "subset"] = subset
    return records
