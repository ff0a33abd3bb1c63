"""Identity: all images of one person. Clustering works per person, so this is where its consistency shows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from isp_app import empty, explain
from isp_app.components.mask_viewer import Panel, mask_viewer
from isp_app.drawing import exports, figures
from isp_app.drawing.encode import Pixels, mask_uri, overlay
from isp_app.reading import people, pictures, runs_access
from isp_app.safety.names import plain
from isp_app.state import pick
from isp_app.state.controls import select
from isp_app.state.links import go
from isp_app.state.look import current_look
from isp_app.state.pick import names
from isp_app.state.sidebar import Selection
from isp_app.views import finder
from isp_core.matching import part_share
from isp_core.palette import Palette, mean_heights
from isp_core.runs import Run
from isp_core.runs.maps import Maps
from isp_core.runs.schema import Split

SORTS = ("fewest parts first", "by name", "by camera")
PER_PAGE = 24


def show(selection: Selection) -> None:
    """The page."""
    st.title("Identity", anchor=False)
    run = empty.run_or_reason(selection)
    if run is None:
        return
    split = selection.split
    epochs, table = runs_access.map_epochs(run, split), runs_access.records(run, split)
    if not epochs or table.empty:
        empty.no_maps(run, split)
        return
    if not (table["identity"] > 0).any():
        st.info("This split shows no one whose identity is known.")
        return
    chosen = finder.choose(selection, run, split, persons=True)
    identity = table["identity"].iloc[chosen]
    two, three = st.columns(2)
    why = explain.stored_epochs(run, split) or None
    epoch = int(select("Epoch", epochs[::-1], "epoch", place=two, help=why))
    sort = select("Order", SORTS, "order", place=three)
    rows = table.index[table["identity"] == identity].to_numpy()
    maps = runs_access.maps(run, split, epoch, tuple(int(row) for row in rows))
    palette = runs_access.palette(run)
    share = 100 * part_share(maps, run.info.parts)  # (n, K-1) per cent of the image's pixels
    order = _order(table.loc[rows], share, sort)
    rows, maps, share = rows[order], maps[order], share[order]
    if len(rows) == 1:
        st.info("This person has one image only: nothing can be said about consistency across images.")
    _viewer(selection, run, split, table, rows, maps, share, palette, chosen)
    finder.doors(run, split, chosen, here="identity")
    _consistency(palette, maps, share, run.info.parts)
    matrix = _matrix(table.loc[rows], share, palette)
    st.subheader("Which parts each image shows", anchor=False)
    st.dataframe(
        matrix,
        hide_index=True,
        placeholder="",
        alt="Share of each image's pixels by part, in percent; empty where the part is absent",
        column_config={part.name: st.column_config.NumberColumn(part.name, format="%.1f") for part in palette.parts},
    )
    st.caption(
        "Percent of the image's pixels; empty where the part has none. For predictions that is l_k = 0 of Eq. 8; "
        "rankings use the run's own rule:"
    )
    _visibility(run, epoch)
    source = exports.provenance(run, epoch, split)
    with st.container(horizontal=True):
        st.download_button(
            "Contact sheet (PNG)",
            lambda: exports.picture(_sheet(selection, run, split, table, rows, maps, palette), source, "one person"),
            f"{source.stem}_person{identity}.png",
            "image/png",
            on_click="ignore",
        )
        st.download_button(
            "Part presence (CSV)",
            lambda: exports.csv(matrix.assign(**people.column(table.loc[rows])), source, palette.rule),
            f"{source.stem}_person{identity}.csv",
            "text/csv",
            on_click="ignore",
        )


def _visibility(run: Run, epoch: int) -> None:
    """The run's rule for l_k, from the epoch shown or the last before it that can be ranked."""
    ranked = [one for one in run.embedding_epochs() if one <= epoch] or run.embedding_epochs()
    if ranked:
        explain.visibility(run, ranked[-1], {}, "identity")


def _order(records: pd.DataFrame, share: np.ndarray, sort: str) -> np.ndarray:
    if sort == "by camera":
        return np.lexsort((records["path"].to_numpy(), records["camera"].to_numpy()))
    if sort == "by name":
        return np.argsort(records["path"].to_numpy(), kind="stable")
    return np.argsort((share > 0).sum(1), kind="stable")


def _viewer(
    selection: Selection,
    run: Run,
    split: Split,
    table: pd.DataFrame,
    rows: np.ndarray,
    maps: Maps,
    share: np.ndarray,
    palette: Palette,
    chosen: int,
) -> None:
    pages = -(-len(rows) // PER_PAGE)
    page = st.pagination(pages, key="page", bind="query-params") if pages > 1 else 1
    here = slice((page - 1) * PER_PAGE, page * PER_PAGE)
    root = pictures.picture_root(run, selection.settings)
    panels = []
    for row, labels, shares in zip(rows[here], maps[here], share[here], strict=True):
        record = table.loc[row]
        panels.append(
            Panel(
                title=("▸ " if row == chosen else "")
                + (f"camera {record['camera']}" if record["camera"] > 0 else "camera unknown"),
                alt=pictures.describe(record),
                mask=mask_uri(palette.coded(labels)),
                image=pictures.uri(root, str(record["path"])),
                aspect=pictures.aspect(run),
                note=f"{int((shares > 0).sum())} of {len(shares)} parts",
                id=int(row),
            )
        )
    st.caption(
        f"{len(rows)} images of this person in {split}. A click on an image opens it over the epochs; a click on a "
        "title chooses it on all pages, and marks it ▸. Zoom and cursor are linked."
    )
    clicked = mask_viewer(
        panels,
        palette,
        title="All images of one person",
        key="person",
        look=current_look(),
        width=110,
        on_open=lambda row: pick.choose(table, row),
    )
    if clicked is not None and clicked in set(rows.tolist()):
        pick.keep(table, clicked)
        go("evolution")  # it opens on the image last looked at
    if root is None:
        empty.no_pictures(run, selection.settings)
    st.caption(plain(palette.rule))


def _consistency(palette: Palette, maps: Maps, share: np.ndarray, parts: int) -> None:
    heights = 100 * np.array([mean_heights(one[None], parts) for one in maps])  # (n, K-1) per cent from the top
    table = pd.DataFrame(
        {
            "part": [part.name for part in palette.parts],
            "images": (share > 0).sum(0),
            "of": len(maps),
            "share": [float(s[s > 0].mean()) if (s > 0).any() else np.nan for s in share.T],
            "height": [_mean(h) for h in heights.T],
            "height_spread": [_spread(h) for h in heights.T],
        }
    )
    st.subheader("Consistency across images", anchor=False)
    st.dataframe(
        table,
        hide_index=True,
        placeholder="",
        alt="Presence, size and height of each part over this person's images",
        column_config={
            "share": st.column_config.NumberColumn("mean share, %", format="%.1f", help="Where the part is present"),
            "height": st.column_config.NumberColumn("mean height, %", format="%.0f", help="0 top, 100 bottom"),
            "height_spread": st.column_config.NumberColumn(
                "spread of height", format="%.1f", help="Standard deviation over images: small means the same place"
            ),
        },
    )
    absent = [part.name for part, n in zip(palette.parts, (share > 0).sum(0), strict=True) if n == 0]
    if absent:
        st.info(
            f"Never visible on this person: {plain(', '.join(absent))}. The paper asks that each part appears at least "
            "once per person."
        )


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _spread(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.std()) if len(known) > 1 else float("nan")


def _matrix(records: pd.DataFrame, share: np.ndarray, palette: Palette) -> pd.DataFrame:
    matrix = pd.DataFrame({"image": names(records), "camera": records["camera"].to_numpy()})
    for part, column in zip(palette.parts, share.T, strict=True):
        matrix[part.name] = np.where(column > 0, column, np.nan)
    return matrix


def _sheet(
    selection: Selection,
    run: Run,
    split: Split,
    table: pd.DataFrame,
    rows: np.ndarray,
    maps: Maps,
    palette: Palette,
) -> Pixels:
    """Images above their maps, ten to a line."""
    root, width = pictures.picture_root(run, selection.settings), 64
    size = (round(width * pictures.aspect(run)), width)
    colours = palette.table()
    lines: list[list[Pixels | None]] = []
    for start in range(0, len(rows), 10):
        some = rows[start : start + 10]
        images = [pictures.read(root, str(table.loc[row, "path"]), size[1], size[0]) for row in some]
        if root is not None:
            lines.append(list(images))
        pairs = zip(images, maps[start : start + 10], strict=True)
        lines.append(
            [overlay(image, labels, colours, 0.7 if image is not None else 1.0, size) for image, labels in pairs]
        )
    footer = [f"{run.name}, K = {run.info.parts}, {split}, {people.who(table.loc[rows[0]])}. {palette.rule}"]
    return figures.sheet(lines, [], [], palette=palette, footer=footer)
