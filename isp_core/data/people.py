"""What people are called, where the records know their names."""

from __future__ import annotations

import pandas as pd

from isp_core.data.records import IDENTITY_NAME


def with_unique_names(records: pd.DataFrame) -> pd.DataFrame:
    """The records with a text per image's name, different for different people; unchanged where people have no names.

    A run's records come from anywhere: a name that two people have is followed by their numbers, and a person without a
    name, or with several, is called by the number.

    >>> table = pd.DataFrame({"identity": [1, 2, 3, 3], IDENTITY_NAME: ["ben", "ben", "anna", ""]})
    >>> with_unique_names(table)[IDENTITY_NAME].tolist()
    ['ben (1)', 'ben (2)', 'anna', 'anna']
    """
    if IDENTITY_NAME not in records:
        return records
    texts = records[IDENTITY_NAME].astype("string").fillna("").str.strip()
    pairs = pd.DataFrame({"who": records["identity"], "name": texts})[(texts != "") & (records["identity"] > 0)]
    first = pairs.drop_duplicates("who").set_index("who")["name"]
    numbers = set(records["identity"].astype(str))
    twice = first.duplicated(keep=False) | first.isin(numbers)
    unique = first.where(~twice, first + " (" + first.index.astype(str) + ")")
    called = records["identity"].map(unique)
    return records.assign(**{IDENTITY_NAME: called.fillna(records["identity"].astype(str)).astype(str)})


def called(records: pd.DataFrame) -> list[str]:
    """What each image's person is called: the name where there is one, else the number.

    >>> called(pd.DataFrame({"identity": [1, 2], IDENTITY_NAME: ["ben", ""]}))
    ['ben', '2']
    """
    table = with_unique_names(records)
    return [str(each) for each in table[IDENTITY_NAME if IDENTITY_NAME in table else "identity"]]
