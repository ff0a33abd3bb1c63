"""Your own images: a folder per identity (with or without splits above), or one folder of names like Market-1501's.

    anna/1.jpg  ben/1.jpg                   a folder per identity: split by the rule in splitting.py
    train/anna/1.jpg  test/ben/1.jpg        with splits, see SPLIT_NAMES: train, and query and gallery, or test
    train_all/ train/ val/ query/ gallery/  as Person_reID_baseline_pytorch makes them of Market-1501
    0002_c1s1_000451_03.jpg                 one folder: identity and camera from the names

A camera is read where a file's name holds one ("c2_walk.jpg", "0001_c2_07.jpg").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from isp_core.data.readers.files import by_lower_name, name_some, subfolders
from isp_core.data.readers.layout import Collector, Found, Reader
from isp_core.data.readers.naming import People, number_people, parse_camera, parse_name
from isp_core.data.readers.splitting import QUERY_RULE, choose_queries, split_identities
from isp_core.data.records import UNKNOWN_CAMERA
from isp_core.images import has_images, images_in

MAPS = frozenset({"masks", "mask", "labels", "label", "annotations"})
# folders of these names hold kinds of files, not people: a folder of images next to a folder of their label maps
_NOT_PEOPLE = frozenset({"images", "image", "img", "imgs", "pictures"}) | MAPS
SPLIT_NAMES: Mapping[str, str] = {
    # a folder's name in lower case -> its split; "test" is divided
    "train": "train",
    "train_all": "train",
    "training": "train",
    "val": "train",
    "valid": "train",
    "validation": "train",
    "query": "query",
    "probe": "query",
    "gallery": "gallery",
    "test": "test",
    "testing": "test",
}
_TRAIN_WHOLE = "train_all"
_HELD_OUT = frozenset({"val", "valid", "validation"})


def _is_folder_per_identity(root: Path) -> bool:
    people = subfolders(root)
    if not any(has_images(folder) for folder in people) or any(f.name.lower() in _NOT_PEOPLE for f in people):
        return False
    # an empty folder is a person without images; one with folders in it is something else
    return all(has_images(folder) or not subfolders(folder) for folder in people)


def _recognises_people(root: Path) -> bool:
    return len(subfolders(root)) > 1 and _is_folder_per_identity(root)


def _recognises_splits(root: Path) -> bool:
    return bool(_split_folders(root))


def _split_folders(root: Path) -> dict[str, Path]:
    """The folders of splits by their names in lower case; what lies next to them may be anything."""
    named = {name: folder for name, folder in by_lower_name(root).items() if name in SPLIT_NAMES}
    return {name: place for name, place in named.items() if _is_folder_per_identity(place) or _recognises_flat(place)}


def _recognises_flat(root: Path) -> bool:
    pictures = images_in(root)
    return bool(pictures) and all(parse_name(path.name) is not None for path in pictures)


def _read_people(root: Path) -> Found:
    pictures = [path for folder in subfolders(root) for path in images_in(folder)]
    texts = [path.parent.name for path in pictures]
    people = number_people(texts)
    cameras = [parse_camera(path.name) for path in pictures]
    found = _split_by_rule(root, pictures, [people.numbers[text] for text in texts], cameras, people, texts)
    notes = people.notes
    empty = [folder.name for folder in subfolders(root) if not has_images(folder)]
    if empty:
        notes = (*notes, f"Folders without images: {', '.join(empty)}.")
    return Found(root, found.records, (*notes, *found.notes))


def _read_flat(root: Path) -> Found:
    parts = [(path, named) for path in images_in(root) if (named := parse_name(path.name)) is not None]
    return _split_by_rule(
        root, [path for path, _ in parts], [n.identity for _, n in parts], [n.camera for _, n in parts]
    )


def _split_by_rule(
    root: Path,
    pictures: Sequence[Path],
    identities: Sequence[int],
    cameras: Sequence[int],
    people: People | None = None,
    texts: Sequence[str] = (),
) -> Found:
    """people: how the identities were numbered; texts: what each image's person is called, where they have names."""
    relative = [path.relative_to(root).as_posix() for path in pictures]
    splits, rule = split_identities(relative, np.asarray(identities, np.int64), np.asarray(cameras, np.int64))
    collector = Collector(root)
    called = texts or [""] * len(pictures)
    for path, identity, camera, split, text in zip(pictures, identities, cameras, splits, called, strict=True):
        collector.add(path, identity, camera, split, text=text)
    return collector.found(rule, people=people)


def _read_splits(root: Path) -> Found:
    present = _split_folders(root)
    used, more = _assign_splits(present)
    pictures = [(path, split, *_person(path, place)) for place, split in used for path in _images_of(place)]
    people = number_people([person for _, _, person, _ in pictures])
    notes = people.notes
    collector = Collector(root)
    for path, split, person, camera in pictures:
        collector.add(path, people.numbers[person], camera, split, text=person)
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
    beside = [folder.name for folder in subfolders(root) if folder not in present.values()]
    if beside:
        notes = (*notes, f"Folders that are no split are left out: {name_some(beside)}.")
    return collector.found(*notes, *more, people=people)


def _images_of(place: Path) -> list[Path]:
    return images_in(place) or [path for person in subfolders(place) for path in images_in(person)]


def _person(path: Path, place: Path) -> tuple[str, int]:
    """Who is on an image of a split's folder, and its camera: by its own folder, or by its name alone."""
    if path.parent != place:
        return path.parent.name, parse_camera(path.name)
    named = parse_name(path.name)
    return path.name.partition("_")[0], UNKNOWN_CAMERA if named is None else named.camera


def _people_of(place: Path) -> set[str]:
    return {_person(path, place)[0] for path in _images_of(place)}


def _assign_splits(present: Mapping[str, Path]) -> tuple[list[tuple[Path, str]], tuple[str, ...]]:
    """Which folder is which split: train_all holds the images of train and val once more; val is for training where
    there is a test set, or where its people are training's."""
    splits = {name: SPLIT_NAMES[name] for name in present}
    notes: list[str] = []
    held_out = [name for name in present if name in _HELD_OUT]
    if _TRAIN_WHOLE in present:
        twice = [name for name in present if splits[name] == "train" and name != _TRAIN_WHOLE]
        for name in twice:
            del splits[name]
        if twice:
            notes.append(f"train_all is read for training; {' and '.join(twice)} are parts of it.")
    elif held_out:
        name = held_out[0]
        own = _people_of(present[name])
        others = set().union(*(_people_of(place) for other, place in present.items() if other != name))
        if "test" not in splits.values() and "query" not in splits.values() and not own & others:
            splits[name] = "test"
        else:
            notes.append(f"{name} is read for training.")
    return [(present[name], split) for name, split in splits.items()], tuple(notes)


PEOPLE = Reader("folder per identity", "PERSON/", _recognises_people, _read_people)
SPLITS = Reader("splits with a folder per identity", "train/PERSON/ + test/PERSON/", _recognises_splits, _read_splits)
FLAT = Reader("one folder", "0002_c1s1_000451_03.jpg ...", _recognises_flat, _read_flat)
