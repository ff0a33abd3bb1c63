"""K compare: one image under several runs, K = 4..8 and the cascade's variants, next to the ground truth (Figures 4
and 5)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from isp_app import empty, explain
from isp_app.components.mask_viewer import Panel, mask_viewer
from isp_app.drawing import exports, figures
from isp_app.drawing.encode import Pixels, mask_uri, overlay
from isp_app.reading import curves, paper, part_truth, people, pictures, runs_access
from isp_app.safety.names import plain, slug
from isp_app.state.controls import all_found, by_hand, select
from isp_app.state.links import link
from isp_app.state.look import current_look
from isp_app.state.sidebar import Selection
from isp_app.views import finder
from isp_core.labelling.clustering import CLUSTERING
from isp_core.metrics.spaces import TARGETS
from isp_core.palette import Palette, alike, union
from isp_core.runs import Run
from isp_core.runs.schema import Split
from isp_eval.studies.rows import variant

FIGURE_ROWS = 6
MOST_RUNS = 12
LAST = "each run's last epoch"
PAPER_KS = (4, 5, 6, 7, 8)


def show(selection: Selection) -> None:
    """The page."""
    st.title("K compare", anchor=False)
    run = empty.run_or_reason(selection)
    if run is None:
        return
    split = selection.split
    candidates = _candidates(selection, run, split)
    if not candidates:
        empty.no_maps(run, split)
        return
    all_found("ks", list(candidates), "Run")
    wanted = st.multiselect(
        "Runs",
        list(candidates),
        key="ks",
        bind="query-params",
        persist_state="session",
        on_change=by_hand,
        args=("ks",),
        max_selections=MOST_RUNS,
        placeholder="By K, as in Figure 4",
        help="Runs on the same data that have label maps of this split",
    )
    by_k = _figure_4(run, candidates)
    runs = {name: candidates[name] for name in (wanted or by_k[:MOST_RUNS])}
    if not wanted and len(by_k) > MOST_RUNS:
        st.caption(f"The first {MOST_RUNS} of {len(by_k)} runs; choose others above.")
    elif not wanted and len(by_k) < len(candidates):
        st.caption(
            f"{len(by_k)} of {len(candidates)} runs, by K: those with the labels and the backbone of "
            f"{plain(run.name)}, as in Figure 4. Choose others above."
        )
    _missing(selection, list(candidates.values()))
    row = finder.choose(selection, run, split)
    epoch = _epoch(runs, split)
    _viewer(selection, run, runs, split, row, epoch)
    _downloads(selection, run, runs, split, row, epoch)
    st.subheader("Metrics by K", anchor=False)
    rows, reasons = runs_access.read_each(runs.items(), _metrics)
    empty.left_out(reasons)
    figures_table = pd.DataFrame(list(rows.values()))
    decimals = {
        name: st.column_config.NumberColumn(format="%.1f")
        for name in figures_table.columns
        if figures_table[name].dtype.kind == "f"
    }
    st.dataframe(
        figures_table,
        hide_index=True,
        placeholder="",
        alt="Retrieval and IoU by run, in percent",
        column_config=decimals,
    )
    st.caption(
        "In percent, at each run's last evaluated epoch; empty where it was not measured. IoU of predictions (test) "
        "and of pseudo-labels (train) are two things; compare each with its constant mask. " + explain.CONSTANT_MASK
    )
    explain.sources(other.info.labels for other in runs.values())
    with st.container(horizontal=True):
        st.download_button(
            "Metrics by K (CSV)",
            lambda: exports.csv(
                figures_table.rename(columns={"run": "compared_run"}),
                [exports.provenance(runs[name], _last_evaluated(runs[name]), split) for name in figures_table["run"]],
            ),
            f"{slug(run.info.data.name)}_by_k.csv",
            "text/csv",
            on_click="ignore",
        )
        link("overview", "Table 4 next to the paper's", ":material/table_chart:", table="Table 4")
    with st.expander("Table 4 of the paper"):
        st.caption(paper.LABEL)
        st.dataframe(paper.table_4(), hide_index=True, alt="Table 4 of the paper")


def _downloads(selection: Selection, run: Run, runs: dict[str, Run], split: Split, row: int, epoch: int | None) -> None:
    """Figure 4 (runs of the cascade by K) and Figure 5 (the cascade and its variants at one K)."""
    source = exports.provenance(run, None, split)
    by_k = {name: other for name, other in runs.items() if not variant(other.info)}
    variants = {name: other for name, other in runs.items() if variant(other.info)}
    alike = {(other.info.parts, other.info.labels) for other in variants.values()}
    cascades = {name: other for name, other in by_k.items() if (other.info.parts, other.info.labels) in alike}
    with st.container(horizontal=True):
        st.download_button(
            "Figure 4: by K, next to the ground truth (PNG)",
            lambda: exports.picture(_figure(selection, run, by_k, split, row, epoch), source, "part maps by K"),
            f"{slug(run.info.data.name)}_{split}_figure4.png",
            "image/png",
            on_click="ignore",
            disabled=not by_k,
            help=None if by_k else "Choose a run that is no variant above: this figure compares runs by K.",
        )
        st.download_button(
            "Figure 5: cascade and variants (PNG)",
            lambda: exports.picture(
                _figure(selection, run, cascades | variants, split, row, epoch), source, "cascade and variants"
            ),
            f"{slug(run.info.data.name)}_{split}_figure5.png",
            "image/png",
            on_click="ignore",
            disabled=not variants,
            help=None if variants else "No run of Variant 1 or 2 is among the runs: see what is not here yet",
        )


def _candidates(selection: Selection, run: Run, split: Split) -> dict[str, Run]:
    """Runs on the same data with maps of this split, by K, the cascade before its variants."""
    found = [
        (item.id, other)
        for item, other in selection.open_others()
        if other.info.parts and runs_access.map_epochs(other, split) and runs_access.same_pictures(run, other, split)
    ]
    found.sort(key=lambda pair: (variant(pair[1].info) != "", pair[1].info.parts, pair[0]))
    return dict(found)


def _figure_4(run: Run, candidates: dict[str, Run]) -> list[str]:
    """Figure 4's runs: the cascade with different K, all else as in the chosen run. All runs where it has no others."""
    alike = [
        name
        for name, other in candidates.items()
        if other.path == run.path
        or (
            not variant(other.info) and (other.info.labels, other.info.backbone) == (run.info.labels, run.info.backbone)
        )
    ]
    return alike if len(alike) > 1 else list(candidates)


def _last_evaluated(run: Run) -> int | None:
    found = [c.epochs[-1] for name in curves.RETRIEVAL if (c := curves.curve(runs_access.metrics(run), name))]
    return max(found, default=None)


def _title(name: str, run: Run) -> str:
    words = variant(run.info)
    return f"{name}: K = {run.info.parts}" + (f", {words}" if words else "")


def _missing(selection: Selection, candidates: list[Run]) -> None:
    have = {other.info.parts for other in candidates if not variant(other.info)}
    lacking = [k for k in PAPER_KS if k not in have]
    variants = [v for v in ("Variant 1", "Variant 2") if v not in {variant(other.info) for other in candidates}]
    words = [f"K = {', '.join(map(str, lacking))}"] if lacking else []
    words += variants
    if words:
        # what is shown when it is opened takes the browser a megabyte and a half of program
        with st.expander(f"Not here yet: {'; '.join(words)}", on_change="rerun") as lacking_runs:
            if not lacking_runs.open:
                return
            config = selection.settings
            commands = [empty.train_command(config, name=f"k{k}", more=f" --parts {k}") for k in lacking]
            names = {"Variant 1": "one-step", "Variant 2": "unnormalised"}
            more = f" --labels {CLUSTERING.name} --parts 6 --set labels.variant="
            commands += [empty.train_command(config, name=names[v], more=more + names[v]) for v in variants]
            st.code("\n".join(commands), language="bash")


def _epoch(runs: dict[str, Run], split: Split) -> int | None:
    everything = sorted(
        {epoch for other in runs.values() for epoch in runs_access.map_epochs(other, split)}, reverse=True
    )
    chosen = select("Epoch", [LAST, *everything], "epoch")
    return None if chosen == LAST else int(chosen)


def _row_in(other: Run, run: Run, split: Split, row: int) -> int | None:
    path = runs_access.records(run, split)["path"].iloc[row]
    theirs = runs_access.records(other, split)["path"]
    if row < len(theirs) and theirs.iloc[row] == path:
        return row
    place = np.flatnonzero((theirs == path).to_numpy())
    return int(place[0]) if len(place) else None


def _map(other: Run, run: Run, split: Split, row: int, epoch: int | None) -> tuple[int, np.ndarray] | None:
    """The epoch and map of one run for this image; None where it is not stored: nothing is filled in."""
    stored = runs_access.map_epochs(other, split)
    at = stored[-1] if epoch is None else epoch
    place = _row_in(other, run, split, row)
    if at not in stored or place is None:
        return None
    return at, runs_access.maps(other, split, at, (place,))[0]


def _palettes(selection: Selection, run: Run, runs: dict[str, Run]) -> dict[str, Palette]:
    """The runs' colours under one legend, which the ground truth shares where there is one."""
    shared = [] if part_truth.folder_of(run, selection.settings) is None else [part_truth.palette()]
    own = alike([*(runs_access.palette(other) for other in runs.values()), *shared])
    return dict(zip(runs, own, strict=False))


def _viewer(selection: Selection, run: Run, runs: dict[str, Run], split: Split, row: int, epoch: int | None) -> None:
    record = runs_access.records(run, split).iloc[row]
    root = pictures.picture_root(run, selection.settings)
    image, alt, ratio = pictures.uri(root, str(record["path"])), pictures.describe(record), pictures.aspect(run)
    panels = [Panel("input", f"Input, {alt}", None, image, ratio)] if image else []
    own = _palettes(selection, run, runs)
    palettes = []
    absent = []
    shape = None
    maps = []
    for name, other in runs.items():
        found = _map(other, run, split, row, epoch)
        if found is None:
            absent.append(name)
            continue
        palette = own[name]
        palettes.append(palette)
        shape = found[1].shape
        maps.append(
            Panel(
                _title(name, other),
                f"{_title(name, other)}, {alt}",
                mask_uri(palette.coded(found[1])),
                image,
                ratio,
                f"epoch {found[0]}",
            )
        )
    if shape is not None:
        codes = part_truth.of_picture(run, selection.settings, split, row, (int(shape[0]), int(shape[1])))
        if codes is not None:
            panels.append(
                Panel("ground truth", f"Ground truth, {alt}", mask_uri(part_truth.palette().coded(codes)), image, ratio)
            )
            palettes.append(part_truth.palette())
    panels += maps
    mask_viewer(panels, union(palettes), title="One image under several runs", key="k", look=current_look(), width=140)
    if absent:
        when = "" if epoch is None else f" at epoch {epoch}"
        st.caption(f"No map of this image{when}: {plain(', '.join(absent))}.")
    if root is None:
        empty.no_pictures(run, selection.settings)
    st.caption(plain(union(palettes).rule))


def _metrics(identifier: str, run: Run) -> dict[str, object]:
    """A run's row of the table."""
    table = runs_access.metrics(run)
    last = {c: curves.curve(table, c) for c in curves.RETRIEVAL}
    levels = {"test": runs_access.constant_mask(run, "query"), "train": runs_access.constant_mask(run, "train")}
    iou = {}
    for side in ("test", "train"):
        for name in TARGETS:
            found = curves.curve(table, f"{side}_iou_{name}")
            if found:
                iou[f"{name} ({side})"] = found.last
        if "foreground" in levels[side]:
            iou[f"constant foreground ({side})"] = 100 * levels[side]["foreground"]
    return {
        "run": identifier,
        "K": run.info.parts,
        "labels": run.info.labels,
        "variant": variant(run.info),
        **{c: curve.last if curve else np.nan for c, curve in last.items()},
        **iou,
    }


def _figure(selection: Selection, run: Run, runs: dict[str, Run], split: Split, row: int, epoch: int | None) -> Pixels:
    """Figure 4 or 5: the chosen image and others at even steps through the split, a column a run."""
    table = runs_access.records(run, split)
    steps = np.linspace(0, len(table) - 1, FIGURE_ROWS).astype(int)
    rows = list(dict.fromkeys([row, *map(int, steps)]))[:FIGURE_ROWS]
    root, width = pictures.picture_root(run, selection.settings), 64
    size = (round(width * pictures.aspect(run)), width)
    own = _palettes(selection, run, runs)
    colours = {name: palette.table() for name, palette in own.items()}
    lines: list[list[Pixels | None]] = []
    for one in rows:
        image = pictures.read(root, str(table["path"].iloc[one]), size[1], size[0])
        line: list[Pixels | None] = [image]
        found = [(name, _map(other, run, split, one, epoch)) for name, other in runs.items()]
        shape = next((m[1].shape for _, m in found if m is not None), None)
        codes = part_truth.of_picture(run, selection.settings, split, one, (shape[0], shape[1])) if shape else None
        strength = 0.7 if image is not None else 1.0
        line.append(None if codes is None else overlay(image, codes, part_truth.palette().table(), strength, size))
        for name, stored in found:
            line.append(None if stored is None else overlay(image, stored[1], colours[name], strength, size))
        lines.append(line)
    titles = ["input", "ground truth", *(f"{n}: K = {r.info.parts}" for n, r in enumerate(runs.values(), start=1))]
    everything = union([*own.values(), part_truth.palette()])
    captions = [people.who(table.iloc[one]) for one in rows]
    names = (
        f"{n}: {name}" + (f" ({variant(r.info)})" if variant(r.info) else "")
        for n, (name, r) in enumerate(runs.items(), 1)
    )
    footer = ["The chosen image first, the others at even steps through the split.", ", ".join(names)]
    return figures.sheet(lines, captions, titles, palette=everything, footer=footer)
