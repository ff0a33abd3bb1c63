"""Writes a run, an epoch at a time. An epoch counts once its row stands in metrics.parquet, its last write."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from isp_core.runs import schema
from isp_core.runs.embeddings import write_embeddings
from isp_core.runs.files import atomic, read_table, remove, write_json, write_table
from isp_core.runs.maps import Maps, write_maps
from isp_core.runs.schema import MapKind, RunError, RunInfo, Split, epoch_name

if TYPE_CHECKING:  # torch takes seconds to load, and readers of runs may never need it
    import torch

    from isp_core.matching import Embeddings

    Tensors = Mapping[str, torch.Tensor]
STATES_KEPT = 2


class RunWriter:
    """The one writer of a run directory; readers may follow while it writes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path, info: RunInfo, records: pd.DataFrame) -> RunWriter:
        """A new run at `path`, which must not hold one already.

        What a creation that was killed left behind is no obstacle.
        """
        if (path / schema.RUN_FILE).exists():
            raise RunError(f"{path} holds a run already: resume it with --resume, or choose another --out")
        if path.exists() and not path.is_dir():
            raise RunError(f"{path} is a file: choose another --out")
        held = [entry for entry in path.iterdir() if not _left_by_creation(entry)] if path.exists() else []
        if held:
            raise RunError(f"{path} is not empty and not a run (it holds {held[0].name}): choose another --out")
        writer = cls(path)
        write_table(path / schema.RECORDS_FILE, records)
        writer.write_info(info)  # last: with run.json the folder becomes a run
        return writer

    def write_info(self, info: RunInfo) -> None:
        """Writes run.json."""
        write_json(self.path / schema.RUN_FILE, info.model_dump(mode="json", by_alias=True))

    def write_maps(
        self,
        kind: MapKind,
        epoch: int,
        batches: Iterable[tuple[Sequence[int] | npt.NDArray[np.int64], Maps]],
        count: int,
    ) -> None:
        """Streams the maps of one kind and epoch: pairs of rows and maps (n, h, w)."""
        write_maps(self.path / schema.LABELS / kind / f"{epoch_name(epoch)}.h5", batches, count)

    def write_embeddings(self, split: Split, epoch: int, embeddings: Embeddings) -> None:
        """Embeddings of one split in the order of its records."""
        write_embeddings(self.path / schema.EMBEDDINGS / epoch_name(epoch) / f"{split}.safetensors", embeddings)

    def write_checkpoint(self, epoch: int, weights: Tensors, state: Mapping[str, Any] | None) -> None:
        """Weights (safetensors) and, where given, all else that a bit-exact resume needs (loadable weights-only)."""
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        with atomic(self.path / schema.CHECKPOINTS / epoch_name(epoch)) as folder:
            folder.mkdir()
            tensors = {name: tensor.contiguous().cpu() for name, tensor in weights.items()}
            try:
                save_file(tensors, folder / schema.WEIGHTS_FILE)
                if state is not None:
                    torch.save(dict(state), folder / schema.STATE_FILE)
            except (SafetensorError, RuntimeError) as error:  # how these two report a full disk
                raise OSError(str(error).splitlines()[0]) from error

    def finish_epoch(self, epoch: int, row: Mapping[str, float | int]) -> None:
        """Adds the epoch's row to the metrics; from here on it is finished."""
        file = self.path / schema.METRICS_FILE
        new = pd.DataFrame([dict(row)], index=pd.Index([epoch], name="epoch"))
        if file.exists():
            old = read_table(file)
            new = pd.concat([old[old.index < epoch], new])
        write_table(file, new)

    def keep_states(self, epoch: int) -> None:
        """Drops the resume state of all but the last two epochs up to `epoch`."""
        for folder in self._checkpoints():
            number = schema.epoch_of(folder.name)
            if number is not None and number <= epoch - STATES_KEPT:
                (folder / schema.STATE_FILE).unlink(missing_ok=True)

    def keep_weights(self, epochs: Iterable[int]) -> None:
        """Drops the checkpoints of all other epochs."""
        kept = {epoch_name(epoch) for epoch in epochs}
        for folder in self._checkpoints():
            if folder.name not in kept:
                remove(folder)

    def drop_after(self, epoch: int) -> None:
        """Removes what an interrupted epoch left behind."""
        remove_temporaries(self.path)
        for folder in [self.path / schema.CHECKPOINTS, self.path / schema.EMBEDDINGS, *self._map_folders()]:
            for entry in folder.iterdir() if folder.is_dir() else []:
                number = schema.epoch_of(entry.name)
                if number is not None and number > epoch:
                    remove(entry)

    def _checkpoints(self) -> list[Path]:
        folder = self.path / schema.CHECKPOINTS
        return sorted(entry for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []

    def _map_folders(self) -> list[Path]:
        folder = self.path / schema.LABELS
        return [entry for entry in folder.iterdir() if entry.is_dir()] if folder.is_dir() else []


@contextlib.contextmanager
def sole_writer(path: Path) -> Iterator[None]:
    """Keeps others from training into the run at `path` meanwhile; RunError where somebody does already.

    The lock is the process's, so that it ends with it, however it ends.
    """
    try:
        handle = (path / schema.LOCK_FILE).open("w")
    except OSError as error:
        raise RunError(f"{path} cannot be written to ({error.strerror or error})") from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"{path} is being trained by another process: wait for it, or stop it first") from None
        except OSError:  # some network file systems know no locks; then nothing is kept
            pass
        yield


def _left_by_creation(entry: Path) -> bool:
    return entry.name in (schema.RECORDS_FILE, schema.LOCK_FILE) or entry.match(".*.tmp")


def remove_temporaries(path: Path) -> None:
    """Removes what a killed writer left half-written below `path`."""
    for entry in list(path.rglob(".*.tmp")):
        remove(entry)


def require_room(path: Path, needed: int) -> None:
    """RunError where the disk at `path` has less than `needed` bytes free."""
    existing = next(folder for folder in [path, *path.resolve().parents] if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise RunError(
            f"{path}: this run will take about {needed / 1e9:.1f} GB and the disk has {free / 1e9:.1f} GB free. "
            "Keep fewer checkpoints (--set run.keep=last), or choose another disk with --out"
        )
