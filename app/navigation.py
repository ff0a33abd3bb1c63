"""What `main.py` serves: page settings, the shared sidebar and the navigation, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import streamlit as st

from isp_app import guard, warm
from isp_app.components.history import one_entry_per_page
from isp_app.drawing.icon import page_icon
from isp_app.state import links
from isp_app.state.controls import opened
from isp_app.state.sidebar import choose

# title, icon, and why the sidebar's split has no effect on the page ("" where it has)
PAGES = {
    "overview": ("Overview", "dashboard", "Overview shows all splits of a run."),
    "evolution": ("Evolution", "movie", ""),
    "identity": ("Identity", "person", ""),
    "k_compare": ("K compare", "view_column", ""),
    "iou": ("IoU", "table_chart", ""),
    "ranking": ("Ranking", "format_list_numbered", "Ranking always searches the gallery for query images."),
    "embeddings": ("Embeddings", "scatter_plot", ""),
    "upload": ("Upload", "upload", "Upload parses your own images, which are in no split."),
    "train": ("Train", "model_training", "Train uses the training images of the data set chosen there."),
    "help": ("Help", "help", "Help is the same for all splits."),
}
FIRST = "overview"

# Streamlit's captions, keys and code colours have a contrast of 2.6 to 3.9, and white on the dark theme's primary
# colour has 2.3: too little to read
STYLE = """<style>
[data-testid=stMainBlockContainer] {padding-top: 3.5rem}
@media (min-width: 768px) {[data-testid=stMainBlockContainer] {padding-left: 2rem; padding-right: 2rem}}
[data-testid=stCaptionContainer], [data-testid=stCaptionContainer] * {opacity: 1 !important}
[data-testid=stCaptionContainer] {opacity: 0.82 !important}
[data-testid=stApp] kbd {opacity: 0.82 !important}
[data-testid=stCode] .token {color: inherit !important}
[data-testid=stMultiSelectTagsContainer] [data-tag], [data-testid=stBaseButton-primary]:enabled
  {background: #0072B2; color: #FFFFFF}
</style>"""

st.set_page_config(page_title="ISP: what identity labels teach", page_icon=page_icon(), layout="wide")


def _module(name: str) -> str:
    return f"isp_app.views.{name}"


def _page(name: str) -> Callable[[], None]:
    def page() -> None:
        # a page's libraries load when it is first opened: the first page need not wait for torch and Plotly
        guard.run(import_module(_module(name)).show, selection)

    return page


def _to_first() -> None:
    """Streamlit serves the first page at / alone; its own name leads there too, with what the URL says."""
    st.switch_page(pages[FIRST], query_params={name: st.query_params.get_all(name) for name in st.query_params})


pages = {
    name: st.Page(
        _page(name),
        title=title,
        icon=f":material/{icon}:",
        url_path="first" if name == FIRST else name,  # a name that it is not served at, and that no other page has
        default=name == FIRST,
    )
    for name, (title, icon, _) in PAGES.items()
}
alias = st.Page(_to_first, title=PAGES[FIRST][0], url_path=FIRST, visibility="hidden")
links.register(pages)
current = st.navigation([*pages.values(), alias])
if current is alias:
    current.run()
    st.stop()
opened(current.url_path)
selection = choose(PAGES[current.url_path or FIRST][2])
st.html(STYLE)
current.run()
with st.sidebar:
    one_entry_per_page()
warm.start(map(_module, PAGES))
