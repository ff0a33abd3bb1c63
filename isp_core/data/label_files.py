"""Label maps on disk that belong to a data set's pictures: found by folder and name, read at the network's size.

Out of scope: what the class numbers mean (eval's label spaces) and label maps made by training (isp_core/runs).
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pandas as pd

from isp_core.data.record_paths import file_of_record
from isp_core.data.records import DataError
from isp_core.parquet_files import ParquetError, read_parquet

SUFFIXES = (".png", ".npy")
PARSER_FOLDER = "_parsing_pgt"  # SCHP's labels lie in bounding_box_train_parsing_pgt beside bounding_box_train


def require_label_folder(folder: Path) -> None:
    """DataError where there is no such folder: asked before anything is computed that label maps are compared with."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of label maps")


def find_label_maps(folder: Path, records: pd.DataFrame) -> list[Path | None]:
    """The label map of every record, None where there is none.

    Looked for, in this order: the `label` column of FOLDER/records.parquet (Walkers); the image's path under
    FOLDER with `_parsing_pgt` behind its folder's name (SCHP beside Market-1501's layout) and the ending .png or .npy;
    the same without `_parsing_pgt`; its name alone, directly in FOLDER. Of an image that lies in no folder, also in the
    only folder NAME_parsing_pgt in FOLDER: maps of a folder of images are made there (`isp truth`).

    Raises:
        DataError: FOLDER does not exist, or holds the label map of no record.
    """
    require_label_folder(folder)
    listed, own = _listed(folder), _only_parsed(folder)
    found = [_find(folder, str(path), listed, own) for path in records["path"]]
    if len(found) and all(path is None for path in found):
        file_of_record(folder, str(records["path"].iloc[0]))
        example = PurePosixPath(records["path"].iloc[0])
        names = list(dict.fromkeys(str(place.with_suffix(SUFFIXES[0])) for place in _places(example)))
        raise DataError(
            f"{folder}: no label map for any of {len(found)} images; for {example} it would be {' or '.join(names)}"
        )
    return found


def _listed(folder: Path) -> dict[str, str]:
    table = folder / "records.parquet"
    if not table.is_file():
        return {}
    try:
        frame = read_parquet(table, ["path", "label"])
    except ParquetError as error:
        raise DataError(str(error)) from None
    if not {"path", "label"} <= set(frame.columns):
        return {}
    return {str(path): str(label) for path, label in zip(frame["path"], frame["label"], strict=True) if label}


def _only_parsed(folder: Path) -> str:
    """The name of the only folder of a parser's maps in FOLDER; empty where there are none or several."""
    named = [entry.name for entry in folder.iterdir() if entry.name.endswith(PARSER_FOLDER) and entry.is_dir()]
    return named[0] if len(named) == 1 else ""


def _beside(path: PurePosixPath) -> PurePosixPath:
    return path.parent.with_name(path.parent.name + PARSER_FOLDER) / path.name if path.parent.name else path


def _places(path: PurePosixPath) -> tuple[PurePosixPath, ...]:
    """Where an image's map may lie in FOLDER, but for the ending. Beside the images comes first: where they are PNGs
    too, FOLDER may be the data set itself."""
    return _beside(path), path, PurePosixPath(path.name)


def _find(folder: Path, record: str, listed: dict[str, str], own: str) -> Path | None:
    """The label map of a record; None where there is none, or where the record's path leads out of the folder."""
    try:
        file_of_record(folder, record)
        if label := listed.get(record):
            named = file_of_record(folder, label)
            return named if named.is_file() else None
    except DataError:
        return None
    path = PurePosixPath(record)
    places = _places(path)
    if own and not path.parent.name:
        places = (PurePosixPath(own) / path.name, *places)
    for candidate in places:
        for suffix in SUFFIXES:
            full = folder / candidate.with_suffix(suffix)
            if full.is_file():
                return full
    return None
