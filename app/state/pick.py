"""Controls that choose a picture: person, then picture. Both stand in the address, the picture by its name."""

from __future__ import annotations

import pandas as pd
import streamlit as st


def names(table: pd.DataFrame) -> list[str]:
    """File names of records, as controls and the address show them."""
    return [str(path).rpartition("/")[2] for path in table["path"].to_list()]


def person_and_picture(table: pd.DataFrame, key_person: str = "pid", key_picture: str = "img") -> int:
    """The row (position in `table`) that was chosen. The table is not empty."""
    wanted = st.query_params.get(key_picture, "")
    everyone = [str(identity) for identity in sorted(table["identity"].unique())]
    if key_person not in st.query_params and wanted:  # a link that names only the picture
        found = [i for i, name in enumerate(names(table)) if name == wanted]
        if found and key_person not in st.session_state:
            st.session_state[key_person] = str(table["identity"].iloc[found[0]])
    left, right = st.columns([1, 2])
    identity = left.selectbox(
        "Person", everyone, key=key_person, bind="query-params", persist_state="session", help="Identity number"
    )
    own = table[table["identity"] == int(identity)]
    options = names(own)
    picture = right.selectbox(
        f"Picture ({len(options)} of this person)",
        options,
        key=key_picture,
        bind="query-params",
        persist_state="session",
    )
    return int(own.index[options.index(picture)])
