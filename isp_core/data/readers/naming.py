"""What an image's or a folder's name tells: identity and camera. Out of scope: where the files lie (files.py)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from isp_core.data.extra_columns import bounded as name_text
from isp_core.data.records import DISTRACTOR, JUNK, UNKNOWN_CAMERA

# "0002_c1s1_000451_03" (Market-1501), "0001_c2_f0046182" (DukeMTMC-reID), "0001_c1_01" (CUHK03-NP), "-1_c3s2_..." junk
_WITH_CAMERA = re.compile(r"(-1|\d+)_c(\d+)", re.IGNORECASE)
_IDENTITY_ONLY = re.compile(r"(-1|\d+)_")
_CAMERA_ANYWHERE = re.compile(r"(?:^|_)c(\d+)(?=[s_.]|$)", re.IGNORECASE)
_INTEGER = re.compile(r"([+-]?[0-9]{1,18})(?:\.0*)?")  # of more digits it is a name: 64 bits do not hold it


@dataclass(frozen=True)
class NameParts:
    """What a file's name tells: identity, and camera (-1 where it is silent)."""

    identity: int
    camera: int


def parse_name(name: str) -> NameParts | None:
    """Identity and camera from a name in Market-1501's way.

    >>> parse_name("-1_c3s2_000401_03.jpg"), parse_name("0001_c2_f0046182.jpg").camera
    (NameParts(identity=-1, camera=3), 2)
    >>> parse_name("0007_12.png"), parse_name("portrait.jpg")
    (NameParts(identity=7, camera=-1), None)
    """
    if match := _WITH_CAMERA.match(name):
        return NameParts(int(match[1]), int(match[2]))
    if match := _IDENTITY_ONLY.match(name):
        return NameParts(int(match[1]), UNKNOWN_CAMERA)
    return None


def parse_camera(name: str) -> int:
    """The camera in a name whose identity is known otherwise; -1 where it is silent.

    >>> parse_camera("0001_c4s2_07.jpg"), parse_camera("c2_walk.jpg"), parse_camera("holiday.jpg")
    (4, 2, -1)
    """
    match = _CAMERA_ANYWHERE.search(name)
    return int(match[1]) if match else UNKNOWN_CAMERA


def parse_integer(text: str) -> int | None:
    """An integer as people and spreadsheets write it ("7", "007", "7.0"); None for anything else.

    >>> parse_integer("0007"), parse_integer("3.0"), parse_integer("anna")
    (7, 3, None)
    """
    match = _INTEGER.fullmatch(text.strip())
    return int(match[1]) if match else None


@dataclass(frozen=True)
class People:
    """Identities by what folders or tables call them: numbers by name, notes on how they were numbered, and whether the
    names say more than the numbers."""

    numbers: Mapping[str, int]
    notes: tuple[str, ...] = ()
    named: bool = False

    def names_of(self, texts: Sequence[str]) -> list[str] | None:
        """The names of images' people, for `IDENTITY_NAME`; None where the numbers say the same."""
        return [name_text(text) for text in texts] if self.named else None


def number_people(names: Sequence[str]) -> People:
    """A number for every identity's name.

    Names that all are integers keep their number, with Market-1501's meaning of -1 (junk) and, where -1 occurs too or
    nothing lies at 0, of 0 (distractor). Integers from 0 without a -1 are people counted from zero: moved up by one.
    All other names are numbered 1, 2, ... in their order.

    >>> number_people(["0002", "0010"]).numbers
    {'0002': 2, '0010': 10}
    >>> number_people(["ben", "anna"]).numbers
    {'anna': 1, 'ben': 2}
    """
    distinct = sorted(set(names))
    numbers = {name: number for name in distinct if (number := parse_integer(name)) is not None}
    plain = len(numbers) == len(distinct) == len(set(numbers.values())) and all(n >= JUNK for n in numbers.values())
    if not plain:
        note = "Identities are named, not numbered: they are counted from 1 in the order of their names."
        return People({name: i for i, name in enumerate(distinct, start=1)}, (note,), named=True)
    if DISTRACTOR in numbers.values() and JUNK not in numbers.values():
        note = "Identities were numbered from 0; all are moved up by one, since 0 means distractor."
        return People({name: number + 1 for name, number in numbers.items()}, (note,))
    return People(numbers)
