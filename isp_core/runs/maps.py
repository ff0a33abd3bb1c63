"""Maps of one kind and epoch: an HDF5 file with one dataset `maps` (images, h, w), 8 bits a pixel, gzipped.

Sixteen images share a chunk: small enough to read one image of many epochs quickly, large enough to compress.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from isp_core.runs.checksums import recorded
from isp_core.runs.errors import RunError
from isp_core.runs.untrusted import MAX_ROWS, read_checked

Maps = npt.NDArray[np.uint8]
CHUNK = 16
MAX_CHUNK = 64 * 2**20  # bytes that reading one map may unpack
MAX_SIDE = 4_096
MAX_READ = 2 * 2**30  # bytes of maps that one call reads: five times MSMT17 at 384 x 128

_FILTERS = (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)


def write_maps(
    target: Path,
    batches: Iterable[tuple[Sequence[int] | npt.NDArray[np.int64], Maps]],
    count: int,
    root: Path | None = None,
) -> None:
    """Writes `count` maps that arrive as (rows, maps (n, h, w)) in any order; every row must arrive once.

    The file grows in memory, where it takes about a tenth of what the maps do, and is written once it is whole: HDF5
    ends the process where the disk fills up under it. root: the run that notes the file's sum.
    """
    with recorded(target, root) as path, io.BytesIO() as buffer:
        with h5py.File(buffer, "w", libver="latest") as file:
            dataset, arrived = None, np.zeros(count, bool)
            for rows, maps in batches:
                if dataset is None:
                    shape = (count, *maps.shape[1:])
                    chunks = (min(CHUNK, max(count, 1)), *maps.shape[1:])
                    dataset = file.create_dataset(
                        "maps", shape, np.uint8, chunks=chunks, compression="gzip", compression_opts=4
                    )
                order = np.argsort(rows)  # HDF5 takes rows in rising order
                dataset[np.asarray(rows)[order]] = maps[order]
                arrived[rows] = True
        if not arrived.all():
            missing = int((~arrived).sum())
            raise RunError(f"{target}: {missing} of {count} maps never arrived; nothing was written")
        path.write_bytes(buffer.getvalue())


def read_maps(path: Path, rows: Sequence[int] | npt.NDArray[np.int64] | None = None, count: int | None = None) -> Maps:
    """Maps (n, h, w) uint8 of the given rows (in that order, repeats allowed), or all of them.

    RunError where the file is not one of maps, or holds others than `count` of them.
    """

    def read(file: Path) -> Maps:
        with open_maps(file, count) as low:
            dataset = h5py.Dataset(low)
            if rows is None:
                _require_memory(file, dataset.shape)
                return np.asarray(dataset[...])
            wanted = np.asarray(rows, np.int64)
            if wanted.size and (wanted.min() < 0 or wanted.max() >= len(dataset)):
                raise RunError(f"{file} holds {len(dataset)} maps; asked for row {int(wanted.max())}")
            _require_memory(file, (len(wanted), *dataset.shape[1:]))
            found = np.empty((len(wanted), *dataset.shape[1:]), np.uint8)
            step = dataset.chunks[0] if dataset.chunks else CHUNK
            chunk = wanted // step
            for each in np.unique(chunk):  # whole chunks: HDF5 looks up single rows one by one, three times as slowly
                here = chunk == each
                found[here] = dataset[each * step : (each + 1) * step][wanted[here] - each * step]
            return found

    return read_checked(path, read)


def read_history(paths: Sequence[Path], row: int, count: int | None = None) -> Maps:
    """One image's map in each of the files: (len(paths), h, w). RunError where they are not of one shape."""
    maps = [_read_row(path, row, count) for path in paths]
    for path, each in zip(paths, maps, strict=True):
        if each.shape != maps[0].shape:
            raise RunError(f"{path} holds maps of {each.shape}, {paths[0]} of {maps[0].shape}: not of one run")
    return np.stack(maps)


def _read_row(path: Path, row: int, count: int | None) -> Maps:
    """One map. A history opens a file per epoch, so this goes through HDF5's low level: a third of the time."""

    def read(file: Path) -> Maps:
        with open_maps(file, count) as dataset:
            held, height, width = dataset.shape
            if not 0 <= row < held:
                raise RunError(f"{file} holds {held} maps; asked for row {row}")
            wanted: Maps = np.empty((1, height, width), np.uint8)
            place = dataset.get_space()
            place.select_hyperslab((row, 0, 0), (1, height, width))
            dataset.read(h5py.h5s.create_simple(wanted.shape), place, wanted)
            return wanted.reshape(height, width)

    return read_checked(path, read)


@contextlib.contextmanager
def open_maps(path: Path, count: int | None = None) -> Iterator[h5py.h5d.DatasetID]:
    """The dataset `maps` (n, h, w) uint8 of an HDF5 file, at HDF5's low level; of `count` images, where it is given.

    HDF5 can point elsewhere: links to other files, raw data in other files, datasets put together from others. None of
    these is followed, and only HDF5's own filters are run.
    """
    with h5py.File(path, "r", locking=False) as handle:
        link = handle.get("maps", getlink=True)
        if link is None:
            raise RunError(f"{path} is broken: it holds no maps")
        if not isinstance(link, h5py.HardLink):
            raise RunError(f"{path}: 'maps' is a link; maps that lie elsewhere are not read")
        dataset = h5py.h5d.open(handle.id, b"maps")
        made = dataset.get_create_plist()
        layout = made.get_layout()
        if made.get_external_count() or layout not in (h5py.h5d.CHUNKED, h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT):
            raise RunError(f"{path}: its maps lie in other files, which are not read")
        if any(made.get_filter(i)[0] not in _FILTERS for i in range(made.get_nfilters())):
            raise RunError(f"{path}: its maps are packed by a filter that is not read; gzip is")
        shape = tuple(dataset.shape)
        if dataset.dtype != "uint8" or len(shape) != 3:
            raise RunError(f"{path} holds {dataset.dtype} values of shape {shape}; maps are uint8 (images, h, w)")
        if not all(1 <= side <= MAX_SIDE for side in shape[1:]) or shape[0] > MAX_ROWS:
            raise RunError(f"{path} declares maps of shape {shape}: more than is read")
        if layout == h5py.h5d.CHUNKED and _product(made.get_chunk()) > MAX_CHUNK:
            raise RunError(f"{path} declares chunks of {_product(made.get_chunk()):,} bytes: more than is read")
        if count is not None and shape[0] != count:
            raise RunError(f"{path} holds {shape[0]} maps where the records have {count} images: not of one run")
        yield dataset


def _require_memory(path: Path, shape: Sequence[int]) -> None:
    if _product(shape) > MAX_READ:
        raise RunError(
            f"{path} declares maps of shape {tuple(shape)}: more than is read at once; read them some rows at a time"
        )


def _product(shape: Sequence[int]) -> int:
    return math.prod(int(side) for side in shape)  # Python's integers do not wrap round
