"""Making the data set: people, places and plan in; pictures, label maps and records out."""

import colorsys
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from isp_assets.walkers.generate.arrays import Bytes
from isp_assets.walkers.generate.camera import Box
from isp_assets.walkers.generate.classes import CLASS_COUNT
from isp_assets.walkers.generate.gait import walking
from isp_assets.walkers.generate.identities import Crowd, Identity, gather, stranger
from isp_assets.walkers.generate.library import Library
from isp_assets.walkers.generate.mesh import Mesh, join
from isp_assets.walkers.generate.occluders import bulk, cut_short, detector_box, passer_by, place_occluder, stroll
from isp_assets.walkers.generate.person import Person, Stance
from isp_assets.walkers.generate.picture import Picture, StreetFrame, frame_street, take
from isp_assets.walkers.generate.pose import Pose
from isp_assets.walkers.generate.records import Record, record, visible_fraction, write_table
from isp_assets.walkers.generate.sensor import develop, jpeg
from isp_assets.walkers.generate.shots import Quota, Shot, plan_identity
from isp_assets.walkers.generate.streets import PLACES, Place

_PART_CLASSES = tuple(range(1, CLASS_COUNT))
_CLEAR, _HIDDEN = 0.95, (0.40, 0.86)  # visible share of clear pictures, and of occluded ones
_TRIES = 8
_PASSERS_BY = 0.22  # share of pictures with somebody behind
_QUALITY = (68, 80)  # of JPEG


@dataclass(frozen=True)
class Recipe:
    """All that decides the data set, besides the meshes. The defaults are those of the committed pictures."""

    seed: int = 7
    train: int = 48
    test: int = 40
    crowd: Crowd = field(default_factory=Crowd)
    quota: Quota = field(default_factory=Quota)
    extras: int = 10  # people who are nobody: passers-by and occluders


def label_palette() -> list[int]:
    """768 numbers: background black, belongings white, every other class its own bright hue."""
    colours = [(0.0, 0.0, 0.0)] + [colorsys.hsv_to_rgb(k * 0.381 % 1, 0.85, 0.95) for k in range(1, CLASS_COUNT - 1)]
    flat = [int(255 * channel) for colour in [*colours, (1.0, 1.0, 1.0)] for channel in colour]
    return flat + [0] * (768 - len(flat))


class Cast:
    """The people, built when first needed; somebody with and without a bag is built twice."""

    def __init__(self, library: Library, people: Iterable[Identity], extras: list[Identity]) -> None:
        self.library = library
        self.people = {person.number: person for person in people}
        self._built: dict[tuple[int, int], Person] = {}
        self.extras = [self._build(person, 1) for person in extras]

    def _build(self, who: Identity, carried: int) -> Person:
        bag = who.belonging
        if bag is not None:
            bag = replace(bag, side=bag.side * carried) if carried else None
        return Person(self.library, who.shape, who.complexion, who.outfit, bag)

    def built(self, shot: Shot) -> Person:
        key = shot.identity, shot.carried
        if key not in self._built:
            self._built[key] = self._build(self.people[shot.identity], shot.carried)
        return self._built[key]


def _framed(place: Place, session: int, seed: int, extras: list[Person]) -> StreetFrame:
    """The street of one camera and session, with its parked cars and bystanders."""
    rng = np.random.default_rng([seed, 4, PLACES.index(place), session])
    street = [place.street(rng)]
    for spot in place.bystanders:
        if rng.random() < 0.75:
            street.append(stroll(extras[rng.integers(len(extras))], spot, float(rng.uniform(0, 360)), rng))
    (left, right), (near, far) = place.walk
    corners = np.array([(x, y, z) for x in (left - 0.9, right + 0.9) for y in (-0.4, 2.2) for z in (near, far)])
    box = place.camera.bounds(corners)
    depth = place.camera.project(corners)[2].min()
    return frame_street(place.camera, place.sessions[session - 1].light, join(street), box, 460 * float(depth) / 1.75)


def _posed(person: Person, shot: Shot) -> Mesh:
    moment = shot.moment
    if moment.pose:
        pose = Pose(turns=dict(person.body.library.pose(moment.pose)))
    else:
        pose = walking(person.body, moment.step, bulk(person))
    return person.stand(Stance(pose, moment.heading, moment.place))


def take_shot(shot: Shot, frame: StreetFrame, cast: Cast, rng: np.random.Generator) -> Picture:
    """The picture of a shot. Chance is drawn again, a few times, until the person is as hidden as the shot asks."""
    target = _posed(cast.built(shot), shot)
    bounds = frame.camera.bounds(target.vertices)
    best: tuple[float, Picture] | None = None
    for _ in range(_TRIES):
        others = place_occluder(shot.occlusion, frame.camera, shot.moment.place, cast.extras, rng)
        if not shot.occlusion and rng.random() < _PASSERS_BY:
            others.append(passer_by(frame.camera, shot.moment.place, cast.extras, rng))
        box: Box = detector_box(bounds, rng)
        if shot.occlusion == "crop":
            box = cut_short(box, rng)
        picture = take(frame, target, others, box)
        visible = visible_fraction(picture.seen, picture.whole, _PART_CLASSES)
        low, high = _HIDDEN if shot.occlusion else (_CLEAR, 1.0)
        miss = max(low - visible, visible - high, 0.0)
        if best is None or miss < best[0]:
            best = miss, picture
        if miss == 0:
            break
    assert best is not None
    return best[1]


def _save_label(label: Bytes, path: Path) -> None:
    image = Image.fromarray(label, "P")
    image.putpalette(label_palette())
    image.save(path, optimize=True)


def people_of(recipe: Recipe) -> tuple[list[Identity], list[Identity], list[Identity]]:
    """Training people, test people, and extras who are nobody."""
    train = gather(recipe.train, 1, recipe.crowd, recipe.seed)
    test = gather(recipe.test, recipe.train + 1, recipe.crowd, recipe.seed)
    extras = [
        stranger(9000 + k, np.random.default_rng([recipe.seed, 5, k]), "backpack" if k % 4 == 0 else None)
        for k in range(recipe.extras)
    ]
    return train, test, extras


def plan(recipe: Recipe) -> list[Shot]:
    """Every shot of the data set."""
    train, test, _ = people_of(recipe)
    shots = [shot for person in train for shot in plan_identity(person, "train", recipe.quota, recipe.seed)]
    return shots + [shot for person in test for shot in plan_identity(person, "test", recipe.quota, recipe.seed)]


def render(
    recipe: Recipe,
    library: Library,
    folder: Path,
    shots: list[Shot],
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> pd.DataFrame:
    """Take `shots` into `folder` and return the table of records. Equal recipes give equal bytes."""
    train, test, extras = people_of(recipe)
    cast = Cast(library, [*train, *test], extras)
    groups: dict[tuple[int, int], list[Shot]] = defaultdict(list)
    for shot in shots:
        groups[shot.camera, shot.session].append(shot)
        (folder / shot.folder).mkdir(parents=True, exist_ok=True)
        (folder / f"{shot.folder}_labels").mkdir(exist_ok=True)
    rows: list[Record] = []
    for (camera, session), group in sorted(groups.items()):
        place = PLACES[camera - 1]
        frame = _framed(place, session, recipe.seed, cast.extras)
        for shot in group:
            rng = np.random.default_rng(shot.seed)
            picture = take_shot(shot, frame, cast, rng)
            rows.append(record(shot, cast.people[shot.identity], place.camera, picture.seen, picture.whole))
            developed = develop(picture.light, place.sessions[session - 1].sensor, rng)
            (folder / rows[-1].path).write_bytes(jpeg(developed, int(rng.integers(*_QUALITY))))
            _save_label(picture.label, folder / rows[-1].label)
            progress(len(rows), len(shots))
    return write_table(rows, folder)
