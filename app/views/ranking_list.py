"""One ranked list of the Ranking page: the query, then the gallery images nearest to it, with what tells them apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from isp_app import empty
from isp_app.components.ranking_grid import Mark, Tile, ranking_grid
from isp_app.reading import people, pictures, runs_access
from isp_app.reading.ranking import Ranked
from isp_app.safety.names import plain
from isp_app.state.sidebar import Selection
from isp_app.views.ranked_lists import Side
from isp_core.runs import Run
from isp_core.runs.schema import Split

QUERY = -1  # the tile of the query itself, first in each list


def show_list(
    selection: Selection,
    side: Side,
    ranked: Ranked,
    query: pd.Series,
    count: int,
    other: tuple[Side, Ranked] | None,
    scores: str,
) -> int | None:
    """One list under its heading; the gallery row just opened. scores: what the heading says of the query's AP."""
    gallery = runs_access.records(side.run, "gallery")
    rows = [int(row) for row in ranked.gallery[:count]]
    right = gallery["identity"].iloc[rows].to_numpy() == query["identity"]
    root = pictures.picture_root(side.run, selection.settings)
    palette = runs_access.palette(side.run)
    q = same_query(side.run, query)
    first: tuple[Split, int] | None = None if q is None else ("query", q)
    sprite = pictures.tiles(side.run, root, "gallery", rows, palette, epoch=map_epoch(side), width=56, first=first)
    known = runs_access.knows_people(side.run)
    tiles = [] if q is None else [Tile(QUERY, "query", "query", f"query: {pictures.describe(query)}")]
    for i, row in enumerate(rows):
        record = gallery.iloc[row]
        shift, words = _shift(side, row, i + 1, other)
        mark: Mark = "none" if not known else "match" if right[i] else "wrong"
        what = "look-alike" if not known else "true match" if right[i] else "another person"
        tiles.append(
            Tile(
                row,
                mark,
                f"{i + 1} · {ranked.distances[i]:.3f}",
                f"rank {i + 1}, {what}: {pictures.describe(record)}, distance {ranked.distances[i]:.3f}{words}",
                people.below(record, shift),
            )
        )
    hits = int(right.sum())
    removed = f", {ranked.removed} removed" if ranked.removed else ""
    if known:
        found = f"{hits} of the first {len(rows)} show the same person; {len(ranked.gallery)} ranked{removed}"
    else:
        found = f"Nothing says who is on these images: look-alikes, nearest first; {len(ranked.gallery)} ranked"
    st.markdown(
        f"**{plain(side.name)}**: {'; '.join(words for words in (scores, found) if words)}",
        help="Removed: gallery images of the query's own identity and camera, and junk." if removed else None,
    )
    opened = ranking_grid(tiles, sprite, palette, title=f"Ranking of {side.name}", key=f"list-{side.name}")
    opened = None if opened == QUERY else opened
    if root is None:
        empty.no_pictures(side.run, selection.settings)
    return opened


def score_words(scores: pd.DataFrame | None, path: str) -> str:
    """The query's AP and the rank of the first true match; "" where they are not known."""
    found = None if scores is None else scores[scores["path"] == path]
    if found is None or found.empty or not found["matches"].iloc[0]:
        return ""
    return f"AP {100 * float(found['AP'].iloc[0]):.1f} %, first true match at rank {int(found['first'].iloc[0])}"


def legend(run: Run, two: bool) -> str:
    """What stands below the tiles of the lists."""
    marks = "✓ the same person, ✗ another person; " if runs_access.knows_people(run) else ""
    shifts = "; ▲ 3: three ranks nearer to the top than in the other list, ▼ 3: three further down" if two else ""
    return f"Below each tile: {marks}rank · distance{shifts}. Open a tile to see why it is where it is."


def same_image(run: Run, other: Run, row: int) -> int:
    """The row of another run's gallery that holds the image of `row`; -1 if none does."""
    if run.path == other.path:
        return row
    path = runs_access.records(run, "gallery")["path"].iloc[row]
    theirs = runs_access.records(other, "gallery")["path"]
    if row < len(theirs) and theirs.iloc[row] == path:
        return row
    place = np.flatnonzero((theirs == path).to_numpy())
    return int(place[0]) if len(place) else -1


def same_query(other: Run, query: pd.Series) -> int | None:
    """The row of this query in another run; None if that run was made from other data."""
    place = np.flatnonzero((runs_access.records(other, "query")["path"] == query["path"]).to_numpy())
    return int(place[0]) if len(place) else None


def map_epoch(side: Side) -> int | None:
    """The stored predictions nearest to the embeddings' epoch; never a later claim than the epoch itself."""
    stored = [epoch for epoch in side.run.label_epochs("test") if epoch <= side.epoch] if side.run.info.parts else []
    return stored[-1] if stored else None


def _shift(side: Side, row: int, rank: int, other: tuple[Side, Ranked] | None) -> tuple[str, str]:
    """How far above or below the other list's rank this image is."""
    if other is None:
        return "", ""
    theirs = other[1].rank_of(same_image(side.run, other[0].run, row))
    if theirs is None:
        return "", ""
    if theirs == rank:
        return "= 0", ", the same rank in the other list"
    arrow = "▲" if theirs > rank else "▼"
    return f"{arrow} {abs(theirs - rank)}", f", rank {theirs} in the other list"
