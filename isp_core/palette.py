"""Colours of parts: Okabe-Ito, one colour a body part, the same across K, epochs and runs.

A colour follows what a part is, never its index: the class that evaluation assigned to it where truth exists, else
its mean height in the images. Out of scope: who assigned the classes (evaluation documents of a run).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Slot:
    """A colour, the body part it stands for, and the mean height (0 top, 1 bottom) where that part lies."""

    body_part: str
    height: float
    rgb: Rgb
    colour: str


# "Belongings" has no height of its own: it is taken last.
SLOTS = (
    Slot("head", 0.12, (0xE6, 0x9F, 0x00), "orange"),
    Slot("upper", 0.33, (0x56, 0xB4, 0xE9), "sky blue"),
    Slot("arms", 0.43, (0x00, 0x9E, 0x73), "green"),
    Slot("hips", 0.55, (0xD5, 0x5E, 0x00), "vermilion"),
    Slot("legs", 0.72, (0x00, 0x72, 0xB2), "blue"),
    Slot("shoes", 0.92, (0xF0, 0xE4, 0x42), "yellow"),
    Slot("belongings", 0.50, (0xCC, 0x79, 0xA7), "purple"),
)
_LAST_RESORT = 1.0  # what purple costs a part that is not known to be a belonging
_OTHER_CLASS = 8.0  # what any colour of another body part costs a part whose class is known
_SHADE = 1.5  # what a darker or lighter shade costs: for second legs, or more than seven parts
_SHADES = (1.0, 0.62, 1.35, 0.4)
_GREYED = (
    0.5,
    0.25,
)  # how much of its colour a part of no class keeps where other parts have classes: colours are theirs
_NO_COLOUR = 100.0  # what it costs a part to go without
IGNORED: Rgb = (128, 128, 128)
UNKNOWN: Rgb = (170, 170, 170)
UNKNOWN_CODE = 200

# black to yellow, perceptually even (cividis), for activations
RAMP: list[list[int]] = [
    [round(a + (b - a) * t) for a, b in zip(low, high, strict=True)]
    for low, high, t in (
        ((0, 34, 78), (124, 123, 120), i / 127) if i < 128 else ((124, 123, 120), (254, 232, 56), (i - 128) / 127)
        for i in range(256)
    )
]


@dataclass(frozen=True)
class Part:
    """One part of a run: its index in label maps, the words for it, its colour.

    code: the colour's number (1..), the same wherever that colour is used: viewers toggle parts by it, so that a hidden
    body part stays hidden from run to run and page to page.
    """

    index: int
    name: str
    rgb: Rgb
    code: int
    body_part: str | None = None
    height: float = float("nan")  # mean height of the part's own pixels, 0 top to 1 bottom, NaN where unknown


@dataclass(frozen=True)
class Palette:
    """The parts of one run in their colours. `rule` says in words how they were named and coloured."""

    parts: tuple[Part, ...]
    rule: str

    def as_data(self) -> list[dict[str, object]]:
        """For the components."""
        return [{"k": part.code, "name": part.name, "rgb": list(part.rgb)} for part in self.parts]

    def coded(self, maps: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Label maps of any shape with parts replaced by their colours' codes; 0 and 255 stay."""
        table = np.full(256, UNKNOWN_CODE, np.uint8)
        table[0], table[255] = 0, 255
        for part in self.parts:
            table[part.index] = part.code
        coded: npt.NDArray[np.uint8] = table[maps]
        return coded

    def name(self, index: int) -> str:
        """The words for a label: background and ignored pixels included."""
        if index == 0:
            return "background"
        if index == 255:
            return "ignored"
        return next((part.name for part in self.parts if part.index == index), f"part {index}")

    def table(self) -> npt.NDArray[np.uint8]:
        """Colours by label, (256, 3)."""
        table = np.full((256, 3), UNKNOWN, np.uint8)
        table[0], table[255] = 0, IGNORED
        for part in self.parts:
            table[part.index] = part.rgb
        return table


def assign(heights: Sequence[float], classes: Mapping[int, str] | None = None, *, greyed: bool = False) -> Palette:
    """Colours for parts 1..n.

    heights: mean height of each part in the images, 0 top to 1 bottom, NaN where a part never occurs.
    classes: part -> body part, as evaluation assigned them; None or partial where there is no ground truth. Parts of no
        class then get greyed colours, so that no colour means a class and something else.
    greyed: parts of no class get greyed colours even where no part of this run has a class, see `alike`.

    One colour a part, chosen together so that the sum of misfits is least: a head stays orange with K = 4 and K = 8.

    >>> [part.name for part in assign([0.1, 0.4, 0.8]).parts]
    ['part 1, mean height 10 %', 'part 2, mean height 40 %', 'part 3, mean height 80 %']
    >>> assign([0.1, 0.8], {1: "head", 2: "belongings"}).parts[1].rgb == SLOTS[-1].rgb
    True
    """
    classes = classes or {}
    greyed = greyed or bool(classes)
    colours = [(slot, shade) for shade in range(len(_SHADES) + len(_GREYED)) for slot in SLOTS]
    chosen: dict[int, int] = {}
    if len(heights):
        cost = np.array(
            [
                [
                    _misfit(slot, h, classes.get(k)) + _shade_cost(shade, greyed and k not in classes)
                    for slot, shade in colours
                ]
                for k, h in enumerate(heights, start=1)
            ]
        )
        chosen = {k: int(column) for k, column in enumerate(_cheapest(cost), start=1) if column < len(colours)}
    names = _names(heights, classes)
    parts = tuple(
        Part(k, names[k], _shaded(*colours[chosen[k]]), chosen[k] + 1, classes.get(k), height)
        if k in chosen
        else Part(k, names[k], UNKNOWN, UNKNOWN_CODE, None, height)
        for k, height in enumerate(heights, start=1)
    )
    rule = (
        "Colours follow the body part that evaluation assigned to each part."
        if classes
        else "No part is assigned to a body part yet, so colours follow each part's mean height in the images."
    )
    return Palette(parts, rule)


def _cheapest(cost: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The column of each row of cost (n, m), no column twice, so that the sum is least; m and above: no colour.

    The Hungarian method by shortest augmenting paths (Jonker and Volgenant, 1987). SciPy has it, but takes 0.7 s to
    load, a fifth of the time to a new server's first page; the tests compare the two.
    """
    cost = np.hstack([cost, np.full((len(cost), len(cost)), _NO_COLOUR)])
    rows, columns = cost.shape
    owner = np.full(columns, -1)
    of_row, of_column = np.zeros(rows), np.zeros(columns)  # dual variables: cost less both is never negative
    for row in range(rows):
        shortest, before, reached = np.full(columns, np.inf), np.full(columns, -1), np.zeros(columns, bool)
        here, column = row, -1
        while here >= 0:  # until the path ends at a free column
            length = np.where(reached, np.inf, cost[here] - of_row[here] - of_column)
            nearer = length < shortest
            shortest[nearer], before[nearer] = length[nearer], column
            column = int(np.where(reached, np.inf, shortest).argmin())
            step = shortest[column]
            of_row[[row, *owner[reached]]] += step
            of_column[reached] -= step
            shortest[~reached] -= step
            reached[column] = True
            here = int(owner[column])
        while column >= 0:  # every row on the path takes the column after its own
            previous = int(before[column])
            owner[column] = owner[previous] if previous >= 0 else row
            column = previous
    taken = np.flatnonzero(owner >= 0)
    return taken[np.argsort(owner[taken])]


def _shaded(slot: Slot, shade: int) -> Rgb:
    """The slot's colour, darker, lighter or greyed; shade 0 is the colour itself."""
    if shade < len(_SHADES):
        r, g, b = (min(255, round(channel * _SHADES[shade])) for channel in slot.rgb)
        return r, g, b
    kept = _GREYED[shade - len(_SHADES)]
    r, g, b = (round(kept * channel + (1 - kept) * grey) for channel, grey in zip(slot.rgb, IGNORED, strict=True))
    return r, g, b


def _shade_cost(shade: int, greyed: bool) -> float:
    """What the shade costs a part that is to be `greyed`, or is not."""
    if shade < len(_SHADES):
        return _SHADE * shade + (_OTHER_CLASS if greyed else 0.0)
    return _SHADE * (shade - len(_SHADES)) + (0.0 if greyed else _NO_COLOUR)


def _misfit(slot: Slot, height: float, body_part: str | None) -> float:
    distance = 0.5 if np.isnan(height) else abs(slot.height - height)
    if body_part is not None:
        return 0.0 if slot.body_part == body_part else _OTHER_CLASS + distance
    return distance + (_LAST_RESORT if slot.body_part == "belongings" else 0.0)


def _names(heights: Sequence[float], classes: Mapping[int, str]) -> dict[int, str]:
    names: dict[int, str] = {}
    for k, height in enumerate(heights, start=1):
        if k in classes:
            names[k] = f"{k} · {classes[k]}"
        elif np.isnan(height):
            names[k] = f"part {k}, not seen"
        else:
            names[k] = f"part {k}, mean height {100 * height:.0f} %"
    return names


def class_palette(names: Mapping[int, str]) -> Palette:
    """The palette of a truth map: its classes are body parts already."""
    slots = {slot.body_part: (slot.rgb, code) for code, slot in enumerate(SLOTS, start=1)}
    parts = tuple(
        Part(k, name, *slots.get(name, (UNKNOWN, UNKNOWN_CODE)), name) for k, name in sorted(names.items()) if k > 0
    )
    return Palette(parts, "Colours of the ground truth's own classes.")


def alike(palettes: Sequence[Palette]) -> list[Palette]:
    """The palettes so that they can share a legend: where one of them knows classes, their colours mean those classes,
    and the parts of runs without any are greyed.

    >>> first, second = alike([assign([0.1, 0.24], {1: "head"}), assign([0.11, 0.3])])
    >>> [part.name for part in union([first, second]).parts][0]
    'head'
    """
    if not any(part.body_part for palette in palettes for part in palette.parts):
        return list(palettes)
    return [
        palette
        if any(part.body_part for part in palette.parts)
        else Palette(assign([part.height for part in palette.parts], greyed=True).parts, palette.rule)
        for palette in palettes
    ]


def union(palettes: Sequence[Palette]) -> Palette:
    """One legend for several runs, or a run and its ground truth: each colour once, named by what the parts are.

    Parts come from top to bottom, as in each run. Use each run's own `coded` for its maps; of palettes that `alike`
    returned, no colour has two meanings.

    >>> [part.name for part in union([assign([0.1, 0.24], {1: "head"}), assign([0.11, 0.3])]).parts]
    ['head / part 1, mean height 11 %', 'part 2, mean height 24 to 30 %']
    """
    sharing: dict[int, list[Part]] = {}
    for palette in palettes:
        for part in palette.parts:
            sharing.setdefault(part.code, []).append(part)
    named = [
        Part(code, _words(parts), parts[0].rgb, code, next((p.body_part for p in parts if p.body_part), None))
        for code, parts in sorted(sharing.items(), key=lambda item: (_place(item[1]), item[0]))
    ]
    return Palette(tuple(named), " ".join(dict.fromkeys(palette.rule for palette in palettes)))


def _place(sharing: Sequence[Part]) -> float:
    """Where a legend names these parts: from the top of a person downwards, as each run numbers its own parts."""
    known = [part.height for part in sharing if part.height == part.height]
    if known:
        return sum(known) / len(known)
    return next((slot.height for slot in SLOTS for part in sharing if slot.body_part == part.body_part), 1.0)


def _words(sharing: Sequence[Part]) -> str:
    """What the parts that share a colour are: their classes, then those that have none by index and mean height."""
    classes = list(dict.fromkeys(part.body_part for part in sharing if part.body_part))
    others = list(dict.fromkeys(part for part in sharing if not part.body_part))
    if len(others) == 1:
        classes.append(others[0].name)
    elif others:
        numbers = ", ".join(str(k) for k in sorted({part.index for part in others}))
        known = sorted(100 * part.height for part in others if part.height == part.height)
        low, high = (f"{known[0]:.0f}", f"{known[-1]:.0f}") if known else ("", "")
        where = "not seen" if not known else f"mean height {low if low == high else f'{low} to {high}'} %"
        classes.append(f"part{'s' if ',' in numbers else ''} {numbers}, {where}")
    return " / ".join(classes)


def mean_heights(maps: npt.NDArray[np.uint8], parts: int) -> list[float]:
    """Mean height of the pixels of each part 1..parts-1 over maps (n, h, w): 0 top, 1 bottom, NaN where there is none.

    >>> mean_heights(np.array([[[1], [0], [2], [2]]], np.uint8), 4)
    [0.125, 0.75, nan]
    """
    h = maps.shape[1]
    heights = []
    for k in range(1, parts):
        counts = (maps == k).sum(axis=(0, 2)).astype(float)  # (h,)
        total = counts.sum()
        heights.append(float((counts * (np.arange(h) + 0.5)).sum() / total / h) if total else float("nan"))
    return heights
