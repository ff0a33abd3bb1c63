"""Embeddings of one split and epoch: a safetensors file, half precision, rows in the order of the split's records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load_file, save_file

from isp_core.runs.files import atomic, read_checked
from isp_core.runs.schema import RunError

if TYPE_CHECKING:  # matching loads torch; whoever only lists runs need not wait for it
    from isp_core.matching import Embeddings

NAMES = {"global": "global_", "foreground": "foreground", "parts": "parts", "part_share": "part_share"}


def write_embeddings(target: Path, embeddings: Embeddings) -> None:
    """Tensors `global` (n, c), `foreground` (n, c), `parts` (n, K-1, c), `part_share` and, where it is known,
    `part_peak` (n, K-1) as float16, and `visibility` (n, K-1) as uint8."""
    tensors = {name: np.ascontiguousarray(getattr(embeddings, field), np.float16) for name, field in NAMES.items()}
    if embeddings.part_peak is not None:
        tensors["part_peak"] = np.ascontiguousarray(embeddings.part_peak, np.float16)
    tensors["visibility"] = np.ascontiguousarray(embeddings.visibility, np.uint8)
    with atomic(target) as path:
        save_file(tensors, path)


def read_embeddings(path: Path, rows: int) -> Embeddings:
    """The embeddings that `write_embeddings` wrote; RunError where they do not have `rows` rows."""
    from isp_core.matching import Embeddings

    tensors = read_checked(path, load_file)
    missing = [name for name in (*NAMES, "visibility") if name not in tensors]
    if missing:
        raise RunError(f"{path} lacks the tensors {', '.join(missing)}")
    wrong = {name: tensor.shape[0] for name, tensor in tensors.items() if tensor.shape[:1] != (rows,)}
    if wrong:
        raise RunError(f"{path} has {next(iter(wrong.values()))} rows where the run's records have {rows}")
    fields = {field: tensors[name] for name, field in NAMES.items()}
    return Embeddings(**fields, visibility=tensors["visibility"].astype(bool), part_peak=tensors.get("part_peak"))
