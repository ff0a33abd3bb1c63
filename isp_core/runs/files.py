"""Atomic files: written under another name, flushed to the disk, then renamed. A reader never sees half of one."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from isp_core.runs.schema import RunError

Content = TypeVar("Content")


@contextlib.contextmanager
def atomic(target: Path) -> Iterator[Path]:
    """Yields a temporary path (a file, or a folder the block makes) that replaces `target` when the block succeeds.

    Whatever fails, `target` stays as it was and the temporary is removed. RunError where the disk is full or read-only.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    remove(temporary)
    try:
        yield temporary
        sync(temporary)
        if target.is_dir():  # a folder cannot be renamed over a full one
            old = target.with_name(f".{target.name}.old.tmp")
            remove(old)
            target.rename(old)
            temporary.rename(target)
            remove(old)
        else:
            temporary.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        remove(temporary)
        raise RunError(
            f"{target} could not be written ({_reason(error)}). What was finished before is intact: "
            "make room or choose another folder, then resume"
        ) from error
    except BaseException:
        remove(temporary)
        raise


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


def write_json(target: Path, document: dict[str, Any]) -> None:
    """One JSON document; NaN is written as null, since JSON has none."""
    text = json.dumps(_without_nan(document), indent=2, ensure_ascii=False, allow_nan=False)
    with atomic(target) as path:
        path.write_text(text + "\n", encoding="utf-8")


def write_table(target: Path, frame: pd.DataFrame) -> None:
    """One Parquet table, its index included when it has a name."""
    with atomic(target) as path:
        frame.to_parquet(path, index=frame.index.name is not None)


def read_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """A Parquet table, or some of its columns; RunError where it is missing or broken."""
    try:
        return pd.read_parquet(path, columns=columns)
    except FileNotFoundError:
        raise RunError(f"{path} is missing") from None
    except Exception as error:  # pyarrow's errors have no common root
        raise RunError(f"{path} is broken ({error}). `isp runs verify` tells what else is") from error


def read_checked(path: Path, read: Callable[[Path], Content]) -> Content:
    """`read(path)`, with missing and broken files told apart as RunError."""
    if not path.exists():
        raise RunError(f"{path} is missing")
    try:
        return read(path)
    except RunError:
        raise
    except Exception as error:
        raise RunError(f"{path} is broken ({error}). `isp runs verify` tells what else is") from error


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    if hasattr(value, "item") and not hasattr(value, "__len__"):  # a NumPy scalar
        value = value.item()
    if isinstance(value, float) and value != value:
        return None
    return value
