"""What the finder is asked for: filters, order and direction, in the URL and kept from page to page."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from isp_app.state import controls

WHERE, SORT, DOWN = "where", "by", "down"
_KEPT = "_search"


@dataclass(frozen=True)
class Search:
    """where: filters as `facts.parse` reads them. sort: a column, "" for the order of the data set. down: high first.
    carried: taken over from the page before, whose columns this one may lack."""

    where: str = ""
    sort: str = ""
    down: bool = False
    carried: bool = False


def read() -> Search:
    """What the URL asks for; what the page before asked for where this page was opened by a URL that says nothing."""
    query, state = st.query_params, st.session_state
    said = Search(query.get(WHERE, ""), query.get(SORT, ""), query.get(DOWN) == "1")
    before: Search | None = state.get(_KEPT)
    if before is not None and said == Search() and controls.just_opened():
        return Search(before.where, before.sort, before.down, carried=True)
    state[_KEPT] = said
    return said


def write(where: str, sort: str, down: bool) -> None:
    """Puts a search into the URL."""
    for name, value in ((WHERE, where), (SORT, sort), (DOWN, "1" if down else "")):
        if value and st.query_params.get(name) != value:
            st.query_params[name] = value
        elif not value and name in st.query_params:
            del st.query_params[name]
    st.session_state[_KEPT] = Search(where, sort, down)
