"""Which image is which row: maps and embeddings belong to images by their place in the table of records alone."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath

import pandas as pd

_NAMED = 2  # the file's name and its folder's: the data set may lie elsewhere by now


def order_of(records: pd.DataFrame) -> dict[str, str]:
    """SHA-256 of the images' names of each split, row by row."""
    found = {}
    for split, rows in records.groupby("split"):
        digest = hashlib.sha256()
        for path in rows["path"]:
            name = "/".join(PurePosixPath(str(path)).parts[-_NAMED:])
            digest.update(name.encode("utf-8", "surrogateescape") + b"\n")
        found[str(split)] = digest.hexdigest()
    return found
