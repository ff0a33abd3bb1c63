"""Find an image: thumbnails in pages, filtered and sorted by anything that is known of the images. One component for
all pages; filters, order and page are in the URL."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from isp_app.components.ranking_grid import Tile, ranking_grid
from isp_app.reading import facts, people, pictures, runs_access
from isp_app.reading.facts import Clause, Facts
from isp_app.safety.names import plain
from isp_app.state import controls, pick, search
from isp_app.state.links import link
from isp_app.state.search import Search
from isp_app.state.sidebar import Selection
from isp_core.runs import Run
from isp_core.runs.schema import Split

Rows = npt.NDArray[np.int64]

PER_PAGE = 60
HEIGHT = 320  # pixels of the gallery
JOINED = 4  # columns that a caption names
PAGE, OPEN = "gp", "find"
AS_STORED = "as in the data set"
NAMED = ("identity", "camera")  # columns of numbers that are names: chosen one by one, never as a range
CHOICES = 40  # any other column of numbers with at most so many values is offered as values, not as a range
_BY, _WRITTEN = "find-columns", "_find_written"


def choose(selection: Selection, run: Run, split: Split, *, persons: bool = False) -> int:
    """Controls for the image: person and image, previous and next, and the finder. The row that is chosen.

    persons: only images of people are offered, and previous and next go from person to person.
    """
    table = runs_access.records(run, split)
    known = _facts(selection, run, split)
    filters, wanted = _asked(known)
    opened = _expander(len(filters))
    rows = _rows(known, filters, wanted)
    rows = rows[table["identity"].to_numpy()[rows] > 0] if persons else rows
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with right:
        steps(table, _first_of_each(table, rows, pick.kept(table)) if persons else rows)
    with left:
        row = pick.person_and_picture(run, split, known=persons)
    if opened.open:
        with opened:
            _gallery(known, filters, wanted, row)
    return row


def narrow(
    selection: Selection,
    run: Run,
    split: Split,
    row: int | None,
    epoch: int | None = None,
    *,
    within: Rows,
) -> Rows:
    """The finder for a page that has a list of its own: the rows that pass the filters, in the finder's order.

    row: the image that is chosen now. An image opened here is chosen by `pick.taken` in the next rerun.
    epoch: whose maps are looked at; the last one by default.
    within: the rows that the page's own filters keep: the finder shows no others, so that both always agree.
    """
    known = _facts(selection, run, split, epoch)
    filters, wanted = _asked(known)
    opened = _expander(len(filters))
    if opened.open:
        with opened:
            filters, wanted = _gallery(known, filters, wanted, row, within)
    rows = _rows(known, filters, wanted)
    return rows[np.isin(rows, within)]


def steps(table: pd.DataFrame, rows: Rows) -> None:
    """Previous and next among these rows, by button or key."""
    if not len(rows):
        return

    def step(by: int) -> None:
        now = pick.kept(table)
        place = np.flatnonzero(rows == now) if now is not None else np.zeros(0, np.int64)
        at = (int(place[0]) + by) % len(rows) if len(place) else 0
        pick.choose(table, int(rows[at]))

    with st.container(horizontal=True, gap="small", width="content"):
        st.button("Previous", icon=":material/chevron_left:", shortcut="P", on_click=step, args=(-1,), key="previous")
        st.button("Next", icon=":material/chevron_right:", shortcut="N", on_click=step, args=(1,), key="next")


def doors(run: Run, split: Split, row: int, here: str = "") -> None:
    """Links to everything that shows this image: its epochs, person, IoU and ranking. here: the page to leave out."""
    table = runs_access.records(run, split)
    record, image = table.iloc[row], pick.names(table)[row]
    person = people.keys(table.iloc[[row]]).iloc[0]
    with st.container(horizontal=True, width="content"):
        if here != "evolution" and run.info.parts:
            link("evolution", "All its epochs", ":material/movie:", split=split, pid=person, img=image)
        if here != "identity" and record["identity"] > 0 and run.info.parts:
            link("identity", "Its person", ":material/person:", split=split, pid=person, img=image)
        if here != "iou" and run.info.parts:
            link("iou", "Its IoU", ":material/table_chart:", split=split, row=image)
        icon = ":material/format_list_numbered:"
        if here != "ranking" and split == "query":
            link("ranking", "Its ranking", icon, split=split, q=image)
        elif here != "ranking" and split == "gallery":
            queries = runs_access.records(run, "query")
            first = pick.first_of(queries, person)
            if first is not None:
                link("ranking", "Its place in a ranking", icon, split=split, q=pick.names(queries)[first], g=image)


def _expander(count: int) -> Any:
    """Whether it is open is in the URL; its label says how many filters hold."""
    label = "Find an image" + (f" ({count} filter{'s' if count > 1 else ''})" if count else "")
    return st.expander(
        label, icon=":material/search:", expanded=bool(st.query_params.get(OPEN)), on_change="rerun", key=OPEN
    )


def _facts(selection: Selection, run: Run, split: Split, epoch: int | None = None) -> Facts:
    epochs = runs_access.map_epochs(run, split) if run.info.parts else []
    if epoch is None and epochs:
        epoch = epochs[-1]
    return Facts(run, selection.settings, split, epoch)


def _asked(known: Facts) -> tuple[dict[str, Clause], Search]:
    """Filters and order as asked for; what this split's images do not have is left out, and named."""
    asked = search.read()
    wanted = facts.parse(asked.where)
    for text in () if asked.carried else facts.not_understood(asked.where):
        controls.not_found("Filter", text, None)
    if not wanted and not asked.sort:
        return {}, asked
    names = known.names
    lacking = [name for name in wanted if name not in names]
    sort = asked.sort if asked.sort in names else ""
    if asked.carried:
        if lacking:
            st.caption(f"Filters of the page before that do not apply here: {plain(', '.join(lacking))}.")
    else:
        for name in lacking:
            controls.not_found("Filter", name, None)
        if asked.sort and not sort:
            controls.not_found("Order", asked.sort, AS_STORED)
    filters = {}
    for name, clause in wanted.items():
        found = _with_values(known, name, clause, asked.carried) if name in names else None
        if found is not None:
            filters[name] = found
    if asked.carried:
        search.write(facts.write(filters), sort, asked.down)
    return filters, Search(asked.where, sort, asked.down)


def _with_values(known: Facts, name: str, clause: Clause, quiet: bool) -> Clause | None:
    """The clause without values that no image has, which are named unless `quiet`; None where none is left."""
    if not clause.values:
        return clause
    there = set(facts.as_text(known.values(name)).unique())
    for value in clause.values:
        if value not in there and not quiet:
            controls.not_found(known.label(name), value, None)
    values = tuple(value for value in clause.values if value in there)
    return Clause(values) if values else None


def _rows(known: Facts, filters: dict[str, Clause], wanted: Search) -> Rows:
    if not filters and not wanted.sort:
        return np.arange(len(runs_access.records(known.run, known.split)))
    return facts.find(known, filters, wanted.sort, wanted.down)


def _first_of_each(table: pd.DataFrame, rows: Rows, now: int | None) -> Rows:
    """One row a person, in the order of `rows`; the image that is chosen stands for its person."""
    who = table["identity"].to_numpy()
    _, first = np.unique(who[rows], return_index=True)
    kept = rows[np.sort(first)]
    if now is not None:
        kept = np.where(who[kept] == who[now], now, kept)
    return kept


def _gallery(
    known: Facts, filters: dict[str, Clause], wanted: Search, row: int | None, within: Rows | None = None
) -> tuple[dict[str, Clause], Search]:
    filters, wanted = _controls(known, filters, wanted)
    run, split = known.run, known.split
    table = runs_access.records(run, split)
    found = _rows(known, filters, wanted)
    rows = found if within is None else found[np.isin(found, within)]
    more = f", {len(found) - len(rows)} left out by the page's own filters" if len(rows) < len(found) else ""
    st.caption(f"{len(rows)} of {len(table)} images{more}{'' if len(rows) else ': widen or remove a filter'}")
    if joined := known.joined:
        named = ", ".join(joined[:JOINED]) + (f" and {len(joined) - JOINED} more" if len(joined) > JOINED else "")
        st.caption(
            f"Read from the data set's own table by file name, since the run was written without them: {plain(named)}."
        )
    if not len(rows):
        return filters, wanted
    pages = -(-len(rows) // PER_PAGE)
    page = st.pagination(pages, key=PAGE, bind="query-params") if pages > 1 else 1
    shown = [int(one) for one in rows[(page - 1) * PER_PAGE : page * PER_PAGE]]
    root, palette = pictures.picture_root(run, known.settings), runs_access.palette(run)
    sprite = pictures.tiles(run, root, split, shown, palette, epoch=known.epoch, width=48)
    values = known.values(wanted.sort) if wanted.sort else None
    tiles = [Tile(one, "none", _below(table, values, one), pictures.describe(table.iloc[one])) for one in shown]
    with st.container(height=HEIGHT, border=False):  # what the image is opened for stays in sight below
        ranking_grid(
            tiles,
            sprite,
            palette,
            title="Images found",
            key="found",
            selected=row,
            on_open=lambda one: pick.choose(table, one),
        )
    if row is not None:
        st.caption(f"Chosen: {plain(pick.names(table)[row])}")
        doors(run, split, row)
    return filters, wanted


def _below(table: pd.DataFrame, values: pd.Series | None, row: int) -> str:
    """What stands below a tile: the value that the images are sorted by, else the person."""
    if values is None:
        return people.who(table.iloc[row])
    value = values.iloc[row]
    if isinstance(value, float):
        return "–" if value != value else f"{value:.1f}"
    return str(value) or "none"


def _controls(known: Facts, filters: dict[str, Clause], wanted: Search) -> tuple[dict[str, Clause], Search]:
    """Which columns filter, a control for each, and the order; all written into the URL when changed by hand."""
    names, sort = known.names, wanted.sort
    state = st.session_state
    # the controls hold unless the URL says something that they did not write: a link, or Back
    by_url = _BY not in state or state.get(_WRITTEN) != st.query_params.get(search.WHERE, "")
    if by_url:
        state[_BY] = list(filters)
    left, middle, right = st.columns([3, 2, 1], vertical_alignment="bottom")
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
        help="The order of these thumbnails, and of Previous and Next where the page has no order of its own",
    )
    down = right.toggle("High first", value=wanted.down, key=f"find-down-{wanted.down}")
    kept: dict[str, Clause] = {}
    places = st.columns(max(1, min(3, len(chosen))))
    for n, name in enumerate(chosen):
        with places[n % len(places)]:
            clause = _clause(known, name, filters.get(name) if by_url else None)
        if clause is not None:
            kept[name] = clause
    where = facts.write(kept)
    state[_WRITTEN] = where
    search.write(where, sort_now, down)
    return kept, Search(where, sort_now, down)


def _clause(known: Facts, name: str, wanted: Clause | None) -> Clause | None:
    """One column's control. wanted: what the URL says; None: the control's own state holds."""
    column, key, label = known.values(name), f"find-{name}", plain(known.label(name))
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column) and name not in NAMED
    numbers = column[np.isfinite(column)] if numeric else column.iloc[:0]
    if len(numbers) and (column.nunique() > CHOICES or (wanted is not None and not wanted.values)):
        return _range(numbers, key, label, wanted)
    options = sorted(facts.as_text(column).unique(), key=_natural)
    if wanted is not None:
        st.session_state[key] = [value for value in options if wanted.names(value)]
    called = _called(known) if name == "identity" else {}
    values = st.multiselect(
        label,
        options,
        key=key,
        format_func=lambda value: called.get(value, value),
        placeholder=f"{len(options)} values: type to search",
    )
    return Clause(tuple(values)) if values else None


def _called(known: Facts) -> dict[str, str]:
    """What people are called, by their numbers in text; empty where nothing names them."""
    table = runs_access.records(known.run, known.split)
    if not people.named(table):
        return {}
    return dict(zip(table["identity"].astype(str), people.keys(table), strict=True))


def _range(numbers: pd.Series, key: str, label: str, wanted: Clause | None) -> Clause | None:
    if numbers.empty:
        st.caption(f"{plain(label)}: no image has a value")
        return None
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


def _natural(text: str) -> tuple[bool, int, str]:
    """Numbers in their order, before words in theirs."""
    return (not text.isdecimal(), int(text) if text.isdecimal() else 0, text)
