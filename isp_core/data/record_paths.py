"""The one way from a path in a table of records to a file: inside the folder that the records are relative to."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from isp_core.data.records import DataError

_MAX_NAME = 255  # bytes of one name on Linux


def file_of_record(root: Path, relative: str) -> Path:
    """`root / relative`; records come from runs of any origin, and a path in them may not lead out of `root`.

    Links that the owner of `root` laid inside it are followed: they are not the record's. DataError for paths that are
    absolute, go up, or are no file names.

    >>> file_of_record(Path("data"), "query/0002_c1.jpg").as_posix()
    'data/query/0002_c1.jpg'
    """
    pure = PurePosixPath(relative)
    usable = bool(pure.name) and not pure.is_absolute() and ".." not in pure.parts
    if not usable or "\\" in relative or "\0" in relative or not _encodable(pure):
        raise DataError(f"{relative[:80]!r} is not a path inside a data set: relative, with / and without ..")
    return root / pure


def _encodable(path: PurePosixPath) -> bool:
    try:
        return all(len(os.fsencode(part)) <= _MAX_NAME for part in path.parts)
    except UnicodeEncodeError:
        return False
