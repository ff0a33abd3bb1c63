"""The table of runs on Overview: sorted, compared with a reference run, the curves of chosen runs in one chart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from isp_app import empty, explain
from isp_app.drawing import exports
from isp_app.drawing.line_chart import MOST_LINES, line_chart
from isp_app.reading import curves, run_rows, runs_access
from isp_app.reading.run_rows import DIFFERENCE, GROUP, INTERVAL, IOU, MEASURED
from isp_app.reading.runs_access import Listed
from isp_app.safety.names import plain
from isp_app.state.controls import all_found, by_hand, changed_by_hand, select
from isp_app.state.links import link
from isp_app.views import columns
from isp_core.labelling.source import Family
from isp_core.runs import Run
from isp_core.tables import to_csv

NOTHING = "nothing"
BY_GROUP = "group"
TICKED = "chart"  # the parameter that names the runs in the chart
COLUMNS = "cols"  # the parameter that names the columns
USUAL = (GROUP, "K", "R-1", "mAP", INTERVAL, *(IOU[name] for name in ("foreground", "head", "legs", "belongings")))
# differences need the space
USUAL_COMPARED = tuple(name for name in USUAL if name not in (GROUP, "K", INTERVAL, IOU["legs"]))


def show(listed: Sequence[Listed], places: Sequence[DeltaGenerator]) -> None:
    """The table, and below it the chart. places: of the order and of the reference run."""
    opened: list[tuple[Listed, Run]] = []
    left_out: dict[str, str] = {}
    for item in listed:
        try:
            opened.append((item, runs_access.open_whole(item)))
        except Exception as error:  # whatever one run holds, the others are shown
            left_out[item.id] = runs_access.reason(error)
    found = run_rows.rows(opened)
    empty.left_out(left_out | found.left_out)
    if found.table.empty:
        return
    names = [str(name) for name in found.table["run"]]
    left, right, last = places
    sort = select("Sort by", [BY_GROUP, *(name for name in found.table.columns if name != GROUP)], "order", place=left)
    reference = select(
        "Difference to", [NOTHING, *names], "ref", place=right, help="A run that every other is compared with"
    )
    table = _sorted(found.table, sort)
    if reference != NOTHING:
        comparable = run_rows.on_the_same_images(opened, reference)
        table = run_rows.compared(table, reference, comparable)
    with last:
        shown = columns.choose(found.table, COLUMNS, USUAL if reference == NOTHING else USUAL_COMPARED, always=("run",))
    ticked = _table(table, sort, reference, shown)
    _about(table, reference, names, opened)
    _downloads(table, {item.id: run for item, run in opened})
    _curves(opened, ticked, reference, [str(name) for name in table["run"]])


def _sorted(table: pd.DataFrame, sort: str) -> pd.DataFrame:
    """Metrics from the highest down, all else upwards; groups in the order of `Family`."""
    if sort == BY_GROUP:
        order = {family.value: place for place, family in enumerate(Family)}
        return table.sort_values([GROUP, "K", "run"], key=lambda c: c.map(order) if c.name == GROUP else c)
    return table.sort_values([sort, "run"], ascending=[sort not in MEASURED, True], na_position="last")


def _table(table: pd.DataFrame, sort: str, reference: str, shown: list[str]) -> list[str]:
    """The table; the runs that are ticked, as the URL says. Streamlit keeps ticks by position, so that another
    order is another table, whose ticks start at those of the URL."""
    names = [str(name) for name in table["run"]]
    all_found(TICKED, names, "Run")
    state, key = st.session_state, f"run-table {sort} {reference} {' '.join(names)}"
    wanted = [name for name in st.query_params.get(TICKED, "").split(",") if name in names]
    if state.get("_ticked") != wanted:  # a link, or Back: the table starts again at what the URL says
        state["_ticks"] = state.get("_ticks", 0) + 1
        state["_ticked"] = wanted
    event = st.dataframe(
        table,
        hide_index=True,
        placeholder="",
        alt="Runs and their latest metrics, in percent",
        column_config=_formats(table),
        column_order=[name for name in table.columns if name.removesuffix(DIFFERENCE) in shown],
        on_select=lambda: by_hand(TICKED),
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [names.index(name) for name in wanted]}},
        key=f"{key} {state['_ticks']}" if "_ticks" in state else key,
        height="content" if len(table) <= 20 else "auto",
    )
    ticked = [names[row] for row in event.selection.rows if row < len(names)]
    if changed_by_hand(TICKED) or ticked != wanted:
        state["_ticked"] = ticked
        if ticked:
            st.query_params[TICKED] = ",".join(ticked)
        elif TICKED in st.query_params:
            del st.query_params[TICKED]
    return ticked


def _formats(table: pd.DataFrame) -> dict[str, Any]:
    formats: dict[str, Any] = {}
    for name in table.columns:
        metric = str(name).removesuffix(DIFFERENCE)
        if metric in MEASURED:
            short = metric.removeprefix("IoU ")
            formats[name] = st.column_config.NumberColumn(
                "Δ" if name.endswith(DIFFERENCE) else short,
                format="%+.1f" if name.endswith(DIFFERENCE) else "%.1f",
                width=52 if name.endswith(DIFFERENCE) or len(short) < 6 else 82,
                help=str(name),
            )
    return formats | {
        "run": st.column_config.TextColumn(pinned=True, width=196),
        GROUP: st.column_config.TextColumn(width=132),
        "K": st.column_config.NumberColumn(width=40),
        INTERVAL: st.column_config.TextColumn("mAP, 95 %", width=92, help="The interval resamples identities"),
    }


def _about(table: pd.DataFrame, reference: str, names: list[str], opened: Sequence[tuple[Listed, Run]]) -> None:
    words = (
        "Percent, at each run's last evaluated epoch; IoU of predictions. Empty: not measured, or no part stands for "
        "the class. Click a header to sort; tick runs to see their curves alone."
    )
    if reference != NOTHING:
        others = len(names) - len(run_rows.on_the_same_images(opened, reference))
        words += f" Δ: difference to {plain(reference)}, in points."
        words += (
            " Each row is one training; another seed gives other numbers. The interval is of the run's own mAP, not "
            "of Δ: `isp eval retrieval --against` gives the interval of a difference."
        )
        if others:
            words += f" {others} run{'s' if others > 1 else ''} tested on other images: no difference."
    st.caption(words)
    explain.sources(run.info.labels for _, run in opened)


def _downloads(table: pd.DataFrame, runs: dict[str, Run]) -> None:
    st.download_button(
        "Runs (CSV)", lambda: to_csv(with_sources(table, runs)), "runs.csv", "text/csv", on_click="ignore"
    )


def with_sources(table: pd.DataFrame, runs: dict[str, Run]) -> pd.DataFrame:
    """The table with what each row was made from: weights, schema and data of its run at its epoch."""
    column = "evaluated at epoch" if "evaluated at epoch" in table else "epoch"
    rows = []
    for identifier, epoch in zip(table["run"], table[column], strict=True):
        source = exports.provenance(runs[identifier], None if pd.isna(epoch) else int(epoch), "test")
        rows.append((source.checkpoint, source.schema, source.data_fingerprint))
    known = pd.DataFrame(rows, columns=["checkpoint", "schema", "data_fingerprint"], index=table.index)
    return pd.concat([table, known], axis=1)


def _curves(opened: Sequence[tuple[Listed, Run]], ticked: list[str], reference: str, order: list[str]) -> None:
    st.subheader("Curves", anchor=False)
    measured = run_rows.columns_of(opened)
    if not measured:
        st.caption("No run has finished an epoch with metrics yet.")
        return
    by_title = {curves.title_of(name)[0]: name for name in measured}
    column = by_title[select("Metric", list(by_title), "curve")]
    wanted = ticked or order
    if reference != NOTHING and reference not in wanted:
        wanted = [reference, *wanted]
    known = {item.id: (item, run) for item, run in opened}
    having = [name for name in wanted if curves.curve(runs_access.metrics(known[name][1]), column)]
    shown = having[:MOST_LINES]
    title, unit, _, digits = curves.title_of(column)
    if not shown:
        st.info(f"None of these runs has {plain(title)}.")
        return
    lines = run_rows.lines([known[name] for name in shown], column)
    words = f"{title},{unit}" if unit else title
    st.altair_chart(line_chart(lines.rename(columns={"run": "line"}), shown, words, digits), alt=f"{title} by epoch")
    notes = [] if ticked else [f"The first {len(shown)} of {len(having)} runs; tick others." if having != shown else ""]
    if ticked and len(having) > len(shown):
        notes.append(f"The first {MOST_LINES} of {len(having)} ticked runs.")
    lacking = [name for name in wanted if name not in having]
    if lacking and (ticked or len(lacking) <= 3):
        notes.append(f"Without this metric: {plain(', '.join(lacking))}.")
    if any(notes):
        st.caption(" ".join(note for note in notes if note))
    pair = ticked if reference == NOTHING or reference in ticked else [*ticked, reference]
    if len(pair) == 2:
        _compare([known[name] for name in pair])


def _compare(pair: Sequence[tuple[Listed, Run]]) -> None:
    """From two runs in the chart to their images."""
    (one, run), (two, other) = pair
    with st.container(horizontal=True):
        st.markdown(f"{plain(one.id)} and {plain(two.id)}, image by image:")
        if run.info.parts and other.info.parts:
            link("iou", "IoU", ":material/table_chart:", run=one.id, **{"with": two.id})
            link("k_compare", "Part maps", ":material/view_column:", run=one.id, ks=[one.id, two.id])
        link("ranking", "Rankings", ":material/format_list_numbered:", run=one.id, vs=two.id, split="query")
