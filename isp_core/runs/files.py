"""Atomic files: written under another name, flushed to the disk, then renamed. A reader never sees half of one."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from isp_core.runs.errors import WriteError

_ADVICE = ". What was finished before is intact: make room or choose another folder, then resume"


@contextlib.contextmanager
def atomic(
    target: Path, around: Callable[[Path], AbstractContextManager[None]] = lambda _: contextlib.nullcontext()
) -> Iterator[Path]:
    """Yields a temporary path (a file, or a folder the block makes) that replaces `target` when the block succeeds.

    Whatever fails, `target` stays as it was and the temporary is removed. WriteError where the disk is full or may not
    be written to.
    around: takes the finished temporary; what it gives is entered for the moment in which it becomes `target`.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove(temporary)
        yield temporary
        sync(temporary)
        with around(temporary):
            _exchange(temporary, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            remove(temporary)
        raise WriteError(target, _reason(error), _ADVICE) from error
    except BaseException:
        remove(temporary)
        raise


def _exchange(temporary: Path, target: Path) -> None:
    if target.is_dir():  # a folder cannot be renamed over a full one
        old = target.with_name(f".{target.name}.old.tmp")
        remove(old)
        target.rename(old)
        temporary.rename(target)
        remove(old)
    else:
        temporary.replace(target)
    sync_folder(target.parent)


def _reason(error: OSError) -> str:
    """The system's words; libraries that write files themselves hide them in pages of their own."""
    if error.strerror:
        return error.strerror
    text = str(error)
    full = os.strerror(errno.ENOSPC)
    return full if full in text else text.splitlines()[0] if text else type(error).__name__


def sync(path: Path) -> None:
    """Flushes a file, or all files of a folder, to the disk."""
    for file in [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]:
        with file.open("rb") as handle:
            os.fsync(handle.fileno())


def sync_folder(path: Path) -> None:
    """Flushes a folder's entries, so that a rename survives a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Removes a file or a folder; missing is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
