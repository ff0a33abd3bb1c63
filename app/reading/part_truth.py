"""Part ground truth of a run's images, for showing and for scoring its stored maps. Label maps lie beside the images.

Formulas are isp_core.metrics'; the label space is the one the run was measured with, else LIP's (SCHP's ground truth).
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from isp_app.cache_keys import KEYS
from isp_app.reading import pictures, runs_access
from isp_app.rerun import once
from isp_app.settings import Settings
from isp_core.data.label_files import find_label_maps
from isp_core.errors import IspError
from isp_core.metrics.ground_truth import Truth, read_truth
from isp_core.metrics.spaces import FOREGROUND_ONLY, PARTS, load_space, space_names
from isp_core.palette import Palette, class_palette
from isp_core.runs import Run, open_run
from isp_core.runs.maps import Maps
from isp_core.runs.schema import Split

CODES = {**dict(enumerate(PARTS, start=1)), FOREGROUND_ONLY: "other foreground"}
COMMAND = "isp truth --help"


def palette() -> Palette:
    """Colours of ground-truth maps: codes of isp_core.metrics.spaces."""
    return class_palette(CODES)


@once
def space_of(run: Run) -> str:
    """The label space that the run was measured with; LIP where it says nothing.

    Of those that come with the project alone: a run may not name a file of this machine.
    """
    if "constant" in run.evaluation_names():
        named = runs_access.evaluation(run, "constant").get("space")
        if named in space_names():
            return str(named)
    return "walkers" if run.info.data.name.lower() == "walkers" else "lip"


@once
def folder_of(run: Run, settings: Settings) -> Path | None:
    """The folder with the label maps of the run's images, or None where there are none."""
    root = pictures.picture_root(run, settings)
    if root is None:
        return None
    token = runs_access.records_token(run)
    return next((each for each in (root.path, *settings.truth_roots) if _has_label_maps(each, run.path, token)), None)


@st.cache_data(hash_funcs=KEYS, max_entries=64, ttl=30, show_spinner=False)
def _has_label_maps(root: Path, path: Path, token: str) -> bool:
    try:
        find_label_maps(root, runs_access.records(open_run(path)).iloc[:64])
    except (IspError, OSError):
        return False
    return True


@st.cache_resource(hash_funcs=KEYS, max_entries=6, show_spinner="Reading ground truth")
def _split_targets(
    folder: Path, path: Path, token: str, split: Split, space: str, size: tuple[int, int], root: Path | None
) -> Truth | None:
    paths = runs_access.records(open_run(path), split)["path"]
    return _read(folder, [str(one) for one in paths], space, size, root)


@st.cache_resource(hash_funcs=KEYS, max_entries=64, show_spinner=False)
def _image_targets(folder: Path, path: str, space: str, size: tuple[int, int], root: Path | None) -> Truth | None:
    return _read(folder, [path], space, size, root)


def _read(folder: Path, paths: list[str], space: str, size: tuple[int, int], root: Path | None) -> Truth | None:
    try:
        return read_truth(folder, paths, load_space(space), size, root)
    except IspError:
        return None


@once
def of_split(run: Run, settings: Settings, split: Split, size: tuple[int, int]) -> Truth | None:
    """Ground truth of all images of a split at the maps' size; shared between sessions: do not change it."""
    folder = folder_of(run, settings)
    if folder is None:
        return None
    images = pictures.picture_root(run, settings)
    root = images.path if images else None
    return _split_targets(folder, run.path, runs_access.records_token(run), split, space_of(run), size, root)


def of_picture(run: Run, settings: Settings, split: Split, row: int, size: tuple[int, int]) -> Maps | None:
    """Codes of the ground truth (h, w) of one image, or None."""
    folder = folder_of(run, settings)
    if folder is None:
        return None
    path = str(runs_access.records(run, split)["path"].iloc[row])
    images = pictures.picture_root(run, settings)
    truth = _image_targets(folder, path, space_of(run), size, images.path if images else None)
    return truth.targets[0] if truth is not None and truth.found[0] else None
