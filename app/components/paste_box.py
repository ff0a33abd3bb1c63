"""Paste box: images from the clipboard, pasted anywhere on the page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping

import streamlit as st

from isp_app.components import markup, script, style

_component = st.components.v2.component(
    "isp_paste_box", html=markup("paste_box"), css=style("paste_box"), js=script("paste_box")
)


def paste_box(key: str, most: int, on_paste: Callable[[str, bytes], None]) -> None:
    """Listens for pasted images of at most `most` bytes; on_paste hears the name and the file's bytes before the
    rerun."""

    def pasted() -> None:
        state = st.session_state.get(key)
        found = state.get("pasted") if isinstance(state, Mapping) else None
        if isinstance(found, Mapping):
            try:
                content = base64.b64decode(str(found.get("data", "")), validate=True)
            except (binascii.Error, ValueError):
                return
            on_paste(str(found.get("name", "pasted.png"))[:80], content)

    _component(key=key, on_pasted_change=pasted, data={"most": most})
