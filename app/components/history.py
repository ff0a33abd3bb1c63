"""One press of Back leads to the page before, also after a link that carried parameters. Draws nothing."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_component = st.components.v2.component(
    "isp_history", html="\n<span hidden></span>", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
)


def one_entry_per_page() -> None:
    """Mends the browser's history from now on; mounted once per page, it works for the whole tab."""
    _component(key="isp-history")
