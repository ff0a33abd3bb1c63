"""One's own pictures: a folder per identity (with or without splits above), or one folder of names like Market-1501's.

    anna/1.jpg  ben/1.jpg                   a folder per identity: split by the rule in splitting.py
    train/anna/1.jpg  test/ben/1.jpg        with splits: train, and either query and gallery, or test
    0002_c1s1_000451_03.jpg                 one folder: identity and camera from the names

A camera is read where a file's name holds one ("c2_walk.jpg", "0001_c2_07.jpg").
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from isp_core.data.readers.files import subfolders
from isp_core.data.readers.layout import Collector, Found, Reader
from isp_core.data.readers.naming import number_people, parse_camera, parse_name
from isp_core.data.readers.splitting import QUERY_RULE, choose_queries, split_identities
from isp_core.images import has_images, images_in

MAPS = frozenset({"masks", "mask", "labels", "label", "annotations"})
# folders of these names hold kinds of files, not people: a folder of pictures beside a folder of their label maps
_NOT_PEOPLE = frozenset({"images", "image", "img", "imgs", "pictures"}) | MAPS
_SPLITS = frozenset({"train", "query", "gallery", "test"})


def _is_folder_per_identity(root: Path) -> bool:
    people = subfolders(root)
    if not any(has_images(folder) for folder in people) or any(f.name.lower() in _NOT_PEOPLE for f in people):
        return False
    # an empty folder is a person without pictures; one with folders in it is something else
    return all(has_images(folder) or not subfolders(folder) for folder in people)


def _recognises_people(root: Path) -> bool:
    return len(subfolders(root)) > 1 and _is_folder_per_identity(root)


def _recognises_splits(root: Path) -> bool:
    names = {folder.name for folder in subfolders(root)}
    present = names & _SPLITS
    return bool(present) and names == present and all(_is_folder_per_identity(root / name) for name in present)


def _recognises_flat(root: Path) -> bool:
    pictures = images_in(root)
    return bool(pictures) and all(parse_name(path.name) is not None for path in pictures)


def _read_people(root: Path) -> Found:
    pictures = [path for folder in subfolders(root) for path in images_in(folder)]
    numbers, notes = number_people([path.parent.name for path in pictures])
    people = [numbers[path.parent.name] for path in pictures]
    found = _split_by_rule(root, pictures, people, [parse_camera(path.name) for path in pictures])
    empty = [folder.name for folder in subfolders(root) if not has_images(folder)]
    if empty:
        notes = (*notes, f"Folders without pictures: {', '.join(empty)}.")
    return Found(root, found.records, (*notes, *found.notes))


def _read_flat(root: Path) -> Found:
    parts = [(path, named) for path in images_in(root) if (named := parse_name(path.name)) is not None]
    return _split_by_rule(
        root, [path for path, _ in parts], [n.identity for _, n in parts], [n.camera for _, n in parts]
    )


def _split_by_rule(root: Path, pictures: Sequence[Path], people: Sequence[int], cameras: Sequence[int]) -> Found:
    relative = [path.relative_to(root).as_posix() for path in pictures]
    splits, rule = split_identities(relative, np.asarray(people, np.int64), np.asarray(cameras, np.int64))
    collector = Collector(root)
    for path, identity, camera, split in zip(pictures, people, cameras, splits, strict=True):
        collector.add(path, identity, camera, split)
    return collector.found(rule)


def _read_splits(root: Path) -> Found:
    pictures = [
        (path, place.name) for place in subfolders(root) for person in subfolders(place) for path in images_in(person)
    ]
    numbers, notes = number_people([path.parent.name for path, _ in pictures])
    collector = Collector(root)
    for path, split in pictures:
        collector.add(path, numbers[path.parent.name], parse_camera(path.name), split)
    test = [i for i, split in enumerate(collector.splits) if split == "test"]
    if test:
        queries = choose_queries(
            [collector.paths[i] for i in test],
            np.asarray([collector.identities[i] for i in test]),
            np.asarray([collector.cameras[i] for i in test]),
        )
        for i, split in zip(test, queries, strict=True):
            collector.splits[i] = split
        notes = (*notes, f"The folder test is divided: {QUERY_RULE}")
    return collector.found(*notes)


PEOPLE = Reader("folder per identity", "PERSON/", _recognises_people, _read_people)
SPLITS = Reader("splits with a folder per identity", "train/PERSON/ + test/PERSON/", _recognises_splits, _read_splits)
FLAT = Reader("one folder", "0002_c1s1_000451_03.jpg ...", _recognises_flat, _read_flat)
