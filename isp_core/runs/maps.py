"""Maps of one kind and epoch: an HDF5 file with one dataset `maps` (pictures, h, w), 8 bits a pixel, gzipped.

Sixteen pictures share a chunk: small enough to read one picture of many epochs quickly, large enough to compress.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from isp_core.runs.files import atomic, read_checked
from isp_core.runs.schema import RunError

Maps = npt.NDArray[np.uint8]
CHUNK = 16


def write_maps(target: Path, batches: Iterable[tuple[Sequence[int] | npt.NDArray[np.int64], Maps]], count: int) -> None:
    """Writes `count` maps that arrive as (rows, maps (n, h, w)) in any order; every row must arrive once.

    Streams: only chunks in progress are in memory.
    """
    with atomic(target) as path, h5py.File(path, "w", libver="latest") as file:
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


def read_maps(path: Path, rows: Sequence[int] | npt.NDArray[np.int64] | None = None) -> Maps:
    """Maps (n, h, w) uint8 of the given rows (in that order, repeats allowed), or all of them."""

    def read(file: Path) -> Maps:
        with h5py.File(file, "r", locking=False) as handle:
            dataset = handle["maps"]
            if rows is None:
                return np.asarray(dataset[...])
            wanted = np.asarray(rows, np.int64)
            if wanted.size and (wanted.min() < 0 or wanted.max() >= len(dataset)):
                raise RunError(f"{file} holds {len(dataset)} maps; asked for row {int(wanted.max())}")
            found = np.empty((len(wanted), *dataset.shape[1:]), np.uint8)
            step = dataset.chunks[0] if dataset.chunks else CHUNK
            chunk = wanted // step
            for each in np.unique(chunk):  # whole chunks: HDF5 looks up single rows one by one, three times as slowly
                here = chunk == each
                found[here] = dataset[each * step : (each + 1) * step][wanted[here] - each * step]
            return found

    return read_checked(path, read)


def read_history(paths: Sequence[Path], row: int) -> Maps:
    """One picture's map in each of the files: (len(paths), h, w)."""
    return np.stack([_read_row(path, row) for path in paths])


def _read_row(path: Path, row: int) -> Maps:
    """One map. A history opens a file per epoch, so this goes through HDF5's low level: a third of the time."""

    def read(file: Path) -> Maps:
        with h5py.File(file, "r", locking=False) as handle:
            dataset = h5py.h5d.open(handle.id, b"maps")
            count, height, width = dataset.shape
            if not 0 <= row < count:
                raise RunError(f"{file} holds {count} maps; asked for row {row}")
            wanted: Maps = np.empty((1, height, width), np.uint8)
            place = dataset.get_space()
            place.select_hyperslab((row, 0, 0), (1, height, width))
            dataset.read(h5py.h5s.create_simple(wanted.shape), place, wanted)
            return wanted.reshape(height, width)

    return read_checked(path, read)


def shape_of(path: Path) -> tuple[int, int, int]:
    """(pictures, h, w) of a stored file."""

    def read(file: Path) -> tuple[int, int, int]:
        with h5py.File(file, "r", locking=False) as handle:
            pictures, height, width = handle["maps"].shape
            return int(pictures), int(height), int(width)

    return read_checked(path, read)
