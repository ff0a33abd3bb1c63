"""Named arrays from files of other tools: .npy, .npz, .parquet, .pt, or a folder of .npy. No pickle is ever loaded.

Not here: what the arrays mean (isp_core.runs.imports).
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from isp_core.runs.schema import RunError

Arrays = dict[str, npt.NDArray[Any]]


def read_arrays(file: Path) -> Arrays:
    """All arrays of a file by name; a lone array is called "array". RunError for anything else than arrays.

    A folder of .npy files, one picture's feature each and named like the picture (fast-reid's demo writes them), is
    `path` and `embeddings`.
    """
    if file.is_dir():
        return _folder(file)
    readers = {".npy": _npy, ".npz": _npz, ".parquet": _parquet, ".pt": _pt, ".pth": _pt}
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise RunError(f"{file}: only {', '.join(readers)}, or a folder of .npy files, can be imported")
    if not file.is_file():
        raise RunError(f"{file}: no such file")
    try:
        arrays = reader(file)
    except RunError:
        raise
    except pickle.UnpicklingError:
        raise RunError(
            f"{file} holds more than tensors, and loading it could run foreign code: save a tensor or a dict of tensors"
        ) from None
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise RunError(f"{file} cannot be read ({str(error).splitlines()[0]})") from error
        raise RunError(
            f"{file} holds Python objects, and loading them could run foreign code: save numbers as arrays of numbers, "
            "and names as np.array(names, dtype=str)"
        ) from None
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        raise RunError(f"{file} cannot be read ({str(error).splitlines()[0]})") from error
    if not arrays:
        raise RunError(f"{file} holds no arrays")
    return arrays


def first(arrays: Arrays, names: Sequence[str]) -> npt.NDArray[Any] | None:
    """The array that stands under the first of several names a tool may use, or None."""
    return next((arrays[name] for name in names if name in arrays), None)


def held(arrays: Arrays) -> str:
    """Names and shapes, for messages."""
    return ", ".join(f"{name} {array.shape}" for name, array in list(arrays.items())[:8]) or "nothing"


def _folder(folder: Path) -> Arrays:
    files = sorted(folder.rglob("*.npy"))
    if not files:
        raise RunError(f"{folder} holds no .npy files: a folder to import has one for each picture")
    features = [read_arrays(file)["array"].reshape(-1) for file in files]
    lengths = sorted({len(feature) for feature in features})
    if len(lengths) > 1:
        raise RunError(f"{folder}: its features have {lengths[0]} to {lengths[-1]} numbers: they are of two networks")
    names = [file.relative_to(folder).as_posix() for file in files]
    return {"path": np.array(names), "embeddings": np.stack(features)}


def _npy(file: Path) -> Arrays:
    return {"array": np.load(file, allow_pickle=False)}


def _npz(file: Path) -> Arrays:
    with np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _pt(file: Path) -> Arrays:
    content = torch.load(file, map_location="cpu", weights_only=True)
    if isinstance(content, torch.Tensor):
        return {"array": _numpy(content)}
    if not isinstance(content, dict):
        raise RunError(f"{file} holds a {type(content).__name__}; a tensor or a dict of tensors is needed")
    arrays = {}
    for name, value in content.items():
        if isinstance(value, torch.Tensor):
            arrays[str(name)] = _numpy(value)
        elif isinstance(value, list | tuple) and value and all(isinstance(item, int | float | str) for item in value):
            arrays[str(name)] = np.asarray(value)
    return arrays


def _numpy(tensor: torch.Tensor) -> npt.NDArray[Any]:
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).detach().numpy()


def _parquet(file: Path) -> Arrays:
    """A `path` column where there is one; `embedding` lists, or else all numeric columns side by side."""
    frame = pd.read_parquet(file)
    arrays: Arrays = {"path": frame["path"].astype(str).to_numpy()} if "path" in frame else {}
    lists = next((name for name in ("embeddings", "embedding", "features", "feature") if name in frame), None)
    if lists is not None:
        lengths = frame[lists].map(len)
        if lengths.nunique() > 1:
            raise RunError(f"{file}: lists in {lists!r} have {lengths.min()} to {lengths.max()} numbers")
        return arrays | {"embeddings": np.stack(frame[lists].to_list()) if len(frame) else np.zeros((0, 0))}
    numeric = frame.select_dtypes("number").drop(columns=["identity", "camera", "pid", "camid"], errors="ignore")
    if numeric.shape[1] == 0:
        raise RunError(f"{file} has neither a column 'embedding' of lists nor columns of numbers")
    return arrays | {"embeddings": numeric.to_numpy()}
