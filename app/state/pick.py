"""Which person and image are chosen: in the URL (pid, img), and kept from page to page."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from isp_app.reading import people, runs_access
from isp_app.reading.runs_access import IMAGE
from isp_app.safety.names import plain
from isp_app.state import controls
from isp_core.runs import Run
from isp_core.runs.schema import Split

PERSON, PICTURE = "pid", "img"
_PENDING = "_image_next"  # the path of an image chosen by a click, until the next rerun
_KEPT = "_image"  # the path of the image last looked at, on any page


def names(table: pd.DataFrame) -> list[str]:
    """The images' names, as controls and the URL show them; see `runs_access.IMAGE`."""
    if IMAGE in table:
        return [str(name) for name in table[IMAGE].to_list()]
    return [str(path).rpartition("/")[2] for path in table["path"].to_list()]


def row_named(table: pd.DataFrame, name: str) -> int | None:
    """The row of the image with this name (or file name); None where there is none."""
    known = names(table)
    if name in known:
        return known.index(name)
    return next((i for i, other in enumerate(known) if other.rpartition("/")[2] == name), None)


def keep(table: pd.DataFrame, row: int) -> None:
    """Makes an image the chosen one: other pages open on it too."""
    st.session_state[_KEPT] = str(table["path"].iloc[row])


def kept(table: pd.DataFrame) -> int | None:
    """The row of the image last looked at on any page; None where this table lacks it."""
    path = st.session_state.get(_KEPT)
    found = np.flatnonzero((table["path"] == path).to_numpy()) if path else np.zeros(0, np.int64)
    return int(found[0]) if len(found) else None


def choose(table: pd.DataFrame, row: int) -> None:
    """Chooses an image for the next rerun, as a click on its tile does."""
    st.session_state[_PENDING] = str(table["path"].iloc[row])


def taken(table: pd.DataFrame) -> int | None:
    """The row of the image that was just chosen by `choose`, once; None where there is none in this table."""
    path = st.session_state.pop(_PENDING, None)
    found = np.flatnonzero((table["path"] == path).to_numpy()) if path is not None else np.zeros(0, np.int64)
    return int(found[0]) if len(found) else None


def chosen(table: pd.DataFrame) -> int:
    """The row that was chosen: by hand just now, by the URL, or on another page; else the first. Says what was not
    found. The table is not empty."""
    by_hand = {key: controls.changed_by_hand(key) for key in (PERSON, PICTURE)}
    state = st.session_state
    row = taken(table)
    if row is not None:
        return row
    if by_hand[PICTURE] and state.get(PICTURE):
        row = row_named(table, str(state[PICTURE]))
    elif by_hand[PERSON] and state.get(PERSON):
        row = first_of(table, str(state[PERSON]))
    if row is None and not any(by_hand.values()):
        row = _from_url(table)
    if row is None:
        row = kept(table)
    if row is None and state.get(PERSON):
        row = first_of(table, str(state[PERSON]))
    return 0 if row is None else row


def _from_url(table: pd.DataFrame) -> int | None:
    image, person = (st.query_params.get(key, "") for key in (PICTURE, PERSON))
    row = row_named(table, image) if image else None
    of_person = first_of(table, person) if person else None
    last = kept(table)
    if row is None and of_person is not None and last is not None and last in set(_rows_of(table, person)):
        of_person = last
    found = of_person if row is None else row
    instead = table.iloc[[last or 0 if found is None else found]]
    if image and row is None:
        controls.not_found("Image", image, names(instead)[0])
    if person and of_person is None:
        controls.not_found("Person", person, people.who(instead.iloc[0]))
    return found


def first_of(table: pd.DataFrame, person: str) -> int | None:
    """The first image of a person, by name or number; None where the table shows no one of either."""
    found = _rows_of(table, person)
    return int(found[0]) if len(found) else None


def _rows_of(table: pd.DataFrame, person: str) -> npt.NDArray[np.int64]:
    found = np.flatnonzero((people.keys(table) == person).to_numpy())
    return found if len(found) else np.flatnonzero((table["identity"].astype(str) == person).to_numpy())


def person_and_picture(run: Run, split: Split, *, known: bool = False) -> int:
    """Controls for person and image; the row that was chosen. The split is not empty.

    known: distractors and junk are not offered; there is an image of a person.
    """
    table = runs_access.records(run, split)
    row, identities = chosen(table), table["identity"]
    if known and identities.iloc[row] <= 0:
        instead = int(np.flatnonzero((identities > 0).to_numpy())[0])
        if kept(table) == row or st.query_params.get(PICTURE):
            shown = plain(people.who(table.iloc[instead]))
            st.info(f"It is not known who is in {plain(names(table)[row])}; showing {shown}.")
        row = instead
    person, name = people.keys(table).iloc[row], names(table)[row]
    offered = table[identities > 0] if known else table
    everyone = people.keys(offered.drop_duplicates("identity").sort_values("identity")).to_list()
    own = table[identities == identities.iloc[row]]
    options = names(own)
    st.session_state[PERSON], st.session_state[PICTURE] = person, name
    left, right = st.columns([1, 2])
    left.selectbox("Person", everyone, key=PERSON, bind="query-params", on_change=controls.by_hand, args=(PERSON,))
    right.selectbox(
        f"Image ({len(options)} of this person)",
        options,
        key=PICTURE,
        bind="query-params",
        on_change=controls.by_hand,
        args=(PICTURE,),
    )
    keep(table, row)
    return row
