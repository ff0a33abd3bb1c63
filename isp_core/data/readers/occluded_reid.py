"""The layout of Occluded-REID: occluded queries, whole bodies as gallery, one folder per identity, no cameras.

    occluded_body_images/001/001_01.tif      queries
    whole_body_images/001/001_01.tif         gallery

There is nothing to train on; the field trains on Market-1501.
"""

from __future__ import annotations

from pathlib import Path

from isp_core.data.readers.files import by_lower_name, subfolders
from isp_core.data.readers.layout import Collector, Found, Reader
from isp_core.data.readers.naming import number_people
from isp_core.data.records import UNKNOWN_CAMERA, DataError, Split
from isp_core.images import images_in

FOLDERS: dict[str, tuple[Split, str]] = {
    "occluded_body_images": ("query", "occluded"),
    "whole_body_images": ("gallery", ""),
}


def _recognises(root: Path) -> bool:
    return set(FOLDERS) <= set(by_lower_name(root))


def _read(root: Path) -> Found:
    present = by_lower_name(root)
    # some copies are flat: then the name says who it is ("001_01.tif")
    pictures = [
        (path, path.parent.name if path.parent.parent == top else path.name.partition("_")[0], folder)
        for folder in FOLDERS
        for top in (present[folder],)
        for place in (top, *subfolders(top))
        for path in images_in(place)
    ]
    if not pictures:
        raise DataError(f"{root}: no images in {' or '.join(FOLDERS)}, nor in the identities' folders under them")
    people = number_people([name for _, name, _ in pictures])
    collector = Collector(root)
    for path, name, folder in pictures:
        split, subset = FOLDERS[folder]
        collector.add(path, people.numbers[name], UNKNOWN_CAMERA, split, subset, name)
    return collector.found(*people.notes, people=people)


READER = Reader("Occluded-REID", "occluded_body_images/ + whole_body_images/", _recognises, _read)
