"""Reads runs: finished, still training, imported or broken. Writes nothing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from isp_core.errors import IspError
from isp_core.file_state import State, state_of
from isp_core.runs import schema
from isp_core.runs.checksums import require_unchanged
from isp_core.runs.embeddings import read_embeddings
from isp_core.runs.errors import RunError
from isp_core.runs.frames import SPLITS, read_metrics, read_records
from isp_core.runs.maps import Maps, read_history, read_maps
from isp_core.runs.order import order_of
from isp_core.runs.parquet import read_table
from isp_core.runs.schema import MapKind, RunInfo, Split, epoch_name, epoch_of, evaluation_file, read_info
from isp_core.runs.untrusted import check_run_path, is_regular, read_json, regular_file

if TYPE_CHECKING:
    from isp_core.matching import Calibration, Embeddings

IGNORED = 255
_FOLDERS = (
    schema.CHECKPOINTS,
    schema.EMBEDDINGS,
    schema.EVALUATION,
    schema.VISIBILITY,
    "distances",
    *(f"{schema.LABELS}/{kind}" for kind in schema.MAP_KINDS),
)
_SPLITS_OF: Mapping[str, tuple[Split, ...]] = {
    "train": ("train",),
    "activation": ("train",),
    "test": schema.TEST,
    "validation": (schema.VALIDATION,),
}


class Run:
    """One run directory. Cheap to make; every method reads from the disk and sees what is there now."""

    def __init__(self, path: Path, info: RunInfo) -> None:
        self.path = path
        self.info = info

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def epochs(self) -> list[int]:
        """Finished epochs in rising order; 0 is the state before training."""
        state = state_of(self.path / schema.METRICS_FILE)
        return list(_epochs(self.path, state)) if state else [int(epoch) for epoch in self.metrics().index]

    @property
    def last_epoch(self) -> int:
        """The last finished epoch; RunError where none is."""
        epochs = self.epochs
        if not epochs:
            raise RunError(f"{self.path} has no finished epoch yet")
        return epochs[-1]

    def best_epoch(self, metric: str | None = None) -> int:
        """The epoch whose `metric` is highest: by default mAP of the validation identities, else of test.

        RunError where the metric was never measured.
        """
        metrics = self.metrics()
        measured = [str(name) for name in metrics.columns if metrics[name].notna().any()]
        chosen = next((name for name in ((metric,) if metric else schema.CHOICE) if name in measured), None)
        if chosen is None:
            wanted = metric or " or ".join(schema.CHOICE)
            raise RunError(
                f"{self.path} has no metric {wanted!r} to choose the best epoch by; it has {', '.join(measured)}"
            )
        return int(metrics.index[int(metrics[chosen].argmax())])

    def metrics(self) -> pd.DataFrame:
        """One row per finished epoch, indexed by `epoch`; empty before the first."""
        return read_metrics(self.path)

    def records(self, split: Split | None = None) -> pd.DataFrame:
        """The data set's pictures: path, identity, camera, split, subset; of one split, or of all."""
        frame = read_records(self.path)
        return frame if split is None else frame[frame["split"] == split].reset_index(drop=True)

    def count(self, split: Split) -> int:
        """How many images a split has by the records; a fraction of the time that reading them takes."""
        try:
            table = read_table(self.path / schema.RECORDS_FILE, ["split"], root=self.path)
            return int((table["split"] == split).sum())
        except (RunError, KeyError):
            return len(self.records(split))  # says what is wrong with the file

    def test_records(self) -> pd.DataFrame:
        """Query, then gallery: the order of the "test" maps."""
        return pd.concat([self.records("query"), self.records("gallery")], ignore_index=True)

    def label_epochs(self, kind: MapKind) -> list[int]:
        """The finished epochs that have maps of this kind."""
        return self._finished(_epochs_in(self.path / schema.LABELS / kind, ".h5"))

    def labels(self, kind: MapKind, epoch: int, rows: Sequence[int] | npt.NDArray[np.int64] | None = None) -> Maps:
        """Maps (n, h, w) uint8: 0 background, 1..K-1 parts, 255 ignored. Rows are positions in the kind's records."""
        self._require_labelled(kind, epoch)
        file = self._map_file(kind, epoch)
        maps = self._of_parts(file, read_maps(file, rows, self._pictures(kind)))
        self._require_order(kind)
        if rows is None:
            require_unchanged(self.path, file)
        return maps

    def label_history(self, kind: MapKind, row: int) -> tuple[list[int], Maps]:
        """One image's maps over all epochs that have them: (epochs, (E, h, w))."""
        epochs = self.label_epochs(kind)
        if not epochs:
            raise RunError(f"{self.path} has no label maps of the {kind} images")
        files = [self._map_file(kind, epoch) for epoch in epochs]
        self._require_order(kind)
        return epochs, self._of_parts(files[0].parent, read_history(files, row, self._pictures(kind)))

    def activation(
        self, epoch: int, rows: Sequence[int] | npt.NDArray[np.int64] | None = None
    ) -> npt.NDArray[np.float32] | None:
        """Eq. 3 of training images in [0, 1], or None where the run did not store it."""
        if not os.path.lexists(self._place("activation", epoch)):
            return None
        maps = read_maps(self._map_file("activation", epoch), rows, self._pictures("activation"))
        return np.divide(maps, 255, dtype=np.float32)

    def embedding_epochs(self, split: Split = "query") -> list[int]:
        """The finished epochs that have embeddings of the test set (query, gallery), or of validation identities."""
        found = _epochs_in(self.path / schema.EMBEDDINGS, "")
        splits = (schema.VALIDATION,) if split == schema.VALIDATION else schema.TEST
        return self._finished(
            [epoch for epoch in found if any(self._embeddings_file(each, epoch).exists() for each in splits)]
        )

    def calibration(self, epoch: int) -> Calibration | None:
        """The visibility thresholds of an epoch, or None where none were calibrated (`isp calibrate`)."""
        file = self.path / schema.VISIBILITY / f"{epoch_name(epoch)}.json"
        if not os.path.lexists(file):
            return None
        from isp_core.matching import Calibration

        try:
            return Calibration.of(read_json(file, self.path))
        except RunError:
            raise
        except IspError as error:
            raise RunError(f"{file} is {error}: make it again with `isp calibrate`") from None

    def visibility_rule(self, epoch: int, name: str | None = None) -> str:
        """The visibility rule of that name, or the run's own (None): calibrated where it has thresholds and stores what
        they are compared with, else Eq. 8. IspError where the rule is unknown or lacks its thresholds."""
        from isp_core.matching import chosen_rule

        return chosen_rule(name, self.calibration(epoch), f"{self.path} at epoch {epoch}")

    def embeddings(self, split: Split, epoch: int, visibility: str | None = None) -> Embeddings:
        """Embeddings of a split in the order of its records.

        visibility: one of isp_core.matching.VISIBILITY_RULES; None for the run's own rule (`visibility_rule`).
        """
        from isp_core.matching import judged

        if split not in (*schema.TEST, schema.VALIDATION):
            raise RunError(
                f"{split!r} is no split that has embeddings; there are {', '.join((*schema.TEST, schema.VALIDATION))}"
            )
        file = self._embeddings_file(split, epoch)
        if not os.path.lexists(file):
            raise RunError(
                f"{self.path} has no embeddings of {split} at epoch {epoch}: make them with "
                f"`isp extract --run {self.path} --epoch {epoch} --data DIR`"
            )
        regular_file(file, self.path)
        found = read_embeddings(file, self.count(split), max(self.info.parts - 1, 0))
        self._require_order(split)
        require_unchanged(self.path, file)
        return judged(found, self.visibility_rule(epoch, visibility), self.calibration(epoch))

    def checkpoint(self, epoch: int) -> Path | None:
        """The folder with the weights of an epoch, or None where they were not kept."""
        folder = self.path / schema.CHECKPOINTS / epoch_name(epoch)
        return folder if is_regular(folder / schema.WEIGHTS_FILE) else None

    def weight_epochs(self) -> list[int]:
        """The finished epochs whose weights were kept."""
        found = _epochs_in(self.path / schema.CHECKPOINTS, "")
        return self._finished([epoch for epoch in found if self.checkpoint(epoch) is not None])

    def has_weights(self, epoch: int) -> bool:
        return self.checkpoint(epoch) is not None

    def evaluation_names(self) -> list[str]:
        """The names of the stored evaluation documents."""
        folder = self.path / schema.EVALUATION
        names = [file.stem for file in folder.glob("*.json")] if folder.is_dir() else []
        return sorted(name for name in names if schema.EVALUATION_NAME.match(name))

    def read_evaluation(self, name: str) -> dict[str, Any]:
        """One evaluation document."""
        return read_json(evaluation_file(self.path, name), self.path)

    def token(self) -> str:
        """Changes whenever a file of the run does: a key for caches."""
        digest = hashlib.sha256()
        for folder in (self.path, *(self.path / name for name in _FOLDERS)):
            for name, status in _stats(folder):
                digest.update(
                    f"{folder.name}/{name} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} "
                    f"{status.st_ino}\n".encode("utf-8", "surrogateescape")
                )
        return digest.hexdigest()

    def moved(self) -> list[Split]:
        """The splits whose records no longer stand in the order in which the run was written; older runs note none."""
        noted = self.info.order
        return [split for split in SPLITS if split in noted and noted[split] != self._order().get(split)]

    def _order(self) -> dict[str, str]:
        file = regular_file(self.path / schema.RECORDS_FILE, self.path)
        return _order(self.path, state_of(file))

    def _require_order(self, what: MapKind | Split) -> None:
        moved = [split for split in self.moved() if split == what or split in _SPLITS_OF.get(what, ())]
        if moved:
            raise RunError(
                f"{self.path / schema.RECORDS_FILE} is not in the order in which the run was written ({moved[0]}): its "
                "maps and embeddings would be assigned to other images. Copy it again from where the run was made"
            )

    def _place(self, kind: MapKind, epoch: int) -> Path:
        return self.path / schema.LABELS / kind / f"{epoch_name(epoch)}.h5"

    def _require_labelled(self, kind: MapKind, epoch: int) -> None:
        """RunError where there are no such maps; it names those that there are."""
        if kind not in schema.MAP_KINDS:
            raise RunError(f"{kind!r} is no kind of label maps; there are {', '.join(schema.MAP_KINDS)}")
        if not os.path.lexists(self._place(kind, epoch)):
            labelled = ", ".join(map(str, self.label_epochs(kind))) or "none"
            raise RunError(f"{self.path} has no {kind} label maps of epoch {epoch}; it has those of epochs: {labelled}")

    def _map_file(self, kind: MapKind, epoch: int) -> Path:
        return regular_file(self._place(kind, epoch), self.path)

    def _pictures(self, kind: MapKind) -> int:
        """How many images the maps of a kind are of."""
        return sum(self.count(split) for split in _SPLITS_OF[kind])

    def _of_parts(self, where: Path, maps: Maps) -> Maps:
        """The maps, where they hold nothing but the run's parts and 255."""
        strange = maps[(maps >= max(self.info.parts, 1)) & (maps != IGNORED)]
        if len(strange):
            raise RunError(f"{where} holds part {strange.max()} where the run has K = {self.info.parts}: another run's")
        return maps

    def _embeddings_file(self, split: Split, epoch: int) -> Path:
        return self.path / schema.EMBEDDINGS / epoch_name(epoch) / f"{split}.safetensors"

    def _finished(self, epochs: list[int]) -> list[int]:
        done = set(self.epochs)
        return [epoch for epoch in epochs if epoch in done]


def open_run(path: str | Path) -> Run:
    """The run at `path`; RunError where there is none or its run.json cannot be understood."""
    folder = Path(path)
    try:
        there = folder.is_dir()
    except OSError as error:
        raise RunError(f"{folder} cannot be read ({error.strerror or error})") from None
    if not there:
        what = "is not a folder" if os.path.lexists(folder) else "does not exist"
        raise RunError(f"{folder} {what}. `isp runs list DIR` shows the runs of a folder")
    check_run_path(folder)
    return Run(folder, read_info(folder))


@lru_cache(maxsize=64)
def _order(path: Path, records: State | None) -> dict[str, str]:
    return order_of(read_records(path))


@lru_cache(maxsize=512)
def _epochs(path: Path, metrics: State) -> tuple[int, ...]:
    """The finished epochs: everything that lists files by epoch asks for them."""
    return tuple(int(epoch) for epoch in read_metrics(path).index)


def _stats(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Name and state of what lies in a folder, and in the folders of epochs in it; hidden files left out."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            yield entry.name, entry.stat()
            if epoch_of(entry.name) is not None and entry.is_dir():
                yield from ((f"{entry.name}/{name}", status) for name, status in _stats(folder / entry.name))
        except OSError:  # it vanished meanwhile
            continue


def _epochs_in(folder: Path, suffix: str) -> list[int]:
    if not folder.is_dir():
        return []
    found = [epoch_of(entry.name) for entry in folder.iterdir() if entry.name.endswith(suffix)]
    return sorted(epoch for epoch in found if epoch is not None)
