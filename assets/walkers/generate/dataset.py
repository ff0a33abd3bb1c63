"""What a data set holds: recipe, people, streets and shots; and how a shot becomes an image with its label map."""

import colorsys
import io
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
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
from isp_assets.walkers.generate.records import Record, record, visible_fraction
from isp_assets.walkers.generate.sensor import develop, jpeg
from isp_assets.walkers.generate.shots import Quota, Shot, plan_identity
from isp_assets.walkers.generate.streets import PLACES, Place

_PART_CLASSES = tuple(range(1, CLASS_COUNT))
_CLEAR, _HIDDEN = 0.95, (0.40, 0.86)  # visible share of clear images, and of occluded ones
_TRIES = 8
_PASSERS_BY = 0.22  # share of images with somebody behind
_QUALITY = (68, 80)  # of JPEG


@dataclass(frozen=True)
class Recipe:
    """All that decides the data set, besides the meshes. The defaults are those of the committed images."""

    seed: int = 7
    train: int = 48
    test: int = 40
    crowd: Crowd = field(default_factory=Crowd)
    quota: Quota = field(default_factory=Quota)
    extras: int = 10  # people who are no one: passers-by and occluders


def label_palette() -> list[int]:
    """768 numbers: background black, belongings white, every other class its own bright hue."""
    colours = [(0.0, 0.0, 0.0)] + [colorsys.hsv_to_rgb(k * 0.381 % 1, 0.85, 0.95) for k in range(1, CLASS_COUNT - 1)]
    flat = [int(255 * channel) for colour in [*colours, (1.0, 1.0, 1.0)] for channel in colour]
    return flat + [0] * (768 - len(flat))


class Cast:
    """The people of a data set, built when first needed. Only the current person is kept: with and without a bag they
    are two meshes of some megabytes."""

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
            kept = {k: person for k, person in self._built.items() if k[0] == shot.identity}
            self._built = {**kept, key: self._build(self.people[shot.identity], shot.carried)}
        return self._built[key]


def framed(place: Place, session: int, seed: int, extras: list[Person]) -> StreetFrame:
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
    """The image of a shot. Chance is drawn again, a few times, until the person is as hidden as the shot asks."""
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


@dataclass(frozen=True)
class Photograph:
    """A finished image: its row of the table, and the bytes of its two files."""

    record: Record
    jpeg: bytes
    label: bytes


def photograph(shot: Shot, frame: StreetFrame, cast: Cast) -> Photograph:
    """Image and label map of a shot before the street of its camera and session. The shot's own seed decides chance,
    so that the order of shots does not matter."""
    rng = np.random.default_rng(shot.seed)
    place = PLACES[shot.camera - 1]
    picture = take_shot(shot, frame, cast, rng)
    row = record(shot, cast.people[shot.identity], place.camera, picture.seen, picture.whole)
    developed = develop(picture.light, place.sessions[shot.session - 1].sensor, rng)
    return Photograph(row, jpeg(developed, int(rng.integers(*_QUALITY))), _png(picture.label))


def _png(label: Bytes) -> bytes:
    image, file = Image.fromarray(label, "P"), io.BytesIO()
    image.putpalette(label_palette())
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def people_of(recipe: Recipe) -> tuple[list[Identity], list[Identity], list[Identity]]:
    """Training people, test people, and extras who are no one."""
    train = gather(recipe.train, 1, recipe.crowd, recipe.seed)
    test = gather(recipe.test, recipe.train + 1, recipe.crowd, recipe.seed)
    extras = [
        stranger(9000 + k, np.random.default_rng([recipe.seed, 5, k]), "backpack" if k % 4 == 0 else None)
        for k in range(recipe.extras)
    ]
    return train, test, extras


def plan(recipe: Recipe) -> list[Shot]:
    """Every shot of the data set, those of one person side by side."""
    train, test, _ = people_of(recipe)
    shots = [shot for person in train for shot in plan_identity(person, "train", recipe.quota, recipe.seed)]
    return shots + [shot for person in test for shot in plan_identity(person, "test", recipe.quota, recipe.seed)]
