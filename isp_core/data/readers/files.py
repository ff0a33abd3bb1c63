"""Which folders of a data set count, and lists of names for messages.

Out of scope: which files are images (isp_core.images), what names mean (naming.py).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def subfolders(folder: Path) -> list[Path]:
    """The visible folders in `folder`, by name."""
    with os.scandir(folder) as entries:
        names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith((".", "__MACOSX")))
    return [folder / name for name in names]


def by_lower_name(root: Path) -> dict[str, Path]:
    """The visible folders in `root` by their names in lower case: "Query" and "query" are the same split."""
    return {folder.name.lower(): folder for folder in subfolders(root)}


def name_some(names: Sequence[object], at_most: int = 10) -> str:
    """A list of names for a message, cut where it becomes unreadable.

    >>> name_some(["a", "b", "c"], at_most=2)
    'a, b and 1 more'
    """
    shown = ", ".join(str(name) for name in names[:at_most])
    return shown if len(names) <= at_most else f"{shown} and {len(names) - at_most} more"
