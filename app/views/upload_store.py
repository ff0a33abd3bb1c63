"""The entries of a gallery store (`isp app --gallery`) that are nearest to an upload."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from isp_app.reading import pictures
from isp_app.reading.parse_upload import NEAREST, Network, Seen
from isp_app.safety.names import plain
from isp_app.settings import Settings
from isp_core import extras
from isp_core.errors import IspError

HEIGHT = 96  # pixels of an entry's image


def show(settings: Settings, network: Network, seen: Seen, name: str) -> None:
    """A table of them; nothing where no store was named. name: the upload's. The store is open for the search only, so
    that others may add images meanwhile."""
    place = settings.gallery_store
    if not place:
        return
    st.subheader("Nearest entries of the gallery store", anchor=False)
    st.caption(f"To {plain(name)}, by {plain(network.name)}")
    try:
        table, count, named = _nearest(settings, network, seen)
    except IspError as error:
        st.warning(plain(error))
        return
    if table.empty:
        st.info("The gallery store is empty: add images with `isp gallery add`.")
        return
    st.dataframe(
        table,
        hide_index=True,
        alt="Nearest entries of the gallery store",
        height="content",
        placeholder="",
        row_height=HEIGHT if "image" in table else None,
        column_config={
            "distance": st.column_config.NumberColumn(format="%.4f"),
            "image": st.column_config.ImageColumn(width=60),
        },
    )
    st.caption(
        f"{len(table)} of {count} entries of {plain(named)}, nearest by Eq. 10 among candidates by global and "
        "foreground features. Someone is always nearest, even when the person is not in the gallery."
    )


def _nearest(settings: Settings, network: Network, seen: Seen) -> tuple[pd.DataFrame, int, str]:
    """The table, how many entries there are, and the store's name without credentials. Columns that no entry fills are
    left out."""
    extras.require("gallery", "pymilvus", "milvus_lite", "faiss")
    from isp_core.gallery.milvus import open_store
    from isp_core.gallery.network import Network as Weights
    from isp_core.gallery.network import require_same
    from isp_core.gallery.searching import search_store

    run, epoch = network.run, network.epoch
    with open_store(settings.gallery_store) as store:
        require_same(store.network, Weights.of(run, epoch), store.place)
        rule, calibration = run.visibility_rule(epoch), run.calibration(epoch)
        (found,) = search_store(store, seen.vectors, top=NEAREST, rule=rule, calibration=calibration)
        count = store.count()
    rows = [
        {
            "rank": rank,
            "image": pictures.uri_of_file(Path(match.image.path), settings, HEIGHT // 2, HEIGHT),
            "distance": max(match.distance, 0.0),
            "identity": match.image.labels.identity,
            "camera": match.image.labels.camera,
            "time": match.image.labels.time,
            "path": match.image.path,
        }
        for rank, match in enumerate(found, start=1)
    ]
    table = pd.DataFrame(rows).replace("", None)
    return table.dropna(axis="columns", how="all"), count, store.place
