"""Other tools' results as a run: embeddings, a distance matrix, or label maps with a table of records.

Files are untrusted: no pickles are ever loaded, shapes and values are checked, everything is copied into the run.
Out of scope: the command line (`isp runs import`) and what is made of an imported run (eval, app).
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from isp_core.data.records import DataError, DataSet
from isp_core.matching import Embeddings
from isp_core.metrics.ground_truth import read_truth
from isp_core.metrics.spaces import FOREGROUND_ONLY, PARTS, load_space
from isp_core.runs.arrays import Arrays, first, held, names_no_images, read_arrays
from isp_core.runs.distances import stored_distances as stored_distances
from isp_core.runs.distances import write_distances
from isp_core.runs.files import remove
from isp_core.runs.import_records import (
    TEST as TEST,
)
from isp_core.runs.import_records import (
    Records,
    check_identities,
    find_rows,
    order_note,
    paths_in,
    records_of,
    require_all,
)
from isp_core.runs.reader import Run, open_run
from isp_core.runs.schema import DataInfo, RunError, Split, SplitCount, new_info
from isp_core.runs.writer import RunWriter

_HALF_MAX = 65504.0
# what tools call the two halves of a test set in one file
_HALVES = {
    "query": ("query", "qf", "query_features", "q_features", "query_f"),
    "gallery": ("gallery", "gf", "gallery_features", "g_features", "gallery_f"),
}
_MATRIX_KEYS = ("distances", "distmat", "dist")
_ALL_KEYS = ("embeddings", "features", "embedding", "feature", "feat", "global", "array")


def import_run(
    out: Path,
    records: Path | None = None,
    *,
    data: DataSet | None = None,
    embeddings: Path | None = None,
    distances: Path | None = None,
    labels: Path | None = None,
    space: str | Path = "lip",
    tool: str = "",
    size: tuple[int, int] = (256, 128),
) -> tuple[Run, tuple[str, ...]]:
    """Makes the run `out` of another tool's files; returns it and what the user should know.

    records: a table (CSV, Parquet) with path, identity, camera and split (train, query, gallery), one row per image
    in the order of the embeddings; names of torchreid and fast-reid (img_path, pid, camid) are understood.
    data: our data set, which makes the run comparable with others of it: images are found in it by path, whatever the
    root. The paths come from the table or from the file (q_paths and g_paths, or path); without any, rows stand in the
    data set's own order. Neither is needed where the file says who is on its images (q_pids, g_pids, q_camids,
    g_camids).
    embeddings: .npz, .mat, .parquet, .pt (tensors only) or a folder of .npy. distances (queries, gallery): .npy, .npz,
    .mat or .pt.
    labels: a folder of label maps in label space `space`; they become head 1, upper 2, legs 3, shoes 4, belongings 5,
    and 6 for what is person but none of these. size: height and width that maps are stored at a quarter of.
    IspError where a file is broken, does not fit the records, or `out` exists.
    """
    if embeddings is None and distances is None and labels is None:
        raise RunError("nothing to import: give embeddings, distances or label maps")
    if embeddings is not None and distances is not None:
        raise RunError("give embeddings or distances, not both: rankings are made of one of them")
    if embeddings is not None and records is None and names_no_images(embeddings):
        raise RunError(
            f"{embeddings} does not say which row is which image, and bpbreid's loader lists images in the disk's "
            "order: give --records, a table in that order (docs/importing.md)"
        )
    arrays = None if embeddings is None else read_arrays(embeddings)
    matrices = None if distances is None else read_arrays(distances)
    table = records_of(records, data, arrays or matrices, embeddings or distances)
    notes = [*table.notes, *order_note(records, data, arrays or matrices)]
    halves = None
    if arrays is not None and embeddings is not None:
        halves = _test_embeddings(arrays, table, embeddings)
    matrix = None if matrices is None or distances is None else _matrix(matrices, table, distances)
    maps = None if labels is None else _label_maps(labels, table, space, (size[0] // 4, size[1] // 4), notes)
    parts = halves[0].n_parts + 1 if halves and halves[0].n_parts else 0
    if maps is not None:
        if parts not in (0, _parts(maps)):
            raise RunError(
                f"embeddings with {parts - 1} parts and label maps with {_parts(maps) - 1}: import them as two runs"
            )
        parts = _parts(maps)

    info = new_info(
        created=dt.datetime.now(dt.UTC),
        data=DataInfo(name=table.name, fingerprint=table.fingerprint, splits=_counts(table.frame)),
        config={"imported": {"tool": tool, "space": str(space) if labels else ""}},
        parts=parts,
        backbone=tool,
        size=size,
        labels=labels.resolve().name if labels else "",
        imported=True,
    )
    existed = out.exists()
    sources = {"embeddings": embeddings, "distances": distances, "labels": labels}
    files = {what: file.name for what, file in sources.items() if file is not None}
    with contextlib.ExitStack() as held:
        writer = RunWriter.create(out, info, table.frame, held)
        try:
            for split, half in zip(TEST, halves or (), strict=False):
                writer.write_embeddings(split, 0, half)
            if matrix is not None:
                write_distances(out, matrix)
            for kind, some in (maps or {}).items():
                writer.write_maps(kind, 0, [(np.arange(len(some)), some)], len(some))  # type: ignore[arg-type]
            writer.finish_epoch(0, {})
            run = open_run(out)
            writer.write_evaluation("import", {"kind": "import", "tool": tool, "files": files, "notes": notes})
        except BaseException:
            if not existed:
                remove(out)
            raise
    return run, tuple(notes)


def _test_embeddings(arrays: Arrays, table: Records, file: Path) -> tuple[Embeddings, Embeddings]:
    """Query and gallery embeddings in the order of our records."""
    halves = []
    for split in TEST:
        frame = table.frame[table.frame["split"] == split]
        separate = first(arrays, _HALVES[split])
        if separate is not None:
            parts = arrays.get(f"{split}_parts")
            found = {"global": separate} | ({} if parts is None else {"parts": parts})
            expected, rows = len(frame), table.ranks_of(split)
        else:
            everything = first(arrays, _ALL_KEYS)
            if everything is None:
                raise RunError(
                    f"{file} holds {held(arrays)}; needed are 'query' and 'gallery' (or qf and gf), "
                    "or 'embeddings' with a row for each record"
                )
            names: tuple[str, ...] = ("foreground", "parts", "visibility")
            found = {"global": everything} | {name: arrays[name] for name in names if name in arrays}
            expected, rows = table.rows, table.rows_of(split)
        paths = paths_in(arrays, split)
        if paths is not None:
            expected, rows = len(paths), find_rows(list(frame["path"]), [str(path) for path in paths])
            require_all(rows, list(frame["path"]), f"{split} images have no embedding in {file}")
        halves.append(_embeddings(found, rows, expected, f"{file}, {split}" if separate is not None else str(file)))
        if separate is not None:
            check_identities(arrays, split, rows, frame, file, len(separate))
    if halves[0].global_.shape[1] != halves[1].global_.shape[1]:
        raise RunError(
            f"{file}: query features have {halves[0].global_.shape[1]} numbers, gallery features "
            f"{halves[1].global_.shape[1]}: they are of two networks"
        )
    return halves[0], halves[1]


def _embeddings(
    arrays: Mapping[str, npt.NDArray[Any]], rows: npt.NDArray[np.int64], expected: int, where: str
) -> Embeddings:
    for name, array in arrays.items():
        if array.dtype.kind not in "fiub":
            raise RunError(f"{where}: {name} holds {array.dtype} values, not numbers")
        if len(array) != expected:
            raise RunError(f"{where}: {len(array)} rows of {name}, but the records have {expected}")
        if not np.isfinite(array).all():
            row = int(np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))[0])
            raise RunError(f"{where}: {name} of row {row} is not finite")
        if name != "visibility" and array.size and np.abs(array).max() > _HALF_MAX:
            raise RunError(
                f"{where}: {name} reaches {np.abs(array).max():.3g}, beyond half precision: normalise it first"
            )
    global_ = arrays["global"].reshape(expected, -1)[rows]
    n = len(rows)
    parts = arrays.get("parts", np.zeros((expected, 0, 0), np.float16))[rows]
    if parts.ndim != 3:
        raise RunError(f"{where}: parts have shape {parts.shape}; (images, parts, channels) is needed")
    visibility = arrays.get("visibility", np.ones((expected, parts.shape[1]), np.bool_))[rows] > 0
    foreground = arrays.get("foreground", np.zeros((expected, 0), np.float16)).reshape(expected, -1)[rows]
    return Embeddings(global_, foreground, parts, visibility.reshape(n, -1), visibility.reshape(n, -1) * np.float16(1))


def _matrix(arrays: Arrays, table: Records, file: Path) -> npt.NDArray[np.float32]:
    found = next(iter(arrays.values())) if len(arrays) == 1 else first(arrays, _MATRIX_KEYS)
    if found is None:
        raise RunError(f"{file} holds {held(arrays)}; a matrix called 'distances' or 'distmat' is needed")
    if found.ndim != 2:
        raise RunError(f"{file} has shape {found.shape}; a row per query and a column per gallery image is needed")
    rows, columns = (_places(arrays, table, split, file, count) for split, count in zip(TEST, found.shape, strict=True))
    if found.shape != (len(rows), len(columns)):
        raise RunError(
            f"{file} has shape {found.shape}; the records have {len(rows)} queries and {len(columns)} gallery images"
        )
    if found.dtype.kind not in "fiu" or not np.isfinite(found).all():
        raise RunError(f"{file} holds values that are not finite numbers")
    return np.ascontiguousarray(found[np.ix_(rows, columns)], np.float32)


def _places(arrays: Arrays, table: Records, split: Split, file: Path, count: int) -> npt.NDArray[np.int64]:
    """Which row (or column) of the matrix is each of our images of a split."""
    paths, frame = paths_in(arrays, split), table.frame[table.frame["split"] == split]
    if paths is None:
        places = table.ranks_of(split)
    else:
        places = find_rows(list(frame["path"]), [str(path) for path in paths])
        require_all(places, list(frame["path"]), f"{split} images are not in {file}")
    if len(places) == count:  # else the shape is refused
        check_identities(arrays, split, places, frame, file, count)
    return places


def _label_maps(
    folder: Path, table: Records, space: str | Path, size: tuple[int, int], notes: list[str]
) -> dict[str, npt.NDArray[np.uint8]]:
    maps: dict[str, npt.NDArray[np.uint8]] = {}
    refused: list[DataError] = []
    meaning = load_space(space)
    test = pd.concat([table.frame[table.frame["split"] == split] for split in TEST])
    for kind, frame in (("train", table.frame[table.frame["split"] == "train"]), ("test", test)):
        if frame.empty:
            continue
        try:
            truth = read_truth(folder, list(frame["path"]), meaning, size, table.root)
        except DataError as error:  # maps of training or of test images alone are fine
            refused.append(error)
            continue
        maps[kind] = truth.targets
        notes.extend(f"{kind}: {note}" for note in truth.notes())
    if not maps:
        raise refused[0] if refused else RunError(f"{folder}: there are no records to find label maps for")
    return maps


def _parts(maps: Mapping[str, npt.NDArray[np.uint8]]) -> int:
    other = any((some == FOREGROUND_ONLY).any() for some in maps.values())
    return len(PARTS) + 1 + int(other)


def _counts(frame: pd.DataFrame) -> dict[str, SplitCount]:
    return {
        str(split): SplitCount(
            pictures=len(some), identities=some["identity"].nunique(), cameras=some["camera"].nunique()
        )
        for split, some in frame.groupby("split")
    }
