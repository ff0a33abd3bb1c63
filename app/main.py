"""The app's entry: `streamlit run app/main.py` serves `navigation.py`; its libraries load while a browser starts."""

from __future__ import annotations

import os
import sys

# Threads that spin while they wait are slow next to another busy process, here the browser; must be set before torch
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import streamlit as st
from streamlit.starlette import App

from isp_app import warm
from isp_app.server import ServerError, ask_no_service, require_private

try:
    require_private(st.get_option)
    ask_no_service()
except ServerError as error:
    sys.exit(f"isp app: {error}")

app = App("navigation.py", lifespan=warm.lifespan)
