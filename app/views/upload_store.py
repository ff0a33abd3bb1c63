"""The entries of a gallery store (`isp app --gallery`) that are nearest to an upload."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from isp_app.reading.parse_upload import NEAREST, Network, Seen
from isp_app.safety.names import plain
from isp_core import extras
from isp_core.errors import IspError


def show(place: str, network: Network, seen: Seen) -> None:
    """A table of them; nothing where no store was named. The store is open for the search only, so that others may add
    images meanwhile."""
    if not place:
        return
    st.subheader("Nearest entries of the gallery store", anchor=False)
    try:
        table, count, named = _nearest(place, network, seen)
    except IspError as error:
        st.warning(plain(error))
        return
    if table.empty:
        st.info("The gallery store is empty: add images with `isp gallery add`.")
        return
    st.dataframe(table, hide_index=True, column_config={"distance": st.column_config.NumberColumn(format="%.4f")})
    st.caption(
        f"{len(table)} of {count} entries of {plain(named)}, nearest by Eq. 10 among candidates by global and "
        "foreground features. Someone is always nearest, even when the person is not in the gallery."
    )


def _nearest(place: str, network: Network, seen: Seen) -> tuple[pd.DataFrame, int, str]:
    """The table, how many entries there are, and the store's name without credentials."""
    extras.require("gallery", "pymilvus", "milvus_lite", "faiss")
    from isp_core.gallery.milvus import open_store
    from isp_core.gallery.network import Network as Weights
    from isp_core.gallery.network import require_same
    from isp_core.gallery.searching import search_store

    run, epoch = network.run, network.epoch
    with open_store(place) as store:
        require_same(store.network, Weights.of(run, epoch), store.place)
        rule, calibration = run.visibility_rule(epoch), run.calibration(epoch)
        (found,) = search_store(store, seen.vectors, top=NEAREST, rule=rule, calibration=calibration)
        count = store.count()
    rows = [
        {
            "rank": rank,
            "distance": max(match.distance, 0.0),
            "identity": match.image.labels.identity,
            "camera": match.image.labels.camera,
            "time": match.image.labels.time,
            "path": match.image.path,
        }
        for rank, match in enumerate(found, start=1)
    ]
    return pd.DataFrame(rows), count, store.place
