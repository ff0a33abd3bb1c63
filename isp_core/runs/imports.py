"""Other tools' results as a run: embeddings, a distance matrix, or label maps with a table of records.

Files are untrusted: no pickles are ever loaded, shapes and values are checked, everything is copied into the run.
Not here: the command line (`isp runs import`) and what is made of an imported run (eval, app).
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from safetensors.numpy import load_file, save_file

from isp_core.data.records import DataError, DataSet, make_records
from isp_core.matching import Embeddings
from isp_core.metrics.spaces import FOREGROUND_ONLY, PARTS, load_space
from isp_core.metrics.truth import read_truth
from isp_core.runs.arrays import Arrays, read_arrays
from isp_core.runs.files import atomic, read_checked, read_table, remove
from isp_core.runs.reader import Run, open_run
from isp_core.runs.schema import DataInfo, RunError, RunInfo, Split, SplitCount
from isp_core.runs.writer import RunWriter

DISTANCES_FILE = "distances/query_gallery.safetensors"
TEST: tuple[Split, Split] = ("query", "gallery")

_HALF_MAX = 65504.0
_COLUMNS = {
    "path": ("path", "img_path", "image", "file", "filename", "name"),
    "identity": ("identity", "pid", "id", "person", "person_id", "label"),
    "camera": ("camera", "camid", "cam", "camera_id"),
    "split": ("split", "set", "subset_of"),
    "subset": ("subset",),
}
# what tools call the two halves of a test set in one file
_QUERY_KEYS = {"global": ("query", "qf", "query_features", "q_features"), "identity": ("q_pids", "query_pids", "q_ids")}
_GALLERY_KEYS = {
    "global": ("gallery", "gf", "gallery_features", "g_features"),
    "identity": ("g_pids", "gallery_pids", "g_ids"),
}
_CAMERA_KEYS = (("q_camids", "query_camids", "q_cams"), ("g_camids", "gallery_camids", "g_cams"))
_ALL_KEYS = ("embeddings", "features", "embedding", "feature", "feat", "global", "array")


@dataclass(frozen=True)
class Records:
    """Records in our order; `order[i]` is the row, of `rows` in the other tool's table, that became row i."""

    frame: pd.DataFrame
    order: npt.NDArray[np.int64]
    rows: int
    name: str
    fingerprint: str
    notes: tuple[str, ...] = ()
    root: Path | None = None


def import_run(
    out: Path,
    records: DataSet | Path | None,
    *,
    embeddings: Path | None = None,
    distances: Path | None = None,
    labels: Path | None = None,
    space: str | Path = "lip",
    tool: str = "",
    size: tuple[int, int] = (256, 128),
) -> tuple[Run, tuple[str, ...]]:
    """Makes the run `out` of another tool's files; returns it and what the user should know.

    records: the data set, or a table (CSV, Parquet) with path, identity, camera and split (train, query, gallery), one
    row per picture in the order of the embeddings; names of torchreid and fast-reid (img_path, pid, camid) are
    understood. None where the embedding file itself holds query and gallery with their identities (qf, gf, q_pids,
    g_pids, q_camids, g_camids).
    embeddings: .npz, .parquet or .pt (tensors only). distances: .npy, .npz or .pt, (queries, gallery).
    labels: a folder of label maps in label space `space`; they become head 1, upper 2, legs 3, shoes 4, belongings 5,
    and 6 for what is person but none of these. size: height and width that maps are stored at a quarter of.
    IspError where a file is broken, does not fit the records, or `out` exists.
    """
    if embeddings is None and distances is None and labels is None:
        raise RunError("nothing to import: give embeddings, distances or label maps")
    if embeddings is not None and distances is not None:
        raise RunError("give embeddings or distances, not both: rankings are made of one of them")
    arrays = None if embeddings is None else read_arrays(embeddings)
    table = _records(records, arrays, embeddings)
    notes = [*table.notes]
    halves = None
    if arrays is not None and embeddings is not None:
        halves = _test_embeddings(arrays, table, embeddings)
    matrix = None if distances is None else _matrix(distances, table)
    maps = None if labels is None else _label_maps(labels, table, space, (size[0] // 4, size[1] // 4), notes)
    parts = halves[0].n_parts + 1 if halves and halves[0].n_parts else 0
    if maps is not None:
        if parts not in (0, _parts(maps)):
            raise RunError(
                f"embeddings with {parts - 1} parts and label maps with {_parts(maps) - 1}: import them as two runs"
            )
        parts = _parts(maps)

    info = RunInfo(
        created=dt.datetime.now(dt.UTC),
        data=DataInfo(name=table.name, fingerprint=table.fingerprint, splits=_counts(table.frame)),
        config={"imported": {"tool": tool, "space": str(space) if labels else ""}},
        parts=parts,
        backbone=tool,
        size=size,
        labels=str(labels) if labels else "",
        imported=True,
    )
    existed = out.exists()
    writer = RunWriter.create(out, info, table.frame)
    try:
        for split, half in zip(TEST, halves or (), strict=False):
            writer.write_embeddings(split, 0, half)
        if matrix is not None:
            with atomic(out / DISTANCES_FILE) as path:
                save_file({"distances": matrix}, path)
        for kind, some in (maps or {}).items():
            writer.write_maps(kind, 0, [(np.arange(len(some)), some)], len(some))  # type: ignore[arg-type]
        writer.finish_epoch(0, {})
    except BaseException:
        if not existed:
            remove(out)
        raise
    run = open_run(out)
    sources = {"embeddings": embeddings, "distances": distances, "labels": labels}
    files = {what: str(file) for what, file in sources.items() if file is not None}
    run.write_evaluation("import", {"kind": "import", "tool": tool, "files": files, "notes": notes})
    return run, tuple(notes)


def stored_distances(run: Run) -> npt.NDArray[np.float32] | None:
    """The distance matrix (queries, gallery) of a run imported as one, or None."""
    file = run.path / DISTANCES_FILE
    if not file.exists():
        return None
    found: npt.NDArray[np.float32] | None = read_checked(file, load_file).get("distances")
    expected = (len(run.records("query")), len(run.records("gallery")))
    if found is None or found.shape != expected:
        raise RunError(
            f"{file} does not hold a matrix {expected}, one row per query and one column per gallery picture"
        )
    return found


def read_records(file: Path) -> Records:
    """A table of records, CSV or Parquet. RunError names the columns or values that are not understood."""
    if file.suffix.lower() not in (".csv", ".parquet"):
        raise RunError(f"{file}: a table of records is a .csv or .parquet file")
    raw = read_checked(file, _read_csv) if file.suffix.lower() == ".csv" else read_table(file)
    columns = {}
    for name, spellings in _COLUMNS.items():
        column = next((c for c in raw.columns if str(c).strip().lower() in spellings), None)
        if column is not None:
            columns[name] = raw[column]
    missing = [name for name in ("path", "identity", "split") if name not in columns]
    if missing:
        raise RunError(
            f"{file} has no column {', '.join(missing)}; it has {', '.join(map(str, raw.columns))}. "
            "A record is path, identity, camera (may lack), split (train, query or gallery)"
        )
    strange = sorted(set(columns["split"].astype(str)) - {"train", "query", "gallery"})
    if strange:
        raise RunError(f"{file}: split {strange[0]!r} is not train, query or gallery")
    numbers = {}
    for name in ("identity", "camera"):
        try:
            numbers[name] = pd.to_numeric(columns[name]).astype(np.int64) if name in columns else None
        except (ValueError, TypeError) as error:
            raise RunError(f"{file}: column {name} must hold whole numbers ({error})") from None
    camera = numbers["camera"]
    return _ordered(
        list(columns["path"].astype(str)),
        np.asarray(numbers["identity"], np.int64),
        np.full(len(raw), -1) if camera is None else np.asarray(camera, np.int64),
        list(columns["split"].astype(str)),
        list(columns["subset"].fillna("").astype(str)) if "subset" in columns else [""] * len(raw),
        file.stem,
    )


def _read_csv(file: Path) -> pd.DataFrame:
    return pd.read_csv(file)


def _records(given: DataSet | Path | None, arrays: Arrays | None, file: Path | None) -> Records:
    if isinstance(given, DataSet):
        rows = len(given.records)
        return Records(given.records, np.arange(rows), rows, given.name, given.fingerprint, given.notes, given.root)
    if given is not None:
        return read_records(given)
    if arrays is None:
        raise RunError("a table of records (or the data set) is needed: it says who is on which picture")
    frames = []
    for split, keys, cameras in zip(TEST, (_QUERY_KEYS, _GALLERY_KEYS), _CAMERA_KEYS, strict=True):
        identities = _first(arrays, keys["identity"])
        if identities is None:
            raise RunError(
                f"{file} does not say who is on its pictures (no {keys['identity'][0]}; it holds {_held(arrays)}): "
                "give a table of records"
            )
        camera = _first(arrays, cameras)
        count = len(identities)
        frames.append((split, identities, np.full(count, -1) if camera is None else camera))
    return _ordered(
        [f"{split}/{i:06d}" for split, ids, _ in frames for i in range(len(ids))],
        np.concatenate([np.asarray(ids, np.int64) for _, ids, _ in frames]),
        np.concatenate([np.asarray(cameras, np.int64) for _, _, cameras in frames]),
        [split for split, ids, _ in frames for _ in range(len(ids))],
        [""] * sum(len(ids) for _, ids, _ in frames),
        file.stem if file else "",
    )


def _ordered(
    paths: list[str],
    identities: npt.NDArray[np.int64],
    cameras: npt.NDArray[np.int64],
    splits: list[str],
    subsets: list[str],
    name: str,
) -> Records:
    if not paths:
        raise RunError(f"{name}: the table of records is empty")
    frame, notes = make_records(paths, identities, cameras, splits, subsets)
    unsorted = pd.DataFrame({"split": splits, "path": paths})
    kept = ~((unsorted["split"] == "train") & (identities < 0)).to_numpy()
    order = unsorted[kept].sort_values(["split", "path"], kind="stable").index.to_numpy()
    digest = hashlib.sha256(frame.to_csv(index=False).encode()).hexdigest()
    return Records(frame, order, len(paths), name, digest, notes)


def _test_embeddings(arrays: Arrays, table: Records, file: Path) -> tuple[Embeddings, Embeddings]:
    """Query and gallery embeddings in the order of our records."""
    original = table.frame.set_axis(table.order).sort_index()  # the other tool's order
    halves = []
    for split, keys in zip(TEST, (_QUERY_KEYS, _GALLERY_KEYS), strict=True):
        ours = table.order[(table.frame["split"] == split).to_numpy()]
        separate = _first(arrays, keys["global"])
        if separate is not None:
            theirs = original.index[original["split"] == split].to_numpy()
            rows = np.searchsorted(theirs, ours)
            halves.append(_embeddings({"global": separate}, rows, len(theirs), f"{file}, {split}"))
        else:
            everything = _first(arrays, _ALL_KEYS)
            if everything is None:
                raise RunError(
                    f"{file} holds {_held(arrays)}; needed are 'query' and 'gallery' (or qf and gf), "
                    "or 'embeddings' with a row for each record"
                )
            names: tuple[str, ...] = ("foreground", "parts", "visibility")
            extra = {name: arrays[name] for name in names if name in arrays}
            rows = _rows_by_path(arrays, table, split) if "path" in arrays else ours
            expected = len(arrays["path"]) if "path" in arrays else table.rows
            halves.append(_embeddings({"global": everything, **extra}, rows, expected, str(file)))
    if halves[0].global_.shape[1] != halves[1].global_.shape[1]:
        raise RunError(
            f"{file}: query features have {halves[0].global_.shape[1]} numbers, gallery features "
            f"{halves[1].global_.shape[1]}: they are of two networks"
        )
    return halves[0], halves[1]


def _rows_by_path(arrays: Arrays, table: Records, split: str) -> npt.NDArray[np.int64]:
    position = {str(path): i for i, path in enumerate(arrays["path"])}
    wanted = list(table.frame.loc[table.frame["split"] == split, "path"])
    missing = [path for path in wanted if path not in position]
    if missing:
        raise RunError(f"{len(missing)} of {len(wanted)} {split} pictures have no embedding, such as {missing[0]}")
    return np.array([position[path] for path in wanted], np.int64)


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
        raise RunError(f"{where}: parts have shape {parts.shape}; (pictures, parts, channels) is needed")
    visibility = arrays.get("visibility", np.ones((expected, parts.shape[1]), np.bool_))[rows] > 0
    foreground = arrays.get("foreground", np.zeros((expected, 0), np.float16)).reshape(expected, -1)[rows]
    return Embeddings(global_, foreground, parts, visibility.reshape(n, -1), visibility.reshape(n, -1) * np.float16(1))


def _matrix(file: Path, table: Records) -> npt.NDArray[np.float32]:
    arrays = read_arrays(file)
    found = next(iter(arrays.values())) if len(arrays) == 1 else _first(arrays, ("distances", "distmat", "dist"))
    if found is None:
        raise RunError(f"{file} holds {_held(arrays)}; a matrix called 'distances' or 'distmat' is needed")
    splits = table.frame["split"].to_numpy()
    rows, columns = ((np.argsort(np.argsort(table.order[splits == split]))) for split in TEST)
    if found.shape != (len(rows), len(columns)):
        raise RunError(
            f"{file} has shape {found.shape}; the records have {len(rows)} queries and {len(columns)} gallery pictures"
        )
    if found.dtype.kind not in "fiu" or not np.isfinite(found).all():
        raise RunError(f"{file} holds values that are not finite numbers")
    return np.ascontiguousarray(found[np.ix_(rows, columns)], np.float32)


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
        except DataError as error:  # maps of training or of test pictures alone are fine
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


def _first(arrays: Arrays, names: tuple[str, ...]) -> npt.NDArray[Any] | None:
    return next((arrays[name] for name in names if name in arrays), None)


def _held(arrays: Arrays) -> str:
    return ", ".join(f"{name} {array.shape}" for name, array in list(arrays.items())[:8]) or "nothing"
