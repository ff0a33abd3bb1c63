"""The shared sidebar: data set, run and split, all in the address. Pages get what was chosen as a Selection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from isp_app.reading import runs_access
from isp_app.reading.runs_access import Listed
from isp_app.settings import Settings, settings
from isp_core.runs import Run, RunError
from isp_core.runs.schema import CHECKPOINTS, SPLITS, Split

ALL_DATA = "all"
SPLIT_NAMES = {"train": "train (pseudo-labels)", "query": "query (predictions)", "gallery": "gallery (predictions)"}


@dataclass(frozen=True)
class Selection:
    """What the sidebar says. run is None where nothing opens; then problem says why ("" where there is no run)."""

    settings: Settings
    listed: tuple[Listed, ...]
    chosen: Listed | None
    run: Run | None
    split: Split
    problem: str = ""

    def open_others(self) -> list[tuple[Listed, Run]]:
        """All runs that open, the chosen one first."""
        opened = []
        for item in sorted(self.listed, key=lambda item: item is not self.chosen):
            try:
                opened.append((item, runs_access.open_listed(item)))
            except RunError:
                continue
        return opened


def choose() -> Selection:
    """Draws the sidebar and opens the chosen run."""
    config = settings()
    everything = runs_access.find_runs(config)
    everything.sort(key=_order)
    data_sets = sorted({item.summary.data for item in everything if item.summary.data})
    with st.sidebar:
        data = ALL_DATA
        if len(data_sets) > 1:
            options = [ALL_DATA, *data_sets]
            _follow_link("data", options)
            data = st.selectbox("Data set", options, key="data", bind="query-params", on_change=_chosen, args=("data",))
        listed = [item for item in everything if data in (ALL_DATA, item.summary.data)]
        if not listed:
            return Selection(config, tuple(everything), None, None, "train")
        names = {item.id: item for item in listed}
        _follow_link("run", list(names))
        identifier = st.selectbox(
            "Run",
            list(names),
            format_func=lambda name: name,
            key="run",
            bind="query-params",
            on_change=_chosen,
            args=("run",),
            help="Runs are read from the folders that the server was started with.",
        )
        chosen = names.get(str(identifier), listed[0])
        _follow_link("split", SPLITS)
        split = st.selectbox(
            "Split",
            SPLITS,
            key="split",
            bind="query-params",
            on_change=_chosen,
            args=("split",),
            help="Training pictures have pseudo-labels (clusters); query and gallery have predictions.",
        )
        st.caption(SPLIT_NAMES[split])
    try:
        if chosen.summary.problem:
            raise RunError(chosen.summary.problem)
        run = runs_access.open_listed(chosen)
    except RunError as error:
        return Selection(config, tuple(everything), chosen, None, split, str(error))
    with st.sidebar:
        _card(run, chosen)
    return Selection(config, tuple(everything), chosen, run, split)


def _chosen(key: str) -> None:
    """The hand has just chosen: for this one rerun the address is older than the control."""
    st.session_state[f"_chosen_{key}"] = True


def _follow_link(key: str, options: Sequence[str]) -> None:
    """A link inside the app changes the address but not a bound control that stands already; so it is set here."""
    if st.session_state.pop(f"_chosen_{key}", False):
        return
    wanted = st.query_params.get(key)
    if key in st.session_state and wanted in options and st.session_state[key] != wanted:
        st.session_state[key] = wanted


def _card(run: Run, chosen: Listed) -> None:
    info = run.info
    facts = [
        f"K = {info.parts}" if info.parts else "no parts (baseline)",
        info.backbone or "backbone unknown",
        f"{info.size[0]} × {info.size[1]}",
        f"epoch {chosen.summary.epochs}",
        f"labels: {info.labels or 'unknown'}",
    ]
    if info.imported:
        facts.append("imported")
    st.caption(" · ".join(facts))


def _order(item: Listed) -> tuple[bool, bool, bool, bool, int, int, str]:
    """Runs that open first, own before imported, those with parts before baselines, those with weights (they can parse
    own pictures) before others, the paper's K = 6 before others, long before short."""
    summary = item.summary
    return (
        summary.problem is not None,
        summary.imported,
        summary.parts == 0,
        not (item.path / CHECKPOINTS).is_dir(),
        abs(summary.parts - 6),
        -summary.epochs,
        item.id,
    )
