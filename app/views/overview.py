"""Overview: every run at a glance, broken ones included; the paper's values beside them, labelled as such."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import curves, empty, paper, runs_access
from app.links import link
from app.runs_access import Listed
from app.safety.cells import to_csv
from app.safety.names import plain
from app.sidebar import Selection
from isp_core.runs import Run, RunError

CARDS = 12


def show(selection: Selection) -> None:
    """The page."""
    st.title("What identity labels teach about the human body")
    st.markdown(
        "ISP learns the parts of a person, belongings included, from nothing but the answer to *who is this?* "
        "Each card is a run on this machine: its pseudo-labels, predictions and rankings can be looked at."
    )
    if not selection.listed:
        empty.run_or_reason(selection)
        _paper()
        return
    chosen = _filter(list(selection.listed))
    broken = [item for item in chosen if item.summary.problem]
    whole = [item for item in chosen if not item.summary.problem]
    _cards(whole)
    for item in broken:
        with st.container(border=True):
            st.markdown(f"**{plain(item.id)}** cannot be read")
            st.text(empty.short(item.summary.problem))
    table = runs_table(whole)
    if len(table):
        with st.expander(f"All {len(table)} runs as a table"):
            st.dataframe(table, hide_index=True, alt="Runs with their last figures, in percent", placeholder="")
            st.caption("R-1, R-5 and mAP in percent at the last epoch that was evaluated; empty where none was.")
        st.download_button("Runs (CSV)", to_csv(table), "runs.csv", "text/csv", on_click="ignore")
    _paper()


def _filter(listed: list[Listed]) -> list[Listed]:
    if len(listed) <= 1:
        return listed
    names = [item.id for item in listed]
    wanted = st.multiselect(
        "Runs", names, key="runs", bind="query-params", persist_state="session", placeholder="All runs"
    )
    return [item for item in listed if not wanted or item.id in wanted]


def _cards(listed: list[Listed]) -> None:
    pages = -(-len(listed) // CARDS)
    page = 1
    if pages > 1:
        page = st.pagination(pages, key="cards", bind="query-params")
    grid = st.grid(columns="auto", min_column_width=340, gap="medium")
    for item in listed[(page - 1) * CARDS : page * CARDS]:
        with grid, st.container(border=True):
            try:
                _card(item, runs_access.open_listed(item))
            except RunError as error:
                st.markdown(f"**{plain(item.id)}** cannot be read")
                st.text(empty.short(error))


def _card(item: Listed, run: Run) -> None:
    info, table = run.info, runs_access.metrics(run)
    st.subheader(plain(item.id), anchor=False)
    kind = f"K = {info.parts}" if info.parts else "no parts (baseline)"
    facts = [kind, info.backbone, f"{item.summary.epochs} epochs", info.data.name, info.labels]
    st.caption(" · ".join(plain(fact) for fact in facts if fact))
    figures = [curves.curve(table, column) for column in curves.RETRIEVAL]
    columns = st.columns(3)
    for column, name, figure in zip(columns, curves.RETRIEVAL, figures, strict=True):
        if figure is None:
            column.metric(name, "–", help="Not evaluated yet")
        else:
            spark = list(figure.values) if len(figure.values) > 1 else None
            column.metric(name, f"{figure.last:.1f} %", chart_data=spark, help=f"At epoch {figure.epochs[-1]}")
    parsing = curves.matching(table, r"iou")[:3]
    if parsing:
        for column, figure in zip(st.columns(3), parsing, strict=False):
            column.metric(figure.title, f"{figure.last:.1f} %", chart_data=list(figure.values))
    buttons = st.container(horizontal=True)
    with buttons:
        if info.parts:
            link("evolution", "Evolution", ":material/movie:", run=item.id)
        link("ranking", "Ranking", ":material/format_list_numbered:", run=item.id, split="query")
        if info.parts:
            link("iou", "IoU", ":material/table_chart:", run=item.id)


def runs_table(listed: list[Listed]) -> pd.DataFrame:
    """One row a run: what it is, and its last figures in percent (NaN where it has none)."""
    rows = []
    for item in listed:
        try:
            run = runs_access.open_listed(item)
            table = runs_access.metrics(run)
        except RunError:
            continue
        figures = {name: curves.curve(table, name) for name in curves.RETRIEVAL}
        rows.append(
            {
                "run": item.id,
                "data": run.info.data.name,
                "backbone": run.info.backbone,
                "K": run.info.parts,
                "labels": run.info.labels,
                "epochs": item.summary.epochs,
                **{name: figure.last if figure else float("nan") for name, figure in figures.items()},
                "evaluated at epoch": max((f.epochs[-1] for f in figures.values() if f), default=None),
                "seed": run.info.seed,
                "schema": run.info.schema_version,
                "data_fingerprint": run.info.data.fingerprint,
            }
        )
    return pd.DataFrame(rows)


def _paper() -> None:
    with st.expander("The paper's own figures, to compare with"):
        st.caption(
            "Zhu et al., ECCV 2020. Trained on GPUs for 120 epochs with ImageNet weights; in percent. "
            "None of these was measured here."
        )
        st.dataframe(paper.retrieval_table(), hide_index=True, alt="Retrieval figures of the paper", placeholder="")
