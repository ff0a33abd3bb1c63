"""What every reader is and returns. Out of scope: any one layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from isp_core.data.readers.naming import People
from isp_core.data.records import IDENTITY_NAME, make_records


@dataclass(frozen=True)
class Found:
    """The images of one layout: the folder that the paths are relative to, the table of records, notes."""

    root: Path
    records: pd.DataFrame
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reader:
    """One layout.

    Attributes:
        layout: its name in messages and in `isp data`.
        looks_like: what lies in such a folder, for the message where no layout fits.
        recognises: whether a folder has this layout, from a few names in it; must be cheap and never raise.
        read: the table of a folder that `recognises` accepted.
    """

    layout: str
    looks_like: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path], Found]


@dataclass
class Collector:
    """Gathers images one by one while a reader walks a folder."""

    root: Path
    paths: list[str] = field(default_factory=list)
    identities: list[int] = field(default_factory=list)
    cameras: list[int] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    subsets: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def add(self, path: Path, identity: int, camera: int, split: str, subset: str = "", text: str = "") -> None:
        """Appends one image; `path` lies under the root. text: what its person is called."""
        self.paths.append(path.relative_to(self.root).as_posix())
        self.identities.append(identity)
        self.cameras.append(camera)
        self.splits.append(split)
        self.subsets.append(subset)
        self.texts.append(text)

    def found(self, *notes: str, people: People | None = None) -> Found:
        """The table, with the reader's own notes before those of the table. people: how the persons were numbered, who
        may have names."""
        names = None if people is None else people.names_of(self.texts)
        extra = None if names is None else pd.DataFrame({IDENTITY_NAME: names})
        records, more = make_records(self.paths, self.identities, self.cameras, self.splits, self.subsets, extra)
        return Found(self.root, records, (*notes, *more))
