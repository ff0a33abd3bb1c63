"""Below a ranking: the distance of Eq. 10 between a query and one gallery picture, taken apart, with both masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app import empty, exports, pictures, ranking, runs_access
from app.components.mask_viewer import Panel, mask_viewer
from app.encode import mask_uri
from app.look import current_look
from app.pick import names
from app.safety.names import plain
from app.sidebar import Selection
from isp_core.matching import Explanation
from isp_core.runs import Run, RunError
from isp_core.runs.schema import Split


def show(selection: Selection, run: Run, epoch: int, q: int, g: int) -> None:
    """The pair's masks, its terms and their sum."""
    query, gallery = runs_access.records(run, "query"), runs_access.records(run, "gallery")
    same = query["identity"].iloc[q] == gallery["identity"].iloc[g]
    who = "the same person" if same else "two people"
    st.subheader("Why this distance?", anchor=False)
    st.caption(
        f"{plain(names(query)[q])} and {plain(names(gallery)[g])}: {who}. "
        "Open another picture of the list to compare it."
    )
    terms = ranking.take_apart(run, epoch, q, g)
    left, right = st.columns([2, 3])
    with left:
        _masks(selection, run, epoch, q, g)
    with right:
        table = term_table(run, epoch, q, g, terms)
        st.dataframe(table, hide_index=True, alt="Terms of Eq. 10", placeholder="", column_config=_columns())
        _sum(terms)
        source = exports.provenance(run, epoch, "query")
        st.download_button(
            "Terms (CSV)",
            lambda: exports.csv(
                table.assign(query=names(query)[q], gallery=names(gallery)[g], distance=float(terms.distance[0])),
                source,
                "Eq. 10: (d_g + d_f + sum of shared d_k) / (shared parts + 2); cosine distance",
            ),
            f"{source.stem}_pair.csv",
            "text/csv",
            on_click="ignore",
        )


def _columns() -> dict[str, Any]:
    return {
        "distance": st.column_config.NumberColumn("d", format="%.3f"),
        "query_share": st.column_config.NumberColumn("query", format="%.1f %%", help="Share of the query's pixels"),
        "gallery_share": st.column_config.NumberColumn("gallery", format="%.1f %%", help="Share of its pixels"),
    }


def term_table(run: Run, epoch: int, q: int, g: int, terms: Explanation) -> pd.DataFrame:
    """One row a term: its distance, how much of both pictures shows the part, and whether Eq. 10 counts it."""
    one = runs_access.embeddings(run, "query", epoch)[q : q + 1]
    other = runs_access.embeddings(run, "gallery", epoch)[g : g + 1]
    palette = runs_access.palette(run)
    rows: list[dict[str, object]] = [
        {"term": "d_g, global", "distance": float(terms.d_global[0]), "counts": "yes", "why": "always"}
    ]
    if one.n_parts:
        rows.append(
            {"term": "d_f, foreground", "distance": float(terms.d_foreground[0]), "counts": "yes", "why": "always"}
        )
    for k in range(one.n_parts):
        seen = bool(one.visibility[0, k]), bool(other.visibility[0, k])
        why = {
            (True, True): "visible in both",
            (True, False): "hidden in the gallery picture",
            (False, True): "hidden in the query",
            (False, False): "hidden in both",
        }[seen]
        rows.append(
            {
                "term": f"d_{k + 1}, {palette.name(k + 1)}",
                "distance": float(terms.d_parts[0, k]),
                "query_share": 100 * float(one.part_share[0, k]),
                "gallery_share": 100 * float(other.part_share[0, k]),
                "counts": "yes" if terms.shared[0, k] else "no",
                "why": why,
            }
        )
    return pd.DataFrame(rows)


def _sum(terms: Explanation) -> None:
    shared = np.flatnonzero(terms.shared[0])
    if terms.shared.shape[1] == 0:
        st.markdown(f"A network without parts has the global feature alone: $d = d_g = {float(terms.distance[0]):.3f}$")
        return
    numbers = [terms.d_global[0], terms.d_foreground[0], *terms.d_parts[0, shared]]
    above = " + ".join(f"{float(number):.3f}" for number in numbers)
    st.markdown(f"Eq. 10: d = ({above}) / ({len(shared)} + 2) = **{float(terms.distance[0]):.3f}**")


def _masks(selection: Selection, run: Run, epoch: int, q: int, g: int) -> None:
    root = pictures.picture_root(run, selection.settings)
    palette = runs_access.palette(run)
    stored = [e for e in run.label_epochs("test") if e <= epoch] if run.info.parts else []
    panels = []
    sides: tuple[tuple[str, Split, int], ...] = (("query", "query", q), ("gallery", "gallery", g))
    for title, split, row in sides:
        record = runs_access.records(run, split).iloc[row]
        mask = None
        if stored:
            try:
                mask = mask_uri(palette.coded(runs_access.maps(run, split, stored[-1], (row,))[0]))
            except RunError:
                mask = None
        panels.append(
            Panel(
                title=f"{title}: person {record['identity']}",
                alt=f"{title}: {pictures.describe(record)}",
                mask=mask,
                image=pictures.uri(root, str(record["path"])),
                aspect=pictures.aspect(run),
                note=f"camera {record['camera']}",
            )
        )
    mask_viewer(panels, palette, title="Query and gallery picture", key="pair", look=current_look(), width=150)
    if run.info.parts and not stored:
        empty.no_maps(run, "gallery")
    elif stored and stored[-1] != epoch:
        st.caption(f"Masks are those of epoch {stored[-1]}, the last stored before epoch {epoch}.")
