"""Opens the files of a run, which may come from anyone: regular files inside the run, of bounded size, and no others.

Whatever reads a run goes through `regular_file` or `read_checked`. Out of scope: what each format may claim of itself
(parquet, maps, embeddings) and whether a file is still what was written (checksums).
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from isp_core.json_reading import parse_json
from isp_core.runs.errors import RunError
from isp_core.text_files import shown

Content = TypeVar("Content")

MAX_DOCUMENT = 64 * 2**20  # bytes of a JSON document: ten times the evaluation of MSMT17's 11,659 queries
MAX_ROWS = 5_000_000  # images of a data set; LUPerson, the largest, has 4.2 million

_KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}


def regular_file(path: Path, root: Path | None = None, limit: int | None = None) -> Path:
    """`path`, where it is a regular file of at most `limit` bytes and, links followed, lies inside the run `root`.

    Nothing is opened: a named pipe would wait forever, a device may never end. RunError says what is there instead.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise RunError(f"{path} is missing") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({_reason(error)})") from None
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for test, name in _KINDS.items() if test(status.st_mode)), "no regular file")
        raise RunError(f"{path} is {kind} where a run has a file: remove it, or copy the run again")
    if root is not None and root.resolve() not in path.resolve().parents:
        raise RunError(f"{path} is a link out of the run, which is not followed: copy the file into the run")
    if limit is not None and status.st_size > limit:
        raise RunError(f"{path} has {status.st_size:,} bytes; at most {limit:,} are read")
    return path


def is_regular(path: Path) -> bool:
    """Whether `path` is a regular file, links followed; whatever goes wrong, it is not."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def read_checked(
    path: Path, read: Callable[[Path], Content], root: Path | None = None, limit: int | None = None
) -> Content:
    """`read(path)` of a regular file, with whatever the format's library raises as a RunError."""
    regular_file(path, root, limit)
    try:
        return read(path)
    except RunError:
        raise
    except PermissionError as error:
        raise RunError(f"{path} cannot be read ({_reason(error)})") from error
    except Exception as error:  # each format raises its own kinds, and broken files raise more
        raise RunError(f"{path} is broken ({_reason(error)}). `isp runs verify` tells what else is") from error


def read_json(path: Path, root: Path | None = None, limit: int = MAX_DOCUMENT) -> dict[str, Any]:
    """One JSON object."""

    def read(file: Path) -> dict[str, Any]:
        document = parse_json(file.read_text(encoding="utf-8"))
        if not isinstance(document, dict):
            raise RunError(f"{file} holds no JSON object")
        return document

    return read_checked(path, read, root, limit)


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).splitlines()[0][:300] if str(error) else type(error).__name__


def check_run_path(path: Path) -> None:
    """RunError where a run's path is not UTF-8: the libraries of weights and tables open no such file."""
    if not str(path).isascii() and shown(path) != str(path):
        raise RunError(f"{shown(path)}: the path of a run must be UTF-8; rename the folder, or choose another one")
