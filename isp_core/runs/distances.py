"""The distance matrix of a run that was imported as one: a safetensors file with `distances` (queries, gallery)."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import safe_open
from safetensors.numpy import save_file

from isp_core.runs.checksums import recorded, require_unchanged
from isp_core.runs.errors import RunError
from isp_core.runs.reader import Run
from isp_core.runs.untrusted import read_checked

DISTANCES_FILE = "distances/query_gallery.safetensors"


def write_distances(run: Path, matrix: npt.NDArray[np.float32]) -> None:
    """Stores (queries, gallery) in the run."""
    with recorded(run / DISTANCES_FILE, run) as path:
        save_file({"distances": matrix}, path)


def stored_distances(run: Run) -> npt.NDArray[np.float32] | None:
    """The distance matrix (queries, gallery) of a run imported as one, or None."""
    file = run.path / DISTANCES_FILE
    if not os.path.lexists(file):
        return None
    found = read_checked(file, partial(_matrix, shape=(run.count("query"), run.count("gallery"))), run.path)
    require_unchanged(run.path, file)
    return found


def _matrix(file: Path, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    with safe_open(file, framework="np") as handle:
        held = handle.get_slice("distances") if "distances" in list(handle.keys()) else None
        if held is None or tuple(held.get_shape()) != shape or held.get_dtype() != "F32":
            raise RunError(f"{file} does not hold a matrix {shape}, one row per query and one column per gallery image")
        matrix: npt.NDArray[np.float32] = handle.get_tensor("distances")
    if not np.isfinite(matrix).all():
        raise RunError(f"{file} holds distances that are not finite")
    return matrix
