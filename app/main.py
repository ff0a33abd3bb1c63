"""The app's entry: `streamlit run app/main.py` serves `navigation.py`; its libraries load while a browser starts."""

from __future__ import annotations

import os

# Threads that spin while they wait are slow beside another busy process, here the browser; must be set before torch
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from streamlit.starlette import App

from isp_app import warm

app = App("navigation.py", lifespan=warm.lifespan)
