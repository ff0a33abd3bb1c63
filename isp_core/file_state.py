"""The state of a file, as part of a cache's key: what was read once is read again as soon as the file changes."""

from __future__ import annotations

from pathlib import Path

State = tuple[int, int, int, int]


def state_of(path: Path) -> State | None:
    """Times of change of content and status in ns, bytes, and inode; None where there is no file to be seen."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
