"""The table of a data set: one row per image, with everything that is known about it."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from isp_assets.walkers.generate.arrays import Colour, Ints
from isp_assets.walkers.generate.camera import Camera
from isp_assets.walkers.generate.classes import GROUPS
from isp_assets.walkers.generate.identities import Identity
from isp_assets.walkers.generate.shots import Shot
from isp_core.errors import IspError

PARQUET, CSV = "records.parquet", "records.csv"


class RecordsError(IspError):
    """The table of records is missing or does not hold what was asked for."""


@dataclass(frozen=True)
class Record:
    """An image. Fractions are of pixels that would show without occluders and box; NaN where there are none.

    `heading` is in degrees as the camera sees it: 0 faces the camera, 90 walks to the image's right, 180 walks away.
    `belonging` is what is carried in this image, `owns` what the person carries in general.
    """

    path: str
    label: str
    identity: int
    camera: int
    split: str
    subset: str
    session: int
    frame: int
    heading: float
    walking: bool
    belonging: str
    belonging_side: str
    owns: str
    habit: str
    occluded: bool
    occlusion: str
    visible: float
    visible_head: float
    visible_upper: float
    visible_legs: float
    visible_shoes: float
    visible_belongings: float
    top: str
    top_pattern: str
    top_colour: str
    bottom: str
    bottom_colour: str
    shoes: str
    shoe_colour: str
    coat: bool
    hat: bool
    look_alike: int
    differs_in: str


def visible_fraction(seen: Ints, whole: Ints, classes: tuple[int, ...]) -> float:
    """Share of the classes' pixels that is seen; NaN where there is nothing to see."""
    there = int(whole[list(classes)].sum())
    return round(min(1.0, float(seen[list(classes)].sum()) / there), 3) if there else float("nan")


def heading_to_camera(heading: float, place: tuple[float, float], camera: Camera) -> float:
    """Degrees from facing the camera, turning to the image's right: 0 .. 360."""
    towards = np.degrees(np.arctan2(camera.position[0] - place[0], camera.position[2] - place[1]))
    return float(round((heading - towards) % 360, 1)) % 360


def _hex(colour: Colour) -> str:
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in colour)


def record(shot: Shot, person: Identity, camera: Camera, seen: Ints, whole: Ints) -> Record:
    parts = tuple(k for classes in GROUPS.values() for k in classes)
    visible = visible_fraction(seen, whole, parts)
    carried = person.belonging.kind if person.belonging is not None and shot.carried else ""
    two_sided = carried in ("", "backpack", "box")
    left = person.belonging is not None and person.belonging.side * shot.carried > 0
    wear = person.outfit
    group = {f"visible_{name}": visible_fraction(seen, whole, classes) for name, classes in GROUPS.items()}
    return Record(
        path=f"{shot.folder}/{shot.name}.jpg", label=f"{shot.folder}_labels/{shot.name}.png", identity=shot.identity,
        camera=shot.camera, split=shot.split, subset="occluded" if shot.occluded else "", session=shot.session,
        frame=shot.frame, heading=heading_to_camera(shot.moment.heading, shot.moment.place, camera),
        walking=not shot.moment.pose and shot.moment.step.stride > 0.3, belonging=carried,
        belonging_side="" if two_sided else ("left" if left else "right"),
        owns=person.belonging.kind if person.belonging is not None else "", habit=person.habit,
        occluded=bool(shot.occlusion) or visible < 0.93, occlusion=shot.occlusion, visible=visible, **group,
        top=wear.top, top_pattern=wear.top_cloth.pattern, top_colour=_hex(wear.top_cloth.colour), bottom=wear.bottom,
        bottom_colour=_hex(wear.bottom_cloth.colour), shoes=wear.shoes, shoe_colour=_hex(wear.shoe_leather.colour),
        coat=wear.coat_length is not None, hat=wear.hat is not None, look_alike=person.look_alike,
        differs_in=person.differs_in,
    )  # fmt: skip


def write_table(records: list[Record], folder: Path) -> pd.DataFrame:
    """records.parquet and records.csv, sorted by split and path."""
    table = pd.DataFrame([asdict(row) for row in records]).sort_values(["split", "path"], ignore_index=True)
    save_table(table, folder)
    return table


def save_table(table: pd.DataFrame, folder: Path) -> None:
    table.to_parquet(folder / PARQUET, index=False)
    table.to_csv(folder / CSV, index=False, lineterminator="\n")


def read_table(folder: Path) -> pd.DataFrame:
    """The table of a rendered data set."""
    path = folder / PARQUET
    if not path.is_file():
        raise RecordsError(f"{path} is missing; give a folder that `isp walkers` has finished")
    return pd.read_parquet(path)
