"""The Ranking page's queries: filtered, in order, one row of thumbnails at a time."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from isp_app.components.ranking_grid import Mark, Tile, ranking_grid
from isp_app.reading import people, pictures, ranking, runs_access
from isp_app.reading.ranking import ERRORS
from isp_app.safety.names import plain
from isp_app.state import pick
from isp_app.state.controls import not_found, select
from isp_app.state.pick import names, row_named
from isp_app.state.sidebar import Selection
from isp_app.views import finder
from isp_app.views.ranked_lists import Side

PER_PAGE = 12  # one row


def choose(
    selection: Selection,
    side: Side,
    other: Side | None,
    table: pd.DataFrame,
    epoch: int | None,
    places: Sequence[DeltaGenerator],
) -> int | None:
    """Filters, order and one row of queries; the chosen one. other, table: the other ranking, and with its AP where
    there is one. epoch: whose part maps are shown. places: of the two select boxes."""
    left, right = places
    two = other is not None and ranking.GAIN in table and bool(table[ranking.GAIN].notna().any())
    better = _better(side, other) if two and other is not None else {}
    chosen = select("Queries", [*ERRORS, *better], "err", place=left)
    errors = better.get(chosen, chosen)
    orders = [*([ranking.DIFFERENCE] if two else []), *ranking.ORDERS]
    order = select("Order of queries", orders, "qsort", place=right)
    everything = runs_access.records(side.run, "query")
    inline = st.container(horizontal=True, vertical_alignment="center")
    camera, subset = _camera_and_subset(table, inline)
    own = ranking.filtered(table, errors=errors, camera=camera, subset=subset, order=order)
    found = finder.narrow(selection, side.run, "query", pick.kept(everything), epoch, within=own["row"].to_numpy())
    kept = own[own["row"].isin(found)]
    if kept.empty:
        st.info("No query is left: choose other filters.")
        return None
    wanted = _wanted_query(table, kept)
    pick.keep(table, wanted)
    scored = bool(table["AP"].notna().any())
    pages = -(-len(kept) // PER_PAGE)
    with inline:
        finder.steps(everything, kept["row"].to_numpy())
        page = st.pagination(pages, key="page", bind="query-params", width="content") if pages > 1 else 1
        st.caption(
            f"{len(kept)} queries, {order if scored else 'in the order of the records'}",
            help=_below(side, other if two else None) if scored else None,
            width="content",
        )
    shown = kept.iloc[(page - 1) * PER_PAGE : page * PER_PAGE]
    rows = [int(row) for row in shown["row"]]
    root = pictures.picture_root(side.run, selection.settings)
    palette = runs_access.palette(side.run)
    sprite = pictures.tiles(side.run, root, "query", rows, palette, epoch=epoch, width=40)
    tiles = [_query_tile(row, record, scored) for row, (_, record) in zip(rows, shown.iterrows(), strict=True)]
    ranking_grid(
        tiles,
        sprite,
        palette,
        title=f"Queries, {order}",
        key="queries",
        selected=wanted,
        on_open=lambda row: pick.choose(everything, row),
    )
    return wanted


def _better(side: Side, other: Side) -> dict[str, str]:
    """The filters that compare two rankings, by their words: which run is the better one, or which rule of one run."""
    if side.run.path == other.run.path:
        here, there = side.rule, other.rule
    else:
        here, there = side.listed, other.listed
    return {f"better with {here}": ranking.BETTER_HERE, f"better with {there}": ranking.BETTER_THERE}


def _below(side: Side, other: Side | None) -> str:
    """What stands below the tiles of the queries."""
    words = f"Below each query: its AP in {side.name}, ✓ where a true match is at rank 1, else ✗"
    return words + (f"; then how many points more than in {other.name}." if other is not None else ".")


def _camera_and_subset(table: pd.DataFrame, place: DeltaGenerator) -> tuple[int | None, str | None]:
    """The camera and subset that queries are narrowed to, one click away; None: all."""
    cameras = [int(c) for c in sorted(table["camera"].unique()) if c > 0]
    subsets = [str(s) for s in sorted(table["subset"].unique()) if s]
    chosen = [st.query_params.get(name, "all") for name in ("cam", "subset")]
    label = "Camera, subset" if subsets else "Camera"
    said = ", ".join(f"{n} {v}" for n, v in zip(("camera", "subset"), chosen, strict=True) if v != "all")
    with place.popover(f"{label}: {plain(said[:60])}" if said else label, key="narrow"):
        camera = select("Camera of the query", ["all", *cameras], "cam")
        subset = select("Subset", ["all", *subsets], "subset") if subsets else "all"
    return (None if camera == "all" else int(camera)), (None if subset == "all" else subset)


def _wanted_query(table: pd.DataFrame, kept: pd.DataFrame) -> int:
    """The query just opened, else the one that the URL names, else the first of those kept."""
    opened = pick.taken(table)
    if opened is not None:
        st.query_params["q"] = names(table)[opened]
        st.query_params.pop("g", None)
        return opened
    text = st.query_params.get("q", "")
    row = row_named(table, text) if text else None
    if row is None and not text:
        last = pick.kept(table)
        row = last if last is not None and last in set(kept["row"]) else None
    if row is None:
        row = int(kept["row"].iloc[0])
        if text:
            not_found("Query", text, names(table)[row])
    return row


def _query_tile(row: int, record: pd.Series, scored: bool) -> Tile:
    if record["matches"] == 0 and not scored:
        return Tile(row, "none", people.who(record), pictures.describe(record))
    if record["matches"] == 0:
        alt = f"{pictures.describe(record)}: the gallery has no true match"
        return Tile(row, "none", "no match", alt, people.below(record))
    mark: Mark = "match" if record["first"] == 1 else "wrong"
    words = "right" if mark == "match" else f"first true match at rank {record['first']}"
    gain = record.get(ranking.GAIN, float("nan"))
    more = people.below(record, "" if gain != gain else f"{100 * gain:+.0f}")
    return Tile(
        row, mark, f"{100 * record['AP']:.0f} %", f"{pictures.describe(record)}: AP {record['AP']:.3f}, {words}", more
    )
