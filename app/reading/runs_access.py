"""Cached reading of runs: everything a page shows comes through here. Keys hold the run's token, so that a run which
grows, changes or breaks on the disk is seen at the next rerun. No drawing, no widgets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd
import streamlit as st

from isp_app.cache_keys import KEYS
from isp_app.reading.people import with_unique_names
from isp_app.rerun import once
from isp_app.safety.names import distinct
from isp_app.settings import Settings, embedded
from isp_core.drawing import run_palette
from isp_core.errors import IspError
from isp_core.file_state import State, state_of
from isp_core.metrics.spaces import PARTS
from isp_core.noted_parts import DOCUMENT as ASSIGNMENTS
from isp_core.noted_parts import noted_at, part_classes
from isp_core.palette import Palette
from isp_core.runs import Run, RunError, RunSummary, list_runs, open_run
from isp_core.runs.listing import run_folders
from isp_core.runs.maps import Maps
from isp_core.runs.schema import (
    EVALUATION,
    METRICS_FILE,
    RECORDS_FILE,
    RUN_FILE,
    SPLITS,
    VALIDATION,
    MapKind,
    Split,
)
from isp_core.text_files import shown

if TYPE_CHECKING:  # the type alone; matching loads torch
    from isp_core.matching import Embeddings

IMAGE = "image"  # the column with each image's name: its file's, with its folders where others have the same
RUNS_KEPT = 128  # small tables of so many runs stay read: pages that list all runs read each of them at every rerun
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listed:
    """A run in the list: `id` is what the URL says (its name; with its folders where other runs have the same name)."""

    id: str
    summary: RunSummary

    @property
    def path(self) -> Path:
        return Path(self.summary.path)

    @property
    def own(self) -> bool:
        """Whether it is the user's own rather than the embedded study's."""
        return not embedded(self.path.resolve())


Result = TypeVar("Result")


def read_each(
    runs: Iterable[tuple[str, Run]], read: Callable[[str, Run], Result]
) -> tuple[dict[str, Result], dict[str, str]]:
    """`read(identifier, run)` of every run: results by identifier, and the reasons of those that cannot be read.

    Runs come from anywhere: whatever one of them raises, the others are read.
    """
    results, reasons = {}, {}
    for identifier, run in runs:
        try:
            results[identifier] = read(identifier, run)
        except Exception as error:
            reasons[identifier] = reason(error)
            if not isinstance(error, IspError):
                _LOG.exception("run %s", identifier)
    return results, reasons


def reason(error: Exception) -> str:
    """Why a run could not be read, for its reader."""
    if isinstance(error, IspError):
        return str(error)
    return f"its files are not as expected ({type(error).__name__})"


def find_runs(settings: Settings) -> list[Listed]:
    """All runs below the configured folders, broken ones included. Cheap: read again at every rerun."""
    found: dict[str, RunSummary] = {}
    for root in settings.run_roots:
        try:
            if root.is_dir():
                found |= {str(Path(summary.path).resolve()): summary for summary in _list(root, _folder_token(root))}
        except (RunError, OSError) as error:  # a folder that this server may not read hides no other
            found[str(root)] = RunSummary(root.name, str(root), problem=reason(error))
    return [Listed(name, run) for name, run in zip(distinct(list(map(shown, found)), "~"), found.values(), strict=True)]


def _folder_token(root: Path) -> str:
    """Changes when a run below `root` appears, vanishes, or finishes an epoch."""
    parts = []
    for entry in run_folders(root):
        parts += [f"{entry.name}/{name}:{state_of(entry / name)}" for name in (RUN_FILE, METRICS_FILE, RECORDS_FILE)]
    return shown("|".join(parts))


@st.cache_data(hash_funcs=KEYS, max_entries=16, show_spinner=False)
def _list(root: Path, token: str) -> list[RunSummary]:
    return list_runs(root)


def open_listed(listed: Listed) -> Run:
    """The run behind a row of the list; RunError where it broke or vanished meanwhile."""
    return _opened(listed.path, state_of(listed.path / RUN_FILE))


@st.cache_resource(hash_funcs=KEYS, max_entries=RUNS_KEPT, show_spinner=False)
def _opened(path: Path, state: State | None) -> Run:
    return open_run(path)


def open_whole(listed: Listed) -> Run:
    """The run behind a row of the list, whose records and metrics can be read too."""
    run = open_listed(listed)
    _require_tables(run, run.path, records_token(run), metrics_state(run))
    return run


@st.cache_resource(hash_funcs=KEYS, max_entries=RUNS_KEPT, show_spinner=False)
def _require_tables(_run: Run, path: Path, records_state: str, states: tuple[State | None, ...]) -> None:
    records(_run)
    metrics(_run)


@st.cache_resource(hash_funcs=KEYS, max_entries=RUNS_KEPT, show_spinner=False)
def _records(path: Path, token: str, split: Split | None) -> pd.DataFrame:
    if split is None:
        return with_unique_names(open_run(path).records())
    whole: pd.DataFrame = _records(path, token, None)  # read once for all splits
    part = whole[whole["split"] == split].reset_index(drop=True)
    return part.assign(**{IMAGE: distinct(part["path"].astype(str).to_list())})


@once
def records(run: Run, split: Split | None = None) -> pd.DataFrame:
    """The run's records; shared between sessions: do not change it. Of one split, with a column IMAGE.
    Where people are named, each has a name of its own (reading/people.py)."""
    return _records(run.path, records_token(run), split)


def knows_people(run: Run) -> bool:
    """Whether the run's records say who is on its images; a look at images without names counts each as a person."""
    who = records(run, "gallery")["identity"]
    return run.info.trained or who.nunique() < len(who)


@once
def records_token(run: Run) -> str:
    """Changes when the run's records do."""
    return _file_token(run.path / RECORDS_FILE)


def same_pictures(run: Run, other: Run, split: Split) -> bool:
    """Whether both know some of the same pictures: runs on fewer people and imported ones can be compared too."""
    if run.info.data.fingerprint == other.info.data.fingerprint:
        return True
    ours, theirs = (set(records(one, split)["path"]) for one in (run, other))
    return not ours.isdisjoint(theirs)


def kind_of(split: Split) -> MapKind:
    """Training images have pseudo-labels; the others have predictions. The two are never mixed."""
    return "train" if split == "train" else "validation" if split == VALIDATION else "test"


def splits_of(run: Run) -> tuple[Split, ...]:
    """The splits to choose from: those of every data set, and validation where the run held identities out."""
    return (*SPLITS, VALIDATION) if VALIDATION in run.info.data.splits else SPLITS


def offset_of(run: Run, split: Split) -> int:
    """Where a split's rows start among the maps of its kind ("test": query, then gallery)."""
    return len(records(run, "query")) if split == "gallery" else 0


@st.cache_data(hash_funcs=KEYS, max_entries=RUNS_KEPT, show_spinner=False)
def _metrics(path: Path, states: tuple[State | None, ...]) -> pd.DataFrame:
    run = open_run(path)
    table, document = run.metrics(), noted_parts(run)
    in_force = [found[1] if (found := noted_at(document, int(epoch))) else {} for epoch in table.index]
    absent = {
        column: [not noted.get(name, (0,)) for noted in in_force]
        for name in PARTS
        for column in (f"train_iou_{name}", f"test_iou_{name}")
        if column in table
    }
    changed = {column: table[column].mask(np.array(rows, bool)) for column, rows in absent.items() if any(rows)}
    return table.assign(**changed) if changed else table


@once
def metrics(run: Run) -> pd.DataFrame:
    """One row per finished epoch; none before the first is finished. A class that no part stands for has no score."""
    return _metrics(run.path, metrics_state(run))


def metrics_state(run: Run) -> tuple[State | None, ...]:
    """Changes when what `metrics` is made of does."""
    return state_of(run.path / METRICS_FILE), state_of(_evaluation_file(run, ASSIGNMENTS))


@st.cache_data(hash_funcs=KEYS, max_entries=64, show_spinner=False)
def map_epochs(run: Run, split: Split) -> list[int]:
    """Finished epochs that have maps of this split's kind."""
    return run.label_epochs(kind_of(split))


@st.cache_data(hash_funcs=KEYS, max_entries=64, max_size="128mb", show_spinner=False)
def _maps(path: Path, token: str, kind: MapKind, epoch: int, rows: tuple[int, ...] | None) -> Maps:
    return open_run(path).labels(kind, epoch, None if rows is None else list(rows))


def maps(run: Run, split: Split, epoch: int, rows: tuple[int, ...]) -> Maps:
    """Label maps (n, h, w) of images of a split, rows counted within the split."""
    kind, start = kind_of(split), offset_of(run, split)
    return _maps(run.path, map_token(run, kind, epoch), kind, epoch, tuple(start + row for row in rows))


@st.cache_data(hash_funcs=KEYS, max_entries=32, max_size="64mb", show_spinner=False)
def history(run: Run, split: Split, row: int) -> tuple[list[int], Maps]:
    """One image's maps over all epochs that have them: (epochs, (E, h, w))."""
    return run.label_history(kind_of(split), offset_of(run, split) + row)


@st.cache_data(hash_funcs=KEYS, max_entries=16, max_size="64mb", show_spinner=False)
def activation_history(run: Run, row: int, epochs: list[int]) -> Maps | None:
    """Eq. 3 of one training image at the given epochs, (E, h, w) in 0..255; None where an epoch has none."""
    found = [run.activation(epoch, [row]) for epoch in epochs]
    known = [(a[0] * 255 + 0.5).astype(np.uint8) for a in found if a is not None]
    return np.stack(known) if len(known) == len(epochs) and known else None


@st.cache_resource(hash_funcs=KEYS, max_entries=6, show_spinner=False)
def embeddings(run: Run, split: Split, epoch: int) -> Embeddings:
    """Embeddings of a split; shared between sessions: do not change them."""
    return run.embeddings(split, epoch)


@st.cache_data(hash_funcs=KEYS, max_entries=64, show_spinner=False)
def _evaluation(path: Path, token: str, name: str) -> dict[str, object]:
    return open_run(path).read_evaluation(name)


@once
def evaluation(run: Run, name: str) -> dict[str, object]:
    """One evaluation document, as it stands on the disk."""
    return _evaluation(run.path, _file_token(_evaluation_file(run, name)), name)


def _evaluation_file(run: Run, name: str) -> Path:
    return run.path / EVALUATION / f"{name}.json"


@st.cache_data(hash_funcs=KEYS, max_entries=64, show_spinner=False)
def _palette(path: Path, token: str) -> Palette:
    return run_palette(open_run(path))


@once
def palette(run: Run) -> Palette:
    """The colours of a run's parts: one for all its epochs and pages."""
    splits: tuple[Split, ...] = ("train", "query")
    epochs = {kind_of(split): map_epochs(run, split) for split in splits}
    maps_used = [map_token(run, kind, found[-1]) for kind, found in epochs.items() if found][:1]
    return _palette(run.path, f"{maps_used} {state_of(_evaluation_file(run, ASSIGNMENTS))}")


def assigned_classes(run: Run) -> dict[int, str]:
    """Part -> body part as the last assignment in evaluation/parts.json says; empty where there is none."""
    return part_classes(noted_parts(run), run.info.parts)


@once
def noted_parts(run: Run) -> dict[str, object]:
    """evaluation/parts.json as it stands on the disk; empty where there is none."""
    return evaluation(run, ASSIGNMENTS) if ASSIGNMENTS in run.evaluation_names() else {}


@once
def constant_mask(run: Run, split: Split) -> dict[str, float]:
    """IoU of one constant mask for every image, per class, as evaluation/constant.json says; empty where unknown."""
    if "constant" not in run.evaluation_names():
        return {}
    found = evaluation(run, "constant").get(kind_of(split))
    return {str(k): float(v) for k, v in found.items() if v is not None} if isinstance(found, dict) else {}


def _file_token(file: Path) -> str:
    state = state_of(file)
    if state is None:
        raise RunError(f"{file} is missing")
    return ".".join(f"{part:x}" for part in state)


@once
def map_token(run: Run, kind: MapKind, epoch: int) -> str:
    """Changes when the stored maps of this kind and epoch do."""
    return _file_token(run.path / "labels" / kind / f"epoch_{epoch:04d}.h5")
