"""Embeddings of one split and epoch: a safetensors file, half precision, rows in the order of the split's records."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from safetensors import safe_open
from safetensors.numpy import save_file

from isp_core.runs.checksums import recorded
from isp_core.runs.errors import RunError
from isp_core.runs.untrusted import read_checked

if TYPE_CHECKING:  # matching loads torch; whoever only lists runs need not wait for it
    from isp_core.matching import Embeddings

NAMES = {"global": "global_", "foreground": "foreground", "parts": "parts", "part_share": "part_share"}
_PER_PART = ("visibility", "part_share", "part_peak")
_TYPES = ("F16", "F32", "F64", "U8", "BOOL")


def write_embeddings(target: Path, embeddings: Embeddings, root: Path | None = None) -> None:
    """Tensors `global` (n, c), `foreground` (n, c), `parts` (n, K-1, c), `part_share` and, where it is known,
    `part_peak` (n, K-1) as float16, and `visibility` (n, K-1) as uint8. root: the run that notes the file's sum."""
    tensors = {name: np.ascontiguousarray(getattr(embeddings, field), np.float16) for name, field in NAMES.items()}
    if embeddings.part_peak is not None:
        tensors["part_peak"] = np.ascontiguousarray(embeddings.part_peak, np.float16)
    tensors["visibility"] = np.ascontiguousarray(embeddings.visibility, np.uint8)
    with recorded(target, root) as path:
        save_file(tensors, path)


def read_embeddings(path: Path, rows: int, parts: int | None = None) -> Embeddings:
    """The embeddings that `write_embeddings` wrote.

    parts: K - 1 of the run, where it is known; embeddings without any part are fine too (a baseline, or imported ones).
    RunError where they do not have `rows` rows or `parts` parts, or hold what is no finite number.
    """
    from isp_core.matching import Embeddings

    tensors = read_checked(path, partial(_tensors, rows=rows))
    n_parts = tensors["parts"].shape[1]
    if parts is not None and n_parts not in (0, parts):
        raise RunError(f"{path} has {n_parts} parts where the run has {parts}: it is another run's")
    wrong = [name for name in _PER_PART if name in tensors and tensors[name].shape != (rows, n_parts)]
    if wrong:
        raise RunError(f"{path}: {wrong[0]} has shape {tensors[wrong[0]].shape}; it must be {(rows, n_parts)}")
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            row = int(np.flatnonzero(~np.isfinite(tensor).reshape(rows, -1).all(axis=1))[0])
            raise RunError(f"{path}: {name} of row {row} is not finite. Make them again with `isp extract`")
    fields = {field: tensors[name] for name, field in NAMES.items()}
    return Embeddings(**fields, visibility=tensors["visibility"].astype(bool), part_peak=tensors.get("part_peak"))


def _tensors(path: Path, rows: int) -> dict[str, npt.NDArray[Any]]:
    """The tensors by name; their shapes and types are checked in the header, before any is loaded."""
    with safe_open(path, framework="np") as handle:
        names = list(handle.keys())
        missing = [name for name in (*NAMES, "visibility") if name not in names]
        if missing:
            raise RunError(f"{path} lacks the tensors {', '.join(missing)}")
        known = [name for name in (*NAMES, "visibility", "part_peak") if name in names]
        for name in known:
            part = handle.get_slice(name)
            shape, dtype = tuple(part.get_shape()), part.get_dtype()
            if shape[:1] != (rows,):
                held = shape[0] if shape else 0
                raise RunError(f"{path} has {held} rows where the run's records have {rows}")
            if len(shape) != (3 if name == "parts" else 2) or dtype not in _TYPES:
                raise RunError(f"{path}: {name} is {dtype} of shape {shape}, which are no embeddings")
        return {name: handle.get_tensor(name) for name in known}
