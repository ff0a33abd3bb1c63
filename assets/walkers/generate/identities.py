"""Who there is: bodies, outfits, belongings and habits; and look-alikes, made on purpose, that differ in one thing."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from isp_assets.walkers.generate import wardrobe
from isp_assets.walkers.generate.arrays import Colour
from isp_assets.walkers.generate.belongings import Belonging, Kind
from isp_assets.walkers.generate.body import Shape
from isp_assets.walkers.generate.garments import Outfit
from isp_assets.walkers.generate.mesh import Material
from isp_assets.walkers.generate.person import Complexion

Habit = Literal["keeps", "puts down", "changes sides"]
Difference = Literal["", "belonging", "shoes", "person"]

_TWO_SIDED: tuple[Kind, ...] = ("backpack", "box")  # cannot change sides
_HABITS: dict[Habit, float] = {"keeps": 50, "puts down": 15, "changes sides": 35}
_HABITS_TWO_SIDED: dict[Habit, float] = {"keeps": 75, "puts down": 25}
_SKIN: tuple[Colour, ...] = (
    (0.90, 0.74, 0.64), (0.85, 0.67, 0.55), (0.78, 0.59, 0.46), (0.68, 0.49, 0.36), (0.53, 0.37, 0.27),
    (0.38, 0.26, 0.19),
)  # fmt: skip


@dataclass(frozen=True)
class Identity:
    """A person of the data set. `look_alike` is the number of the identity that differs only in `differs_in`."""

    number: int
    shape: Shape
    complexion: Complexion
    outfit: Outfit
    belonging: Belonging | None
    habit: Habit
    look_alike: int = 0
    differs_in: Difference = ""


@dataclass(frozen=True)
class Crowd:
    """How alike people are: of all identities, the shares that come in pairs of each kind, and that carry something."""

    belonging_pairs: float = 0.20
    shoe_pairs: float = 0.10
    person_pairs: float = 0.20
    carrying: float = 0.36


def _body(rng: np.random.Generator, male: bool) -> Shape:
    ancestry = rng.dirichlet([0.5, 0.5, 0.5])
    return Shape(
        gender=float(np.clip((1 if male else 0) + abs(rng.normal(0, 0.06)) * (-1 if male else 1), 0, 1)),
        age=float(np.clip(rng.normal(0.15, 0.2), 0, 0.8)),
        muscle=float(np.clip(rng.normal(0, 0.35), -0.8, 0.8)),
        weight=float(np.clip(rng.normal(0.05, 0.4), -0.8, 0.9)),
        height=float(rng.normal(0, 0.09)),
        proportions=float(np.clip(rng.normal(0.2, 0.3), -0.5, 0.8)),
        ancestry=(float(ancestry[0]), float(ancestry[1]), float(ancestry[2])),
    )


def _complexion(rng: np.random.Generator, shape: Shape, male: bool, hair: Colour) -> Complexion:
    light, middle, dark = shape.ancestry
    tone = _SKIN[int(np.clip(rng.normal(1.2 + 3.3 * dark + 0.8 * middle, 0.6), 0, 5))]
    beard = float(rng.choice([0, 0, 0.25, 0.6])) if male else 0.0
    iris: Colour = (0.25, 0.35, 0.45) if light > 0.6 else (0.2, 0.12, 0.07)
    skin = Material("skin", wardrobe.jitter(rng, tone), hair, share=beard, gloss=0.10)
    return Complexion(skin, iris, shaven=bool(rng.random() < 0.75))


def stranger(number: int, rng: np.random.Generator, kind: Kind | None) -> Identity:
    """Somebody drawn from scratch, who carries something of a kind, or nothing."""
    male = bool(rng.random() < 0.5)
    shape = _body(rng, male)
    hair = wardrobe.hair_colour(rng, shape.age)
    complexion = _complexion(rng, shape, male, hair)
    clothes = wardrobe.outfit(rng, male, hair)
    carried = wardrobe.belonging(rng, kind) if kind is not None else None
    return Identity(number, shape, complexion, clothes, carried, "keeps")


def look_alike(of: Identity, number: int, differs_in: Difference, rng: np.random.Generator) -> Identity:
    """Another identity that differs from `of` in one thing only.

    "belonging": what is carried (one of the two may carry nothing); "shoes": model and colour of the shoes;
    "person": the same clothes and belongings on somebody else's body, hair and face.
    """
    if differs_in == "shoes":
        while True:
            model, leather, sole = wardrobe.shoes(rng)
            if sum(abs(a - b) for a, b in zip(leather.colour, of.outfit.shoe_leather.colour, strict=True)) > 0.5:
                break
        twin = replace(of, outfit=replace(of.outfit, shoes=model, shoe_leather=leather, sole=sole))
    elif differs_in == "belonging":
        carried = None
        if of.belonging is None or rng.random() < 0.5:
            mine = of.belonging.kind if of.belonging is not None else None
            others = {kind: weight for kind, weight in wardrobe.KINDS.items() if kind != mine}
            carried = wardrobe.belonging(rng, wardrobe.choose(rng, others))
        twin = replace(of, belonging=carried, habit="keeps")
    else:
        male = of.shape.gender > 0.5
        shape = _body(rng, male)
        hair = wardrobe.hair_colour(rng, shape.age)
        other = wardrobe.outfit(rng, male, hair)
        clothes = replace(of.outfit, hair=other.hair, hair_strands=other.hair_strands)
        twin = replace(of, shape=shape, complexion=_complexion(rng, shape, male, hair), outfit=clothes)
    return replace(twin, number=number, look_alike=of.number, differs_in=differs_in)


def gather(count: int, first: int, crowd: Crowd, seed: int) -> list[Identity]:
    """`count` identities numbered from `first`: pairs of look-alikes side by side, then single people."""
    kinds: list[Difference] = []
    kinds += ["belonging"] * round(crowd.belonging_pairs * count / 2)
    kinds += ["shoes"] * round(crowd.shoe_pairs * count / 2)
    kinds += ["person"] * round(crowd.person_pairs * count / 2)
    draws = count - len(kinds)
    dealer = np.random.default_rng([seed, 6, first])
    carry = wardrobe.deal(dealer, {True: crowd.carrying, False: 1 - crowd.carrying}, draws)
    # a pair that differs in belongings starts from somebody who carries, so that both sides of the question occur
    carry[: kinds.count("belonging")] = [True] * kinds.count("belonging")
    bags = wardrobe.deal(dealer, wardrobe.KINDS, sum(carry))
    habits = [wardrobe.deal(dealer, options, draws) for options in (_HABITS, _HABITS_TWO_SIDED)]
    people: list[Identity] = []
    for draw in range(draws):
        number = first + len(people)
        rng = np.random.default_rng([seed, 1, number])
        someone = stranger(number, rng, bags.pop() if carry[draw] else None)
        if someone.belonging is not None:
            someone = replace(someone, habit=habits[someone.belonging.kind in _TWO_SIDED].pop())
        if draw >= len(kinds):
            people.append(someone)
            continue
        kind = kinds[draw]
        someone = replace(
            someone, habit="keeps" if kind == "belonging" else someone.habit, look_alike=number + 1, differs_in=kind
        )
        people += [someone, look_alike(someone, number + 1, kind, rng)]
    return people
