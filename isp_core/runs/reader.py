"""Reads runs: finished, still training, imported or broken. Writes nothing but evaluations."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from isp_core.runs import schema
from isp_core.runs.embeddings import read_embeddings
from isp_core.runs.files import read_checked, read_table, write_json
from isp_core.runs.maps import Maps, read_history, read_maps
from isp_core.runs.schema import MapKind, RunError, RunInfo, Split, epoch_name, epoch_of, read_info

if TYPE_CHECKING:
    from isp_core.matching import Embeddings

_EVALUATION_NAME = re.compile(r"^[A-Za-z0-9._-]{1,100}$")


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
        return [int(epoch) for epoch in self.metrics().index]

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
        file = self.path / schema.METRICS_FILE
        if not file.exists():
            return pd.DataFrame(index=pd.Index([], name="epoch", dtype="int64"))
        return read_table(file)

    def records(self, split: Split | None = None) -> pd.DataFrame:
        """The data set's pictures: path, identity, camera, split, subset; of one split, or of all."""
        file = self.path / schema.RECORDS_FILE
        frame = read_table(file)
        missing = [column for column in schema.RECORD_COLUMNS if column not in frame]
        if missing:
            raise RunError(f"{file} has no column {', '.join(missing)}: copy it anew from where the run was made")
        return frame if split is None else frame[frame["split"] == split].reset_index(drop=True)

    def count(self, split: Split) -> int:
        """How many pictures a split has by the records; a fraction of the time that reading them takes."""
        try:
            table = read_table(self.path / schema.RECORDS_FILE, ["split"])
        except RunError:
            table = self.records()  # says what is wrong with the file
        return int((table["split"] == split).sum())

    def test_records(self) -> pd.DataFrame:
        """Query, then gallery: the order of the "test" maps."""
        return pd.concat([self.records("query"), self.records("gallery")], ignore_index=True)

    def label_epochs(self, kind: MapKind) -> list[int]:
        """The finished epochs that have maps of this kind."""
        return self._finished(_epochs_in(self.path / schema.LABELS / kind, ".h5"))

    def labels(self, kind: MapKind, epoch: int, rows: Sequence[int] | npt.NDArray[np.int64] | None = None) -> Maps:
        """Maps (n, h, w) uint8: 0 background, 1..K-1 parts, 255 ignored. Rows are positions in the kind's records."""
        return read_maps(self._map_file(kind, epoch), rows)

    def label_history(self, kind: MapKind, row: int) -> tuple[list[int], Maps]:
        """One picture's maps over all epochs that have them: (epochs, (E, h, w))."""
        epochs = self.label_epochs(kind)
        if not epochs:
            raise RunError(f"{self.path} has no label maps of the {kind} pictures")
        return epochs, read_history([self._map_file(kind, epoch) for epoch in epochs], row)

    def activation(
        self, epoch: int, rows: Sequence[int] | npt.NDArray[np.int64] | None = None
    ) -> npt.NDArray[np.float32] | None:
        """Eq. 3 of training pictures in [0, 1], or None where the run did not store it."""
        file = self._map_file("activation", epoch)
        return np.divide(read_maps(file, rows), 255, dtype=np.float32) if file.exists() else None

    def embedding_epochs(self, split: Split = "query") -> list[int]:
        """The finished epochs that have embeddings of the test set (query, gallery), or of validation identities."""
        found = _epochs_in(self.path / schema.EMBEDDINGS, "")
        splits = (schema.VALIDATION,) if split == schema.VALIDATION else schema.TEST
        return self._finished(
            [epoch for epoch in found if any(self._embeddings_file(each, epoch).exists() for each in splits)]
        )

    def embeddings(self, split: Split, epoch: int) -> Embeddings:
        """Embeddings of a split in the order of its records."""
        file = self._embeddings_file(split, epoch)
        if not file.exists():
            raise RunError(
                f"{self.path} has no embeddings of {split} at epoch {epoch}: make them with "
                f"`isp extract --run {self.path} --epoch {epoch} --data DIR`"
            )
        return read_embeddings(file, self.count(split))

    def checkpoint(self, epoch: int) -> Path | None:
        """The folder with the weights of an epoch, or None where they were not kept."""
        folder = self.path / schema.CHECKPOINTS / epoch_name(epoch)
        return folder if (folder / schema.WEIGHTS_FILE).exists() else None

    def weight_epochs(self) -> list[int]:
        """The finished epochs whose weights were kept."""
        found = _epochs_in(self.path / schema.CHECKPOINTS, "")
        return self._finished([epoch for epoch in found if self.checkpoint(epoch) is not None])

    def has_weights(self, epoch: int) -> bool:
        return self.checkpoint(epoch) is not None

    def evaluation_names(self) -> list[str]:
        """The names of the stored evaluation documents."""
        folder = self.path / schema.EVALUATION
        return sorted(file.stem for file in folder.glob("*.json")) if folder.is_dir() else []

    def read_evaluation(self, name: str) -> dict[str, Any]:
        """One evaluation document."""

        def read(file: Path) -> dict[str, Any]:
            document = json.loads(file.read_text(encoding="utf-8"))
            if not isinstance(document, dict):
                raise RunError(f"{file} is not an evaluation: it holds no JSON object")
            return document

        return read_checked(self._evaluation_file(name), read)

    def write_evaluation(self, name: str, document: dict[str, Any]) -> Path:
        """Stores an evaluation document as evaluation/NAME.json; returns the file."""
        file = self._evaluation_file(name)
        write_json(file, document)
        return file

    def token(self) -> str:
        """Changes whenever the run's tables, epochs or evaluations change: a key for caches."""
        files = [self.path / schema.RUN_FILE, self.path / schema.METRICS_FILE, self.path / schema.RECORDS_FILE]
        folders = [self.path / schema.EVALUATION, self.path / schema.EMBEDDINGS, self.path / schema.CHECKPOINTS]
        folders += [self.path / schema.LABELS / kind for kind in schema.MAP_KINDS]
        stats = [entry.stat() for entry in (*files, *folders) if entry.exists()]
        return "-".join(f"{stat.st_mtime_ns:x}.{stat.st_size:x}.{stat.st_ino:x}" for stat in stats)

    def _map_file(self, kind: MapKind, epoch: int) -> Path:
        return self.path / schema.LABELS / kind / f"{epoch_name(epoch)}.h5"

    def _embeddings_file(self, split: Split, epoch: int) -> Path:
        return self.path / schema.EMBEDDINGS / epoch_name(epoch) / f"{split}.safetensors"

    def _evaluation_file(self, name: str) -> Path:
        if not _EVALUATION_NAME.match(name):
            raise RunError(f"{name!r} is not a name for an evaluation: letters, digits, dot, dash and underscore")
        return self.path / schema.EVALUATION / f"{name}.json"

    def _finished(self, epochs: list[int]) -> list[int]:
        done = set(self.epochs)
        return [epoch for epoch in epochs if epoch in done]


def open_run(path: str | Path) -> Run:
    """The run at `path`; RunError where there is none or its run.json cannot be understood."""
    folder = Path(path)
    if not folder.is_dir():
        raise RunError(f"{folder} does not exist. `isp runs list DIR` shows the runs of a folder")
    return Run(folder, read_info(folder))


@dataclass(frozen=True)
class RunSummary:
    """A row of `isp runs list`; of a broken run only name, path and the problem are known."""

    name: str
    path: str
    epochs: int = 0
    parts: int = 0
    backbone: str = ""
    data: str = ""
    labels: str = ""
    imported: bool = False
    problem: str | None = None


def summarise(path: Path) -> RunSummary:
    """The summary of one run directory, whatever state it is in."""
    try:
        run = open_run(path)
        epochs = run.epochs
    except RunError as error:
        return RunSummary(path.name, str(path), problem=str(error))
    info = run.info
    last = epochs[-1] if epochs else 0
    return RunSummary(run.name, str(path), last, info.parts, info.backbone, info.data.name, info.labels, info.imported)


def list_runs(root: str | Path) -> list[RunSummary]:
    """The runs directly in `root` (or `root` itself where it is one), by name; broken ones with their problem."""
    folder = Path(root)
    if not folder.is_dir():
        raise RunError(f"{folder} does not exist")
    if (folder / schema.RUN_FILE).exists():
        return [summarise(folder)]
    return [summarise(entry) for entry in sorted(folder.iterdir()) if (entry / schema.RUN_FILE).exists()]


def _epochs_in(folder: Path, suffix: str) -> list[int]:
    if not folder.is_dir():
        return []
    found = [epoch_of(entry.name) for entry in folder.iterdir() if entry.name.endswith(suffix)]
    return sorted(epoch for epoch in found if epoch is not None)
