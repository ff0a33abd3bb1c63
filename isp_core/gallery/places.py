"""Where a gallery store is: a local folder that milvus-lite keeps, or a server or cluster by its address.

A local store is checked before milvus-lite opens it: milvus-lite makes what is missing, and clears away what a damaged
list of files no longer names.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from isp_core.gallery.errors import GalleryError
from isp_core.json_reading import parse_json
from isp_core.paths import as_path, writable_folder
from isp_core.text_files import shown

SUFFIX = ".db"
SCHEMES = ("http", "https", "tcp", "unix")
COLLECTIONS = "collections"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(?=//)|unix:")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")


def is_address(place: str) -> bool:
    """Whether a store is named by an address, not by a path.

    >>> is_address("http://localhost:19530"), is_address("people.db")
    (True, False)
    """
    return _ADDRESS.match(place) is not None


def without_credentials(place: str) -> str:
    """The place to print.

    >>> without_credentials("https://root:secret@db.example:19530")
    'https://db.example:19530'
    """
    if not is_address(place):
        return shown(place)
    parts = urlsplit(place)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def checked_address(place: str) -> str:
    """An address that can be connected to; GalleryError where it is written wrongly."""
    where = f"--store {without_credentials(place)}"
    try:
        parts = urlsplit(place)
        scheme, _ = parts.scheme.lower(), parts.port
    except ValueError as error:
        raise GalleryError(f"{where} is no address ({error}): such as http://localhost:19530") from None
    if scheme not in SCHEMES:
        raise GalleryError(f"{where}: an address begins with {', '.join(SCHEMES[:-1])} or unix, not {scheme!r}")
    if scheme != "unix" and not parts.hostname:
        raise GalleryError(f"{where} names no host: such as http://localhost:19530")
    if place.endswith(SUFFIX):
        raise GalleryError(f"{where}: a server's database cannot be called ...{SUFFIX}, as local stores are")
    return place


def checked_name(name: str) -> str:
    """A gallery's name within its store; GalleryError for one that Milvus does not take."""
    if not _NAME.fullmatch(name):
        raise GalleryError(f"--name {shown(name)!r}: letters, digits and underscores, not beginning with a digit")
    return name


def local_store(place: str, name: str, *, create: bool) -> Path:
    """The folder of a local store, which may be opened.

    create: it need not be there, but it must be possible to make it.

    Raises:
        GalleryError, PathError: another ending, a file, a folder that is no store, nothing there, a place where nothing
            can be made, or a damaged list of files.
    """
    path = as_path(place)
    named = f"--store {shown(place)}"
    if not path.name.endswith(SUFFIX) or path.name == SUFFIX:
        kind = "is a folder" if path.is_dir() else "is no local store"
        raise GalleryError(
            f"{named} {kind}: a local store's name ends with {SUFFIX}, such as {shown(path / f'gallery{SUFFIX}')}"
            if path.is_dir()
            else f"{named} {kind}: its name must end with {SUFFIX}; a server is named as http://HOST:19530"
        )
    if path.is_file():
        raise GalleryError(f"{named} is a file: milvus-lite keeps a store in a folder. Give another name")
    if not os.path.lexists(path):
        if not create:
            raise GalleryError(f"{named}: no such store. Make it with `isp gallery build` or `isp gallery add`")
        return writable_folder(path, "--store")
    if not path.is_dir():
        raise GalleryError(f"{named} is not a folder that a store could be in: give another name")
    if not (path / COLLECTIONS).is_dir() and (not create or any(path.iterdir())):
        raise GalleryError(f"{named} is a folder, but no gallery store: give another name")
    _require_readable(path / COLLECTIONS / name, named)
    return path


def _require_readable(folder: Path, named: str) -> None:
    """GalleryError where the files that list a collection's content are damaged or missing."""
    if not folder.exists():
        return
    for file, needed in ((folder / "schema.json", True), (folder / "manifest.json", False)):
        if not needed and not os.path.lexists(file):
            continue  # nothing was written yet but the log
        try:
            parse_json(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise GalleryError(
                f"{named} is damaged: {shown(file)} cannot be read ({reason}). Restore it from a copy, or build the "
                "gallery again under another name"
            ) from None


def size_on_disk(path: Path) -> int:
    """Bytes of all files of a local store."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
