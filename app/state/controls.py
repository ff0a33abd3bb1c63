"""Select boxes bound to the URL. A value in the URL that is not among the options is named, never replaced silently."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

_NOTICES = "_notices"
_PLACE, _MOVED = "_place", "_moved"
_PAGE, _OPENED = "_page", "_opened"
_LONGEST = 80  # characters of a value from the URL that a notice repeats


def select(
    label: str,
    options: Sequence[object],
    key: str,
    *,
    place: DeltaGenerator | None = None,
    index: int = 0,
    help: str | None = None,
    what: str | None = None,
    disabled: bool = False,
) -> str:
    """A select box whose choice is the URL's parameter `key`, kept from page to page. Returns the chosen option.

    Options are shown and written into the URL as they are: Streamlit reads a bound URL by what an option is shown as.
    what: the noun for a value that is not among the options; the label by default. disabled: `help` says why.
    """
    texts = [str(option) for option in options]
    follow(key, texts, what or label, texts[index] if texts else None)
    kept = f"_kept_{key}"
    if key not in st.session_state and key not in st.query_params and st.session_state.get(kept) in texts:
        index = texts.index(st.session_state[kept])
    chosen = (place or st).selectbox(
        label,
        texts,
        index=index,
        key=key,
        bind="query-params",
        persist_state="session",
        on_change=by_hand,
        args=(key,),
        help=help,
        disabled=disabled,
    )
    st.session_state[kept] = str(chosen)
    return str(chosen)


def by_hand(key: str) -> None:
    """The user just changed this widget, so the URL is stale for one rerun."""
    st.session_state[f"_chosen_{key}"] = True


def changed_by_hand(key: str) -> bool:
    """Whether the user changed this widget since the last rerun; true once."""
    return bool(st.session_state.pop(f"_chosen_{key}", False))


def follow(key: str, options: Sequence[str], what: str, instead: str | None) -> None:
    """A link inside the app changes the URL but not a bound widget that exists already, so it is set here."""
    if changed_by_hand(key):
        return
    wanted = st.query_params.get(key)
    if not wanted:
        return
    if wanted not in options:
        not_found(what, wanted, st.session_state[key] if st.session_state.get(key) in options else instead)
    elif key in st.session_state and st.session_state[key] != wanted:
        st.session_state[key] = wanted


def not_found(what: str, wanted: str, instead: object) -> None:
    """Notes that the URL names something that is not here, and what is shown instead.

    Silent in the rerun after another run or split was chosen: then the rest of the URL is that of the one before.
    """
    if st.session_state.get(_MOVED):
        return
    shown = "" if instead is None else f"; showing {instead} instead"
    _note(f"{what} {wanted[:_LONGEST]!r} from the URL was not found{shown}.")


def kept(key: str) -> str | None:
    """What this select box was at before this rerun; None at the first."""
    found = st.session_state.get(f"_kept_{key}")
    return None if found is None else str(found)


def gone(what: str, name: str, instead: object) -> None:
    """Notes that what was shown has vanished meanwhile, and what is shown instead."""
    _note(f"{what} {name[:_LONGEST]!r} is no longer there; showing {instead} instead.")


def _note(text: str) -> None:
    notices = st.session_state.setdefault(_NOTICES, [])
    if text not in notices:
        notices.append(text)


def arrived(key: str) -> bool:
    """Whether this page was opened by a URL that says `key`, rather than the user having chosen it on the page."""
    state, mark = st.session_state, f"_arrived_{key}"
    if state.get(f"_chosen_{key}") or key not in st.query_params:
        state[mark] = False
    elif state.get(_OPENED) or key not in state or state[key] != st.query_params[key]:
        state[mark] = True
    return bool(state.get(mark))


def opened(page: str) -> None:
    """Notes which page is shown, so that its first rerun is told from later ones."""
    state = st.session_state
    state[_OPENED] = state.get(_PAGE) != page
    state[_PAGE] = page


def just_opened() -> bool:
    """Whether this is the first rerun of a page."""
    return bool(st.session_state.get(_OPENED))


def all_found(key: str, options: Sequence[str], what: str) -> None:
    """Names the values of a multiple choice in the URL that are not among the options."""
    if changed_by_hand(key):
        return
    for wanted in st.query_params.get_all(key):
        for one in wanted.split(","):
            if one and one not in options:
                not_found(what, one, None)


def moved(place: str | None) -> None:
    """Notes what the sidebar says, run and split in one text; None at the start of a rerun."""
    state = st.session_state
    if place is None:
        state[_MOVED] = False
        return
    state[_MOVED] = state.get(_PLACE, place) != place
    state[_PLACE] = place


def notices() -> list[str]:
    """What was not found in this rerun; forgotten once read."""
    found: list[str] = st.session_state.pop(_NOTICES, [])
    return found
