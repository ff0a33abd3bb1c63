"""Who is on an image, in words: the name that the records know, else the number. The one place that decides it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from isp_core.data.people import with_unique_names
from isp_core.data.records import IDENTITY_NAME

__all__ = ["IDENTITY_NAME", "below", "column", "keys", "named", "who", "with_unique_names", "words"]


def named(records: pd.DataFrame | pd.Series) -> bool:
    """Whether the records, or one of them, know names."""
    return IDENTITY_NAME in records


def keys(records: pd.DataFrame) -> pd.Series:
    """What controls and the URL call each image's person: the name, else the number."""
    return records[IDENTITY_NAME if named(records) else "identity"].astype(str)


def column(records: pd.DataFrame) -> dict[str, np.ndarray]:
    """The names as a further column of a file; none where there are none."""
    return {IDENTITY_NAME: records[IDENTITY_NAME].to_numpy()} if named(records) else {}


def who(record: pd.Series) -> str:
    """One image's person in words.

    >>> who(pd.Series({"identity": 7})), who(pd.Series({"identity": 7, IDENTITY_NAME: "anna"}))
    ('person 7', 'anna')
    """
    return _words(str(record["identity"]), str(record.get(IDENTITY_NAME, "")))


def below(record: pd.Series, *more: str) -> str:
    """A line below an image: what there is to say, then the name where there is one."""
    return " ".join(text for text in (*more, who(record) if named(record) else "") if text)


def words(records: pd.DataFrame) -> list[str]:
    """`who` of each image."""
    return [_words(*pair) for pair in zip(records["identity"].astype(str), keys(records), strict=True)]


def _words(number: str, name: str) -> str:
    return name if name not in ("", number) else f"person {number}"
