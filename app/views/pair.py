"""Below a ranking: the distance of Eq. 10 between a query and one gallery image, broken down, with both masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from isp_app import empty, explain
from isp_app.components.mask_viewer import Panel, mask_viewer
from isp_app.drawing import exports
from isp_app.drawing.encode import mask_uri
from isp_app.reading import people, pictures, ranking, runs_access
from isp_app.reading.ranking import Ranked
from isp_app.safety.names import plain
from isp_app.state.look import current_look
from isp_app.state.pick import names
from isp_app.state.sidebar import Selection
from isp_app.views import finder
from isp_app.views.ranked_lists import Side
from isp_core.matching import Explanation, describe_rule
from isp_core.runs import Run, RunError
from isp_core.runs.schema import Split

_COUNTS = "✓ yes"


def show(selection: Selection, side: Side, ranked: Ranked, q: int, g: int, elsewhere: list[str]) -> None:
    """The pair's masks, its terms and their sum. elsewhere: what other lists say of the same image."""
    run, epoch = side.run, side.epoch
    query, gallery = runs_access.records(run, "query"), runs_access.records(run, "gallery")
    same = query["identity"].iloc[q] == gallery["identity"].iloc[g]
    known = runs_access.knows_people(run)
    who = f": {'the same person' if same else 'two people'};" if known else ":"
    rank = ranked.rank_of(g)
    place = (
        "removed from the list: its own camera, or junk" if rank is None else f"rank {rank} of {len(ranked.gallery)}"
    )
    st.caption(
        f"{plain(names(query)[q])} and {plain(names(gallery)[g])}{who} {plain(place)} in {plain(side.name)}. "
        f"{plain(' '.join(elsewhere))} Open another image of a list to compare it."
    )
    _masks(selection, run, epoch, q, g)
    finder.doors(run, "gallery", g, here="ranking")
    with st.container():
        if side.rule == ranking.IMPORTED:
            value = "" if rank is None else f" d = {ranked.distances[rank - 1]:.3f}."
            st.info(
                f"Another tool computed this distance:{value} It came without features, so it cannot be broken down."
            )
            return
        terms = ranking.take_apart(run, epoch, q, g)
        table = term_table(run, epoch, q, g, terms)
        st.markdown(_as_markdown(table))
        st.caption("adds: what the term adds to d; pixels: the part's share of the query / the gallery image, in %")
        if run.info.parts and side.rule != "global":
            one, other = runs_access.embeddings(run, "query", epoch), runs_access.embeddings(run, "gallery", epoch)
            explain.visibility(
                run, epoch, {"query": one[q : q + 1], "gallery": other[g : g + 1]}, f"{q}-{g}-{side.name}"
            )
        _sum(terms)
        if side.rule not in ("aligned", "global") and rank is not None:
            words = ranking.rules(run, epoch)[side.rule]
            st.caption(
                f"The list is ranked by {plain(side.rule)} ({plain(words)}): there d = {ranked.distances[rank - 1]:.3f}"
            )
        source = exports.provenance(run, epoch, "query")
        st.download_button(
            "Terms (CSV)",
            lambda: exports.csv(
                table.assign(query=names(query)[q], gallery=names(gallery)[g], distance=float(terms.distance[0])),
                source,
                "Eq. 10: (d_g + d_f + sum of shared d_k) / (shared parts + 2); cosine distance; "
                f"visible parts by {describe_rule(run.visibility_rule(epoch))}",
            ),
            f"{source.stem}_pair.csv",
            "text/csv",
            on_click="ignore",
            key=f"terms-{g}",
        )


def _as_markdown(table: pd.DataFrame) -> str:
    """A handful of terms needs no grid to sort and scroll, which costs a browser half a second."""
    lines = ["| term | d | counts | adds | pixels |", "|:--|--:|:--|--:|--:|"]
    for row in table.to_dict("records"):
        counts = f"{row['counts'][0]} {row['why']}"
        adds = f"{row['adds']:.3f}" if row["counts"] == _COUNTS else ""
        shares = (row["query_share"], row["gallery_share"])
        pixels = "" if shares[0] != shares[0] else " / ".join(f"{share:.1f}" for share in shares)
        cells = [plain(row["term"]), f"{row['d']:.3f}", counts, adds, pixels]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def term_table(run: Run, epoch: int, q: int, g: int, terms: Explanation) -> pd.DataFrame:
    """One row a term: its distance, how much of both images shows the part, and whether Eq. 10 counts it."""
    one = runs_access.embeddings(run, "query", epoch)[q : q + 1]
    other = runs_access.embeddings(run, "gallery", epoch)[g : g + 1]
    palette = runs_access.palette(run)
    shared = np.asarray(terms.shared)[0]
    below = int(shared.sum()) + (2 if one.n_parts else 1)
    rows = [_always("d_g, global", terms.d_global[0], below)]
    if one.n_parts:
        rows.append(_always("d_f, foreground", terms.d_foreground[0], below))
    for k in range(one.n_parts):
        distance = float(terms.d_parts[0, k])
        seen = bool(one.visibility[0, k]), bool(other.visibility[0, k])
        rows.append(
            {
                "term": f"d_{k + 1}, {palette.name(k + 1).split(' · ')[-1]}",
                "d": distance,
                "counts": _COUNTS if shared[k] else "– no",
                "why": _WHY[seen],
                "adds": distance / below if shared[k] else np.nan,
                "query_share": 100 * float(one.part_share[0, k]),
                "gallery_share": 100 * float(other.part_share[0, k]),
            }
        )
    return pd.DataFrame(rows)


_WHY = {
    (True, True): "visible in both",
    (True, False): "hidden in the gallery image",
    (False, True): "hidden in the query",
    (False, False): "hidden in both",
}


def _always(term: str, distance: Any, below: int) -> dict[str, object]:
    row = {"term": term, "d": float(distance), "counts": _COUNTS, "why": "always", "adds": float(distance) / below}
    return row | {"query_share": np.nan, "gallery_share": np.nan}


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
                title=f"{title}: {people.who(record)}",
                alt=f"{title}: {pictures.describe(record)}",
                mask=mask,
                image=pictures.uri(root, str(record["path"])),
                aspect=pictures.aspect(run),
                note=f"camera {record['camera']}" if record["camera"] > 0 else "camera unknown",
            )
        )
    mask_viewer(panels, palette, title="Query and gallery image", key=f"pair-{g}", look=current_look(), width=150)
    if run.info.parts and not stored:
        empty.no_maps(run, "gallery")
    elif stored and stored[-1] != epoch:
        st.caption(f"Masks are those of epoch {stored[-1]}, the last stored before epoch {epoch}.")
