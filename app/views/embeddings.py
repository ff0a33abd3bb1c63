"""Embeddings: global, foreground or part features on a plane; a lasso shows the pictures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from isp_app import empty
from isp_app.components.ranking_grid import Tile, ranking_grid
from isp_app.drawing import exports
from isp_app.reading import pictures, projection, runs_access
from isp_app.reading.projection import FEWEST, LIMITS, Plane
from isp_app.reading.runs_access import IMAGE
from isp_app.safety.names import escape, plain
from isp_app.state.controls import select
from isp_app.state.pick import names
from isp_app.state.sidebar import Selection
from isp_core.palette import SLOTS
from isp_core.runs import Run
from isp_core.runs.schema import Split

COLOURS = ("identity", "camera", "part size")
SHOWN = 60
NAMED = 7  # identities that get a colour of their own
_SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "star")


def show(selection: Selection) -> None:
    """The page."""
    st.title("Embeddings", anchor=False)
    run = empty.run_or_reason(selection)
    if run is None:
        return
    epochs = run.embedding_epochs()
    if not epochs:
        empty.no_embeddings(run)
        return
    split: Split = "gallery" if selection.split == "train" else selection.split
    if selection.split == "train":
        st.caption("Embeddings are stored for query and gallery; this is the gallery.")
    one, two, three, four = st.columns(4)
    epoch = int(select("Epoch", epochs[::-1], "epoch", place=one))
    vectors = runs_access.embeddings(run, split, epoch)
    features = ["global", *(["foreground"] if vectors.foreground.shape[1] else [])]
    features += [f"part {k}" for k in range(1, vectors.n_parts + 1)]
    palette = runs_access.palette(run)
    feature = select("Feature", features, "feat", place=two)
    colour = select("Colour", COLOURS, "colour", place=three)
    method = select("Projection", list(LIMITS), "method", place=four)
    plane = projection.project(run, split, epoch, feature, method)
    if len(plane.rows) < FEWEST:
        what = "show this part" if feature.startswith("part ") else "have embeddings"
        st.info(f"Only {len(plane.rows)} pictures of this split {what}: too few for a plane (at least {FEWEST}).")
        return
    table = _table(run, split, epoch, plane, feature)
    if feature.startswith("part "):
        st.caption(f"{feature}: {plain(palette.name(int(feature.split()[1])))}")
    hidden = f" {plane.hidden} pictures do not show the part and are left out." if plane.hidden else ""
    st.caption(
        f"{len(plane.rows)} of {len(vectors)} pictures; {plane.note}. Distances on a plane are not those of Eq. 10."
        + hidden
    )
    chosen = _scatter(table, colour)
    _pictures(selection, run, split, table, chosen)
    source = exports.provenance(run, epoch, split)
    st.download_button(
        "Points (CSV)",
        lambda: exports.csv(table.drop(columns="row").assign(feature=feature), source, plane.note),
        f"{source.stem}_{feature.replace(' ', '')}_plane.csv",
        "text/csv",
        on_click="ignore",
    )


def _table(run: Run, split: Split, epoch: int, plane: Plane, feature: str) -> pd.DataFrame:
    records = runs_access.records(run, split).iloc[plane.rows]
    vectors = runs_access.embeddings(run, split, epoch)
    if feature.startswith("part "):
        size = np.asarray(vectors.part_share)[plane.rows, int(feature.split()[1]) - 1]
    else:
        size = np.asarray(vectors.part_share)[plane.rows].sum(1)
    return pd.DataFrame(
        {
            "row": plane.rows,
            "x": plane.points[:, 0],
            "y": plane.points[:, 1],
            "path": records["path"].to_numpy(),
            IMAGE: records[IMAGE].to_numpy(),
            "identity": records["identity"].to_numpy(),
            "camera": records["camera"].to_numpy(),
            "part_share": size.astype(np.float32),
        }
    )


def _scatter(table: pd.DataFrame, colour: str) -> list[int]:
    """Draws the points; returns the rows of `table` that are selected. Symbols stand beside colours."""
    figure = go.Figure()
    words = [  # Plotly takes text for HTML
        escape(f"{n}, person {i}, camera {c}")
        for n, i, c in zip(names(table), table["identity"], table["camera"], strict=True)
    ]
    order: list[np.ndarray] = []
    if colour == "part size":
        figure.add_scatter(
            x=table["x"],
            y=table["y"],
            mode="markers",
            text=words,
            hoverinfo="text",
            marker={
                "color": 100 * table["part_share"],
                "colorscale": "Cividis",
                "showscale": True,
                "size": 7,
                "colorbar": {"title": "% of pixels"},
            },
        )
        order.append(np.arange(len(table)))
    else:
        values = table[colour].to_numpy()
        often = pd.Series(values).value_counts().index[:NAMED]
        for n, value in enumerate(often):
            where = np.flatnonzero(values == value)
            _points(figure, table, words, where, f"{colour} {value}", _hex(SLOTS[n].rgb), _SYMBOLS[n])
            order.append(where)
        rest = np.flatnonzero(~np.isin(values, often))
        if len(rest):
            _points(figure, table, words, rest, "others", "#999999", "circle-open")
            order.append(rest)
    margin = {"l": 0, "r": 0, "t": 10, "b": 0}
    figure.update_layout(height=520, margin=margin, dragmode="lasso", legend={"orientation": "h"})
    figure.update_xaxes(showticklabels=False, title=None)
    figure.update_yaxes(showticklabels=False, title=None, scaleanchor="x")
    event = st.plotly_chart(
        figure,
        key="plane",
        on_select="rerun",
        selection_mode=("lasso", "box"),
        config={"displaylogo": False},
        alt=f"Pictures on a plane, coloured by {colour}",
    )
    points = event.selection.points if event is not None else []
    return [int(order[p["curve_number"]][p["point_index"]]) for p in points if p["curve_number"] < len(order)]


def _hex(rgb: tuple[int, int, int]) -> str:
    return "#" + "".join(f"{channel:02x}" for channel in rgb)


def _points(
    figure: go.Figure, table: pd.DataFrame, words: list[str], where: np.ndarray, name: str, colour: str, symbol: str
) -> None:
    figure.add_scatter(
        x=table["x"].iloc[where],
        y=table["y"].iloc[where],
        mode="markers",
        name=name,
        text=[words[i] for i in where],
        hoverinfo="text",
        marker={"color": colour, "symbol": symbol, "size": 8},
    )


def _pictures(selection: Selection, run: Run, split: Split, table: pd.DataFrame, chosen: list[int]) -> None:
    if not chosen:
        st.caption("Draw a lasso around points to see their pictures.")
        return
    some = table.iloc[chosen[:SHOWN]]
    rows = [int(row) for row in some["row"]]
    root = pictures.picture_root(run, selection.settings)
    stored = runs_access.map_epochs(run, split) if run.info.parts else []
    sprite = pictures.tiles(run, root, split, rows, runs_access.palette(run), epoch=stored[-1] if stored else None)
    records = runs_access.records(run, split)
    tiles = [
        Tile(row, "none", f"person {records['identity'].iloc[row]}", pictures.describe(records.iloc[row]))
        for row in rows
    ]
    st.caption(f"{len(chosen)} pictures in the lasso" + (f", the first {SHOWN} shown" if len(chosen) > SHOWN else ""))
    ranking_grid(tiles, sprite, runs_access.palette(run), title="Pictures in the lasso", key="lasso")
    if root is None:
        empty.no_pictures()
