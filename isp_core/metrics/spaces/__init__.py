"""Label spaces: which class of a data set or parser is which part of the body. One YAML file each; users add their own.

Out of scope: reading label maps from files (isp_core.metrics.ground_truth) and comparing them
(isp_core.metrics.part_scores).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isp_core.errors import IspError
from isp_core.file_state import State, state_of
from isp_core.paths import as_path
from isp_core.yaml_files import read_yaml

PARTS = ("head", "upper", "legs", "shoes", "belongings")
"""The parts that label spaces are mapped to; their codes in a target map are 1 to 5."""
TARGETS = ("foreground", *PARTS)
"""What parsing is scored on: the whole person with all belongings, and each part."""

BACKGROUND = 0
FOREGROUND_ONLY = 6
"""Code of pixels that are person, but of no stated part (a dress, bare skin): left out of the scores of parts."""
N_CODES = 7
IGNORE = 255

_CODES = {"background": BACKGROUND, "foreground": FOREGROUND_ONLY, "ignore": IGNORE} | {
    name: code for code, name in enumerate(PARTS, start=1)
}
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class LabelClass:
    """One class of a label space: its number in the files, its name there, and the part it is mapped to."""

    index: int
    name: str
    part: str


@dataclass(frozen=True)
class LabelSpace:
    """A label space and how its classes map to PARTS; notes say where the mapping is a matter of choice."""

    name: str
    title: str
    classes: tuple[LabelClass, ...]
    notes: tuple[str, ...] = ()
    _table: npt.NDArray[np.uint8] = field(init=False, repr=False, compare=False)
    _known: npt.NDArray[np.bool_] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        table, known = np.full(256, IGNORE, np.uint8), np.zeros(256, np.bool_)
        for each in self.classes:
            table[each.index], known[each.index] = _CODES[each.part], True
        for array in (table, known):
            array.setflags(write=False)  # spaces are shared
        object.__setattr__(self, "_table", table)
        object.__setattr__(self, "_known", known)

    @property
    def parts(self) -> tuple[str, ...]:
        """The PARTS that this space can tell; the others' cells stay empty."""
        return tuple(part for part in PARTS if any(each.part == part for each in self.classes))

    def to_targets(self, labels: npt.NDArray[np.integer], where: str = "the label map") -> npt.NDArray[np.uint8]:
        """Class numbers of any shape to codes: 0 background, 1-5 PARTS, 6 foreground only, 255 ignore.

        IspError names the numbers that the space does not know, and `where` they stand.
        """
        values = np.asarray(labels)
        if values.size and (values.min() < 0 or values.max() > 255):
            raise IspError(
                f"{where} holds class {values.max()} (or a negative one); label spaces number classes 0 to 255"
            )
        values = values.astype(np.uint8, copy=False)
        present = np.flatnonzero(np.bincount(values.reshape(-1), minlength=256))
        unknown = present[~self._known[present]]
        if len(unknown):
            known = [each.index for each in self.classes]
            found = f"{'class' if len(unknown) == 1 else 'classes'} {', '.join(map(str, unknown))}"
            raise IspError(
                f"{where} holds {found}, which label space {self.name!r} does not have "
                f"({min(known)} to {max(i for i in known if i < IGNORE)}): "
                "another space (--space), or grey levels instead of class numbers?"
            )
        targets: npt.NDArray[np.uint8] = self._table[values]
        return targets


@cache
def space_names() -> tuple[str, ...]:
    """The label spaces that come with the project."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def load_space(name_or_path: str | Path) -> LabelSpace:
    """A label space by name (lip, atr, pascal, cihp, walkers, ccp) or from a YAML file of the same form.

    A file is parsed once, and again when it changes.

    >>> load_space("lip").to_targets(np.array([0, 13, 9, 18, 6])).tolist()  # face, pants, shoe, dress
    [0, 1, 3, 4, 6]
    >>> load_space("pascal").parts
    ('head', 'upper', 'legs')
    """
    path = as_path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = _FOLDER / f"{name_or_path}.yaml"
        if not path.exists():
            raise IspError(
                f"label space {str(name_or_path)!r} is unknown; known: {', '.join(space_names())}, "
                "or your own YAML file"
            )
    return _read(path, state_of(path))


@lru_cache(maxsize=32)
def _read(path: Path, state: State | None) -> LabelSpace:
    return _parse(read_yaml(path), path)


def _parse(document: object, path: Path) -> LabelSpace:
    form = "needs `name:` and `classes: {number: {name: ..., part: ...}}`; see isp_core/metrics/spaces/lip.yaml"
    if not isinstance(document, dict) or not isinstance(document.get("classes"), dict) or not document["classes"]:
        raise IspError(f"{path} is not a label space: it {form}")
    classes = []
    for index, entry in document["classes"].items():
        if type(index) is not int or not 0 <= index <= 255:  # True is an int too
            raise IspError(f"{path}: class number {index!r} is not between 0 and 255")
        part = entry.get("part") if isinstance(entry, dict) else entry
        if not isinstance(part, str) or part not in _CODES:
            raise IspError(f"{path}: class {index} has part {part!r}; allowed: {', '.join(_CODES)}")
        name = _text(entry, "name", part, f"{path}: class {index}") if isinstance(entry, dict) else part
        classes.append(LabelClass(index, name, part))
    notes = document.get("notes") or []
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise IspError(f"{path}: notes are a list of sentences; got {notes!r}")
    name = _text(document, "name", path.stem, str(path))
    classes.sort(key=lambda each: each.index)
    return LabelSpace(name, _text(document, "title", name, str(path)), tuple(classes), tuple(notes))


def _text(entry: dict[object, object], key: str, default: str, where: str) -> str:
    """A text or number under `key`; a list or a mapping is no name."""
    value = entry.get(key, default)
    if isinstance(value, str | int | float):
        return str(value)
    raise IspError(f"{where}: {key} is text; got {value!r}")
