"""Named arrays from files of other tools: .npy, .npz, .mat, .parquet, .pt, or a folder of .npy. No pickle is loaded.

Out of scope: what the arrays mean (isp_core.runs.imports).
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import torch

from isp_core.errors import IspError
from isp_core.images import IMAGE_SUFFIXES, is_hidden
from isp_core.parquet_files import Limits, ParquetError, read_parquet
from isp_core.runs.schema import RunError
from isp_core.tensor_files import TensorFileError, read_tensor_file

Arrays = dict[str, npt.NDArray[Any]]

MAX_BYTES = 8 * 2**30
"""More than the distances of any published test set take."""
_LISTS = ("embeddings", "embedding", "features", "feature")
_LIMITS = Limits(columns=16_384, cells=MAX_BYTES // 8, bytes=MAX_BYTES)
_MAT_ITEM = 8  # bytes of a number at most
_MAT_KINDS = (
    "double",
    "single",
    "logical",
    "char",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
)
_BPBREID = "{}_features_*.pt"
_FREE_BYTES = 256 * 2**20  # up to here compression is not looked at
_MOST_COMPRESSION = 50


def read_arrays(file: Path) -> Arrays:
    """All arrays of a file by name; a lone array is called "array". RunError for anything else than arrays.

    A folder of bpbreid's saved features is `query`, `query_parts`, `gallery` and `gallery_parts`.
    A folder of .npy files, one image's feature each and named like the image (fast-reid's demo writes them), is
    `path` and `embeddings`.
    """
    if file.is_dir():
        return _folder(file)
    readers = {".npy": _npy, ".npz": _npz, ".mat": _mat, ".parquet": _parquet, ".pt": _pt, ".pth": _pt}
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise RunError(f"{file}: only {', '.join(readers)}, or a folder of .npy files, can be imported")
    if not file.is_file():
        raise RunError(f"{file}: no such file")
    try:
        arrays = reader(file)
    except IspError:
        raise
    except Exception as error:  # each format's reader raises its own kinds on damaged files: NumPy's even a tokenizer's
        if "allow_pickle" not in str(error):
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise RunError(f"{file} cannot be read ({reason})") from error
        raise RunError(
            f"{file} holds Python objects, and loading them could run foreign code: save numbers as arrays of numbers, "
            "and names as np.array(names, dtype=str)"
        ) from None
    if not arrays:
        raise RunError(f"{file} holds no arrays")
    return arrays


def first(arrays: Arrays, names: Sequence[str]) -> npt.NDArray[Any] | None:
    """The array that stands under the first of several names a tool may use, or None."""
    return next((arrays[name] for name in names if name in arrays), None)


def row_values(arrays: Arrays, names: Sequence[str], rows: int, file: Path | None) -> npt.NDArray[Any] | None:
    """One value a row (identities, cameras, paths) under the first of several names, (rows,); None without one.

    MATLAB's files know no vectors, so (1, rows) and (rows, 1) are fine. RunError where there are more or fewer values:
    a check that does not fit must not pass.
    """
    name = next((name for name in names if name in arrays), None)
    if name is None:
        return None
    array = arrays[name]
    if array.size != rows or max(array.shape, default=0) != rows:
        raise RunError(f"{file}: {name} has shape {array.shape} where there are {rows} rows of features or distances")
    array = array.reshape(-1)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    return np.char.strip(array) if array.dtype.kind == "U" else array


def held(arrays: Arrays) -> str:
    """Names and shapes, for messages."""
    return ", ".join(f"{name} {array.shape}" for name, array in list(arrays.items())[:8]) or "nothing"


def names_no_images(source: Path) -> bool:
    """Whether these are features that bpbreid saves (`test.save_features`): rows in its loader's order, no names."""
    return source.is_dir() and any(source.glob(_BPBREID.format("query")))


def _bpbreid(folder: Path) -> Arrays:
    """query_features_NAME.pt and gallery_features_NAME.pt, (n, 1 + P, C): the first is the whole person's (by default
    the foreground's), the others are the parts'."""
    arrays: Arrays = {}
    for half in ("query", "gallery"):
        files = sorted(folder.glob(_BPBREID.format(half)))
        if len(files) != 1:
            found = ", ".join(file.name for file in files) or "none"
            raise RunError(
                f"{folder}: one file {_BPBREID.format(half)} is needed (found {found}): one data set a folder"
            )
        features = _pt(files[0]).get("array")
        if features is None or features.ndim != 3 or features.shape[1] < 1:
            shape = "no tensor" if features is None else f"a tensor of shape {features.shape}"
            raise RunError(f"{files[0]} holds {shape}; bpbreid saves (images, features, channels)")
        arrays |= {half: features[:, 0], f"{half}_parts": features[:, 1:]}
    return arrays


def _folder(folder: Path) -> Arrays:
    if names_no_images(folder):
        return _bpbreid(folder)
    files = sorted(file for file in folder.rglob("*.npy") if not is_hidden(file))
    if not files:
        raise RunError(f"{folder} holds no .npy files: a folder to import has one for each image")
    features = [np.array(read_arrays(file)["array"]).reshape(-1) for file in files]
    lengths = sorted({len(feature) for feature in features})
    if len(lengths) > 1:
        raise RunError(f"{folder}: its features have {lengths[0]} to {lengths[-1]} numbers: they are of two networks")
    names = [_image_name(file.relative_to(folder)) for file in files]
    return {"path": np.array(names), "embeddings": np.stack(features)}


def _image_name(file: Path) -> str:
    """The name of the image whose feature is in `file`, with one ending. fast-reid's first demo kept those of PNGs.

    >>> _image_name(Path("query/a.1.npy")), _image_name(Path("b.png.npy"))
    ('query/a.1.npy', 'b.npy')
    """
    name = file.with_suffix("")
    return (name.with_suffix(file.suffix) if name.suffix.lower() in IMAGE_SUFFIXES else file).as_posix()


def _npy(file: Path) -> Arrays:
    with file.open("rb") as handle:
        _check_npy(handle, file.stat().st_size, str(file))
    return {"array": _with_axes(np.load(file, allow_pickle=False), "the array", file)}


def _npz(file: Path) -> Arrays:
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        _check_total(file, sum(entry.file_size for entry in entries), file.stat().st_size)
        for entry in entries:
            if entry.filename.endswith(".npy"):
                with archive.open(entry) as member:
                    _check_npy(member, entry.file_size, f"{file}, {entry.filename}")
    with np.load(file, allow_pickle=False) as loaded:
        return {name: loaded[name] for name in loaded.files}


def _mat(file: Path) -> Arrays:
    """MATLAB's arrays of numbers and of texts, as Person_reID_baseline_pytorch and others save them."""
    import scipy.io

    with file.open("rb") as handle:
        if handle.read(16).startswith(b"MATLAB 7.3"):
            raise RunError(f"{file} is MATLAB's format 7.3: save it with scipy.io.savemat, or in MATLAB with -v7")
    try:
        listed = [(name, shape) for name, shape, kind in scipy.io.whosmat(file) if kind in _MAT_KINDS]
        _check_total(file, sum(_MAT_ITEM * math.prod(shape) for _, shape in listed), file.stat().st_size)
        return {name: np.asarray(scipy.io.loadmat(file, variable_names=[name])[name]) for name, _ in listed}
    except RunError:
        raise
    except Exception as error:  # SciPy's reader raises many kinds on broken files
        raise RunError(f"{file} cannot be read ({str(error).splitlines()[0] or type(error).__name__})") from error


def _check_npy(handle: IO[bytes], held: int, where: str) -> None:
    """The array that a header declares must be there: NumPy would take the memory before it finds that out."""
    major, _ = np.lib.format.read_magic(handle)
    read_header = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(handle)
    declared = math.prod(shape) * dtype.itemsize
    if declared > held and not dtype.hasobject:
        raise RunError(
            f"{where} declares {shape} {dtype}, {declared / 2**20:,.0f} MiB, but holds {held / 2**20:,.1f} MiB"
        )


def _check_total(file: Path, declared: int, held: int) -> None:
    if declared > MAX_BYTES or declared > max(_FREE_BYTES, _MOST_COMPRESSION * held):
        raise RunError(
            f"{file} unpacks from {held / 2**20:,.1f} to {declared / 2**20:,.0f} MiB: features do not compress so far. "
            "Where they truly do, save them with numpy.savez, uncompressed"
        )


def _pt(file: Path) -> Arrays:
    try:
        content = read_tensor_file(file)
    except TensorFileError as error:
        raise RunError(str(error)) from None
    if isinstance(content, torch.Tensor):
        return {"array": _numpy(content, "the tensor", file)}
    if not isinstance(content, dict):
        raise RunError(f"{file} holds a {type(content).__name__}; a tensor or a dict of tensors is needed")
    arrays = {}
    for name, value in content.items():
        if isinstance(value, torch.Tensor):
            arrays[str(name)] = _numpy(value, str(name), file)
        elif isinstance(value, list | tuple) and value and all(isinstance(item, int | float | str) for item in value):
            arrays[str(name)] = np.asarray(value)
    return arrays


def _numpy(tensor: torch.Tensor, name: str, file: Path) -> npt.NDArray[Any]:
    """A tensor of any kind that has numbers in it, as an array that takes no more memory than MAX_BYTES."""
    if tensor.is_meta:
        raise RunError(f"{file}: {name} is a meta tensor, which has a shape but no numbers; save it from a real device")
    if tensor.is_nested:
        raise RunError(f"{file}: {name} is a nested tensor; save one tensor with a row for each image")
    if tensor.numel() * 4 > MAX_BYTES:
        raise RunError(f"{file}: {name} has shape {tuple(tensor.shape)}, more than {MAX_BYTES / 2**30:g} GiB")
    tensor = tensor.detach()
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.is_floating_point() and tensor.dtype not in (torch.float16, torch.float32, torch.float64):
        tensor = tensor.float()  # bfloat16 and the kinds of float8
    return _with_axes(tensor.resolve_conj().resolve_neg().numpy(), name, file)


def _with_axes(array: npt.NDArray[Any], name: str, file: Path) -> npt.NDArray[Any]:
    if array.ndim == 0:
        raise RunError(f"{file}: {name} is a single number; an array with a row for each image is needed")
    return array


def _parquet(file: Path) -> Arrays:
    """A `path` column where there is one; `embedding` lists, or else all numeric columns side by side."""
    try:
        frame = read_parquet(file, lists=_LISTS, skip=True, limits=_LIMITS)
    except ParquetError as error:
        raise RunError(str(error)) from None
    arrays: Arrays = {"path": frame["path"].astype(str).to_numpy()} if "path" in frame else {}
    lists = next((name for name in _LISTS if name in frame), None)
    if lists is not None:
        if frame[lists].isna().any():
            raise RunError(f"{file}: row {int(frame[lists].isna().argmax())} has nothing in {lists!r}")
        lengths = frame[lists].map(np.size)
        if lengths.nunique() > 1:
            raise RunError(f"{file}: lists in {lists!r} have {lengths.min()} to {lengths.max()} numbers")
        return arrays | {"embeddings": np.stack(frame[lists].to_list()) if len(frame) else np.zeros((0, 0))}
    numeric = frame.select_dtypes("number").drop(columns=["identity", "camera", "pid", "camid"], errors="ignore")
    if numeric.shape[1] == 0:
        raise RunError(f"{file} has neither a column 'embedding' of lists nor columns of numbers")
    return arrays | {"embeddings": numeric.to_numpy()}
