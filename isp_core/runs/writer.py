"""Writes a run, an epoch at a time. An epoch counts once its row stands in metrics.parquet, its last write."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from isp_core.json_text import json_text
from isp_core.parquet_files import write_parquet
from isp_core.paths import PathError, place_of_run, require_no_run
from isp_core.runs import checksums, schema
from isp_core.runs.checksums import recorded
from isp_core.runs.embeddings import write_embeddings
from isp_core.runs.errors import RunError, WriteError
from isp_core.runs.files import open_lock, remove, require_inside
from isp_core.runs.frames import read_metrics
from isp_core.runs.maps import Maps, write_maps
from isp_core.runs.order import order_of
from isp_core.runs.protection import require_unprotected
from isp_core.runs.schema import MapKind, RunInfo, Split, epoch_name, evaluation_file

if TYPE_CHECKING:  # torch takes seconds to load, and readers of runs may never need it
    import torch

    from isp_core.matching import Calibration, Embeddings

    Tensors = Mapping[str, torch.Tensor]
STATES_KEPT = 2


class RunWriter:
    """The one writer of a run directory; readers may follow while it writes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(
        cls, path: Path, info: RunInfo, records: pd.DataFrame, held: contextlib.ExitStack | None = None
    ) -> RunWriter:
        """A new run at `path`, which must not hold one already.

        held: takes the run's lock, so that no other process writes into it until the stack is closed; without one, the
        lock is held while the run is created. What a creation that was killed left behind is no obstacle.
        """
        require_new(path)  # first without the lock, which would leave a file in the folder
        with contextlib.ExitStack() as own:
            (own if held is None else held).enter_context(sole_writer(path))
            require_new(path)  # as it is now that no other process creates a run here
            writer = cls(path)
            with recorded(path / schema.RECORDS_FILE, path) as file:
                write_parquet(records, file)
            writer.write_info(info.model_copy(update={"order": order_of(records)}))  # last: now it is a run
        return writer

    def add_columns(self, own: pd.DataFrame, records: pd.DataFrame) -> None:
        """Adds the columns of a data set's records that the run's `own` lack, by path; an image that the data set
        lacks gets empty cells. Only for the holder of the run's lock."""
        lacking = [name for name in records.columns if name not in own.columns]
        if not lacking:
            return
        given = records.drop_duplicates("path")[["path", *lacking]]
        whole = own.merge(given, on="path", how="left", validate="many_to_one")
        whole = whole.assign(**{n: whole[n].fillna("") for n in lacking if not pd.api.types.is_numeric_dtype(given[n])})
        with recorded(self.path / schema.RECORDS_FILE, self.path) as file:
            write_parquet(whole, file)

    def write_info(self, info: RunInfo) -> None:
        """Writes run.json."""
        with recorded(self.path / schema.RUN_FILE, self.path) as file:
            file.write_text(json_text(info.model_dump(mode="json", by_alias=True)), encoding="utf-8")

    def write_maps(
        self,
        kind: MapKind,
        epoch: int,
        batches: Iterable[tuple[Sequence[int] | npt.NDArray[np.int64], Maps]],
        count: int,
    ) -> None:
        """The maps of one kind and epoch, as they arrive: pairs of rows and maps (n, h, w)."""
        write_maps(self.path / schema.LABELS / kind / f"{epoch_name(epoch)}.h5", batches, count, self.path)

    def write_embeddings(self, split: Split, epoch: int, embeddings: Embeddings) -> None:
        """Embeddings of one split in the order of its records."""
        write_embeddings(
            self.path / schema.EMBEDDINGS / epoch_name(epoch) / f"{split}.safetensors", embeddings, self.path
        )

    def write_calibration(self, calibration: Calibration) -> None:
        """The visibility thresholds of one epoch."""
        file = self.path / schema.VISIBILITY / f"{epoch_name(calibration.epoch)}.json"
        with recorded(file, self.path) as target:
            target.write_text(json_text(calibration.document()), encoding="utf-8")

    def write_evaluation(self, name: str, document: dict[str, Any]) -> Path:
        """Stores an evaluation document as evaluation/NAME.json; returns the file. A run in training takes them too."""
        file = evaluation_file(self.path, name)
        with recorded(file, self.path) as target:
            target.write_text(json_text(document), encoding="utf-8")
        return file

    def write_checkpoint(self, epoch: int, weights: Tensors, state: Mapping[str, Any] | None) -> None:
        """Weights (safetensors) and, where given, all else that a bit-exact resume needs (loadable weights-only)."""
        import torch
        from safetensors.torch import save_file

        with recorded(self.path / schema.CHECKPOINTS / epoch_name(epoch), self.path) as folder:
            folder.mkdir()
            tensors = {name: tensor.contiguous().cpu() for name, tensor in weights.items()}
            save_file(tensors, folder / schema.WEIGHTS_FILE)
            if state is not None:
                try:
                    torch.save(dict(state), folder / schema.STATE_FILE)
                except RuntimeError as error:  # which seldom says why the file cannot be written
                    raise OSError("PyTorch could not write all of it: the disk may be full") from error

    def finish_epoch(self, epoch: int, row: Mapping[str, float | int]) -> None:
        """Adds the epoch's row to the metrics; from here on it is finished."""
        new = pd.DataFrame([dict(row)], index=pd.Index([epoch], name="epoch"))
        old = read_metrics(self.path)
        if len(old):
            new = pd.concat([old[old.index < epoch], new])
        with recorded(self.path / schema.METRICS_FILE, self.path) as file:
            write_parquet(new, file, index=True)

    def keep_states(self, epoch: int) -> None:
        """Drops the resume state of all but the last two epochs up to `epoch`."""
        folders = [folder for folder in self._checkpoints() if _number(folder) <= epoch - STATES_KEPT]
        self._remove([folder / schema.STATE_FILE for folder in folders])

    def keep_weights(self, epochs: Iterable[int]) -> None:
        """Drops the checkpoints of all other epochs."""
        kept = {epoch_name(epoch) for epoch in epochs}
        self._remove([folder for folder in self._checkpoints() if folder.name not in kept])

    def drop_state(self, epoch: int) -> None:
        """Drops the resume state of one epoch; its weights stay."""
        self._remove([self.path / schema.CHECKPOINTS / epoch_name(epoch) / schema.STATE_FILE])

    def drop_after(self, epoch: int) -> None:
        """Removes what an interrupted epoch left behind."""
        self.remove_temporaries()
        kinds = (schema.CHECKPOINTS, schema.EMBEDDINGS, schema.VISIBILITY)
        folders = [*(self.path / kind for kind in kinds), *self._map_folders()]
        entries = [entry for folder in folders if folder.is_dir() for entry in folder.iterdir()]
        self._remove([entry for entry in entries if _number(entry) > epoch])

    def discard(self) -> None:
        """Removes a run that has no finished epoch, with its folder. Only for the holder of the run's lock."""
        if read_metrics(self.path).empty:
            remove(self.path)

    def remove_temporaries(self) -> None:
        """Removes what a killed writer left half-written. Only for the holder of the run's lock."""
        with checksums.writing(self.path):  # evaluations are written without the run's lock, but with this one
            for entry in list(self.path.rglob(".*.tmp")):
                remove(entry)

    def _remove(self, entries: Sequence[Path]) -> None:
        there = [entry for entry in entries if os.path.lexists(entry)]
        for entry in there:
            require_inside(self.path, entry)
        for entry in there:
            with contextlib.suppress(OSError):  # looked for below: folders are removed as far as that goes
                remove(entry)
        left = [entry for entry in there if os.path.lexists(entry)]
        checksums.forget(self.path, [entry for entry in there if entry not in left])
        if left:
            raise WriteError(left[0], "it cannot be removed: check its owner and permissions")

    def _checkpoints(self) -> list[Path]:
        folder = self.path / schema.CHECKPOINTS
        return sorted(entry for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []

    def _map_folders(self) -> list[Path]:
        folder = self.path / schema.LABELS
        return [entry for entry in folder.iterdir() if entry.is_dir()] if folder.is_dir() else []


@contextlib.contextmanager
def sole_writer(path: Path) -> Iterator[None]:
    """Keeps other processes from writing into the run at `path`; RunError where one is.

    Whatever writes epochs holds it: training, extraction, pruning, import. The lock is the process's and ends with it,
    however it ends. The folder is made where there is none.
    """
    require_unprotected(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        handle = open_lock(path / schema.LOCK_FILE)
    except OSError as error:
        raise WriteError(path, error.strerror or str(error)) from error
    with handle:
        if not os.access(path, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            raise WriteError(path, os.strerror(errno.EACCES))  # the lock is there from before
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"{path} is being trained by another process, or another command writes into it: wait for it, or stop "
                "it first"
            ) from None
        except OSError:  # some network file systems know no locks; then nothing is kept
            pass
        yield


def require_new(path: Path) -> None:
    """RunError where no run can be created at `path`: something is there, or the place does not allow it."""
    try:
        require_no_run(place_of_run(path))
    except PathError as error:
        raise RunError(str(error)) from None
    held = [entry for entry in path.iterdir() if not _left_by_creation(entry)] if path.exists() else []
    if held:
        raise RunError(f"{path} is not empty and not a run (it holds {held[0].name}): choose another --out")


def _left_by_creation(entry: Path) -> bool:
    own = (schema.RECORDS_FILE, schema.LOCK_FILE, checksums.SUMS_FILE, checksums.SUMS_LOCK)
    return entry.name in own or entry.match(".*.tmp")


def _number(entry: Path) -> int:
    """The epoch that an entry belongs to, -1 where it belongs to none."""
    number = schema.epoch_of(entry.name)
    return -1 if number is None else number


def require_room(path: Path, needed: int, what: str, way_out: str) -> None:
    """RunError where the disk at `path` has less than `needed` bytes free.

    what: takes them, such as "this run". way_out: what to do then.
    """
    existing = next(folder for folder in [path, *path.resolve().parents] if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise RunError(
            f"{path}: {what} will take about {needed / 1e6:,.0f} MB and the disk has {free / 1e6:,.0f} MB free; "
            f"{way_out}"
        )
