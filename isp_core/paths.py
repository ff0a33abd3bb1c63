"""The one way from text to a path, and from a recorded path to where its files are now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from isp_core.errors import IspError
from isp_core.text_files import shown


class PathError(IspError):
    """Text that is no path."""


def as_path(text: str | Path) -> Path:
    """A path as a person wrote it: `~` and `~name` are home folders, also behind `--out=`, where no shell expands them.

    Raises:
        PathError: nobody of that name has a home here.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise PathError(f"{shown(text)}: there is no home folder of that name; write the path in full") from None


def absolute(text: str | Path) -> Path:
    """The path to record: it means the same from every working directory."""
    return as_path(text).absolute()


def find_moved(recorded: Path, near: Iterable[Path]) -> Path:
    """A recorded path where it is now: itself, or else what lies under one of the folders `near`, or above them, by the
    longest end of the recorded path. The recorded path itself where nothing is found.

    Folders that were moved together, such as images and their label maps, are found again so. What is found has the
    same name, not yet the same content: compare it.
    """
    if recorded.exists():
        return recorded
    return next(_places(recorded, near), recorded)


def _places(recorded: Path, near: Iterable[Path]) -> Iterator[Path]:
    parts = recorded.parts[1:] if recorded.is_absolute() else recorded.parts
    folders = list(dict.fromkeys(place for folder in near for place in (folder.absolute(), *folder.absolute().parents)))
    for start in range(len(parts)):
        for folder in folders:
            place = folder.joinpath(*parts[start:])
            if place.exists():
                yield place
