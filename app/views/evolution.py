"""Evolution: one image over all stored epochs (Figure 6). Scrubbing and playing happen in the browser."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from isp_app import empty, explain
from isp_app.components.epoch_scrubber import Series, epoch_scrubber
from isp_app.drawing import exports, figures
from isp_app.drawing.encode import Pixels, overlay
from isp_app.reading import curves, part_truth, people, pictures, runs_access
from isp_app.safety.names import plain
from isp_app.state import pick
from isp_app.state.controls import not_found
from isp_app.state.look import current_look
from isp_app.state.sidebar import Selection
from isp_app.views import finder
from isp_core.metrics.part_scores import binary_counts, confusion
from isp_core.runs import Run
from isp_core.runs.maps import Maps

FIGURE_PICTURES = 6
FIGURE_EPOCHS = 9


def show(selection: Selection) -> None:
    """The page."""
    st.title("Evolution", anchor=False)
    run = empty.run_or_reason(selection)
    if run is None:
        return
    split = selection.split
    table = runs_access.records(run, split)
    if not runs_access.map_epochs(run, split) or table.empty:
        empty.no_maps(run, split)
        return
    if split == "train":
        st.caption(plain(f"Pseudo-labels, epoch by epoch. {explain.labels(run)}"))
    else:
        st.caption("Predictions (argmax of Eq. 5), epoch by epoch.")
    where = st.container()
    row = finder.choose(selection, run, split)
    record = table.iloc[row]
    root = pictures.picture_root(run, selection.settings)
    palette = runs_access.palette(run)
    epochs, maps = runs_access.history(run, split, row)
    if len(epochs) == 1:
        where.info(_one_epoch(run, epochs[0]))
    heat = runs_access.activation_history(run, row, epochs) if split == "train" else None
    wanted = _epoch(epochs)
    chosen = epoch_scrubber(
        epochs,
        maps,
        palette,
        _series(run, selection, row, epochs, maps),
        title=f"Part maps of {pick.names(table.iloc[[row]])[0]} by epoch",
        alt=pictures.describe(record),
        key="scrubber",
        look=current_look(),
        epoch=wanted,
        image=pictures.uri(root, str(record["path"])),
        heat=heat,
        aspect=pictures.aspect(run),
    )
    size = f"Maps have {maps.shape[2]} × {maps.shape[1]} pixels and are never smoothed."
    st.caption(plain(f"{size} {explain.stored_epochs(run, split)}"))
    explain.constant_mask(run, split)
    if root is None:
        empty.no_pictures(run, selection.settings)
    epoch = wanted if chosen is None else chosen
    if chosen is not None and st.query_params.get("epoch", str(epochs[-1])) != str(epoch):
        st.query_params["epoch"] = str(epoch)
    st.caption(plain(palette.rule))
    _downloads(run, selection, row, epoch, epochs, maps)


def _one_epoch(run: Run, epoch: int) -> str:
    """Why there is nothing to scrub through."""
    if run.info.parent is not None:
        return f"These images were parsed once, by the network of {plain(run.info.parent)}: there is one epoch to see."
    return f"Only epoch {epoch} has maps of this image, so there is nothing to compare it with."


def _epoch(epochs: list[int]) -> int:
    text = st.query_params.get("epoch", "")
    nearest = epochs[-1]
    if text.isdecimal() and len(text) <= 6:
        nearest = min(epochs, key=lambda epoch: abs(epoch - int(text)))
    if text and text != str(nearest):
        not_found("Epoch", text, f"epoch {nearest}")
    return nearest


def _series(run: Run, selection: Selection, row: int, epochs: list[int], maps: Maps) -> list[Series]:
    """Curves under the cursor: this image's IoU and label churn, then the run's with the constant mask's level."""
    split = selection.split
    own = _own_iou(run, selection, row, maps)
    changed = [float("nan"), *(100 * (maps[1:] != maps[:-1]).mean(axis=(1, 2)))]
    series = [] if own is None else [Series("this image: IoU foreground", epochs, own, " %")]
    if len(epochs) > 1:  # of one epoch no change can be drawn
        series.append(Series("this image: pixels that changed their part", epochs, changed, " %"))
    table = runs_access.metrics(run)
    side = "train" if split == "train" else "test"
    wanted = [c for c in curves.matching(table, r"iou") if not _other_side(c.column, side)]
    found = [*wanted[:3], *curves.matching(table, r"^churn$")[:1], *curves.matching(table, r"^mAP$")]
    found = found or curves.matching(table, r"^loss")[:2]
    levels = runs_access.constant_mask(run, split)
    for item in found[:4]:
        level = levels.get(item.column.rsplit("_iou_", 1)[-1])
        note = "" if level is None else f"dashed: constant mask {100 * level:.1f}"
        series.append(
            Series(
                f"run: {item.title}",
                item.epochs,
                item.values,
                item.unit,
                item.digits,
                None if level is None else 100 * level,
                note,
            )
        )
    return series


def _own_iou(run: Run, selection: Selection, row: int, maps: Maps) -> list[float] | None:
    """Foreground IoU of this image by epoch in per cent; None where it has no ground truth."""
    size = (int(maps.shape[1]), int(maps.shape[2]))
    codes = part_truth.of_picture(run, selection.settings, selection.split, row, size)
    if codes is None:
        return None
    counts = confusion(maps, np.broadcast_to(codes, maps.shape), run.info.parts)
    return [100 * float(v) for v in binary_counts(counts, "foreground", tuple(range(1, run.info.parts))).iou]


def _other_side(column: str, side: str) -> bool:
    other = "test" if side == "train" else "train"
    return other in column.lower()


def _downloads(run: Run, selection: Selection, row: int, epoch: int, epochs: list[int], maps: Maps) -> None:
    split = selection.split
    source = exports.provenance(run, epoch, split)
    record = runs_access.records(run, split).iloc[row]
    palette = runs_access.palette(run)
    now = maps[epochs.index(epoch)]
    bar = st.container(horizontal=True)
    with bar:
        st.download_button(
            "Film strip (PNG)",
            lambda: exports.picture(_strip(run, selection, [row], epochs), source, "part maps by epoch"),
            f"{source.stem}_strip.png",
            "image/png",
            on_click="ignore",
        )
        st.download_button(
            "Figure 6: this person's images (PNG)",
            lambda: exports.picture(_figure(run, selection, row, epochs), source, "evolution of part maps"),
            f"{source.stem}_figure6.png",
            "image/png",
            on_click="ignore",
        )
        st.download_button(
            f"Part map of epoch {epoch} (PNG)",
            lambda: exports.mask(now, palette.table(), source, "label map: value = part"),
            f"{source.stem}_{record['identity']}_map.png",
            "image/png",
            on_click="ignore",
        )
        st.download_button(
            "Numbers (JSON)",
            lambda: exports.document(
                {
                    "image": str(record["path"]),
                    "identity": int(record["identity"]),
                    **(
                        {people.IDENTITY_NAME: people.who(record)}
                        if people.named(runs_access.records(run, split))
                        else {}
                    ),
                    "camera": int(record["camera"]),
                    "parts": {part.index: part.name for part in palette.parts},
                    "epochs": epochs,
                    "pixels": [np.bincount(m.ravel(), minlength=run.info.parts)[: run.info.parts] for m in maps],
                    "changed_share": [None, *(maps[1:] != maps[:-1]).mean(axis=(1, 2)).tolist()],
                },
                source,
                palette.rule,
            ),
            f"{source.stem}_{record['identity']}.json",
            "application/json",
            on_click="ignore",
        )


def _figure(run: Run, selection: Selection, row: int, epochs: list[int]) -> Pixels:
    """Figure 6: images of this person in rows, epochs in columns, from coarse to fine."""
    table = runs_access.records(run, selection.split)
    own = [int(i) for i in table.index[table["identity"] == table["identity"].iloc[row]]]
    rows = [row, *(i for i in own if i != row)][:FIGURE_PICTURES]
    early = np.unique(np.round(np.geomspace(1, len(epochs), FIGURE_EPOCHS)).astype(int) - 1)
    return _strip(run, selection, rows, [epochs[i] for i in early])


def _strip(run: Run, selection: Selection, rows: list[int], epochs: list[int]) -> Pixels:
    table = runs_access.records(run, selection.split)
    palette = runs_access.palette(run)
    root = pictures.picture_root(run, selection.settings)
    width = 64
    size = (round(width * pictures.aspect(run)), width)
    colours = palette.table()
    tiles: list[list[Pixels | None]] = []
    for row in rows:
        image = pictures.read(root, str(table["path"].iloc[row]), size[1], size[0])
        stored, maps = runs_access.history(run, selection.split, row)
        by_epoch = dict(zip(stored, maps, strict=True))
        drawn = [overlay(image, by_epoch[e], colours, 0.7 if image is not None else 1.0, size) for e in epochs]
        tiles.append([image, *drawn])
    names = [_row_name(table.iloc[row]) for row in rows]
    footer = [f"{run.name}, K = {run.info.parts}, {selection.split}. {palette.rule}"]
    return figures.sheet(tiles, names, ["input", *map(str, epochs)], palette=palette, footer=footer)


def _row_name(record: pd.Series) -> str:
    return f"{people.who(record)}\ncamera {record['camera']}"
