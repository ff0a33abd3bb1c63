"""How label maps are drawn (opacity, outline, hidden parts), as the address says. The browser draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

OPACITY = 55  # per cent, where no one says otherwise; the components know it too


@dataclass(frozen=True)
class Look:
    """What the address asks for; None where it says nothing: then the tab remembers, or the default holds."""

    opacity: int | None = None
    outline: bool | None = None
    hidden: tuple[int, ...] | None = None

    def as_data(self) -> dict[str, object] | None:
        """For the components: only what the address says."""
        said = {"opacity": self.opacity, "outline": self.outline, "hidden": self.hidden}
        data: dict[str, object] = {name: value for name, value in said.items() if value is not None}
        return data or None


def parse_look(query: Mapping[str, str]) -> Look:
    """Reads op=0..100, line=1 and hide=1.3; anything else in them is ignored.

    >>> parse_look({"op": "80", "line": "1", "hide": "2.5.x"})
    Look(opacity=80, outline=True, hidden=(2, 5))
    >>> parse_look({"op": "<script>"})
    Look(opacity=None, outline=None, hidden=None)
    """
    op = query.get("op", "")
    hide = query.get("hide", "")
    numbers = tuple(int(item) for item in hide.split(".")[:64] if item.isdecimal() and len(item) <= 3)
    return Look(
        opacity=min(100, int(op)) if op.isdecimal() and len(op) <= 3 else None,
        outline=True if query.get("line") == "1" else None,
        hidden=numbers or None,
    )


def keep(state: object) -> None:
    """Writes into the address what a component says of its look ({opacity, outline, hidden}); it is not trusted."""
    if not isinstance(state, Mapping):
        return
    opacity, hidden = state.get("opacity"), state.get("hidden")
    said = {
        "op": str(int(opacity))
        if isinstance(opacity, int | float) and 0 <= opacity <= 100 and opacity != OPACITY
        else "",
        "line": "1" if state.get("outline") is True else "",
        "hide": ".".join(str(k) for k in hidden if isinstance(k, int)) if isinstance(hidden, Sequence) else "",
    }
    for name, value in said.items():
        if value and st.query_params.get(name) != value:
            st.query_params[name] = value
        elif not value and name in st.query_params:
            del st.query_params[name]


def listen(key: str) -> Callable[[], None]:
    """What a component of this key calls when its look was changed by hand: the last one changed writes the address."""

    def changed() -> None:
        state = st.session_state.get(key)
        keep(state.get("look") if isinstance(state, Mapping) else None)

    return changed


def current_look() -> Look:
    """The look that this page's address asks for."""
    return parse_look({name: st.query_params.get(name, "") for name in ("op", "line", "hide")})
