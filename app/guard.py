"""No traceback reaches a page: what goes wrong with a run on the disk becomes a sentence and a way out."""

from __future__ import annotations

import logging
from collections.abc import Callable

import streamlit as st

from isp_app.empty import argument, short
from isp_app.rerun import one_rerun
from isp_app.safety.names import plain
from isp_app.state.controls import notices
from isp_app.state.sidebar import Selection
from isp_core.errors import IspError

_LOG = logging.getLogger(__name__)


def run(show: Callable[[Selection], None], selection: Selection) -> None:
    """Shows a page; our own errors become a message. A run may break or vanish while its page is open.

    What the URL names and is not found is said above the page.
    """
    above = st.container()
    try:
        with one_rerun():
            show(selection)
    except IspError as error:
        st.warning("This could not be shown.")
        st.text(short(error))
        st.caption("The page reads the disk again at the next click or reload.")
        _LOG.info("page %s: %s", show.__module__, error)
    except OSError as error:
        st.warning("A file of this run could not be read; it may be changing right now. Reload the page.")
        _LOG.warning("page %s: %s", show.__module__, error)
    except Exception:  # a table with other columns, a document of another shape: runs come from anywhere
        st.warning("Something in this run's files is not as expected, so the page cannot be shown.")
        if selection.chosen is not None:
            st.code(f"isp runs verify {argument(selection.chosen.path)}", language="bash")
        _LOG.exception("page %s", show.__module__)
    finally:
        with above:
            for text in notices():
                st.warning(plain(text))
