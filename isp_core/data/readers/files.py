"""Which files and folders of a data set count. Not here: what their names mean (naming.py)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})


def is_picture(path: Path) -> bool:
    """Whether the name is a picture's; hidden files ("._0001.jpg" of macOS archives) are not."""
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".")


def pictures_in(folder: Path) -> list[Path]:
    """The pictures that lie directly in `folder`, by name; empty where there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if is_picture(path))


def has_pictures(folder: Path) -> bool:
    """Whether a picture lies directly in `folder`; stops at the first."""
    return folder.is_dir() and any(is_picture(path) for path in folder.iterdir())


def subfolders(folder: Path) -> list[Path]:
    """The visible folders in `folder`, by name."""
    with os.scandir(folder) as entries:
        names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith((".", "__MACOSX")))
    return [folder / name for name in names]


def name_some(names: Sequence[object], at_most: int = 10) -> str:
    """A list of names for a message, cut where it becomes unreadable.

    >>> name_some(["a", "b", "c"], at_most=2)
    'a, b and 1 more'
    """
    shown = ", ".join(str(name) for name in names[:at_most])
    return shown if len(names) <= at_most else f"{shown} and {len(names) - at_most} more"
