"""The shared sidebar: data set, run and split, all in the address. Pages get what was chosen as a Selection."""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from isp_app import explain
from isp_app.reading import runs_access
from isp_app.reading.runs_access import Listed
from isp_app.safety.names import plain
from isp_app.settings import Settings, embedded, settings
from isp_app.state.controls import by_hand, gone, kept, moved, select
from isp_core.runs import Run, RunError
from isp_core.runs.schema import CHECKPOINTS, SPLITS, Split

_LOG = logging.getLogger(__name__)

ALL_DATA = "all"
SPLIT_NAMES = {
    "train": "train (pseudo-labels)",
    "query": "query (predictions)",
    "gallery": "gallery (predictions)",
    "validation": "validation (predictions on identities held out of training)",
}


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
        """All runs whose description, records and metrics can be read, the chosen one first; Overview names others."""
        opened = []
        for item in sorted(self.listed, key=lambda item: item is not self.chosen):
            try:
                opened.append((item, runs_access.open_whole(item)))
            except Exception:  # whatever one run raises, a page about another one is shown
                continue
        return opened


def choose(no_split: str = "") -> Selection:
    """Draws the sidebar and opens the chosen run. Whatever the folders of runs hold, there is a selection.

    no_split: why the split has no effect on this page; "" where it has.
    """
    moved(None)
    config = settings()
    try:
        return _choose(config, no_split)
    except Exception as error:
        _LOG.exception("sidebar")
        return Selection(config, (), None, None, "train", runs_access.reason(error))


def _choose(config: Settings, no_split: str) -> Selection:
    everything = runs_access.find_runs(config)
    everything.sort(key=_order)
    data_sets = sorted({item.summary.data for item in everything if item.summary.data})
    with st.sidebar:
        data = ALL_DATA
        if len(data_sets) > 1:
            data = select("Data set", [ALL_DATA, *data_sets], "data")
        listed = [item for item in everything if data in (ALL_DATA, item.summary.data)]
        if not listed:
            _folders(config, everything)
            return Selection(config, tuple(everything), None, None, "train")
        names, before = {item.id: item for item in listed}, kept("run")
        identifier = select(
            "Run", list(names), "run", help="Runs are read from the folders that the server was started with."
        )
        chosen = names.get(identifier, listed[0])
        if before not in (None, *(item.id for item in everything)) and before != st.query_params.get("run"):
            gone("Run", str(before), identifier)
        _other_side(chosen, listed)
        run, problem = _opened(chosen)
        splits = SPLITS if run is None else runs_access.splits_of(run)
        split_name = select(
            "Split",
            splits,
            "split",
            index=0 if run is None else _first_split(run, splits),
            help=no_split or "Training images have pseudo-labels (clusters); the others have predictions.",
            disabled=bool(no_split),
        )
        split = next(one for one in splits if one == split_name)
        moved(f"{chosen.id} {split}")
        st.caption(no_split or SPLIT_NAMES[split])
        if run is not None:
            _card(run, chosen)
        _folders(config, everything)
    return Selection(config, tuple(everything), chosen, run, split, problem)


def _other_side(chosen: Listed, listed: Sequence[Listed]) -> None:
    """One click between the user's own runs and the embedded study."""
    other = next((item for item in listed if item.own != chosen.own), None)
    if other is None or not any(item.own == chosen.own for item in listed):
        return

    def change() -> None:
        st.session_state["run"] = other.id
        by_hand("run")

    st.button(
        "Your newest run" if other.own else "Embedded study",
        key="other_side",
        icon=":material/swap_horiz:",
        help=f"Opens {plain(other.id)}",
        on_click=change,
        width="stretch",
    )


def _opened(chosen: Listed) -> tuple[Run | None, str]:
    """The run, or why it does not open."""
    try:
        if chosen.summary.problem:
            raise RunError(chosen.summary.problem)
        return runs_access.open_listed(chosen), ""
    except Exception as error:
        return None, runs_access.reason(error)


def _first_split(run: Run, splits: Sequence[Split]) -> int:
    """The place of the first split that has images: imported runs and looks have none for training."""
    try:
        return next((place for place, split in enumerate(splits) if len(runs_access.records(run, split))), 0)
    except Exception:  # the page says what is wrong with the run
        return 0


def _card(run: Run, chosen: Listed) -> None:
    info = run.info
    facts = [
        f"K = {info.parts}" if info.parts else "no parts (baseline)",
        info.backbone or "backbone unknown",
        f"{info.size[0]} × {info.size[1]}",
        f"epoch {chosen.summary.epochs}",
        f"labels: {info.labels or 'unknown'}" if info.parent is None else f"parsed by {info.parent}",
    ]
    if info.imported:
        facts.append("imported")
    st.caption(" · ".join(plain(fact) for fact in facts), help=plain(explain.labels(run)))


def _folders(config: Settings, everything: list[Listed]) -> None:
    """Where this server looks for runs and images, and how to add a folder. Not for strangers: paths say whose they
    are."""
    if not config.trusted:
        return
    with st.expander("Folders", icon=":material/folder_open:"):
        st.caption("Runs")
        for root in config.run_roots:
            count = sum(item.path == root or root in item.path.parents for item in everything)
            st.text(f"{_shown(root)}: {count} run{'' if count == 1 else 's'}" + _missing(root))
        st.caption("Images and ground truth")
        for root in config.picture_roots:
            st.text(f"{_shown(root)}{_missing(root)}")
        st.caption("Add your own to these: stop the app and start it with")
        st.code("isp app --runs FOLDER --data FOLDER", language="bash", wrap_lines=True)


def _shown(path: Path) -> str:
    """A folder as a person would name it: short where it is the embedded study's or below the home folder."""
    if embedded(path):
        return "embedded study" if path.name == "runs" else "embedded data"
    home = Path.home()
    return f"~/{path.relative_to(home)}" if home in path.parents else str(path)


def _missing(root: Path) -> str:
    return "" if os.path.isdir(root) else " (does not exist yet)"  # noqa: PTH112 - Path.is_dir may raise


def _order(item: Listed) -> tuple[bool, bool, float, bool, bool, bool, int, int, str]:
    """Runs that open first, the user's own before the embedded study and the newest of them first; then trained before
    imported, those with parts before baselines, those with weights (they can parse own images) before others, the
    paper's K = 6 before others, long before short."""
    summary = item.summary
    made = summary.created if item.own else None
    newest = 0.0 if made is None else made.replace(tzinfo=made.tzinfo or dt.UTC).timestamp()
    return (
        summary.problem is not None,
        not item.own,
        -newest,
        summary.imported,
        summary.parts == 0,
        not os.path.isdir(item.path / CHECKPOINTS),  # noqa: PTH112 - Path.is_dir raises where a folder is closed
        abs(summary.parts - 6),
        -summary.epochs,
        item.id,
    )
