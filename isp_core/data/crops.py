"""Any folder of person crops as a data set to look at: nothing is trained, so every image may be a query.

Out of scope: data sets to train on (readers/), which need to know who is who.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from isp_core.data.label_files import PARSER_FOLDER
from isp_core.data.readers import load
from isp_core.data.readers.naming import NameParts, parse_name
from isp_core.data.readers.splitting import came_without_splits
from isp_core.data.records import COLUMNS, UNKNOWN_CAMERA, DataError, DataSet, leave_one_out, make_records
from isp_core.images import IMAGE_SUFFIXES, images_below
from isp_core.paths import as_path

LAYOUT = "crops"
_UNKNOWN = 0  # an identity that no name tells; people count from 1


def read_crops(folder: Path, *, names: bool = True) -> DataSet:
    """The images of a folder as query and gallery.

    A data set with query and gallery of its own keeps them. Of all other folders, every image stands in the gallery
    and, unless it is a distractor or junk, among the queries too. Identities and cameras come from the folder's layout
    or from the names. Where they tell none, each image gets an identity of its own; where the camera is unknown, it
    gets a negative camera number of its own, so that a ranking leaves out the image itself and nothing else.

    Args:
        folder: any folder with images in it or below it.
        names: False to leave aside what layout and names say, and treat each image as another person.

    Raises:
        DataError: no such folder, a file, a run, or no images.
    """
    folder = as_path(folder)
    if folder.is_file():
        raise DataError(f"{folder} is a file: give the folder of images that it lies in")
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of images")
    if (folder / "run.json").is_file():
        raise DataError(f"{folder}: this is a run, not a folder of images; `isp app --runs {folder}` opens it")
    data = _known(folder) if names else None
    if data is None:
        return _plain(folder, names)
    if not (came_without_splits(data.notes) or data.split("query").empty or data.split("gallery").empty):
        return _test_set(data)
    whole = data.records
    extra = whole.drop(columns=list(COLUMNS))
    people, cameras = whole["identity"].tolist(), whole["camera"].tolist()
    return _pooled(data.root, data.name, whole["path"].tolist(), people, cameras, extra=extra)


def _known(folder: Path) -> DataSet | None:
    """The data set in the folder; None where no layout is recognised."""
    try:
        return load(folder)
    except DataError:
        return None


def _test_set(data: DataSet) -> DataSet:
    """Query and gallery as the data set has them."""
    left_out = len(data.split("train"))
    notes = [f"Query and gallery are those of {data.name} ({data.layout})."]
    if left_out:
        notes.append(f"{left_out} training images are left out: give their folder itself to look at them.")
    records = data.records[data.records["split"] != "train"].reset_index(drop=True)
    return DataSet(data.name, data.root, records, tuple(notes), data.layout)


def _plain(folder: Path, names: bool) -> DataSet:
    """All images in a folder and below it, folders of label maps left out."""
    files = [file.relative_to(folder) for file in images_below(folder)]
    files = [file for file in files if not any(part.endswith(PARSER_FOLDER) for part in file.parts[:-1])]
    if not files:
        raise DataError(f"{folder} holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
    told = [parse_name(file.name) if names else None for file in files]
    if any(one is None for one in told):  # a name that looks like an identity among others that do not is chance
        told = [NameParts(_UNKNOWN, UNKNOWN_CAMERA)] * len(files)
    people = [one.identity for one in told if one is not None]
    cameras = [one.camera for one in told if one is not None]
    return _pooled(
        folder, folder.resolve().name, [file.as_posix() for file in files], people, cameras, told=any(people)
    )


def _pooled(
    root: Path,
    name: str,
    paths: Sequence[str],
    people: Sequence[int],
    cameras: Sequence[int],
    *,
    told: bool = True,
    extra: pd.DataFrame | None = None,
) -> DataSet:
    """Every image in the gallery and, if it shows a person, among the queries. told: whether identities are known.
    extra: further columns."""
    if told:
        note = f"{len({one for one in people if one > 0})} people, by their names or folders."
        known = len({one for one in cameras if one > 0})
        note += f" {known} cameras." if known else " No camera numbers."
    else:
        people = list(range(1, len(paths) + 1))
        note = "The names tell no identities: each image counts as another person."
    records, moved = make_records(paths, people, cameras, ["gallery"] * len(paths), extra=extra)
    gallery = leave_one_out(records)
    query = gallery[gallery["identity"] > 0].assign(split="query")
    both = pd.concat([gallery, query]).sort_values(["split", "path"], kind="stable", ignore_index=True)
    notes = (note, *(each for each in moved if "moved up" in each))
    return DataSet(name, root, both.astype({"identity": np.int64, "camera": np.int64}), notes, LAYOUT)
