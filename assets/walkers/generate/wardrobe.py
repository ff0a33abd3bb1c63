"""Colours, cloths and outfits drawn at random, with the sober palette of real streets: the more alike, the harder."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np

from isp_assets.walkers.generate.arrays import Colour
from isp_assets.walkers.generate.belongings import Belonging, Kind
from isp_assets.walkers.generate.garments import DUNGAREES, LONG_SKIRT, Outfit
from isp_assets.walkers.generate.mesh import Material

Key = TypeVar("Key")

PALETTE: dict[str, Colour] = {
    "black": (0.07, 0.07, 0.08), "charcoal": (0.17, 0.18, 0.20), "grey": (0.42, 0.43, 0.45),
    "light grey": (0.66, 0.66, 0.66),
    "white": (0.84, 0.84, 0.82), "navy": (0.10, 0.13, 0.24), "blue": (0.19, 0.31, 0.52), "sky": (0.52, 0.65, 0.78),
    "red": (0.58, 0.14, 0.14), "maroon": (0.32, 0.09, 0.12), "green": (0.17, 0.34, 0.22), "olive": (0.33, 0.34, 0.21),
    "yellow": (0.78, 0.66, 0.26), "pink": (0.78, 0.54, 0.59), "beige": (0.70, 0.63, 0.51), "brown": (0.33, 0.23, 0.16),
    "teal": (0.14, 0.38, 0.40), "orange": (0.74, 0.40, 0.17),
}  # fmt: skip
_TOPS = {"black": 20, "charcoal": 9, "grey": 10, "light grey": 7, "white": 14, "navy": 11, "blue": 7, "sky": 4,
         "red": 4, "maroon": 3, "green": 3, "olive": 3, "yellow": 2, "pink": 3, "beige": 5, "brown": 3,
         "teal": 2, "orange": 1}  # fmt: skip
_BOTTOMS = {
    "black": 26,
    "charcoal": 16,
    "navy": 18,
    "grey": 9,
    "beige": 9,
    "olive": 5,
    "brown": 5,
    "white": 4,
    "blue": 8,
}
_BAGS = {"black": 32, "charcoal": 12, "navy": 12, "grey": 9, "brown": 9, "beige": 5, "red": 5, "olive": 4, "green": 3,
         "blue": 5, "orange": 2, "pink": 2}  # fmt: skip
_SHOES = {"black": 32, "white": 22, "brown": 14, "grey": 10, "navy": 8, "red": 4, "beige": 6, "blue": 4}
_DENIMS: tuple[Colour, ...] = ((0.13, 0.17, 0.28), (0.22, 0.29, 0.42), (0.36, 0.44, 0.55), (0.11, 0.12, 0.15))
_HAIR: tuple[Colour, ...] = (
    (0.06, 0.05, 0.05), (0.10, 0.07, 0.05), (0.22, 0.13, 0.08), (0.36, 0.22, 0.12), (0.58, 0.45, 0.27),
    (0.42, 0.41, 0.41),
)  # fmt: skip
_TOP_PATTERNS = {
    "plain": 56,
    "stripes": 8,
    "pinstripes": 3,
    "plaid": 7,
    "yoke": 5,
    "band": 5,
    "disc": 7,
    "lettering": 6,
    "dots": 2,
    "mottled": 1,
}

_SIZES: dict[Kind, tuple[float, float, float]] = {
    "backpack": (3.0, 4.3, 1.7), "messenger bag": (3.4, 2.6, 1.0), "shoulder bag": (3.2, 3.0, 1.1),
    "handbag": (2.9, 2.1, 1.1),
    "shopping bag": (2.8, 3.4, 1.2), "suitcase": (3.4, 5.2, 2.1), "box": (3.0, 2.6, 3.0),
}  # fmt: skip
KINDS: dict[Kind, float] = {
    "backpack": 34, "messenger bag": 15, "shoulder bag": 14, "handbag": 13, "shopping bag": 13, "suitcase": 8, "box": 3,
}  # fmt: skip


def choose(rng: np.random.Generator, weights: Mapping[Key, float]) -> Key:
    """A key, with probability proportional to its weight."""
    share = np.array(list(weights.values()), float)
    return list(weights)[int(rng.choice(len(share), p=share / share.sum()))]


def deal(rng: np.random.Generator, weights: Mapping[Key, float], count: int) -> list[Key]:
    """`count` keys in random order, each as often as its weight asks, to the nearest whole number."""
    share = np.array(list(weights.values()), float)
    ends = np.round(np.cumsum(share) / share.sum() * count).astype(int)
    keys = [key for key, times in zip(weights, np.diff(ends, prepend=0), strict=True) for _ in range(times)]
    return [keys[i] for i in rng.permutation(count)]


def jitter(rng: np.random.Generator, colour: Colour) -> Colour:
    """The colour again, as another dyer would make it."""
    shade = np.array(colour) * np.exp(rng.normal(0, 0.08)) + rng.normal(0, 0.012, 3)
    red, green, blue = (float(c) for c in np.clip(shade, 0.02, 0.95))
    return red, green, blue


def _pick(rng: np.random.Generator, weights: Mapping[str, float]) -> Colour:
    return jitter(rng, PALETTE[choose(rng, weights)])


def _apart(rng: np.random.Generator, weights: Mapping[str, float], first: Colour) -> Colour:
    """A colour that can be told from `first`."""
    while True:
        second = _pick(rng, weights)
        if sum(abs(a - b) for a, b in zip(first, second, strict=True)) > 0.5:
            return second


def top_cloth(rng: np.random.Generator, formal: bool) -> Material:
    pattern = choose(rng, {"plain": 6, "pinstripes": 1, "plaid": 2} if formal else _TOP_PATTERNS)
    first = _pick(rng, _TOPS)
    second = _apart(rng, _TOPS, first)
    period = {
        "stripes": float(rng.choice([0.5, 0.9, 1.4])), "pinstripes": 0.28, "plaid": float(rng.choice([0.6, 1.0])),
        "band": float(rng.choice([0.7, 1.1])), "disc": float(rng.choice([0.8, 1.05])), "lettering": 0.95, "dots": 0.8,
    }.get(pattern, 1.0)  # fmt: skip
    height = {
        "yoke": float(rng.choice([3.4, 4.2])),
        "band": float(rng.choice([2.6, 3.4])),
        "disc": 3.9,
        "lettering": 3.9,
    }
    share = {"stripes": float(rng.choice([0.3, 0.5])), "pinstripes": 0.3, "disc": float(rng.choice([0.0, 0.45]))}
    return Material(
        pattern, first, second, _pick(rng, _TOPS), period, share.get(pattern, 0.5), height.get(pattern, 0.0),
        seed=int(rng.integers(99)), folds=0.30,
    )  # fmt: skip


def bottom_cloth(rng: np.random.Generator, bottom: str) -> Material:
    if bottom in ("jeans", "slim jeans", "shorts", DUNGAREES) and rng.random() < 0.55:
        return Material("denim", jitter(rng, _DENIMS[rng.integers(len(_DENIMS))]), folds=0.28)
    first = _pick(rng, _BOTTOMS)
    if bottom in ("skirt", LONG_SKIRT) and rng.random() < 0.3:
        return Material("plaid", first, _apart(rng, _TOPS, first), period=0.7, folds=0.2)
    return Material("plain", first, folds=0.08 if bottom == "leggings" else 0.25)


def shoes(rng: np.random.Generator) -> tuple[str, Material, Material]:
    """Model, leather and sole."""
    model = str(rng.choice(["shoes01", "shoes02", "shoes03", "shoes05", "shoes06"]))
    leather = Material("plain", _pick(rng, _SHOES), gloss=0.12)
    sole = Material("plain", jitter(rng, PALETTE[choose(rng, {"black": 4.0, "white": 4.0, "brown": 2.0})]))
    return model, leather, sole


def hair_colour(rng: np.random.Generator, age: float) -> Colour:
    return _HAIR[5] if age > 0.45 else _HAIR[int(rng.choice(6, p=[0.34, 0.28, 0.20, 0.10, 0.05, 0.03]))]


def outfit(rng: np.random.Generator, male: bool, hair: Colour) -> Outfit:
    """What somebody wears; a hair model of None means a bare or cropped head."""
    if male:
        top = choose(
            rng, {"long tee": 20.0, "shirt": 20.0, "tee": 17.0, "jacket": 20.0, "polo": 13.0, "suit coat": 10.0}
        )
        bottom = choose(rng, {"jeans": 58.0, "slacks": 28.0, "shorts": 10.0, DUNGAREES: 4.0})
        model: str | None = choose(
            rng, {"short01": 15.0, "short02": 40.0, "short03": 10.0, "short04": 25.0, "afro01": 8.0}
        )
        if rng.random() < 0.15:
            model = None
    else:
        top = choose(
            rng, {"fitted tee": 27.0, "blouse": 24.0, "crop top": 5.0, "long tee": 17.0, "shirt": 10.0, "jacket": 17.0}
        )
        bottom = choose(
            rng, {"slim jeans": 38.0, "shorts": 13.0, "skirt": 14.0, "leggings": 18.0, LONG_SKIRT: 14.0, DUNGAREES: 3.0}
        )
        model = choose(
            rng,
            {
                "bob01": 17.0,
                "bob02": 17.0,
                "braid01": 13.0,
                "long01": 20.0,
                "ponytail01": 20.0,
                "short03": 6.0,
                "afro01": 6.0,
            },
        )
    if top == "suit coat":
        bottom = "slacks"
    coat = None
    if bottom != DUNGAREES and (
        (top == "jacket" and rng.random() < 0.3) or (top in ("shirt", "long tee") and rng.random() < 0.08)
    ):
        coat = float(rng.uniform(0.2, 2.2))
    cloth = top_cloth(rng, top in ("shirt", "blouse"))
    if top in ("suit coat", "jacket"):
        pattern = "yoke" if top == "jacket" and rng.random() < 0.2 else "plain"
        cloth = replace(cloth, pattern=pattern, height=4.2)
    shoe, leather, sole = shoes(rng)
    hat = str(rng.choice(["fedora", "fedora_cocked"])) if rng.random() < 0.07 else None
    return Outfit(
        top=top, bottom=bottom, shoes=shoe, hair=model, hat=hat, coat_length=coat,
        skirt_length=float(rng.uniform(-1.5, 2.5)), top_cloth=cloth, inner_cloth=top_cloth(rng, True),
        bottom_cloth=bottom_cloth(rng, bottom), shoe_leather=leather, sole=sole,
        sock=Material("plain", jitter(rng, PALETTE[choose(rng, {"white": 4.0, "black": 4.0, "grey": 2.0})])),
        hair_strands=Material("hair", hair, gloss=0.22), hat_felt=Material("plain", _pick(rng, _BAGS)),
    )  # fmt: skip


def belonging(rng: np.random.Generator, kind: Kind) -> Belonging:
    """Something of a kind to carry."""
    main = _pick(rng, _BAGS)
    trim = jitter(rng, PALETTE[choose(rng, {"black": 5.0, "grey": 2.0, "brown": 2.0, "navy": 1.0})])
    pattern, period, height = "plain", 1.0, 0.0
    if kind == "backpack" and rng.random() < 0.3:
        pattern, height = "yoke", float(rng.uniform(3.0, 5.0))
    elif kind == "box":
        main = jitter(rng, (0.60, 0.47, 0.32))
    elif kind == "shopping bag":
        main = jitter(
            rng, PALETTE[choose(rng, {"white": 5.0, "light grey": 2.0, "red": 1.0, "green": 1.0, "beige": 2.0})]
        )
        if rng.random() < 0.5:
            pattern, period = "disc", 0.9
    elif rng.random() < 0.15:
        pattern, period = "stripes", 0.8
    size = tuple(float(s * np.exp(rng.normal(0, 0.07))) for s in _SIZES[kind])
    cloth = Material(
        pattern,
        main,
        trim,
        period=period,
        height=height,
        share=0.4,
        gloss=0.08,
        folds=0.0 if kind in ("suitcase", "box") else 0.12,
    )
    return Belonging(
        kind, (size[0], size[1], size[2]), cloth, Material("plain", trim, gloss=0.05), int(rng.choice([-1, 1]))
    )
