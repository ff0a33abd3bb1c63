"""The one way from text to a path, from a recorded path to where its files are now, and to a place to write to."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from isp_core.errors import IspError
from isp_core.text_files import shown

_RUN_FILE = "run.json"  # what makes a folder a run (isp_core.runs, which is built upon this module)


class PathError(IspError):
    """Text that is no path, or a place that nothing can be written to."""


def as_path(text: str | Path) -> Path:
    """A path as a person wrote it: `~` and `~name` are home folders, also behind `--out=`, where no shell expands them.

    Raises:
        PathError: no one of that name has a home here.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise PathError(f"{shown(text)}: there is no home folder of that name; write the path in full") from None


def absolute(text: str | Path) -> Path:
    """The path to record: it means the same from every working directory."""
    return as_path(text).absolute()


def there(text: str | Path, otherwise: str) -> Path:
    """A path that must exist. PathError: the path, and what to say where it does not: `otherwise`, with
    {} for the path."""
    path = as_path(text)
    try:
        path.stat()
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            raise PathError(otherwise.format(shown(path))) from None
        raise PathError(f"{shown(path)[:200]} cannot be read ({error.strerror or error})") from None
    return path


def writable_file(path: Path, suffix: str, option: str = "--out") -> Path:
    """`path`, where a command may write one file; asked before minutes are spent on what is to be written.

    Args:
        path: may exist, as a regular file that is then replaced; its folder need not exist.
        suffix: what its name must end with, in any case; "" for anything.
        option: the option that the user gave it by.

    Raises:
        PathError: another ending, a folder, a pipe or a device, or a folder that cannot be made or written to.
    """
    if not path.name.lower().endswith(suffix):
        raise PathError(f"{option} {shown(path)}: the name must end with {suffix}")
    if os.path.lexists(path) and not path.is_file():
        raise PathError(f"{option} {shown(path)} exists and is not a file: give another name")
    _check_place(path, path.parent, f"{option} {shown(path)}")
    return path


def writable_folder(path: Path, option: str = "--out") -> Path:
    """`path`, where a command may write a folder of files; asked before minutes are spent on them.

    Raises:
        PathError: a file, a run (its files are its own), or a place that cannot be made or written to.
    """
    named = f"{option} {shown(path)}"
    if os.path.lexists(path) and not path.is_dir():
        raise PathError(f"{named} exists and is not a folder: give another one")
    if os.path.lexists(path / _RUN_FILE):
        raise PathError(f"{named} is a run already: give another folder")
    _check_place(path, path, named)
    return path


def place_of_run(path: Path, option: str = "--out") -> Path:
    """`path`, where a command may write a run; asked before anything slow is loaded or computed.

    Raises:
        PathError: a path that is not UTF-8, which the libraries of weights and tables do not open; a file; a place
            inside another run; or one that cannot be made or written to.
    """
    named = f"{option} {shown(path)}"
    if shown(path) != str(path):
        raise PathError(f"{named}: the path of a run must be UTF-8; rename the folder, or choose another one")
    if os.path.lexists(path) and not path.is_dir():
        raise PathError(f"{named} is a file: choose another {option}")
    for above in dict.fromkeys((*path.absolute().parents, *path.resolve().parents)):
        if os.path.lexists(above / _RUN_FILE):
            raise PathError(f"{named} lies inside another run, {shown(above)}: choose a folder outside of it")
    _check_place(path, path, named)
    return path


def require_no_run(path: Path) -> None:
    """PathError where a run is at `path` already."""
    if os.path.lexists(path / _RUN_FILE):
        raise PathError(f"{shown(path)} holds a run already: continue it with --resume, or choose another --out")


def _check_place(path: Path, folder: Path, named: str) -> None:
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.lstat()  # says so where the name is too long
        above = next(place for place in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(place))
    except OSError as error:
        raise PathError(f"{named[:200]} cannot be written: {error.strerror or error}") from None
    if not above.is_dir():
        raise PathError(f"{named} cannot be written: {shown(above)} is not a folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise PathError(f"{named} cannot be written: {shown(above)} may not be written to")


@contextlib.contextmanager
def written(target: Path, kind: type[IspError] = PathError) -> Iterator[Path]:
    """A result that a command writes in place, such as one of thousands of images: its folder is made.

    What a full disk leaves of it is removed. Files of a run, which must never be halves, are written by isp_core.runs.

    Raises:
        kind: it cannot be written, or not all of it.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield target
    except OSError as error:
        if error.errno in _HALF:
            with contextlib.suppress(OSError):
                target.unlink()
        reason = error.strerror or str(error) or type(error).__name__
        raise kind(f"{shown(target)} could not be written ({reason}): {_WAY_OUT}") from error


_HALF = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_WAY_OUT = "make room, or choose another place, and start the command again"


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
