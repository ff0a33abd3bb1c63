"""The layout of MSMT17, both releases (V1: train/ and test/; V2: mask_train_v2/ and mask_test_v2/).

    list_train.txt    0000/0000_000_01_0303morning_0008_0.jpg 0      path in the training folder, identity
    list_val.txt      training too: the published 32,621 images of 1,041 people are both lists together
    list_query.txt, list_gallery.txt                                 paths in the test folder

The lists count training and test people from 0 each, so that the same number means two people: here test people
follow the training people.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from isp_core.data.readers.files import subfolders
from isp_core.data.readers.layout import Collector, Found, Reader
from isp_core.data.record_paths import file_of_record
from isp_core.data.records import UNKNOWN_CAMERA, DataError, Split
from isp_core.text_files import read_text

LISTS: dict[str, Split] = {
    "list_train.txt": "train",
    "list_val.txt": "train",
    "list_query.txt": "query",
    "list_gallery.txt": "gallery",
}
_TRAIN, _TEST = ("train", "mask_train_v2"), ("test", "mask_test_v2")


def _recognises(root: Path) -> bool:
    return (root / "list_train.txt").is_file() or (root / "list_query.txt").is_file()


def _read(root: Path) -> Found:
    folders = {folder.name.lower(): folder for folder in subfolders(root)}
    collector = Collector(root)
    rows = {name: list(_read_list(root / name)) for name in LISTS if (root / name).is_file()}
    train = [identity for name in rows if LISTS[name] == "train" for _, identity in rows[name]]
    first_test = max(train, default=-1) + 1
    for name, entries in rows.items():
        split = LISTS[name]
        wanted = _TRAIN if split == "train" else _TEST
        folder = next((folders[candidate] for candidate in wanted if candidate in folders), None)
        if folder is None:
            raise DataError(f"{root}: {name} is there, but no folder {' or '.join(wanted)} with its images")
        for path, identity in entries:
            # identities from 1: 0 means distractor everywhere else
            number = identity + 1 if split == "train" else first_test + identity + 1
            collector.add(folder / path, number, _camera(path), split)
    return collector.found(
        f"Identities are the lists' plus 1 in training, plus {first_test + 1} in query and gallery: the lists count "
        "both from 0."
    )


def _read_list(path: Path) -> Iterator[tuple[str, int]]:
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        name, _, identity = line.strip().rpartition(" ")
        if not name or not identity.isdecimal() or len(identity) > 9:
            raise DataError(
                f"{path}, line {number}: expected a path and an identity from 0, found {line.strip()[:80]!r}"
            )
        try:
            file_of_record(path.parent, name.strip())
        except DataError as error:
            raise DataError(f"{path}, line {number}: {error}") from None
        yield name.strip(), int(identity)


def _camera(path: str) -> int:
    """The third field of the name: 0000_000_01_0303morning_0008_0.jpg is of camera 1 of 15."""
    fields = Path(path).stem.split("_")
    return int(fields[2]) if len(fields) > 2 and fields[2].isdecimal() else UNKNOWN_CAMERA


READER = Reader("MSMT17", "list_train.txt + train/ + test/", _recognises, _read)
