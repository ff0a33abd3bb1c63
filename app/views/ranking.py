"""Ranking: a query and its nearest gallery images under Eq. 10, two runs side by side (Figure 7)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from isp_app import empty
from isp_app.drawing import exports
from isp_app.reading import people, ranking, runs_access
from isp_app.reading.ranking import Ranked
from isp_app.safety.names import plain
from isp_app.state.controls import not_found, select
from isp_app.state.pick import names, row_named
from isp_app.state.sidebar import Selection
from isp_app.views import finder, pair, queries, ranked_lists
from isp_app.views.ranked_lists import Side
from isp_app.views.ranking_list import legend, map_epoch, same_image, same_query, score_words, show_list
from isp_core.runs import Run

SHOWN = (10, 20, 50)
NOBODY = "none"


def show(selection: Selection) -> None:
    """The page."""
    with st.container(gap="xsmall"):  # both lists fit on a laptop's screen
        _show(selection)


def _show(selection: Selection) -> None:
    head = st.container(horizontal=True, vertical_alignment="bottom")
    head.title("Ranking", anchor=False, width="content")
    run = empty.run_or_reason(selection)
    if run is None:
        return
    epochs = ranking.epochs(run)
    if not epochs:
        empty.no_embeddings(run)
        return
    places = st.columns([1, 2, 2, 2, 2])
    side, other = _sides(selection, run, epochs, places[:3])
    scored = _may_score(side)
    table = ranking.scores(side.run, side.epoch, side.rule) if scored else ranking.unscored(side.run)
    if scored:
        with head:
            _figures(table)
    theirs = ranking.scores(other.run, other.epoch, other.rule) if scored and other and _may_score(other) else None
    if theirs is not None:
        table = ranking.compared(table, theirs)
    chosen = queries.choose(selection, side, other, table, map_epoch(side), places[3:])
    if chosen is None:
        return
    query = runs_access.records(run, "query").iloc[chosen]
    with st.container(horizontal=True, vertical_alignment="center"):
        called = f" · {plain(people.who(query))}" if people.named(query) else ""
        st.markdown(f"**Query {plain(names(table)[chosen])}{called}**", width="content")
        finder.doors(run, "query", chosen, here="ranking")
        if "aligned" in ranking.rules(run, side.epoch):
            _aligned_switch()
        with st.container(horizontal=True, vertical_alignment="center", width="content"):
            st.caption("Shown:", width="content")
            count = st.segmented_control(
                "Shown",
                SHOWN,
                default=SHOWN[0],
                key="k",
                bind="query-params",
                persist_state="session",
                required=True,
                label_visibility="collapsed",
                width="content",
            )
    lists = {side: ranking.ranked(side.run, side.epoch, side.rule, chosen)}
    if other is not None:
        twin = same_query(other.run, query)
        if twin is None:
            st.info(f"{plain(other.name)} has not ranked this query: it was made from other data.")
        else:
            lists[other] = ranking.ranked(other.run, other.epoch, other.rule, twin)
    opened: tuple[Side, int] | None = None
    for one, ranked in lists.items():
        rest = [(s, r) for s, r in lists.items() if s is not one]
        scores = score_words(table if one is side else theirs, str(query["path"]))
        now = show_list(selection, one, ranked, query, int(count or SHOWN[0]), rest[0] if rest else None, scores)
        opened = (one, now) if now is not None else opened
    st.caption(legend(run, len(lists) > 1))
    _downloads(selection, side, lists, query, chosen, int(count or SHOWN[0]))
    if any(not len(ranked.gallery) for ranked in lists.values()):
        return  # the protocol removed the whole gallery: nothing to break down
    whose, g = _gallery_row(side, lists, opened, query)
    q = chosen if whose is side else same_query(whose.run, query)
    if q is not None:
        _why(selection, lists, whose, q, g, str(query["identity"]))
    _any_image(side)


def _sides(
    selection: Selection, run: Run, epochs: list[int], places: Sequence[DeltaGenerator]
) -> tuple[Side, Side | None]:
    left, middle, right = places
    epoch = int(
        select("Epoch", epochs[::-1], "epoch", place=left, help="Epochs whose embeddings are stored"),
    )
    known = ranking.rules(run, epoch)
    described = "\n".join(f"- {name}: {words}" for name, words in known.items())
    rule = select("Matching", list(known), "arm", place=middle, help=described)
    others = {
        item.id: other
        for item, other in selection.open_others()
        if other.path != run.path and runs_access.same_pictures(run, other, "query")
    }
    options = [NOBODY, *(["this run, all parts visible"] if "all-parts" in known else []), *others]
    with_whom = select(
        "Compare with",
        options,
        "vs",
        place=right,
        index=_default_other(options, others),
        help="A baseline or any other run on the same data, imported ones too",
        what="Run to compare with",
    )
    own_name = selection.chosen.id if selection.chosen is not None else run.name
    side = Side(run, epoch, rule, f"{own_name}, epoch {epoch}, {rule}", own_name)
    if with_whom == NOBODY:
        return side, None
    if with_whom not in others:
        return side, Side(run, epoch, "all-parts", f"{own_name}, epoch {epoch}, all-parts", own_name)
    other = others[with_whom]
    theirs = ranking.epochs(other)
    if not theirs:
        st.info(f"{plain(other.name)} has no embeddings yet.")
        empty.no_embeddings(other)
        return side, None
    its_rules = ranking.rules(other, theirs[-1])
    its_rule = side.rule if side.rule in its_rules else next(iter(its_rules))
    return side, Side(other, theirs[-1], its_rule, f"{with_whom}, epoch {theirs[-1]}, {its_rule}", with_whom)


def _aligned_switch() -> None:
    """One switch between Eq. 10 and Eq. 10 with every part taken for visible; it moves the list beside it."""

    def switched() -> None:
        st.session_state["arm"] = "aligned" if st.session_state["aligned"] else "all-parts"

    wanted = st.session_state.get("arm", st.query_params.get("arm", "aligned"))
    st.session_state["aligned"] = wanted == "aligned"
    st.toggle(
        "Aligned matching",
        key="aligned",
        on_change=switched,
        help="Eq. 10: parts hidden in one of the images (by the run's rule) are left out. Off: all parts count.",
    )


def _default_other(options: list[str], others: dict[str, Run]) -> int:
    """A baseline where there is one: Figure 7 in one click."""
    for i, name in enumerate(options):
        if name in others and others[name].info.parts == 0:
            return i
    return 0


def _may_score(side: Side) -> bool:
    """Whether every query's score is at hand or quickly made; large galleries are ranked when asked to."""
    key = f"scored-{side.name}"
    pairs = ranking.pairs(side.run)
    if pairs <= ranking.AT_ONCE or st.session_state.get(key):
        return True
    if ranking.stored_scores(side.run, side.epoch, side.rule) is not None:
        return True
    command = f"isp eval retrieval --run {empty.argument(side.run.path)} --epoch {side.epoch} --matching {side.rule}"
    st.info(
        f"Ranking all queries takes {pairs / 1e6:.0f} million distances. Rank them now, or store the result for good:"
    )
    st.code(command, language="bash")
    if st.button("Rank all queries", help="About a second for each ten million on one core"):
        st.session_state[key] = True
        return True
    return False


def _figures(table: pd.DataFrame) -> None:
    """R-1 and mAP of all queries in one line, with their intervals and their n."""
    judged = table[table["matches"] > 0]
    r1 = (judged["first"] == 1).mean() if len(judged) else float("nan")
    known = ranking.intervals(table)
    said = []
    for name, value in (("R-1", r1), ("mAP", judged["AP"].mean())):
        low, high = known.get(name, (None, None))
        words = "" if low is None else f" ({low:.1f} to {high:.1f})"
        said.append(f"{name} **{'–' if value != value else f'{100 * value:.1f} %'}**{words}")
    if not len(judged):
        st.caption("No R-1 and mAP: no query has a true match that is known.", width="content")
        return
    said.append(f"{len(judged)} queries evaluated, {len(table) - len(judged)} without a true match")
    how = "In brackets: the 95 % interval over identities, which all queries of a person enter together."
    interval = f"{how} " if known else ""
    st.markdown(
        " · ".join(said),
        help=f"{ranking.RULE} {interval}Queries without a true match count in no metric.",
        width="content",
    )


def _why(selection: Selection, lists: dict[Side, Ranked], whose: Side, q: int, g: int, identity: str) -> None:
    """The opened image next to the first of the other kind: a true match beside a wrong one, term by term."""
    ranked = lists[whose]
    who = runs_access.records(whose.run, "gallery")["identity"].astype(str).to_numpy()
    right = who[ranked.gallery] == identity
    others = ranked.gallery[right != (who[g] == identity)]
    st.subheader("Why this distance?", anchor=False)
    if not len(others):
        pair.show(selection, whose, ranked, q, g, _elsewhere(lists, whose, g))
        return
    columns = st.columns(2)
    both = sorted((g, int(others[0])), key=lambda row: who[row] != identity)
    for column, row, words in zip(columns, both, ("true match", "wrong match"), strict=True):
        with column:
            st.markdown(f"**{words if row == g and st.query_params.get('g') else 'first ' + words}**")
            pair.show(selection, whose, ranked, q, row, _elsewhere(lists, whose, row))


def _first_true(side: Side, ranked: Ranked, query: pd.Series) -> int:
    who = runs_access.records(side.run, "gallery")["identity"].to_numpy()
    true = ranked.gallery[who[ranked.gallery] == query["identity"]]
    return int(true[0] if len(true) else ranked.gallery[0])


def _gallery_row(
    side: Side, lists: dict[Side, Ranked], opened: tuple[Side, int] | None, query: pd.Series
) -> tuple[Side, int]:
    """The list and gallery image to break down: the one just opened, the address's, else the first of the list."""
    if opened is not None:
        whose, row = opened
        gallery = runs_access.records(whose.run, "gallery")
        st.query_params["g"] = names(gallery.iloc[[row]])[0]
        if whose is side:
            st.query_params.pop("of", None)
        else:
            st.query_params["of"] = "other"
        return whose, row
    whose = list(lists)[-1] if st.query_params.get("of") == "other" else side
    text = st.query_params.get("g", "")
    gallery = runs_access.records(whose.run, "gallery")
    found = row_named(gallery, text) if text else None
    first = _first_true(whose, lists[whose], query)
    if text and found is None:
        not_found("Gallery image", text, names(gallery)[first])
    return whose, first if found is None else found


def _elsewhere(lists: dict[Side, Ranked], whose: Side, g: int) -> list[str]:
    """Where the other list has the same image: a sentence a list."""
    said = []
    for side, ranked in lists.items():
        if side is whose:
            continue
        rank = ranked.rank_of(same_image(whose.run, side.run, g))
        where = "does not rank it" if rank is None else f"has it at rank {rank}, d = {ranked.distances[rank - 1]:.3f}"
        said.append(f"{side.name} {where}.")
    return said


def _any_image(side: Side) -> None:
    """A gallery image that is in no shown list, by its file name."""

    def chosen() -> None:
        name = str(st.session_state.get("any-image", "")).strip()
        if row_named(runs_access.records(side.run, "gallery"), name) is not None:
            st.query_params["g"] = name
            st.query_params.pop("of", None)
        elif name:
            st.session_state["no-image"] = name

    st.text_input("Compare with any gallery image, by its file name", key="any-image", on_change=chosen)
    missing = st.session_state.pop("no-image", None)
    if missing:
        st.caption(f"The gallery has no image {plain(str(missing)[:80])}.")


def _downloads(
    selection: Selection, side: Side, lists: dict[Side, Ranked], query: pd.Series, chosen: int, count: int
) -> None:
    source = exports.provenance(side.run, side.epoch, "query")
    with st.container(horizontal=True):
        st.download_button(
            "Figure 7: this sheet (PNG)",
            lambda: exports.picture(ranked_lists.sheet(selection.settings, lists, query, count), source, "ranking"),
            f"{source.stem}_ranking.png",
            "image/png",
            on_click="ignore",
        )
        st.download_button(
            "Lists (CSV)",
            lambda: exports.csv(
                ranked_lists.table(lists, query, count), ranked_lists.sources(lists, count), ranking.RULE
            ),
            f"{source.stem}_ranking.csv",
            "text/csv",
            on_click="ignore",
        )
        st.download_button(
            "All queries (CSV)",
            lambda: exports.csv(
                ranking.scores(side.run, side.epoch, side.rule).drop(columns="row").assign(matching=side.rule),
                source,
                ranking.RULE,
            ),
            f"{source.stem}_queries.csv",
            "text/csv",
            on_click="ignore",
        )
