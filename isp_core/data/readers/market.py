"""The layout of Market-1501 and of all that copied it: DukeMTMC-reID, CUHK03-NP, Occluded-DukeMTMC and others.

    bounding_box_train/0002_c1s1_000451_03.jpg     training
    query/0001_c1s1_001051_00.jpg                  queries
    bounding_box_test/0000_c1s1_000151_01.jpg      gallery; 0000 distractor, -1 junk

Out of scope: which of these data sets it is (published.py).
"""

from __future__ import annotations

from pathlib import Path

from isp_core.data.readers.files import by_lower_name, name_some
from isp_core.data.readers.layout import Collector, Found, Reader
from isp_core.data.readers.naming import parse_name
from isp_core.data.records import DataError, Split
from isp_core.images import has_images, images_in

FOLDERS: dict[str, Split] = {"bounding_box_train": "train", "query": "query", "bounding_box_test": "gallery"}


def _recognises(root: Path) -> bool:
    # "query" alone is too common a name to decide
    present = by_lower_name(root)
    return any(name in present and has_images(present[name]) for name in ("bounding_box_train", "bounding_box_test"))


def _read(root: Path) -> Found:
    collector = Collector(root)
    unread: list[str] = []
    present = by_lower_name(root)
    for folder, split in FOLDERS.items():
        for path in images_in(present[folder]) if folder in present else []:
            parts = parse_name(path.name)
            if parts is None:
                unread.append(f"{folder}/{path.name}")
            else:
                collector.add(path, parts.identity, parts.camera, split)
    if not collector.paths:
        raise DataError(
            f"{root}: no image's name begins with an identity, as in 0002_c1s1_000451_03.jpg "
            f"(found {name_some(unread, 3)}); rename them, or list them in a CSV with columns path and identity"
        )
    if not unread:
        return collector.found()
    return collector.found(f"{len(unread)} images are left out, whose names hold no identity: {name_some(unread)}.")


READER = Reader("Market-1501", "bounding_box_train/ + query/ + bounding_box_test/", _recognises, _read)
