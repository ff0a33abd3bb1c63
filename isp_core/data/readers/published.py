"""What is published of the known data sets: images and people per split, to tell a whole copy from a part of one.

Counts are of the files as distributed: Market-1501's gallery of 19,732 holds 3,819 junk images (-1) and 2,798
distractors (0) next to the 13,115 of 750 people; many tables print 15,913, the number without junk. MSMT17's training
list and validation list are counted together, as is the custom since its authors' second release.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from isp_core.data.records import SPLITS


@dataclass(frozen=True)
class Counts:
    """Images (junk and distractors included) and people (identities above 0) of one split."""

    pictures: int
    identities: int


@dataclass(frozen=True)
class Published:
    """One known data set.

    Attributes:
        name: as the field writes it.
        hint: searched in "parent/folder" in lower case, letters and digits only.
        train, query, gallery: as distributed.
        gallery_junk: how many of the gallery are junk, which some copies leave out (no score depends on them).
        occluded_queries: whether every query is occluded.
    """

    name: str
    hint: str
    train: Counts
    query: Counts
    gallery: Counts
    gallery_junk: int = 0
    occluded_queries: bool = False

    def differences(self, records: pd.DataFrame) -> tuple[str, ...]:
        """What differs from the published counts, one sentence per split; empty for a whole copy."""
        found = count(records)
        return tuple(
            f"{split}: {is_.pictures} images of {is_.identities} people, "
            f"published {should.pictures} of {should.identities}"
            for split, is_, should in zip(SPLITS, found, (self.train, self.query, self.gallery), strict=True)
            if is_ != should and not (split == "gallery" and self._lacks_junk_only(is_))
        )

    def _lacks_junk_only(self, gallery: Counts) -> bool:
        return gallery == Counts(self.gallery.pictures - self.gallery_junk, self.gallery.identities)


KNOWN: tuple[Published, ...] = (
    Published(
        "Market-1501",
        r"market1501|(^|/)market$",
        Counts(12936, 751),
        Counts(3368, 750),
        Counts(19732, 750),
        gallery_junk=3819,
    ),
    Published(
        "Occluded-DukeMTMC",
        r"occ[^/]*duke|duke[^/]*occ",
        Counts(15618, 702),
        Counts(2210, 519),
        Counts(17661, 1110),
        occluded_queries=True,
    ),
    Published("DukeMTMC-reID", r"duke", Counts(16522, 702), Counts(2228, 702), Counts(17661, 1110)),
    Published("CUHK03-NP labelled", r"cuhk03.*label", Counts(7368, 767), Counts(1400, 700), Counts(5328, 700)),
    Published("CUHK03-NP detected", r"cuhk03.*detect", Counts(7365, 767), Counts(1400, 700), Counts(5332, 700)),
    Published("MSMT17", r"msmt17", Counts(32621, 1041), Counts(11659, 3060), Counts(82161, 3060)),
    Published(
        "Occluded-REID",
        r"occ[^/]*reid",
        Counts(0, 0),
        Counts(1000, 200),
        Counts(1000, 200),
        occluded_queries=True,
    ),
)


def count(records: pd.DataFrame) -> tuple[Counts, Counts, Counts]:
    """Counts of train, query and gallery."""

    def of(split: str) -> Counts:
        identities = records.loc[records["split"] == split, "identity"]
        return Counts(len(identities), int(identities[identities > 0].nunique()))

    train, query, gallery = (of(split) for split in SPLITS)
    return train, query, gallery


def recognise(folder: Path, records: pd.DataFrame) -> Published | None:
    """The known data set that these records are, or claim to be.

    The counts decide; where none agrees, the name of the folder and of the one above it do (a CUHK03 copy is told
    labelled from detected by them alone), and the report then says that the counts differ.

    >>> from isp_core.data.records import make_records
    >>> recognise(Path("data/Market-1501-v15.09.15"), make_records(["a.jpg"], [1], [1], ["train"])[0]).name
    'Market-1501'
    """
    for known in KNOWN:
        if not known.differences(records):
            return known
    letters = re.sub(r"[^a-z0-9/]", "", f"{folder.parent.name}/{folder.name}".lower())
    return next((known for known in KNOWN if re.search(known.hint, letters)), None)
