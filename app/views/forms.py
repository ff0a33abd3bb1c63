"""The two forms of IoU, wherever one of them is chosen."""

from __future__ import annotations

import streamlit as st

FORMS = {"class IoU": "iou", "binary mIoU": "mean_iou"}
ABOUT = (
    "class IoU: the IoU of the class alone. binary mIoU: the mean of the IoU of the class and of its complement, which "
    "the authors' script prints as IoU; it is higher for small parts."
)


def choose() -> str:
    """The form to show, one of FORMS, in the URL; the same on all pages."""
    return str(
        st.segmented_control(
            "Form",
            list(FORMS),
            default="class IoU",
            key="form",
            bind="query-params",
            persist_state="session",
            required=True,
            help=ABOUT,
        )
    )
