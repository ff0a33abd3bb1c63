"""Below the IoU table: every image's IoU, filtered and sorted, and the chosen image under its maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from isp_app.components.mask_viewer import Panel, mask_viewer
from isp_app.drawing.encode import mask_uri
from isp_app.reading import map_scores, part_truth, pictures, runs_access
from isp_app.reading.map_scores import Judged, Scored
from isp_app.reading.runs_access import IMAGE
from isp_app.safety.names import plain
from isp_app.state import pick
from isp_app.state.controls import by_hand, changed_by_hand, not_found, select
from isp_app.state.look import current_look
from isp_app.state.sidebar import SPLIT_NAMES, Selection
from isp_app.views import columns, finder
from isp_core.metrics.spaces import TARGETS
from isp_core.palette import alike, union
from isp_core.runs import Run

WORST, BEST, BY_NAME, GAIN, LOSS = "worst first", "best first", "by name", "largest gain first", "largest loss first"
OTHER, DIFFERENCE, CONSTANT, CELL = "compared", "difference", "constant mask", "pixels in the cell"
WHO = ("identity", "camera")
BESIDE = 490  # pixels for the table next to the image, its ticks left out
ROW = "row"  # the image's name in the URL


def percent(names: tuple[str, ...]) -> dict[str, Any]:
    """Columns of percentages with one decimal."""
    return {name: st.column_config.NumberColumn(name, format="%.1f") for name in names}


def show(selection: Selection, own: Scored, other: Scored | None) -> pd.DataFrame:
    """Filters, the table of images and the chosen image. Returns the images kept, in order."""
    st.subheader("Images", anchor=False)
    known = list(map_scores.scored(own.run))
    one, two, three, four = st.columns(4)
    part = select("Class", known, "part", place=one)
    low = two.number_input("IoU from", 0, 100, 0, key="min", bind="query-params", persist_state="session")
    high = three.number_input("IoU to", 0, 100, 100, key="max", bind="query-params", persist_state="session")
    comparable = other is not None and not set(own.images()["path"]).isdisjoint(other.images()["path"])
    orders = [WORST, BEST, BY_NAME, *([GAIN, LOSS] if comparable else [])]
    sort = select("Order", orders, "sort", place=four)
    table = _table(selection, own, other if comparable else None, part)
    everything = runs_access.records(own.run, own.split)
    cell = _confusion(own.run, own.judged)
    passing = table[(table[part] >= low) & (table[part] <= high)]  # an image without a score passes no range
    if cell is not None:
        passing = passing[own.judged.counts[passing.index, cell[0], cell[1]] > 0]
    found = finder.narrow(
        selection, own.run, own.split, pick.kept(everything), own.epoch, within=passing["row"].to_numpy()
    )
    defined = table[table[part].notna() & table["row"].isin(found)]
    kept = passing[passing["row"].isin(found)]
    kept = _in_order(kept, part, sort) if cell is None else _in_cell(own, table, kept, cell)
    if other is not None and not comparable:
        st.info(f"{plain(other.label)} shows other images: they are compared in the table above, not one by one.")
    st.caption(
        f"{len(kept)} of {len(table)} images of {own.split}; {int(table[part].isna().sum())} have no {part} score: "
        "their ground truth does not have the class, or no part stands for it. Click a row to see the image."
    )
    if kept.empty:
        st.info("No image is left: widen or remove a filter.")
        return kept
    finder.steps(everything, kept["row"].to_numpy())
    left, right = st.columns([3, 2])
    with left:
        position = _rows(own, other, kept, part, sort, cell is not None, known, f"{low} {high} {cell}")
    with right:
        _image(selection, own, other if comparable else None, kept.iloc[position], part)
    _histogram(defined[part], part)
    kept = kept.rename(columns={CONSTANT: f"{part}, constant mask", "split": "record_split"})
    if other is None or not comparable:
        return kept
    kept = kept.rename(columns={OTHER: f"{part}, compared", DIFFERENCE: f"{part}, difference"})
    return kept.assign(compared_run=other.run.name, compared_epoch=other.epoch, compared_split=other.split)


def _table(selection: Selection, own: Scored, other: Scored | None, part: str) -> pd.DataFrame:
    table = own.images()
    level = map_scores.constant_each(own.run, selection.settings, own.split, own.epoch, part)
    if level is not None and len(level) == len(table):
        table = table.assign(**{CONSTANT: level})
    if other is not None:
        theirs = other.images().drop_duplicates("path").set_index("path")[part]
        table = table.assign(**{OTHER: table["path"].map(theirs)})
        table[DIFFERENCE] = table[part] - table[OTHER]
    return table


def _in_order(kept: pd.DataFrame, part: str, sort: str) -> pd.DataFrame:
    if sort == BY_NAME:
        return kept.sort_values("path")
    if sort in (GAIN, LOSS):
        return kept.sort_values([DIFFERENCE, "path"], ascending=[sort == LOSS, True], na_position="last")
    return kept.sort_values([part, "path"], ascending=[sort == WORST, True])


def _in_cell(own: Scored, table: pd.DataFrame, kept: pd.DataFrame, cell: tuple[int, int]) -> pd.DataFrame:
    code, index = cell
    pixels = pd.Series(own.judged.counts[:, code, index], index=table.index)
    st.caption(
        f"Only images with pixels of {map_scores.TRUTH_COLUMNS[code]} under "
        f"{plain(runs_access.palette(own.run).name(index))}; most of them first."
    )
    return kept[pixels[kept.index] > 0].assign(**{CELL: pixels}).sort_values(CELL, ascending=False)


def _rows(
    own: Scored,
    other: Scored | None,
    kept: pd.DataFrame,
    part: str,
    sort: str,
    by_cell: bool,
    known: list[str],
    filters: str,
) -> int:
    """The table; the position in `kept` of the image that is chosen: clicked just now, else the URL's, else the first.

    Streamlit remembers a tick by its position, so every other order or filter is another table: its key says which, and
    the tick starts at the chosen image.
    """
    state = st.session_state
    order = f"iou-rows {own.label} {part} {sort} {filters} {'' if other is None else other.label}"
    key = f"{order} {state.get('_iou_anchor', '')}"
    known_names = pick.names(kept)
    clicked = _clicked(state.get(key)) if changed_by_hand(ROW) else None
    opened = pick.taken(kept)
    if opened is not None:
        st.query_params[ROW] = known_names[opened]
    if clicked is not None and clicked < len(kept):
        position = clicked
        st.query_params[ROW] = known_names[position]
    else:
        position = _wanted(own, kept, known_names)
        if state.get("_iou_shown") != known_names[position]:  # chosen elsewhere, or Back: the tick follows
            state["_iou_anchor"] = known_names[position]
            key = f"{order} {known_names[position]}"
    state["_iou_shown"] = known_names[position]
    labels = {part: f"{part}, A" if OTHER in kept else part, CONSTANT: "constant", OTHER: "B", DIFFERENCE: "A - B"}
    helps = {CONSTANT: f"{part} of the constant mask", OTHER: f"{part}, B"}
    first = [CELL] if by_cell else []
    shown = [*first, IMAGE, part, *(c for c in (OTHER, DIFFERENCE, CONSTANT) if c in kept), *WHO]
    shown += [name for name in known if name != part]
    usual = columns.fitting(columns.widths(kept[shown], labels), shown, BESIDE)
    st.dataframe(
        kept[shown],
        hide_index=True,
        height=420,
        on_select=lambda: by_hand(ROW),
        selection_mode=("single-row", "single-cell"),
        selection_default={"selection": {"rows": [position]}},
        key=key,
        alt=f"IoU of each image, {sort}",
        placeholder="",
        column_order=columns.choose(kept[shown], "icols", usual, always=(*first, IMAGE, part)),
        column_config=columns.config(kept[shown], labels, helps),
    )
    return position


def _clicked(state: Any) -> int | None:
    """The row that was ticked, or whose cell was clicked."""
    selected = state.get("selection", {}) if state is not None else {}
    cells, rows = selected.get("cells") or [], selected.get("rows") or []
    return int(cells[0][0]) if cells else int(rows[0]) if rows else None


def _wanted(own: Scored, kept: pd.DataFrame, names: list[str]) -> int:
    wanted = st.query_params.get(ROW, "")
    found = pick.row_named(kept, wanted) if wanted else pick.kept(kept)
    if wanted and found is None:
        if pick.row_named(runs_access.records(own.run, own.split), wanted) is None:
            not_found("Image", wanted, names[0])
        else:
            st.info(f"{plain(wanted)} is left out by the filters, or has no score; showing {plain(names[0])}.")
    return found or 0


def _confusion(run: Run, judged: Judged) -> tuple[int, int] | None:
    """The part x ground truth table; a chosen cell filters the images. Returns (code of the ground truth, part)."""
    total = judged.counts.sum(0)  # (7, K)
    share = 100 * total / np.maximum(total.sum(0, keepdims=True), 1)
    palette = runs_access.palette(run)
    table = pd.DataFrame(share.T, columns=list(map_scores.TRUTH_COLUMNS))
    table.insert(0, "part", [palette.name(k) for k in range(run.info.parts)])
    with st.expander("Which pixels each part is made of (part × ground truth); choose a cell to filter the images"):
        st.caption("Rows add up to 100 %: of a part's pixels, how many are of each class of the ground truth.")
        event = st.dataframe(
            table,
            hide_index=True,
            on_select="rerun",
            selection_mode="single-cell",
            key="confusion",
            alt="Share of each part's pixels by class of the ground truth, in percent",
            column_config=percent(map_scores.TRUTH_COLUMNS),
        )
    cells = event.selection.cells if event is not None else []
    if not cells:
        return None
    index, column = cells[0]
    if column not in map_scores.TRUTH_COLUMNS or not 0 <= index < run.info.parts:
        return None
    return map_scores.TRUTH_COLUMNS.index(column), int(index)


def _histogram(values: pd.Series, part: str) -> None:
    counts, _ = np.histogram(values.dropna(), bins=np.arange(0, 101, 10))
    bins = [f"{a:02d}-{a + 10}" for a in range(0, 100, 10)]
    st.bar_chart(
        pd.DataFrame({"IoU, percent": bins, "images": counts}),
        x="IoU, percent",
        y="images",
        height=160,
        alt=f"Distribution of {part} IoU over images",
    )


def _image(selection: Selection, own: Scored, other: Scored | None, scores: pd.Series, part: str) -> None:
    run, split, row = own.run, own.split, int(scores["row"])
    table = runs_access.records(run, split)
    record = table.iloc[row]
    pick.keep(table, row)
    root = pictures.picture_root(run, selection.settings)
    labels = runs_access.maps(run, split, own.epoch, (row,))[0]
    codes = part_truth.of_picture(run, selection.settings, split, row, (labels.shape[0], labels.shape[1]))
    image = pictures.uri(root, str(record["path"]))
    ratio, alt = pictures.aspect(run), pictures.describe(record)
    panels = [Panel("input", f"Input, {alt}", None, image, ratio)] if image else []
    palettes = [part_truth.palette()]
    if codes is not None:
        coded = part_truth.palette().coded(codes)
        panels.append(Panel("ground truth", f"Ground truth, {alt}", mask_uri(coded), image, ratio))
    for title, side in (("A: " if other is not None else "", own), ("B: ", other)):
        found = None if side is None else _map(side, str(record["path"]))
        if side is None or found is None:
            continue
        _, palette = alike([part_truth.palette(), runs_access.palette(side.run)])
        palettes.append(palette)
        words = f"{title}{side.label}" if other is not None else SPLIT_NAMES[split]
        panels.append(Panel(words, f"Part map, {words}, {alt}", mask_uri(palette.coded(found)), image, ratio))
    st.markdown(f"**{plain(record[IMAGE])}**")
    found_scores = [f"{target} {scores[target]:.1f} %" for target in TARGETS if scores[target] == scores[target]]
    level = scores.get(CONSTANT, np.nan)
    more = f"; constant mask {level:.1f} % for {part}" if level == level else ""
    difference = scores.get(DIFFERENCE, np.nan)
    more += f"; B {scores[OTHER]:.1f} %, A - B {difference:+.1f}" if difference == difference else ""
    st.caption("IoU of this image: " + ", ".join(found_scores) + more)
    mask_viewer(
        panels, union(palettes), title="Input, ground truth and parts", key="iou-viewer", look=current_look(), width=130
    )
    finder.doors(run, split, row, here="iou")


def _map(side: Scored, path: str) -> Any:
    table = runs_access.records(side.run, side.split)
    place = np.flatnonzero((table["path"] == path).to_numpy())
    return runs_access.maps(side.run, side.split, side.epoch, (int(place[0]),))[0] if len(place) else None
