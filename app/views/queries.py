"""The Ranking page's queries: filtered, in order, one row of thumbnails at a time."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from isp_app.components.ranking_grid import Mark, Tile, ranking_grid
from isp_app.reading import pictures, ranking, runs_access
from isp_app.reading.ranking import ERRORS
from isp_app.state import pick
from isp_app.state.controls import not_found, select
from isp_app.state.pick import names, row_named
from isp_app.state.sidebar import Selection
from isp_app.views import finder
from isp_app.views.ranked_lists import Side

PER_PAGE = 12  # one row


def choose(selection: Selection, side: Side, table: pd.DataFrame, epoch: int | None) -> int | None:
    """Filters, order and one row of queries; the chosen one. table: with another ranking's AP where there is one.
    epoch: whose part maps are shown."""
    left, middle, right, last = st.columns(4)
    two = ranking.GAIN in table and bool(table[ranking.GAIN].notna().any())
    more = (ranking.BETTER_HERE, ranking.BETTER_THERE) if two else ()
    errors = select("Queries", [*ERRORS, *more], "err", place=left)
    orders = [*([ranking.DIFFERENCE] if two else []), *ranking.ORDERS]
    order = select("Order of queries", orders, "qsort", place=last)
    cameras = [int(c) for c in sorted(table["camera"].unique()) if c > 0]
    camera = select("Camera of the query", ["all", *cameras], "cam", place=middle)
    subsets = [str(s) for s in sorted(table["subset"].unique()) if s]
    subset = None
    if subsets:
        subset = select("Subset", ["all", *subsets], "subset", place=right)
    everything = runs_access.records(side.run, "query")
    found = finder.narrow(selection, side.run, "query", pick.kept(everything), epoch)
    kept = ranking.filtered(
        table[table["row"].isin(found)],
        errors=errors,
        camera=None if camera == "all" else int(camera),
        subset=None if subset == "all" else subset,
        order=order,
    )
    if kept.empty:
        st.info("No query is left: choose other filters.")
        return None
    wanted = _wanted_query(table, kept)
    pick.keep(table, wanted)
    scored = bool(table["AP"].notna().any())
    st.caption(f"{len(kept)} queries, {order if scored else 'in the order of the records'}")
    finder.steps(everything, kept["row"].to_numpy())
    with st.container():
        pages = -(-len(kept) // PER_PAGE)
        page = st.pagination(pages, key="page", bind="query-params") if pages > 1 else 1
        shown = kept.iloc[(page - 1) * PER_PAGE : page * PER_PAGE]
        rows = [int(row) for row in shown["row"]]
        root = pictures.picture_root(side.run, selection.settings)
        palette = runs_access.palette(side.run)
        sprite = pictures.tiles(side.run, root, "query", rows, palette, epoch=epoch, width=48)
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
        return Tile(row, "none", f"person {record['identity']}", pictures.describe(record))
    if record["matches"] == 0:
        return Tile(row, "none", "no match", f"{pictures.describe(record)}: the gallery has no true match")
    mark: Mark = "match" if record["first"] == 1 else "wrong"
    words = "right" if mark == "match" else f"first true match at rank {record['first']}"
    gain = record.get(ranking.GAIN, float("nan"))
    more = "" if gain != gain else f"{100 * gain:+.0f}"
    return Tile(
        row, mark, f"{100 * record['AP']:.0f} %", f"{pictures.describe(record)}: AP {record['AP']:.3f}, {words}", more
    )
