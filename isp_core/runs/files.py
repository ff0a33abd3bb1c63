"""Atomic files: written under another name, flushed to the disk, then renamed. A reader never sees half of one."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO

from isp_core.errors import IspError
from isp_core.runs.errors import WriteError

_DISK = {
    number: os.strerror(number)
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO)
}
_ADVICE = ". What was finished before is intact: make room or choose another folder, then resume"


@contextlib.contextmanager
def atomic(
    target: Path, around: Callable[[Path], AbstractContextManager[None]] = lambda _: contextlib.nullcontext()
) -> Iterator[Path]:
    """Yields a temporary path (a file, or a folder the block makes) that replaces `target` when the block succeeds.

    Whatever fails, `target` stays as it was and the temporary is removed. WriteError where the disk is full or may not
    be written to, whichever way the library that writes the file reports it.
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
    except BaseException as error:
        with contextlib.suppress(OSError):
            remove(temporary)
        reason = _reason(error)
        if reason is None:
            raise
        raise WriteError(target, reason, _ADVICE) from error


def require_inside(root: Path, target: Path) -> None:
    """WriteError where a link leads from the run `root` to another place: nothing is written or removed there."""
    whole, folder = root.resolve(), target.parent.resolve()
    if whole != folder and whole not in folder.parents:
        raise WriteError(target, "a link leads out of the run there, which is not followed")


def open_lock(path: Path) -> IO[bytes]:
    """An empty file to lock, made where there is none. WriteError for a link, whose target would be written to, and for
    anything else that is no regular file: a named pipe would wait forever."""
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as error:
        linked = error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.EISDIR)
        raise WriteError(path, _NO_FILE if linked else error.strerror or str(error)) from error
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise WriteError(path, _NO_FILE)
    return os.fdopen(number, "r+b", buffering=0)


_NO_FILE = "it is no regular file: remove it, or copy the run again"


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


def _reason(error: BaseException) -> str | None:
    """The system's words for a file that could not be written; None where the error is about something else.

    safetensors, HDF5, faiss and PyTorch have errors of their own, with the system's words in pages of others or not at
    all.
    """
    if isinstance(error, IspError) or not isinstance(error, Exception):
        return None
    chain: list[BaseException] = [error]
    while (below := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(below)
    for each in chain:
        if isinstance(each, OSError) and each.errno in _DISK:
            return _DISK[each.errno]
        if found := next((words for words in _DISK.values() if words in str(each)), None):
            return found
    if isinstance(error, OSError):
        return error.strerror or (str(error).splitlines()[0] if str(error) else type(error).__name__)
    return None


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
