"""The one reader of files that hold tensors: .safetensors, and .pt / .pth without running the code a pickle may hold.

Out of scope: what the tensors mean (models/weights.py, runs/arrays.py).
"""

from __future__ import annotations

import codecs
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isp_core.errors import IspError
from isp_core.text_files import shown

MAX_BYTES = 8 * 2**30

# NumPy's numbers, such as the best R-1 next to the weights: to build one runs nothing
_NUMPY: list[Any] = [np.dtype, codecs.encode]
_NUMPY += [type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")]


class TensorFileError(IspError):
    """A file of tensors that is missing, damaged, too large, or holds more than tensors."""


def read_tensor_file(file: Path, device: torch.device | str = "cpu") -> Any:
    """The content of a file of tensors: a tensor, or tensors, numbers and text in dicts and lists.

    NumPy scalars are read too, which tools save next to weights. Nothing else than these is built.

    Args:
        file: the file.
        device: of the tensors.

    Raises:
        TensorFileError: naming the file and what to do.
    """
    if not file.exists():
        raise TensorFileError(f"{shown(file)} does not exist")
    if not file.is_file():
        raise TensorFileError(f"{shown(file)} is not a file")
    try:
        if file.suffix.lower() == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(file, device=str(device)))
        _check_size(file)
        scalar = np.float64(0).__reduce__()[0]
        names: list[Any] = [(scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
        with torch.serialization.safe_globals([*_NUMPY, *names]):
            return torch.load(file, map_location=device, weights_only=True)
    except TensorFileError:
        raise
    except Exception as error:  # each format raises its own kinds on damaged files
        foreign = re.search(r"GLOBAL ([\w.]+)", str(error))
        if isinstance(error, pickle.UnpicklingError) and foreign:
            raise TensorFileError(_more_than_tensors(file, foreign[1])) from None
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TensorFileError(f"{shown(file)} holds no tensors that can be read safely: {first}") from error


def _check_size(file: Path) -> None:
    """A zip archive of tensors may declare more than it holds."""
    if not zipfile.is_zipfile(file):
        return
    with zipfile.ZipFile(file) as archive:
        declared = sum(entry.file_size for entry in archive.infolist())
    if declared > MAX_BYTES or declared > 4 * file.stat().st_size + 2**20:
        raise TensorFileError(f"{shown(file)} unpacks to {declared / 2**20:,.0f} MiB; it was not saved by torch.save")


def _more_than_tensors(file: Path, foreign: str) -> str:
    name = shown(file)
    return (
        f"{name} holds more than tensors ({foreign}), and loading it could run foreign code. Where you trust its "
        f"origin, save its tensors alone: python -c \"import torch; c = torch.load('{name}', weights_only=False); "
        "c = c.get('state_dict', c.get('model', c)); torch.save({k: v for k, v in c.items() if torch.is_tensor(v)}, "
        "'tensors.pt')\""
    )
