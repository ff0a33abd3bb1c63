"""Part truth of a run's pictures, for showing and for scoring its stored maps. Label maps lie beside the pictures.

Formulas are isp_core.metrics'; the label space is the one the run was measured with, else LIP's (SCHP's truth).
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from isp_app.reading import pictures, runs_access
from isp_app.settings import Settings
from isp_core.data.label_files import find_label_maps
from isp_core.errors import IspError
from isp_core.metrics.spaces import FOREGROUND_ONLY, PARTS, load_space
from isp_core.metrics.truth import Truth, read_truth
from isp_core.palette import Palette, class_palette
from isp_core.runs import Run
from isp_core.runs.maps import Maps
from isp_core.runs.schema import Split

CODES = {**dict(enumerate(PARTS, start=1)), FOREGROUND_ONLY: "other foreground"}
COMMAND = "python -m eval truth --help"


def palette() -> Palette:
    """Colours of truth maps: codes of isp_core.metrics.spaces."""
    return class_palette(CODES)


def space_of(run: Run) -> str:
    """The label space that the run was measured with; LIP where it says nothing."""
    if "constant" in run.evaluation_names():
        named = runs_access.evaluation(run, "constant").get("space")
        if isinstance(named, str):
            return named
    return "walkers" if run.info.data.name.lower() == "walkers" else "lip"


def folder_of(run: Run, settings: Settings) -> Path | None:
    """The folder with the label maps of the run's pictures, or None where there are none."""
    root = pictures.picture_root(run, settings)
    if root is None:
        return None
    try:
        find_label_maps(root, runs_access.records(run).iloc[:64])
    except (IspError, OSError):
        return None
    return root


@st.cache_resource(max_entries=6, show_spinner="Reading truth")
def _targets(folder: Path, paths: tuple[str, ...], space: str, size: tuple[int, int]) -> Truth | None:
    try:
        return read_truth(folder, list(paths), load_space(space), size)
    except IspError:
        return None


def of_split(run: Run, settings: Settings, split: Split, size: tuple[int, int]) -> Truth | None:
    """Truth of all pictures of a split at the maps' size; shared between sessions: do not change it."""
    folder = folder_of(run, settings)
    if folder is None:
        return None
    paths = tuple(str(path) for path in runs_access.records(run, split)["path"])
    return _targets(folder, paths, space_of(run), size)


def of_picture(run: Run, settings: Settings, split: Split, row: int, size: tuple[int, int]) -> Maps | None:
    """Truth codes (h, w) of one picture, or None."""
    folder = folder_of(run, settings)
    if folder is None:
        return None
    path = str(runs_access.records(run, split)["path"].iloc[row])
    truth = _targets(folder, (path,), space_of(run), size)
    return truth.targets[0] if truth is not None and truth.found[0] else None
