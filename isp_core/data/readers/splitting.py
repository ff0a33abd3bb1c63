"""The split rule for data that comes without splits. Not the published protocol of any data set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

TEST_EVERY = 4
QUERY_RULE = (
    "Of a test identity the first image of each camera with two or more (if none has: the first of all) is a query, "
    "the others are gallery."
)
RULE = (
    f"No splits were given: every {TEST_EVERY}th identity (by number) is for testing, the rest for training. "
    f"{QUERY_RULE} To choose the split yourself, give a CSV file with a column `split`."
)
TOO_FEW = (
    f"No splits were given, and fewer than {TEST_EVERY} identities: all people are for training, nothing can be "
    "evaluated. To choose the split yourself, give a CSV file with a column `split`."
)


def came_without_splits(notes: Sequence[str]) -> bool:
    """Whether a data set's notes say that this rule split it, because it came without splits."""
    return any(rule in notes for rule in (RULE, TOO_FEW))


def split_identities(
    paths: list[str], identities: NDArray[np.int64], cameras: NDArray[np.int64]
) -> tuple[list[str], str]:
    """A split for every image, and the sentence that explains it.

    The rule depends on the sorted identities alone, not on chance: the same folder gives the same split everywhere.
    Junk and distractors go to the gallery.

    Args:
        paths: (N,) relative paths, which order the images of an identity.
        identities: (N,) -1 junk, 0 distractor, else a person.
        cameras: (N,) -1 unknown.
    """
    people = np.unique(identities[identities > 0])
    test = np.isin(identities, people[TEST_EVERY - 1 :: TEST_EVERY]) | (identities <= 0)
    split = np.where(test, "gallery", "train").astype(object)
    split[test] = choose_queries([path for path, is_test in zip(paths, test, strict=True) if is_test],
                                 identities[test], cameras[test])  # fmt: skip
    return [str(name) for name in split], RULE if len(people) >= TEST_EVERY else TOO_FEW


def choose_queries(paths: list[str], identities: NDArray[np.int64], cameras: NDArray[np.int64]) -> list[str]:
    """Divides test images into "query" and "gallery" (QUERY_RULE).

    Every query has a true match: what cannot be found across cameras (an identity of one image, or seen by one known
    camera only) goes to the gallery.

    >>> choose_queries(["a1", "a2", "a3", "b1"], np.array([1, 1, 1, 2]), np.array([1, 1, 2, 1]))
    ['query', 'gallery', 'gallery', 'gallery']
    """
    table = pd.DataFrame({"path": paths, "identity": identities, "camera": cameras})
    split = np.full(len(paths), "gallery", dtype=object)
    for _, pictures in table[table["identity"] > 0].sort_values("path").groupby("identity"):
        findable = len(pictures) > 1 and (pictures["camera"].nunique() > 1 or pictures["camera"].iloc[0] < 1)
        if findable:
            several = pictures[pictures.duplicated("camera", keep=False)].groupby("camera").head(1)
            split[several.index if len(several) else pictures.index[:1]] = "query"
    return [str(name) for name in split]
