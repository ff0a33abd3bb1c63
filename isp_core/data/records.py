"""The one table of a data set: which image shows whom, seen by which camera, in which split.

Out of scope: how the table is found on disk (readers/) and what is odd about it (report.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isp_core.errors import IspError
from isp_core.text_files import shown

Split = Literal["train", "query", "gallery", "validation"]
SPLITS: tuple[Split, ...] = ("train", "query", "gallery")
"""The splits that a data set comes with."""
TEST: tuple[Split, ...] = ("query", "gallery")
VALIDATION: Split = "validation"
"""Training identities that `DataSet.hold_out` keeps from training, so that choices need not look at test."""
COLUMNS = ("path", "identity", "camera", "split", "subset")

IDENTITY_NAME = "identity_name"
"""A further column of records whose identities are named: the name of each image's person."""

JUNK = -1  # an image that neither helps nor harms a ranking (Market-1501's "-1")
DISTRACTOR = 0  # an image of no one who is searched for (Market-1501's "0000")
UNKNOWN_CAMERA = -1
_LARGEST = 10**18  # 64 bits hold it, and one more


class DataError(IspError):
    """A data set that cannot be used as it is: the message names the folder or file, the value and the way out."""


@dataclass(frozen=True, eq=False)
class DataSet:
    """Images of people with identity, camera and split.

    Attributes:
        name: what the data set is called ("Market-1501", or its folder's name).
        root: the folder that `records.path` is relative to.
        records: one row per image, sorted by (split, path), with a fresh RangeIndex:
            path (str, "/" as separator), identity (int64: 1.. a person, 0 distractor, -1 junk; training has people
            only), camera (int64: 1.., -1 unknown), split (SPLITS, and "validation" once people are held out),
            subset (str: "" or a name such as "occluded"); then, where folders or a table name people,
            IDENTITY_NAME (str), and what other columns the table that it was read from has, numbers or texts
            (isp_core.data.extra_columns).
        notes: what the reader decided and the user should know, one sentence each.
        layout: which reader read it ("Market-1501", "CSV", ...).
    """

    name: str
    root: Path
    records: pd.DataFrame
    notes: tuple[str, ...] = ()
    layout: str = ""

    def __post_init__(self) -> None:
        missing = [column for column in COLUMNS if column not in self.records.columns]
        if missing:
            raise DataError(f"{self.root}: the table of records has no column {', '.join(missing)}")
        if self.records.empty:
            raise DataError(f"{self.root}: no images in this data set")

    def split(self, name: Split) -> pd.DataFrame:
        """The rows of one split in the table's order, index 0..n-1 (empty if the data set lacks the split)."""
        if name not in (*SPLITS, VALIDATION):
            raise DataError(f"{self.name}: there is no split {name!r}; choose one of {', '.join(SPLITS)}")
        return self.records[self.records["split"] == name].reset_index(drop=True)

    def paths(self, frame: pd.DataFrame) -> list[Path]:
        """Absolute (root-prefixed) paths of the rows of `frame`."""
        return [self.root / path for path in frame["path"]]

    @cached_property
    def has_cameras(self) -> bool:
        """Whether every image's camera is known. Matching across cameras and identity-camera contrast need it."""
        return bool((self.records["camera"] > 0).all())

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over relative names, file sizes, identities, cameras and splits: the same on every machine.

        A missing file counts with size -1, so that a run can still say which data set it was made from.
        """
        digest = hashlib.sha256()
        for path, identity, camera, split in zip(
            *(self.records[column] for column in ("path", "identity", "camera", "split")), strict=True
        ):
            digest.update(f"{path}\t{_file_size(self.root / path)}\t{identity}\t{camera}\t{split}\n".encode())
        return digest.hexdigest()

    def take_identities(self, n: int) -> DataSet:
        """The data set with the first `n` training identities (lowest numbers); query and gallery unchanged."""
        train = self.records["split"] == "train"
        identities = np.unique(self.records.loc[train, "identity"].to_numpy())
        if not 1 <= n <= len(identities):
            raise DataError(
                f"{self.name}: cannot take {n} training identities of {len(identities)}; "
                f"choose a number from 1 to {len(identities)}"
            )
        if n == len(identities):
            return self
        keep = ~train | (self.records["identity"] <= identities[n - 1])
        note = f"Training is reduced to the first {n} of {len(identities)} identities."
        return replace(self, records=self.records[keep].reset_index(drop=True), notes=(*self.notes, note))

    def hold_out(self, n: int) -> DataSet:
        """The data set with `n` training identities moved to the split "validation"; query and gallery unchanged.

        They are taken at even steps through the sorted numbers of those identities that can be found again (by another
        camera where cameras are known, in another image where not), so that every run of a data set holds out the same
        people, whatever its seed. DataError where there are fewer than n + 1 of them.
        """
        if n == 0:
            return self
        train = self.records["split"] == "train"
        views = self.records[train].groupby("identity")["camera"]
        findable = np.array([who for who, seen in views if len(seen) > 1 and (seen.nunique() > 1 or (seen < 1).all())])
        if not 1 <= n < len(findable):
            raise DataError(
                f"{self.name}: data.validation = {n} identities cannot be held out of {views.ngroups} in training, "
                f"{len(findable)} of which are in images of several cameras: choose 0 to {max(0, len(findable) - 1)}"
            )
        held = findable[((np.arange(n) + 0.5) * len(findable) / n).astype(int)]
        records = self.records.copy()
        records.loc[train & records["identity"].isin(held), "split"] = VALIDATION
        records = records.sort_values(["split", "path"], kind="stable", ignore_index=True)
        note = f"{n} of {views.ngroups} training identities are held out for validation."
        return replace(self, records=records, notes=(*self.notes, note))


def leave_one_out(frame: pd.DataFrame) -> pd.DataFrame:
    """Validation records as query and gallery at once: every image is searched for among all others.

    The protocol removes what a query's own camera saw of the person. Where a camera is unknown, the image gets a camera
    number of its own, so that the image itself is removed and nothing else.

    >>> leave_one_out(pd.DataFrame({"camera": [2, -1, -1]})).camera.tolist()
    [2, -3, -4]
    """
    own = -2 - np.arange(len(frame))
    return frame.assign(camera=np.where(frame["camera"] > 0, frame["camera"], own))


def make_records(
    paths: Sequence[str],
    identities: Sequence[int] | NDArray[np.int64],
    cameras: Sequence[int] | NDArray[np.int64],
    splits: Sequence[str],
    subsets: Sequence[str] | None = None,
    extra: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Puts columns of equal length into the one form and order that every room relies on.

    Zero-based numbers are moved up by one, because 0 has a meaning of its own: an identity 0 in training can only be
    a person (no one trains on distractors), and a camera 0 can only be the first camera. extra: further columns, row by
    row.

    Returns:
        The table, and one note per thing that was changed.

    Raises:
        DataError: a path that is not UTF-8, or a number beyond 64 bits; it names the image.

    >>> table, notes = make_records(["b.jpg", "a.jpg"], [4, 4], [2, 1], ["train", "train"])
    >>> table[["path", "camera"]].to_dict("list"), notes
    ({'path': ['a.jpg', 'b.jpg'], 'camera': [1, 2]}, ())
    """
    notes: list[str] = []
    _require_storable(paths, identities, cameras)
    table = pd.DataFrame(
        {
            "path": pd.Series(list(paths), dtype="str"),
            "identity": np.asarray(identities, dtype=np.int64),
            "camera": np.asarray(cameras, dtype=np.int64),
            "split": pd.Series(list(splits), dtype="str"),
            "subset": pd.Series(list(subsets) if subsets is not None else [""] * len(paths), dtype="str"),
        }
    )
    if extra is not None:
        table = pd.concat([table, extra.reset_index(drop=True)], axis=1)
    train = table["split"] == "train"
    if (table.loc[train, "identity"] == DISTRACTOR).any():
        table.loc[table["identity"] >= 0, "identity"] += 1
        notes.append("Identities were numbered from 0; all are moved up by one, since 0 means distractor.")
    junk = train & (table["identity"] < 0)
    if junk.any():
        table = table[~junk]
        notes.append(f"{int(junk.sum())} training images with a negative identity (junk) are left out.")
    if (table["camera"] == 0).any():
        table.loc[table["camera"] >= 0, "camera"] += 1
        notes.append("Cameras were numbered from 0; all are moved up by one.")
    if len(table) and (table["camera"] < 1).any():
        known = int((table["camera"] > 0).sum())
        notes.append(
            ("No camera numbers" if known == 0 else f"Only {known} of {len(table)} images have a camera number")
            + ": images of the query's own camera cannot be taken out of its ranking, so that scores come out higher "
            "than across cameras, and labels from position words are made without comparing cameras."
        )
    table = table.sort_values(["split", "path"], kind="stable", ignore_index=True)
    return table, tuple(notes)


def _require_storable(paths: Sequence[str], identities: Iterable[int], cameras: Iterable[int]) -> None:
    for path, identity, camera in zip(paths, identities, cameras, strict=True):
        if not path.isascii() and shown(path) != path:
            raise DataError(
                f"{shown(path)}: the name is not UTF-8 (from an archive of another system?), so that no table can hold "
                "it; rename it, for instance with `convmv -r -f gbk -t utf-8 --notest FOLDER`"
            )
        for what, number in (("identity", identity), ("camera", camera)):
            if not -_LARGEST <= number <= _LARGEST:
                raise DataError(
                    f"{path}: {what} {str(number)[:24]}... has more than 18 digits; number people from 1, or list the "
                    "images in a CSV, where an identity may be any text"
                )


def _file_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
