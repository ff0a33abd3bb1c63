"""Where a pixel lies on the body that a mask shows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isp_core.labelling.constants import BODY, BodyConstants

Floats = npt.NDArray[np.float64]


def body_height(foreground: npt.NDArray[np.bool_], by: BodyConstants = BODY) -> Floats:
    """Height of each pixel within its image's foreground, 0 at its top, 1 at its end.

    `by.top` of its pixels lie above the top, `by.bottom` above the end.

    (n, h, w) -> (n, h, w). Outside it goes on below 0 and above 1; an empty image counts as all foreground.
    """
    n, h, w = foreground.shape
    rows = foreground.sum(2).astype(np.float64)
    rows[rows.sum(1) == 0] = w
    reached = rows.cumsum(1) / rows.sum(1, keepdims=True)
    top, bottom = (reached > by.top).argmax(1), (reached >= by.bottom).argmax(1)
    height = (np.arange(h) - top[:, None]) / np.maximum(bottom - top, by.least_rows)[:, None]
    return np.broadcast_to(height[:, :, None], (n, h, w))


def offset_from_axis(masks: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Columns from a person's mean column to a pixel, negative to the left: (n, h, w), in sixteenths of the width."""
    width = masks.shape[2]
    columns = np.arange(width, dtype=np.float32) * 16 / width
    axis = (masks * columns).sum((1, 2)) / np.maximum(masks.sum((1, 2)), 1)
    return np.broadcast_to((columns - axis[:, None, None]).astype(np.float32), masks.shape)
