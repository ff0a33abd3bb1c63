"""Embeddings: global, foreground or part features on a plane. Hover shows an image, a click its neighbours, a lasso its
images."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from isp_app import empty, explain
from isp_app.components.plane import SHAPES, Class, Colouring, Corners, corners, plane
from isp_app.components.ranking_grid import Mark, Tile, ranking_grid
from isp_app.drawing import exports
from isp_app.reading import people, pictures, projection, runs_access
from isp_app.reading.facts import Facts, as_text
from isp_app.reading.projection import FEWEST, LIMITS, Plane
from isp_app.reading.runs_access import IMAGE
from isp_app.safety.names import plain
from isp_app.state import pick
from isp_app.state.controls import not_found, select
from isp_app.state.pick import names, row_named
from isp_app.state.sidebar import Selection
from isp_core.palette import SLOTS
from isp_core.runs import Run
from isp_core.runs.schema import Split

SHOWN = 60
NEIGHBOURS = 12
CLASSES = 7  # values of a column that get a colour and a mark of their own
PART_SIZE = "part size"
LASSO, AT = "lasso", "at"  # parameters of the URL
_GREY = "#8a8a8a"


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
    feature = select("Feature", features, "feat", place=two)
    facts = _facts(selection, run, split)
    columns = ["identity", "camera", *([PART_SIZE] if vectors.n_parts else [])]
    columns += [name for name in facts.names if name not in columns]
    colour = select("Colour", columns, "colour", place=three, help="Any column of the records, IoU, or AP")
    method = select("Projection", list(LIMITS), "method", place=four)
    found = projection.project(run, split, epoch, feature, method)
    if len(found.rows) < FEWEST:
        what = "show this part" if feature.startswith("part ") else "have embeddings"
        st.info(f"Only {len(found.rows)} images of this split {what}: too few for a plane (at least {FEWEST}).")
        return
    table = _table(run, split, epoch, found, feature)
    _about(run, epoch, found, feature, len(vectors))
    value = table["part_share"] * 100 if colour == PART_SIZE else facts.values(colour).iloc[found.rows]
    if colour == "identity":
        value = people.keys(runs_access.records(run, split).iloc[found.rows])
    label = "part size, % of pixels" if colour == PART_SIZE else facts.label(colour)
    chosen, at, near = _plane(selection, run, split, epoch, feature, found, table, _colouring(value, label))
    if at is not None:
        _neighbours(selection, run, split, at, near, feature)
    _pictures(selection, run, split, table, chosen)
    source = exports.provenance(run, epoch, split)
    st.download_button(
        "Points (CSV)",
        lambda: exports.csv(table.drop(columns="row").assign(feature=feature), source, found.note),
        f"{source.stem}_{feature.replace(' ', '')}_plane.csv",
        "text/csv",
        on_click="ignore",
    )


def _facts(selection: Selection, run: Run, split: Split) -> Facts:
    epochs = runs_access.map_epochs(run, split) if run.info.parts else []
    return Facts(run, selection.settings, split, epochs[-1] if epochs else None)


def _about(run: Run, epoch: int, found: Plane, feature: str, count: int) -> None:
    if feature.startswith("part "):
        st.caption(f"{feature}: {plain(runs_access.palette(run).name(int(feature.split()[1])))}")
    hidden = f" {found.hidden} images do not show the part and are left out." if found.hidden else ""
    st.caption(
        f"{len(found.rows)} of {count} images; {found.note}. Distances on a plane are not those of Eq. 10.{hidden}"
    )
    if feature.startswith("part "):
        explain.visibility(run, epoch, {}, feature)


def _table(run: Run, split: Split, epoch: int, found: Plane, feature: str) -> pd.DataFrame:
    records = runs_access.records(run, split).iloc[found.rows]
    vectors = runs_access.embeddings(run, split, epoch)
    if feature.startswith("part "):
        size = np.asarray(vectors.part_share)[found.rows, int(feature.split()[1]) - 1]
    else:
        size = np.asarray(vectors.part_share)[found.rows].sum(1)
    return pd.DataFrame(
        {
            "row": found.rows,
            "x": found.points[:, 0],
            "y": found.points[:, 1],
            "path": records["path"].to_numpy(),
            IMAGE: records[IMAGE].to_numpy(),
            "identity": records["identity"].to_numpy(),
            **people.column(records),
            "camera": records["camera"].to_numpy(),
            "part_share": size.astype(np.float32),
        }
    )


def _colouring(column: pd.Series, label: str) -> Colouring:
    """Numbers with many values on a scale; else the most frequent values in colours and marks, the rest hollow grey."""
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if numeric and pd.api.types.is_float_dtype(column) and column.nunique() > CLASSES:
        return Colouring(scale=label, values=tuple(column.astype(float)))
    text = as_text(column).to_numpy()
    often = [str(value) for value in pd.Series(text).value_counts().index[:CLASSES]]
    classes = [Class(f"{label} {value}", _hex(SLOTS[n].rgb), SHAPES[n]) for n, value in enumerate(often)]
    if set(text) - set(often):
        classes.append(Class("others", _GREY))
    place = {value: n for n, value in enumerate(often)}
    return Colouring(tuple(classes), tuple(place.get(str(value), len(often)) for value in text))


def _hex(rgb: tuple[int, int, int]) -> str:
    return "#" + "".join(f"{channel:02x}" for channel in rgb)


def _plane(
    selection: Selection,
    run: Run,
    split: Split,
    epoch: int,
    feature: str,
    found: Plane,
    table: pd.DataFrame,
    colouring: Colouring,
) -> tuple[list[int], int | None, list[tuple[int, float]]]:
    """The plane; positions in `table` of what is encircled, the row of the chosen image and its neighbours."""
    lasso = _lasso()
    at = _chosen(run, split, found)
    near = projection.neighbours(run, split, epoch, feature, at, found.rows, NEIGHBOURS) if at is not None else []
    chosen = np.flatnonzero(projection.inside(found.points, lasso)) if lasso else np.zeros(0, np.int64)
    key = f"plane {run.path} {split} {epoch} {feature} {found.note}"
    sprite = None
    if st.session_state.get(f"_thumbs {key}"):
        root = pictures.picture_root(run, selection.settings)
        rows = [int(row) for row in found.rows]
        sprite = pictures.tiles(run, root, split, rows, runs_access.palette(run), epoch=None, width=40)
    records = runs_access.records(run, split)
    wanted = plane(
        found.points,
        [int(row) for row in found.rows],
        [
            f"{n}, {who}, camera {c}"
            for n, who, c in zip(names(table), people.words(table), table["camera"], strict=True)
        ],
        colouring,
        title=f"{feature} features on a plane",
        key=key,
        lasso=lasso,
        inside=[int(found.rows[i]) for i in chosen],
        at=at,
        neighbours=[row for row, _ in near],
        sprite=sprite,
        encircled=_encircled,
        opened=lambda row: _opened(records, row),
    )
    if wanted and sprite is None:
        st.session_state[f"_thumbs {key}"] = True
        st.rerun()
    return [int(i) for i in chosen], at, near


def _lasso() -> Corners:
    """The lasso that the URL says, its corners as x,y in the plane's units."""
    text = st.query_params.get(LASSO, "")
    found = corners([corner.split(",") for corner in text[:2000].split(" ")]) if text else ()
    if text and not found:
        not_found("Lasso", text, None)
    return found


def _encircled(lasso: Corners) -> None:
    if lasso:
        st.query_params[LASSO] = " ".join(f"{x:.4g},{y:.4g}" for x, y in lasso)
    elif LASSO in st.query_params:
        del st.query_params[LASSO]


def _chosen(run: Run, split: Split, found: Plane) -> int | None:
    """The row of the image that the URL says, where the plane has it."""
    name = st.query_params.get(AT, "")
    if not name:
        return None
    row = row_named(runs_access.records(run, split), name)
    if row is None or row not in set(found.rows.tolist()):
        not_found("Image", name, None)
        return None
    return row


def _opened(records: pd.DataFrame, row: int | None) -> None:
    if row is not None and 0 <= row < len(records):
        st.query_params[AT] = names(records)[row]
        pick.keep(records, row)
    elif AT in st.query_params:
        del st.query_params[AT]


def _neighbours(
    selection: Selection, run: Run, split: Split, at: int, near: list[tuple[int, float]], feature: str
) -> None:
    """The chosen image and those nearest to it in the feature itself."""
    records = runs_access.records(run, split)
    st.subheader(f"Neighbours of {plain(names(records)[at])}", anchor=False)
    same = sum(records["identity"].iloc[row] == records["identity"].iloc[at] for row, _ in near)
    st.caption(
        f"The {len(near)} nearest on this plane by cosine distance of the {feature} feature alone, not by their place; "
        f"{same} of them show the same person. Its own camera is not left out here."
    )
    tiles = [Tile(at, "query", "chosen", pictures.describe(records.iloc[at]))]
    for row, distance in near:
        record = records.iloc[row]
        mark: Mark = "match" if record["identity"] == records["identity"].iloc[at] else "wrong"
        words = f"{pictures.describe(record)}, distance {distance:.3f}"
        tiles.append(Tile(row, mark, f"{distance:.3f}", words, people.who(record)))
    _grid(selection, run, split, [at, *(row for row, _ in near)], tiles, "Neighbours", f"near-{at}")


def _pictures(selection: Selection, run: Run, split: Split, table: pd.DataFrame, chosen: list[int]) -> None:
    if not chosen:
        lasso = st.query_params.get(LASSO)
        st.caption("No image lies in the lasso." if lasso else "Draw a lasso around points to see their images.")
        return
    rows = [int(row) for row in table["row"].iloc[chosen[:SHOWN]]]
    records = runs_access.records(run, split)
    st.subheader("In the lasso", anchor=False)
    st.caption(f"{len(chosen)} images" + (f", the first {SHOWN} shown" if len(chosen) > SHOWN else ""))
    tiles = [Tile(row, "none", people.who(records.iloc[row]), pictures.describe(records.iloc[row])) for row in rows]
    _grid(selection, run, split, rows, tiles, "Images in the lasso", "lasso-images")


def _grid(
    selection: Selection, run: Run, split: Split, rows: list[int], tiles: list[Tile], title: str, key: str
) -> None:
    """Tiles; one that is opened becomes the chosen image."""
    root = pictures.picture_root(run, selection.settings)
    stored = runs_access.map_epochs(run, split) if run.info.parts else []
    palette = runs_access.palette(run)
    sprite = pictures.tiles(run, root, split, rows, palette, epoch=stored[-1] if stored else None)
    opened = ranking_grid(tiles, sprite, palette, title=title, key=key)
    if root is None:
        empty.no_pictures(run, selection.settings)
    records = runs_access.records(run, split)
    if opened is not None and opened in rows and names(records)[opened] != st.query_params.get(AT):
        _opened(records, opened)
        st.rerun()
