"""Links between pages that keep the session and carry a selection in the address."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from streamlit.navigation.page import StreamlitPage

_KEY = "_pages"


def register(pages: Mapping[str, StreamlitPage]) -> None:
    """Makes the pages known to `link` for this session."""
    st.session_state[_KEY] = dict(pages)


def link(page: str, label: str, icon: str | None = None, /, **query: object) -> None:
    """A link to another page; parameters that are None are left out, a list is a multiple choice."""
    target = st.session_state.get(_KEY, {}).get(page)
    if target is None:  # a page shown on its own, as in tests
        st.caption(label)
        return
    st.page_link(target, label=label, icon=icon, query_params=_params(query))


def go(page: str) -> None:
    """Opens another page at once; what is chosen stays chosen (no parameter: widgets are bound to them)."""
    target = st.session_state.get(_KEY, {}).get(page)
    if target is not None:
        # without this argument Streamlit refuses to leave a page some of whose parameters are bound to widgets
        st.switch_page(target, query_params={})


def _params(query: Mapping[str, object]) -> dict[str, str | list[str]]:
    return {
        name: [str(one) for one in value] if isinstance(value, list) else str(value)
        for name, value in query.items()
        if value is not None
    }
