"""Rankings of a run, cached: every query's score, one query's list, one pair taken apart. Formulas are isp_core's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from isp_app.cache_keys import KEYS
from isp_app.reading import people, runs_access
from isp_app.reading.runs_access import IMAGE
from isp_app.rerun import once
from isp_core.matching import Explanation, distances, explain, matching_names, matching_rule
from isp_core.matching.visibility_rules import EQ8
from isp_core.metrics.bootstrap import bootstrap_interval
from isp_core.metrics.ranking import evaluate_ranking, nearest
from isp_core.runs import Run, RunError
from isp_core.runs.distances import DISTANCES_FILE, stored_distances
from isp_core.runs.imports import TEST

Integers = npt.NDArray[np.int64]

RULE = (
    "Market-1501 protocol: gallery images of the query's own identity and camera are removed, and so is junk "
    "(identity -1); distractors stay. AP is the mean precision at the true matches."
)


IMPORTED = "imported"


def has_matrix(run: Run) -> bool:
    """Whether the run was imported as a table of distances: it can be ranked, but not taken apart."""
    return run.info.imported and (run.path / DISTANCES_FILE).is_file()


@once
def epochs(run: Run) -> list[int]:
    """Finished epochs that can be ranked."""
    return run.embedding_epochs() or ([0] if has_matrix(run) else [])


@st.cache_resource(hash_funcs=KEYS, max_entries=2, show_spinner="Reading distances")
def _matrix(run: Run) -> npt.NDArray[np.float32] | None:
    return stored_distances(run)


def _table(run: Run, epoch: int, matching: str, q: int | None = None) -> npt.NDArray[np.float32]:
    """Distances (queries, gallery), or (1, gallery) of query `q` alone."""
    if matching == IMPORTED:
        whole = _matrix(run)
        if whole is None:
            raise RunError(f"{run.path / DISTANCES_FILE} is missing: import the run again with `isp runs import`")
        return whole if q is None else whole[q : q + 1]
    query, gallery = (runs_access.embeddings(run, split, epoch) for split in TEST)
    return distances(query if q is None else query[q : q + 1], gallery, matching)


@once
def rules(run: Run, epoch: int) -> dict[str, str]:
    """The matching rules that a run allows, with what they do. A network without parts has one feature."""
    if has_matrix(run):
        return {IMPORTED: "the distances that another tool computed"}
    n_parts = runs_access.embeddings(run, "query", epoch).n_parts
    if not n_parts:
        return {"global": matching_rule("global").description}
    return {name: matching_rule(name).description for name in matching_names(n_parts)}


AT_ONCE = 20_000_000  # pairs that are ranked without asking: under a second


@once
def stored_scores(run: Run, epoch: int, matching: str) -> pd.DataFrame | None:
    """Every query's score as `isp eval retrieval` stored it, None where it did not, or for other data."""
    name = f"retrieval-epoch_{epoch:04d}-{matching}-cosine"
    if name not in run.evaluation_names():
        return None
    found = runs_access.evaluation(run, name)
    if matching in ("aligned", "authors") and not str(found.get("visibility", EQ8)).startswith(
        run.visibility_rule(epoch)
    ):
        return None  # stored before the run had thresholds
    queries, query = found.get("queries"), runs_access.records(run, "query")
    if found.get("fingerprint") != run.info.data.fingerprint or not isinstance(queries, dict):
        return None
    columns = {column: queries.get(column) for column in ("path", "matches", "first", "average_precision")}
    if any(not isinstance(values, list) or len(values) != len(query) for values in columns.values()):
        return None
    if columns["path"] != query["path"].tolist():
        return None
    matches, first, precision = (np.array(columns[c]) for c in ("matches", "first", "average_precision"))
    return _frame(query, matches, first, precision.astype(float))


def intervals(table: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """{metric: (low, high)} in per cent, 95 % over identities, from `scores`; empty with fewer than two identities."""
    return _intervals(table[["identity", "matches", "first", "AP"]])


@st.cache_data(max_entries=64, show_spinner=False)
def _intervals(table: pd.DataFrame) -> dict[str, tuple[float, float]]:
    known = table[table["matches"] > 0]
    values = {"R-1": (known["first"] == 1).to_numpy(float), "mAP": known["AP"].to_numpy(float)}
    found = {name: bootstrap_interval(each, known["identity"].to_numpy()) for name, each in values.items()}
    return {name: (100 * i.low, 100 * i.high) for name, i in found.items() if i.low == i.low}


def pairs(run: Run) -> int:
    """Distances that scoring every query takes."""
    return len(runs_access.records(run, "query")) * len(runs_access.records(run, "gallery"))


def _frame(query: pd.DataFrame, matches: Integers, first: Integers, precision: npt.NDArray[np.float64]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "row": np.arange(len(query)),
            "path": query["path"],
            IMAGE: query[IMAGE],
            "identity": query["identity"],
            **people.column(query),
            "camera": query["camera"],
            "subset": query.get("subset", ""),
            "matches": matches,
            "first": first,
            "AP": precision,
        }
    )


def unscored(run: Run) -> pd.DataFrame:
    """The queries in the order of the records, before they are ranked."""
    query = runs_access.records(run, "query")
    nothing = np.zeros(len(query), np.int64)
    return _frame(query, nothing, nothing, np.full(len(query), np.nan))


@st.cache_data(hash_funcs=KEYS, max_entries=24, show_spinner="Ranking all queries")
def _ranked_here(run: Run, epoch: int, matching: str) -> pd.DataFrame:
    query, gallery = runs_access.records(run, "query"), runs_access.records(run, "gallery")
    table = _table(run, epoch, matching)
    found = evaluate_ranking(table, query.identity, query.camera, gallery.identity, gallery.camera)
    return _frame(query, found.matches, found.first, found.average_precision)


@once
def scores(run: Run, epoch: int, matching: str) -> pd.DataFrame:
    """One row a query: its true matches, the rank of the first (0: none exists), its AP in [0, 1] (NaN: no match)."""
    stored = stored_scores(run, epoch, matching)
    return _ranked_here(run, epoch, matching) if stored is None else stored


@dataclass(frozen=True)
class Ranked:
    """One query's whole list. gallery (n,): positions among the gallery's records, nearest first; distances (n,)."""

    gallery: Integers
    distances: npt.NDArray[np.float32]
    removed: int

    def rank_of(self, row: int) -> int | None:
        """The 1-based rank of a gallery image; None where the protocol removed it."""
        place = np.flatnonzero(self.gallery == row)
        return int(place[0]) + 1 if len(place) else None


@st.cache_data(hash_funcs=KEYS, max_entries=64, max_size="64mb", show_spinner=False)
def ranked(run: Run, epoch: int, matching: str, q: int) -> Ranked:
    """One query's list under one rule."""
    query, gallery = runs_access.records(run, "query"), runs_access.records(run, "gallery")
    row = _table(run, epoch, matching, q)[0]
    who, where = int(query["identity"].iloc[q]), int(query["camera"].iloc[q])
    order = nearest(row, who, where, gallery["identity"], gallery["camera"], len(gallery))
    return Ranked(order, row[order], len(gallery) - len(order))


def take_apart(run: Run, epoch: int, q: int, g: int) -> Explanation:
    """The terms of Eq. 10 for one pair."""
    one = runs_access.embeddings(run, "query", epoch)[q : q + 1]
    other = runs_access.embeddings(run, "gallery", epoch)[g : g + 1]
    return explain(one, other)


def compared(table: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """The queries with another ranking's AP of the same images, and the difference: positive is better here."""
    theirs = other.drop_duplicates("path").set_index("path")["AP"]
    found = table["path"].map(theirs)
    return table.assign(**{THEIRS: found, GAIN: table["AP"] - found})


def filtered(
    table: pd.DataFrame, *, errors: str, camera: int | None, subset: str | None = None, order: str = "worst first"
) -> pd.DataFrame:
    """Queries in order; those without a true match last, since nothing can be right about them."""
    keep = np.ones(len(table), bool)
    if errors == BETTER_HERE:
        keep &= (table[GAIN] > 0).to_numpy()
    elif errors == BETTER_THERE:
        keep &= (table[GAIN] < 0).to_numpy()
    if errors == "wrong at rank 1":
        keep &= (table["first"] > 1).to_numpy()
    elif errors == "not in the first 10":
        keep &= (table["first"] > 10).to_numpy()
    elif errors == "right at rank 1":
        keep &= (table["first"] == 1).to_numpy()
    elif errors == "no true match":
        keep &= (table["matches"] == 0).to_numpy()
    if camera is not None:
        keep &= (table["camera"] == camera).to_numpy()
    if subset:
        keep &= (table["subset"] == subset).to_numpy()
    kept = table[keep]
    if order == DIFFERENCE and GAIN in kept:
        return kept.assign(_size=kept[GAIN].abs()).sort_values(["_size", "row"], ascending=[False, True])
    return kept.sort_values(["AP", "row"], ascending=[order != "best first", True], na_position="last")


THEIRS, GAIN = "AP there", "difference in AP"
BETTER_HERE, BETTER_THERE = "better here", "better there"
DIFFERENCE = "largest difference first"
ORDERS = ("worst first", "best first")


ERRORS = ("all", "wrong at rank 1", "not in the first 10", "right at rank 1", "no true match")
