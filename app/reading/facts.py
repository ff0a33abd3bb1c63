"""What is known of each image of a split, to find images by: its record, the data set's own columns, the parts it
shows, its IoU and its AP. A column is computed when it is asked for. No drawing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from isp_app.cache_keys import KEYS
from isp_app.reading import map_scores, part_truth, people, pictures, ranking, runs_access
from isp_app.settings import Settings
from isp_core.data.readers.table import NAMED_TABLES, read_table
from isp_core.errors import IspError
from isp_core.file_state import state_of
from isp_core.matching import part_share
from isp_core.runs import Run, open_run
from isp_core.runs.schema import RECORD_COLUMNS, MapKind, Split

KNOWN = (
    "path",
    "label",
    "split",
    runs_access.IMAGE,
    people.IDENTITY_NAME,
)  # columns that are of no use to find an image by
MOST_VALUES = 60  # a text column with more different values is no filter
PART, IOU, AP = "part ", "IoU ", "AP"


@dataclass(frozen=True)
class Facts:
    """Columns of a split's images at an epoch (None: no maps). Percentages are in 0..100."""

    run: Run
    settings: Settings
    split: Split
    epoch: int | None

    @property
    def names(self) -> list[str]:
        """The columns, those of the records first."""
        found = list(self._known.names)
        if self.epoch is not None:
            found += [f"{PART}{part.index}" for part in runs_access.palette(self.run).parts]
            if part_truth.folder_of(self.run, self.settings) is not None:
                found += [f"{IOU}{name}" for name in map_scores.scored(self.run)]
        if self._ranked is not None:
            found.append(AP)
        return found

    @property
    def joined(self) -> tuple[str, ...]:
        """Columns that the run was written without, and the data set's own table has."""
        return self._known.joined

    def label(self, name: str) -> str:
        """The column in words."""
        if name.startswith(PART) and name[len(PART) :].isdecimal():
            return f"shows {runs_access.palette(self.run).name(int(name[len(PART) :]))}, % of pixels"
        if name == AP and self._ranked is not None:
            epoch, rule = self._ranked
            return f"AP, % ({rule}, epoch {epoch})"
        return f"{name}, %" if name.startswith(IOU) else name.replace("_", " ")

    def values(self, name: str) -> pd.Series:
        """One value per image of the split, in the order of its records: numbers or text. Do not change it."""
        if name not in self._read:
            self._read[name] = self._values(name)
        return self._read[name]

    @cached_property
    def _read(self) -> dict[str, pd.Series]:
        return {}

    def _values(self, name: str) -> pd.Series:
        if name.startswith(PART) and self.epoch is not None:
            return pd.Series(100 * self._shares()[:, int(name[len(PART) :]) - 1])
        if name.startswith(IOU) and self.epoch is not None:
            return self._iou(name[len(IOU) :])
        if name == AP and self._ranked is not None:
            return 100 * ranking.scores(self.run, *self._ranked)[AP].reset_index(drop=True)
        return self._known.table[name]

    @cached_property
    def _ranked(self) -> tuple[int, str] | None:
        """Epoch and rule of the AP of queries; None where every query would have to be ranked first."""
        epochs = ranking.epochs(self.run) if self.split == "query" else []
        if not epochs:
            return None
        rule = next(iter(ranking.rules(self.run, epochs[-1])))
        at_hand = (
            ranking.pairs(self.run) <= ranking.AT_ONCE or ranking.stored_scores(self.run, epochs[-1], rule) is not None
        )
        return (epochs[-1], rule) if at_hand else None

    @cached_property
    def _known(self) -> Known:
        root = pictures.picture_root(self.run, self.settings)
        run, folder = self.run, None if root is None else root.path
        table = "" if folder is None else _table_token(folder)
        return _known_columns(run.path, runs_access.records_token(run), self.split, folder, table)

    def _shares(self) -> npt.NDArray[np.float32]:
        kind, epoch = runs_access.kind_of(self.split), self.epoch or 0
        count = len(runs_access.records(self.run, self.split))
        token = runs_access.map_token(self.run, kind, epoch)
        start = runs_access.offset_of(self.run, self.split)
        return _part_shares(self.run.path, token, kind, epoch, start, count, self.run.info.parts)

    def _iou(self, target: str) -> pd.Series:
        values = np.full(len(runs_access.records(self.run, self.split)), np.nan)
        scored = map_scores.score("", self.run, self.settings, self.split, self.epoch or 0, map_scores.ONE_TO_ONE)
        if scored is not None:
            values[scored.judged.rows] = scored.images()[target]
        return pd.Series(values)


@dataclass(frozen=True)
class Known:
    """Records of a split with the data set's own columns; which of them are of use, and which were `joined`."""

    table: pd.DataFrame
    names: tuple[str, ...]
    joined: tuple[str, ...]


@st.cache_resource(hash_funcs=KEYS, max_entries=8, show_spinner=False)
def _known_columns(path: Path, token: str, split: Split, root: Path | None, table_token: str) -> Known:
    table = runs_access.records(open_run(path), split)
    own = None if root is None else _own_columns(root, table_token)
    lacking = [] if own is None else [str(name) for name in own.columns if name not in table.columns]
    if own is not None and lacking:
        more = own[lacking].reindex(table["path"].astype(str)).reset_index(drop=True)
        table = pd.concat([table, more], axis=1)
    names = [str(name) for name in table.columns if name not in KNOWN and _useful(table[name])]
    return Known(table, tuple(names), tuple(name for name in names if name in lacking))


def _useful(column: pd.Series) -> bool:
    known = column.dropna()
    if pd.api.types.is_numeric_dtype(column):
        return known.nunique() > 1
    return 1 < known.astype(str).nunique() <= MOST_VALUES


def _table_token(root: Path) -> str:
    file = next((root / name for name in NAMED_TABLES if (root / name).is_file()), None)
    return "" if file is None else f"{file.name} {state_of(file)}"


@st.cache_resource(hash_funcs=KEYS, max_entries=8, show_spinner=False)
def _own_columns(root: Path, token: str) -> pd.DataFrame | None:
    """The columns of the data set's own table of records, by path; None where it has none. Shared: do not change it."""
    if not token:
        return None
    try:
        found = read_table(root / token.split(" ")[0])
    except (IspError, OSError):
        return None
    if found.root.resolve() != root.resolve():
        return None  # its paths start elsewhere
    own = found.records.drop_duplicates("path").set_index("path")
    return own.drop(columns=[name for name in RECORD_COLUMNS if name != "path"])


@st.cache_resource(hash_funcs=KEYS, max_entries=8, show_spinner="Reading part maps")
def _part_shares(
    path: Path, token: str, kind: MapKind, epoch: int, start: int, count: int, parts: int
) -> npt.NDArray[np.float32]:
    """Share of each image's pixels by part, (count, parts - 1)."""
    run = open_run(path)
    found = [
        part_share(run.labels(kind, epoch, np.arange(start + a, start + min(a + 2048, count))), parts)
        for a in range(0, count, 2048)
    ]
    return np.concatenate(found).astype(np.float32) if found else np.zeros((0, max(0, parts - 1)), np.float32)


@dataclass(frozen=True)
class Clause:
    """One filter: values to keep, or a range (low, high) of numbers."""

    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None

    def names(self, value: str) -> bool:
        """Whether one value of a column, as text, passes."""
        if self.low is None and self.high is None:
            return value in self.values
        number = _number(value)
        return number is not None and bool(self.keeps(pd.Series([number]))[0])

    def keeps(self, column: pd.Series) -> npt.NDArray[np.bool_]:
        """Which images pass. A missing value never does."""
        if self.low is None and self.high is None:
            keep: npt.NDArray[np.bool_] = as_text(column).isin(self.values).to_numpy()
            return keep
        numbers = pd.to_numeric(column, errors="coerce").to_numpy(float)
        low, high = (-np.inf if self.low is None else self.low), (np.inf if self.high is None else self.high)
        inside: npt.NDArray[np.bool_] = (numbers >= low) & (numbers <= high)
        return inside


def as_text(column: pd.Series) -> pd.Series:
    """Values as filters name them: whole numbers without a point, empty text as "none"."""
    if pd.api.types.is_float_dtype(column) and bool((column.dropna() % 1 == 0).all()):
        column = column.astype("Int64")
    text = column.astype("string").fillna("none")
    return text.mask(text == "", "none").astype(str)


def parse(text: str) -> dict[str, Clause]:
    """Filters from the URL; what is no filter is left out.

    >>> parse("belonging~backpack|tote")
    {'belonging': Clause(values=('backpack', 'tote'), low=None, high=None)}
    >>> parse("part 3~5..")
    {'part 3': Clause(values=(), low=5.0, high=None)}
    >>> parse("x;y~;~z")
    {}
    """
    found = {}
    for item in text.split(";")[:16]:
        name, _, wanted = item.partition("~")
        low, dots, high = wanted.partition("..")
        numbers = [_number(low), _number(high)] if dots else [None, None]
        if name and any(number is not None for number in numbers):
            found[name] = Clause((), *numbers)
        elif name and wanted and not dots:
            found[name] = Clause(tuple(wanted.split("|")[:64]))
    return found


def not_understood(text: str) -> list[str]:
    """The filters of the URL that `parse` leaves out.

    >>> not_understood("camera~2;x;y~")
    ['x', 'y~']
    """
    return [item for item in text.split(";") if item and not parse(item)]


def write(filters: Mapping[str, Clause]) -> str:
    """The text that `parse` reads.

    >>> write({"camera": Clause(("1", "2")), "AP": Clause((), None, 30.0)})
    'camera~1|2;AP~..30'
    """

    def words(clause: Clause) -> str:
        if clause.values:
            return "|".join(clause.values)
        return "..".join("" if end is None else f"{end:g}" for end in (clause.low, clause.high))

    return ";".join(f"{name}~{words(clause)}" for name, clause in filters.items())


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def find(facts: Facts, filters: Mapping[str, Clause], sort: str, descending: bool) -> npt.NDArray[np.int64]:
    """Rows of the split that pass every filter, sorted by a column (missing values last), else as in the records."""
    count = len(runs_access.records(facts.run, facts.split))
    keep = np.ones(count, bool)
    for name, clause in filters.items():
        keep &= clause.keeps(facts.values(name))
    rows = np.flatnonzero(keep)
    if sort:
        rows = facts.values(sort).iloc[rows].sort_values(ascending=not descending, kind="stable").index.to_numpy()
    return rows.astype(np.int64)
