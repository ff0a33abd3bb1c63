"""A table of a study: a frame with the name of its files and a caption."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A table with the name of its files and what it is."""

    name: str
    caption: str
    frame: pd.DataFrame
    decimals: int = 1
