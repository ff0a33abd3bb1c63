"""A map of the paper on Overview: its figures and tables as they can be made from the runs at hand, one link each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st

from isp_app.reading import runs_access
from isp_app.reading.run_rows import family
from isp_app.reading.runs_access import Listed
from isp_app.safety.names import plain
from isp_app.state.links import link
from isp_core.labelling.source import Family, Role
from isp_core.runs import Run
from isp_eval.studies.rows import TABLES, belongs, model, variant

Opened = Sequence[tuple[Listed, Run]]


@dataclass(frozen=True)
class Entry:
    """A figure or table: where it is made, and from which runs. page is "" where they cannot give it: `of` says why."""

    name: str
    of: str
    page: str = ""
    query: dict[str, object] = field(default_factory=dict)


def show(opened: Opened) -> None:
    """The links."""
    st.subheader("The paper's figures and tables, made from these runs", anchor=False)
    grid = st.grid(columns="auto", min_column_width=210, gap="small")
    for entry in entries(opened):
        with grid, st.container(gap=None):
            if entry.page:
                link(entry.page, entry.name, **entry.query)
            else:
                st.markdown(entry.name)
            st.caption(plain(entry.of))


def entries(opened: Opened) -> list[Entry]:
    """Figures 4 to 7 and Tables 3 to 6, in the paper's order; of trainings, so not of looks at own images."""
    opened = [(item, run) for item, run in opened if run.info.trained]
    return [_figure_4(opened), _figure_5(opened), _figure_6(opened), _figure_7(opened), *_tables(opened)]


def _learned(opened: Opened) -> dict[tuple[str, str, str], list[tuple[Listed, Run]]]:
    """Runs with learned parts that have label maps, by data, label source and backbone: within one, K may differ."""
    found: dict[tuple[str, str, str], list[tuple[Listed, Run]]] = defaultdict(list)
    for item, run in opened:
        if model(run.info) is Role.LEARNED and (
            runs_access.map_epochs(run, "query") or runs_access.map_epochs(run, "train")
        ):
            found[run.info.data.fingerprint, run.info.labels, run.info.backbone].append((item, run))
    return found


def _figure_4(opened: Opened) -> Entry:
    name = "Figure 4: parts by K"
    groups = [[(item, run) for item, run in group if not variant(run.info)] for group in _learned(opened).values()]
    group = max(groups, key=lambda g: len({run.info.parts for _, run in g}), default=[])
    ks = sorted({run.info.parts for _, run in group})
    if len(ks) < 2:
        return Entry(name, "needs runs of one label source with different K")
    item, run = min(group, key=lambda pair: abs(pair[1].info.parts - 6))
    words = f"K = {', '.join(map(str, ks))}; labels: {run.info.labels}"
    return Entry(name, words, "k_compare", {"run": item.id, "split": _split(run)})


def _figure_5(opened: Opened) -> Entry:
    name = "Figure 5: variants"
    for group in _learned(opened).values():
        variants = [(item, run) for item, run in group if variant(run.info)]
        if variants:
            ks = {run.info.parts for _, run in variants}
            cascades = [(item, run) for item, run in group if not variant(run.info) and run.info.parts in ks]
            chosen = [*cascades[:1], *variants]
            words = ", ".join(item.id for item, _ in chosen)
            query: dict[str, object] = {
                "run": chosen[0][0].id,
                "split": _split(chosen[0][1]),
                "ks": [item.id for item, _ in chosen],
            }
            return Entry(name, words, "k_compare", query)
    return Entry(name, "needs a run of Variant 1 or 2 (labels.variant)")


def _figure_6(opened: Opened) -> Entry:
    name = "Figure 6: evolution"
    having = [(item, run) for item, run in opened if run.info.parts and len(runs_access.map_epochs(run, "train")) > 1]
    if not having:
        return Entry(name, "needs a run with pseudo-labels of several epochs")
    item, run = max(
        having, key=lambda pair: (len(runs_access.map_epochs(pair[1], "train")), family(pair[0]) is Family.PAPER)
    )
    words = f"{len(runs_access.map_epochs(run, 'train'))} epochs of {item.id}"
    return Entry(name, words, "evolution", {"run": item.id, "split": "train"})


def _figure_7(opened: Opened) -> Entry:
    name = "Figure 7: rankings"
    having = [(item, run) for item, run in opened if run.embedding_epochs()]
    for item, run in sorted(having, key=lambda pair: model(pair[1].info) is not Role.LEARNED):
        for other, baseline in having:
            if run.info.parts and not baseline.info.parts and runs_access.same_pictures(run, baseline, "query"):
                words = f"{item.id} and {other.id}"
                return Entry(name, words, "ranking", {"run": item.id, "vs": other.id, "split": "query"})
    return Entry(name, "needs embeddings of a run with parts and of a baseline")


def _tables(opened: Opened) -> list[Entry]:
    found = []
    for which, kind in TABLES.items():
        count = sum(belongs(which, run.info) for _, run in opened)
        name = f"{which}: {kind.title}"
        runs = f"{count} run{'' if count == 1 else 's'}"
        found.append(
            Entry(name, runs, "overview", {"table": which}) if count else Entry(name, "no run here belongs in it")
        )
    return found


def _split(run: Run) -> str:
    return "query" if runs_access.map_epochs(run, "query") else "train"
