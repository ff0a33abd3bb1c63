"""Find an image: thumbnails in pages, filtered and sorted by anything that is known of the images. Shared by the pages;
filters, order and page are in the URL."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from isp_app.components.ranking_grid import Tile, ranking_grid
from isp_app.reading import facts, pictures, runs_access
from isp_app.reading.facts import Clause, Facts
from isp_app.state import controls, pick
from isp_app.state.links import link
from isp_app.state.sidebar import Selection
from isp_core.runs import Run
from isp_core.runs.schema import Split

PER_PAGE = 60
WHERE, SORT, DOWN, PAGE, OPEN = "where", "by", "down", "gp", "find"
AS_STORED = "as in the data set"
CHOICES = 40  # a column of numbers with at most so many values is offered as values, not as a range
_BY, _WRITTEN = "find-columns", "_find_written"


def choose(selection: Selection, run: Run, split: Split) -> int:
    """Controls for the image: person and image, previous and next, and the finder. The row that is chosen."""
    table = runs_access.records(run, split)
    opened = st.expander(
        "Find an image", icon=":material/search:", expanded=bool(st.query_params.get(OPEN)), on_change="rerun", key=OPEN
    )
    filters = _filters_of_url(run, split, selection)
    known = _facts(selection, run, split)
    sort = st.query_params.get(SORT, "")
    sort = sort if sort in known.names else ""
    rows = np.arange(len(table)) if not filters and not sort else _rows(known, filters, sort)
    _step_by_keys(table, rows)
    row = pick.person_and_picture(run, split)
    if opened.open:
        with opened:
            row = _gallery(selection, known, filters, sort, row)
    return row


def _facts(selection: Selection, run: Run, split: Split) -> Facts:
    epochs = runs_access.map_epochs(run, split) if run.info.parts else []
    return Facts(run, selection.settings, split, epochs[-1] if epochs else None)


def _filters_of_url(run: Run, split: Split, selection: Selection) -> dict[str, Clause]:
    wanted = facts.parse(st.query_params.get(WHERE, ""))
    if not wanted:
        return {}
    names = _facts(selection, run, split).names
    for name in wanted:
        if name not in names:
            controls.not_found("Filter", name, None)
    return {name: clause for name, clause in wanted.items() if name in names}


def _rows(known: Facts, filters: dict[str, Clause], sort: str) -> npt.NDArray[np.int64]:
    return facts.find(known, filters, sort, st.query_params.get(DOWN) == "1")


def _step_by_keys(table: pd.DataFrame, rows: npt.NDArray[np.int64]) -> None:
    """Previous and next in the finder's order, by button or key."""
    if not len(rows):
        return

    def step(by: int) -> None:
        now = pick.kept(table)
        place = np.flatnonzero(rows == now) if now is not None else np.zeros(0, np.int64)
        at = (int(place[0]) + by) % len(rows) if len(place) else 0
        pick.choose(table, int(rows[at]))

    with st.container(horizontal=True, gap="small"):
        st.button("Previous", icon=":material/chevron_left:", shortcut="P", on_click=step, args=(-1,), key="previous")
        st.button("Next", icon=":material/chevron_right:", shortcut="N", on_click=step, args=(1,), key="next")


def _gallery(selection: Selection, known: Facts, filters: dict[str, Clause], sort: str, row: int) -> int:
    filters, sort = _controls(known, filters, sort)
    run, split = known.run, known.split
    table = runs_access.records(run, split)
    rows = _rows(known, filters, sort)
    st.caption(f"{len(rows)} of {len(table)} images")
    if not len(rows):
        return row
    pages = -(-len(rows) // PER_PAGE)
    page = st.pagination(pages, key=PAGE, bind="query-params") if pages > 1 else 1
    shown = [int(one) for one in rows[(page - 1) * PER_PAGE : page * PER_PAGE]]
    root, palette = pictures.picture_root(run, selection.settings), runs_access.palette(run)
    sprite = pictures.tiles(run, root, split, shown, palette, epoch=known.epoch, width=48)
    values = known.values(sort) if sort else None
    tiles = [
        Tile(
            one,
            "none",
            f"{values[one]:.1f}" if values is not None and isinstance(values[one], float) else _short(table, one),
            pictures.describe(table.iloc[one]),
        )
        for one in shown
    ]
    opened = ranking_grid(tiles, sprite, palette, title="Images found", key="found", selected=row)
    with st.container(horizontal=True):
        record = table.iloc[row]
        words = {"split": split, "pid": record["identity"], "img": pick.names(table)[row]}
        link("evolution", "Its epochs", ":material/movie:", **words)
        link("identity", "Its person", ":material/person:", split=split, pid=record["identity"])
        link("iou", "Its IoU", ":material/table_chart:", split=split, row=words["img"])
        if split == "query":
            link("ranking", "Its ranking", ":material/format_list_numbered:", split=split, q=words["img"])
    if opened is not None and opened in set(shown) and opened != row:
        pick.choose(table, opened)
        st.rerun()
    return row


def _short(table: pd.DataFrame, row: int) -> str:
    return f"person {table['identity'].iloc[row]}"


def _controls(known: Facts, filters: dict[str, Clause], sort: str) -> tuple[dict[str, Clause], str]:
    """Which columns filter, a control for each, and the order; all written into the URL when changed by hand."""
    names = known.names
    state = st.session_state
    # the controls hold unless the URL says something that they did not write: a link, or Back
    by_url = _BY not in state or state.get(_WRITTEN) != st.query_params.get(WHERE, "")
    if by_url:
        state[_BY] = list(filters)
    left, middle, right = st.columns([3, 2, 1])
    chosen = left.multiselect(
        "Filter by",
        names,
        format_func=known.label,
        key=_BY,
        placeholder="Any column: identity, camera, belonging, parts, IoU ...",
    )
    sort_now = middle.selectbox(
        "Sort by",
        ["", *names],
        index=0 if not sort else 1 + names.index(sort),
        format_func=lambda name: known.label(name) if name else AS_STORED,
        key=f"find-sort-{sort}",
    )
    down = right.toggle("High first", value=st.query_params.get(DOWN) == "1", key="find-down")
    kept: dict[str, Clause] = {}
    places = st.columns(max(1, min(3, len(chosen))))
    for n, name in enumerate(chosen):
        with places[n % len(places)]:
            clause = _clause(known, name, filters.get(name) if by_url else None)
        if clause is not None:
            kept[name] = clause
    state[_WRITTEN] = facts.write(kept)
    _into_url(WHERE, state[_WRITTEN])
    _into_url(SORT, sort_now)
    _into_url(DOWN, "1" if down else "")
    return kept, sort_now


def _into_url(name: str, value: str) -> None:
    if value and st.query_params.get(name) != value:
        st.query_params[name] = value
    elif not value and name in st.query_params:
        del st.query_params[name]


def _clause(known: Facts, name: str, wanted: Clause | None) -> Clause | None:
    """One column's control. wanted: what the URL says; None: the control's own state holds."""
    column, key, label = known.values(name), f"find-{name}", known.label(name)
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if numeric and (column.nunique() > CHOICES or (wanted is not None and not wanted.values)):
        numbers = column.dropna()
        low, high = float(np.floor(numbers.min())), float(np.ceil(numbers.max()))
        if wanted is not None:
            a = low if wanted.low is None else min(max(wanted.low, low), high)
            b = high if wanted.high is None else min(max(wanted.high, low), high)
            st.session_state[key] = (min(a, b), max(a, b))
        else:
            st.session_state.setdefault(key, (low, high))
        ends: Any = st.slider(label, low, max(high, low + 1), key=key)
        a, b = ends
        return None if (a, b) == (low, high) else Clause((), a if a > low else None, b if b < high else None)
    options = sorted(facts.as_text(column).unique(), key=_natural)
    if wanted is not None:
        st.session_state[key] = [value for value in wanted.values if value in options]
    values = st.multiselect(label, options, key=key)
    return Clause(tuple(values)) if values else None


def _natural(text: str) -> tuple[bool, int, str]:
    """Numbers in their order, before words in theirs."""
    return (not text.isdecimal(), int(text) if text.isdecimal() else 0, text)
