"""Who is on another tool's pictures: its table of records, or our data set's, and which of its rows is which image.

Out of scope: what its arrays mean (isp_core.runs.imports) and how files are read (isp_core.runs.arrays).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from isp_core.data.record_table import numbered_identities, read_record_table
from isp_core.data.records import COLUMNS, IDENTITY_NAME, DataSet, make_records
from isp_core.errors import IspError
from isp_core.runs.arrays import Arrays, first, held, row_values
from isp_core.runs.schema import SPLITS, RunError, Split
from isp_core.tables import SUFFIXES

TEST: tuple[Split, Split] = ("query", "gallery")

_IDENTITIES = {
    "query": ("q_pids", "query_pids", "q_ids", "query_label"),
    "gallery": ("g_pids", "gallery_pids", "g_ids", "gallery_label"),
}
_CAMERAS = {
    "query": ("q_camids", "query_camids", "q_cams", "query_cam"),
    "gallery": ("g_camids", "gallery_camids", "g_cams", "gallery_cam"),
}
_PATHS = {"query": ("q_paths", "query_paths"), "gallery": ("g_paths", "gallery_paths")}

_UNMATCHED = -1


@dataclass(frozen=True)
class Records:
    """Records in our order; `order[i]` is the row, of `rows` in the other tool's table, that is our row i, -1 for none.

    Every query and gallery image has a row; training images may lack one.
    """

    frame: pd.DataFrame
    order: npt.NDArray[np.int64]
    rows: int
    name: str
    fingerprint: str
    notes: tuple[str, ...] = ()
    root: Path | None = None

    def rows_of(self, split: Split) -> npt.NDArray[np.int64]:
        """The other tool's row of each of our images of a split."""
        return self.order[(self.frame["split"] == split).to_numpy()]

    def ranks_of(self, split: Split) -> npt.NDArray[np.int64]:
        """The same, counted within the split: which of the tool's queries is our first, second, ..."""
        return np.argsort(np.argsort(self.rows_of(split)))


def records_of(table: Path | None, data: DataSet | None, arrays: Arrays | None, file: Path | None) -> Records:
    """Records from whatever was given: a table, our data set, both (the table says the order), or the file itself."""
    if table is not None:
        read = read_records(table)
        return read if data is None else _of_data(data, list(read.frame["path"]), read.order, str(table))
    if data is not None:
        rows = len(data.records)
        return Records(data.records, np.arange(rows), rows, data.name, data.fingerprint, data.notes, data.root)
    if arrays is None:
        raise RunError("a table of records (or the data set) is needed: it says who is on which image")
    return _of_file(arrays, file)


def read_records(file: Path) -> Records:
    """A table of records, CSV or Parquet. RunError names the columns or values that are not understood."""
    if file.suffix.lower() not in SUFFIXES:
        raise RunError(f"{file}: a table of records is a {', '.join(SUFFIXES)} file")
    try:
        rows = read_record_table(file)
    except IspError as error:
        raise RunError(str(error)) from None
    if rows.splits is None:
        raise RunError(f"{file} has no column split; a record is path, identity, camera (may lack), split")
    strange = next((row for row, split in enumerate(rows.splits) if split not in SPLITS), None)
    if strange is not None:
        raise RunError(f"{rows.where[strange]}: split {rows.splits[strange]!r} is not train, query or gallery")
    return _ordered(
        rows.paths,
        np.asarray(rows.identities, np.int64),
        np.asarray(rows.cameras, np.int64),
        rows.splits,
        rows.subsets,
        file.stem,
        rows.notes,
        rows.extra,
    )


def paths_in(arrays: Arrays, split: Split) -> npt.NDArray[np.str_] | None:
    """The paths of a split's rows, or of all rows, where a file of arrays names its images."""
    found = first(arrays, _PATHS[split])
    found = found if found is not None else first(arrays, ("path", "paths", "img_paths"))
    return None if found is None else found.reshape(-1)


def check_identities(
    arrays: Arrays, split: Split, rows: npt.NDArray[np.int64], frame: pd.DataFrame, file: Path, count: int
) -> None:
    """Where a file says who is on its images, the records must agree, if by other numbers: else its rows are in
    another order. rows: the file's row of each image of `frame`. count: the rows of this split in the file."""
    theirs = row_values(arrays, _IDENTITIES[split], count, file)
    if theirs is None:
        return
    pairs = pd.DataFrame({"ours": frame["identity"].to_numpy(), "theirs": theirs[rows]}).drop_duplicates()
    pairs = pairs[pairs["ours"] > 0]
    if pairs["ours"].duplicated().any() or pairs["theirs"].duplicated().any():
        raise RunError(
            f"{file}: its {split} identities are not those of the records row by row, so its images stand in "
            "another order: save their paths with them (q_paths, g_paths), or give a table of records in its order"
        )


def find_rows(wanted: Sequence[str], given: Sequence[str]) -> npt.NDArray[np.int64]:
    """The position in `given` of each wanted path: (len(wanted),), -1 where there is none.

    Other tools hold absolute paths, paths from another root, or names with another ending: a path is found by its name
    without the ending and, where several have that name, by the longest common tail of folders. RunError where two
    are as good.

    >>> find_rows(["query/a.jpg", "query/b.jpg"], ["/data/query/b.npy", "/data/gallery/a.png", "/data/query/a.png"])
    array([2, 0])
    """
    by_name: dict[str, list[tuple[tuple[str, ...], int]]] = {}
    for position, path in enumerate(given):
        *folders, name = _split(path)
        by_name.setdefault(name, []).append((tuple(folders), position))
    found = np.full(len(wanted), _UNMATCHED, np.int64)
    for i, path in enumerate(wanted):
        *folders, name = _split(path)
        ranked = sorted((-_common_tail(folders, other), position) for other, position in by_name.get(name, ()))
        if len(ranked) > 1 and ranked[0][0] == ranked[1][0]:
            raise RunError(f"{given[ranked[0][1]]} and {given[ranked[1][1]]} may both be {path}: names must be unique")
        if ranked:
            found[i] = ranked[0][1]
    return found


def _split(path: str) -> tuple[str, ...]:
    return PurePosixPath(path.replace("\\", "/")).with_suffix("").parts


def _common_tail(first: Sequence[str], second: Sequence[str]) -> int:
    pairs = zip(reversed(first), reversed(second), strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


def order_note(table: Path | None, data: DataSet | None, arrays: Arrays | None) -> tuple[str, ...]:
    """A warning where nothing in the files says which row is which image."""
    if table is not None or data is None or arrays is None or any(paths_in(arrays, s) is not None for s in TEST):
        return ()
    return (
        "The file names no images: its rows were taken to stand in the data set's order (query and gallery each "
        "sorted by path). Save q_paths and g_paths with it to be sure.",
    )


def require_all(rows: npt.NDArray[np.int64], paths: Sequence[str], what: str) -> None:
    """RunError that counts and names the images without a row."""
    missing = [path for path, row in zip(paths, rows, strict=True) if row == _UNMATCHED]
    if missing:
        raise RunError(f"{len(missing)} of {len(paths)} {what}, such as {missing[0]}")


def _of_data(data: DataSet, given: Sequence[str], order: npt.NDArray[np.int64], where: str) -> Records:
    """The data set's records, with the rows of a table that lists its images under whatever path."""
    position = find_rows(list(data.records["path"]), given)
    rows = np.where(position == _UNMATCHED, _UNMATCHED, order[position])
    test = (data.records["split"] != "train").to_numpy()
    require_all(rows[test], list(data.records["path"][test]), f"test images of {data.root} are not in {where}")
    return Records(data.records, rows, len(order), data.name, data.fingerprint, data.notes, data.root)


def _of_file(arrays: Arrays, file: Path | None) -> Records:
    """Query and gallery of a file that says itself who is on its images."""
    paths: list[str] = []
    people: list[str] = []
    cameras: list[npt.NDArray[np.int64]] = []
    splits: list[str] = []
    for split in TEST:
        ids = first(arrays, _IDENTITIES[split])
        if ids is None:
            raise RunError(
                f"{file} does not say who is on its images (no {_IDENTITIES[split][0]}; it holds {held(arrays)}): "
                "give the data set or a table of records"
            )
        count = ids.size
        ids, camera, names = (row_values(arrays, keys[split], count, file) for keys in (_IDENTITIES, _CAMERAS, _PATHS))
        paths += [f"{split}/{i:06d}" for i in range(count)] if names is None else [str(name) for name in names]
        people += _texts(ids)
        cameras.append(np.full(count, -1) if camera is None else _whole(camera, f"{file}: camera"))
        splits += [split] * count
    numbered = numbered_identities([f"{file}, row {row}" for row in range(len(people))], people)
    return _ordered(
        paths,
        np.asarray(numbered.identities, np.int64),
        np.concatenate(cameras),
        splits,
        [""] * len(paths),
        file.stem if file else "",
        numbered.notes,
        None if numbered.names is None else pd.DataFrame({IDENTITY_NAME: numbered.names}),
    )


def _texts(values: npt.NDArray[Any] | None) -> list[str]:
    """Identities as texts, whole numbers without a decimal point."""
    if values is None:
        return []
    if values.dtype.kind == "f" and (np.isfinite(values) & (values == np.round(values))).all():
        values = values.astype(np.int64)
    return [str(value) for value in values.tolist()]


def _whole(values: npt.NDArray[Any], what: str) -> npt.NDArray[np.int64]:
    if values.dtype.kind not in "iufb" or (values.dtype.kind == "f" and not (values == np.round(values)).all()):
        strange = next((value for value in values.tolist() if not isinstance(value, int)), values[:1])
        raise RunError(f"{what} must be whole numbers; got {strange!r}")
    return values.astype(np.int64)


def _ordered(
    paths: list[str],
    identities: npt.NDArray[np.int64],
    cameras: npt.NDArray[np.int64],
    splits: list[str],
    subsets: list[str],
    name: str,
    notes: tuple[str, ...] = (),
    extra: pd.DataFrame | None = None,
) -> Records:
    if not paths:
        raise RunError(f"{name}: the table of records is empty")
    queries = np.array(splits) == "query"
    if (identities[queries] == 0).any() and not (identities[np.array(splits) == "train"] == 0).any():
        identities = np.where(identities >= 0, identities + 1, identities)
        notes = (
            *notes,
            "Identities were numbered from 0; all are moved up by one, since 0 means distractor.",
        )
    frame, more = make_records(paths, identities, cameras, splits, subsets, extra)
    unsorted = pd.DataFrame({"split": splits, "path": paths})
    kept = ~((unsorted["split"] == "train") & (identities < 0)).to_numpy()
    order = unsorted[kept].sort_values(["split", "path"], kind="stable").index.to_numpy()
    digest = hashlib.sha256(frame[list(COLUMNS)].to_csv(index=False).encode()).hexdigest()
    return Records(frame, order, len(paths), name, digest, (*notes, *more))
