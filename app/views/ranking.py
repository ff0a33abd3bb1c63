"""Ranking: a query and its nearest gallery pictures under Eq. 10, two runs side by side (Figure 7), worst first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from app import empty, exports, figures, pictures, ranking, runs_access
from app.components.ranking_grid import Mark, Tile, ranking_grid
from app.encode import Pixels
from app.pick import names
from app.ranking import ERRORS, Ranked
from app.safety.names import plain
from app.sidebar import Selection
from app.views import pair
from isp_core.runs import Run

PER_PAGE = 40
SHOWN = (10, 20, 50)
NOBODY = "none"


@dataclass(frozen=True)
class Side:
    """One of the two rankings: a run, its epoch and its rule."""

    run: Run
    epoch: int
    rule: str
    name: str


def show(selection: Selection) -> None:
    """The page."""
    st.title("Ranking", anchor=False)
    run = empty.run_or_reason(selection)
    if run is None:
        return
    epochs = run.embedding_epochs()
    if not epochs:
        empty.no_embeddings(run)
        return
    st.caption(ranking.RULE)
    side, other = _sides(selection, run, epochs)
    scored = _may_score(side)
    table = ranking.scores(side.run, side.epoch, side.rule) if scored else ranking.unscored(side.run)
    if scored:
        _figures(side, table)
    chosen = _choose_query(selection, side, table)
    if chosen is None:
        return
    query = runs_access.records(run, "query").iloc[chosen]
    st.subheader(f"Query {plain(names(table)[chosen])}", anchor=False)
    count = st.segmented_control(
        "Shown", SHOWN, default=SHOWN[0], key="k", bind="query-params", persist_state="session", required=True
    )
    lists = {side: ranking.ranked(side.run, side.epoch, side.rule, chosen)}
    if other is not None:
        twin = _same_query(other.run, query)
        if twin is None:
            st.info(f"{other.name} has not ranked this query: it was made from other data.")
        else:
            lists[other] = ranking.ranked(other.run, other.epoch, other.rule, twin)
    opened = None
    for one, ranked in lists.items():
        rest = [(s, r) for s, r in lists.items() if s is not one]
        now = _list(selection, one, ranked, query, int(count or SHOWN[0]), rest[0] if rest else None)
        opened = now if now is not None and one is side else opened
    _downloads(selection, side, lists, query, chosen, int(count or SHOWN[0]))
    pair.show(selection, side.run, side.epoch, chosen, _gallery_row(side, lists[side], opened))


def _sides(selection: Selection, run: Run, epochs: list[int]) -> tuple[Side, Side | None]:
    left, middle, right = st.columns([1, 2, 2])
    epoch = left.selectbox(
        "Epoch",
        epochs[::-1],
        key="epoch",
        bind="query-params",
        persist_state="session",
        help="Epochs whose embeddings are stored",
    )
    known = ranking.rules(run, epoch)
    rule = middle.selectbox(
        "Matching",
        list(known),
        key="arm",
        bind="query-params",
        persist_state="session",
    )
    st.caption(f"{rule}: {known[str(rule)]}")
    others = {
        item.id: other
        for item, other in selection.open_others()
        if other.path != run.path and other.info.data.fingerprint == run.info.data.fingerprint
    }
    options = [NOBODY, *(["this run, all parts visible"] if "all-parts" in known else []), *others]
    with_whom = right.selectbox(
        "Beside it",
        options,
        index=_default_other(options, others),
        key="vs",
        bind="query-params",
        persist_state="session",
        help="A baseline or any other run on the same data, imported ones too",
    )
    side = Side(run, int(epoch), str(rule), f"{run.name}, epoch {epoch}, {rule}")
    if with_whom == NOBODY or with_whom is None:
        return side, None
    if with_whom not in others:
        return side, Side(run, int(epoch), "all-parts", f"{run.name}, epoch {epoch}, all-parts")
    other = others[with_whom]
    theirs = other.embedding_epochs()
    if not theirs:
        st.info(f"{other.name} has no embeddings yet.")
        empty.no_embeddings(other)
        return side, None
    its_rules = ranking.rules(other, theirs[-1])
    its_rule = side.rule if side.rule in its_rules else next(iter(its_rules))
    return side, Side(other, theirs[-1], its_rule, f"{with_whom}, epoch {theirs[-1]}, {its_rule}")


def _default_other(options: list[str], others: dict[str, Run]) -> int:
    """A baseline where there is one: Figure 7 in one click."""
    for i, name in enumerate(options):
        if name in others and others[name].info.parts == 0:
            return i
    return 0


def _may_score(side: Side) -> bool:
    """Whether every query's score is at hand or quickly made; large galleries are ranked when asked to."""
    key = f"scored-{side.name}"
    pairs = ranking.pairs(side.run)
    if pairs <= ranking.AT_ONCE or st.session_state.get(key):
        return True
    if ranking.stored_scores(side.run, side.epoch, side.rule) is not None:
        return True
    command = f"python -m eval retrieval --run {empty.short(side.run.path)} --epoch {side.epoch} --matching {side.rule}"
    st.info(
        f"{pairs / 1e6:.0f} million distances stand between here and the worst queries. Rank them now, or once for all "
        f"with `{command}`."
    )
    if st.button("Rank all queries", help="About a second for each ten million on one core"):
        st.session_state[key] = True
        return True
    return False


def _figures(side: Side, table: pd.DataFrame) -> None:
    judged = table[table["matches"] > 0]
    columns = st.columns(4)
    r1 = (judged["first"] == 1).mean() if len(judged) else float("nan")
    known = ranking.intervals(side.run, side.epoch, side.rule)
    for column, name, value in ((columns[0], "R-1", r1), (columns[1], "mAP", judged["AP"].mean())):
        column.metric(name, f"{100 * value:.1f} %")
        if name in known:
            column.caption(f"95 % interval over queries: {known[name][0]:.1f} to {known[name][1]:.1f}")
    columns[2].metric("queries judged", f"{len(judged)}", help="Queries with a true match; the figures are their means")
    columns[3].metric("without a true match", f"{len(table) - len(judged)}", help="Count in no figure")


def _choose_query(selection: Selection, side: Side, table: pd.DataFrame) -> int | None:
    left, middle, right = st.columns(3)
    errors = left.selectbox("Queries", ERRORS, key="err", bind="query-params", persist_state="session")
    cameras = [int(c) for c in sorted(table["camera"].unique()) if c > 0]
    camera = middle.selectbox(
        "Camera of the query", ["all", *map(str, cameras)], key="cam", bind="query-params", persist_state="session"
    )
    subsets = [str(s) for s in sorted(table["subset"].unique()) if s]
    subset = None
    if subsets:
        subset = right.selectbox(
            "Subset", ["all", *subsets], key="subset", bind="query-params", persist_state="session"
        )
    kept = ranking.filtered(
        table,
        errors=str(errors),
        camera=None if camera in ("all", None) else int(str(camera)),
        subset=None if subset in ("all", None) else str(subset),
    )
    if kept.empty:
        st.info("No query is left: choose other filters.")
        return None
    wanted = _wanted_query(table, kept)
    order = "worst AP first" if table["AP"].notna().any() else "in the order of the records, not ranked yet"
    with st.expander(f"{len(kept)} queries, {order}", expanded=True):
        pages = -(-len(kept) // PER_PAGE)
        page = st.pagination(pages, key="page", bind="query-params") if pages > 1 else 1
        shown = kept.iloc[(page - 1) * PER_PAGE : page * PER_PAGE]
        rows = [int(row) for row in shown["row"]]
        root = pictures.picture_root(side.run, selection.settings)
        sprite = pictures.tiles(
            side.run, root, "query", rows, runs_access.palette(side.run), epoch=_map_epoch(side), width=48
        )
        scored = bool(table["AP"].notna().any())
        tiles = [_query_tile(row, record, scored) for row, (_, record) in zip(rows, shown.iterrows(), strict=True)]
        opened = ranking_grid(tiles, sprite, title="Queries, worst first", key="queries", selected=wanted)
    if opened is not None and opened in set(kept["row"]):
        st.query_params["q"] = names(table)[opened]
        st.query_params.pop("g", None)
        return opened
    return wanted


def _wanted_query(table: pd.DataFrame, kept: pd.DataFrame) -> int:
    """The query that the address names, else the worst of those kept."""
    text = st.query_params.get("q", "")
    if text:
        found = [i for i, name in enumerate(names(table)) if name == text]
        if found:
            return found[0]
    return int(kept["row"].iloc[0])


def _query_tile(row: int, record: pd.Series, scored: bool) -> Tile:
    if record["matches"] == 0 and not scored:
        return Tile(row, "none", f"person {record['identity']}", pictures.describe(record))
    if record["matches"] == 0:
        return Tile(row, "none", "no match", f"{pictures.describe(record)}: the gallery has no true match")
    mark: Mark = "match" if record["first"] == 1 else "wrong"
    words = "right" if mark == "match" else f"first true match at rank {record['first']}"
    return Tile(
        row, mark, f"{100 * record['AP']:.0f} %", f"{pictures.describe(record)}: AP {record['AP']:.3f}, {words}"
    )


def _list(
    selection: Selection, side: Side, ranked: Ranked, query: pd.Series, count: int, other: tuple[Side, Ranked] | None
) -> int | None:
    gallery = runs_access.records(side.run, "gallery")
    rows = [int(row) for row in ranked.gallery[:count]]
    right = gallery["identity"].iloc[rows].to_numpy() == query["identity"]
    st.markdown(f"**{plain(side.name)}**")
    root = pictures.picture_root(side.run, selection.settings)
    sprite = pictures.tiles(side.run, root, "gallery", rows, runs_access.palette(side.run), epoch=_map_epoch(side))
    tiles = []
    for i, row in enumerate(rows):
        record = gallery.iloc[row]
        shift, words = _shift(side, row, i + 1, other)
        mark: Mark = "match" if right[i] else "wrong"
        tiles.append(
            Tile(
                row,
                mark,
                f"{i + 1} · {ranked.distances[i]:.3f}",
                f"rank {i + 1}, {'true match' if right[i] else 'another person'}: {pictures.describe(record)}, "
                f"distance {ranked.distances[i]:.3f}{words}",
                shift,
            )
        )
    opened = ranking_grid(tiles, sprite, title=f"Ranking of {side.name}", key=f"list-{side.name}")
    hits = int(right.sum())
    removed = f"; {ranked.removed} of the query's own camera or junk removed" if ranked.removed else ""
    st.caption(f"{hits} of the first {len(rows)} show the same person; {len(ranked.gallery)} ranked{removed}.")
    if root is None:
        empty.no_pictures()
    return opened


def _shift(side: Side, row: int, rank: int, other: tuple[Side, Ranked] | None) -> tuple[str, str]:
    """How far above or below the other list's rank this picture stands."""
    if other is None:
        return "", ""
    theirs = other[1].rank_of(_same_picture(side.run, other[0].run, row))
    if theirs is None:
        return "", ""
    if theirs == rank:
        return "= 0", ", the same rank in the other list"
    arrow = "▲" if theirs > rank else "▼"
    return f"{arrow} {abs(theirs - rank)}", f", rank {theirs} in the other list"


def _same_picture(run: Run, other: Run, row: int) -> int:
    if run.path == other.path:
        return row
    path = runs_access.records(run, "gallery")["path"].iloc[row]
    theirs = runs_access.records(other, "gallery")["path"]
    if row < len(theirs) and theirs.iloc[row] == path:
        return row
    place = np.flatnonzero((theirs == path).to_numpy())
    return int(place[0]) if len(place) else -1


def _same_query(other: Run, query: pd.Series) -> int | None:
    place = np.flatnonzero((runs_access.records(other, "query")["path"] == query["path"]).to_numpy())
    return int(place[0]) if len(place) else None


def _map_epoch(side: Side) -> int | None:
    """The stored predictions nearest to the embeddings' epoch; never a later claim than the epoch itself."""
    stored = [epoch for epoch in side.run.label_epochs("test") if epoch <= side.epoch] if side.run.info.parts else []
    return stored[-1] if stored else None


def _gallery_row(side: Side, ranked: Ranked, opened: int | None) -> int:
    """The gallery picture to take apart: the one just opened, the address's, else the first of the list."""
    gallery = runs_access.records(side.run, "gallery")
    if opened is not None:
        st.query_params["g"] = names(gallery.iloc[[opened]])[0]
        return opened
    text = st.query_params.get("g", "")
    found = [i for i, name in enumerate(names(gallery)) if name == text] if text else []
    return found[0] if found else int(ranked.gallery[0])


def _downloads(
    selection: Selection, side: Side, lists: dict[Side, Ranked], query: pd.Series, chosen: int, count: int
) -> None:
    source = exports.provenance(side.run, side.epoch, "query")
    with st.container(horizontal=True):
        st.download_button(
            "Figure 7: this sheet (PNG)",
            lambda: exports.picture(_sheet(selection, lists, query, count), source, "ranking"),
            f"{source.stem}_ranking.png",
            "image/png",
            on_click="ignore",
        )
        st.download_button(
            "Lists (CSV)",
            lambda: exports.csv(_table(lists, query, count), source, ranking.RULE),
            f"{source.stem}_ranking.csv",
            "text/csv",
            on_click="ignore",
        )
        st.download_button(
            "All queries (CSV)",
            lambda: exports.csv(
                ranking.scores(side.run, side.epoch, side.rule).drop(columns="row").assign(matching=side.rule),
                source,
                ranking.RULE,
            ),
            f"{source.stem}_queries.csv",
            "text/csv",
            on_click="ignore",
        )


def _sheet(selection: Selection, lists: dict[Side, Ranked], query: pd.Series, count: int) -> Pixels:
    """Query on the left, the nearest on the right, a row a run: right ones in blue, wrong ones in orange dashes."""
    rows: list[list[Pixels | None]] = []
    for side, ranked in lists.items():
        size = (round(64 * pictures.aspect(side.run)), 64)
        root = pictures.picture_root(side.run, selection.settings)
        gallery = runs_access.records(side.run, "gallery")
        first = pictures.read(root, str(query["path"]), size[1], size[0])
        tiles: list[Pixels | None] = [None if first is None else figures.framed(first, None)]
        for row in ranked.gallery[: min(count, 10)]:
            image = pictures.read(root, str(gallery["path"].iloc[row]), size[1], size[0])
            right = bool(gallery["identity"].iloc[row] == query["identity"])
            blank = np.full((*size, 3), 43, np.uint8)
            tiles.append(figures.framed(blank if image is None else image, right))
        rows.append(tiles)
    footer = ["Solid blue: the same person. Dashed orange: another person."]
    captions = [side.name.replace(", ", "\n") for side in lists]
    return figures.sheet(rows, captions, ["query", *map(str, range(1, 11))], footer=footer)


def _table(lists: dict[Side, Ranked], query: pd.Series, count: int) -> pd.DataFrame:
    frames = []
    for side, ranked in lists.items():
        gallery = runs_access.records(side.run, "gallery").iloc[ranked.gallery[:count]]
        frames.append(
            pd.DataFrame(
                {
                    "list": side.name,
                    "query": str(query["path"]),
                    "rank": np.arange(1, len(gallery) + 1),
                    "picture": gallery["path"].to_numpy(),
                    "identity": gallery["identity"].to_numpy(),
                    "camera": gallery["camera"].to_numpy(),
                    "distance": ranked.distances[:count],
                    "true_match": gallery["identity"].to_numpy() == query["identity"],
                }
            )
        )
    return pd.concat(frames, ignore_index=True)
