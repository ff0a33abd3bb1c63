"""Rendering a data set into a folder, a person at a time, with several processes. A stopped run goes on where it was.

While it works, the folder holds `.rendering`: the recipe, one small file per finished person, and the streets' frames
that all processes share. Images do not depend on each other, so neither the number of processes nor an interruption
changes a byte.
"""

import json
import multiprocessing
import os
import shutil
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits

from isp_assets.walkers.generate.card import write_card
from isp_assets.walkers.generate.dataset import Cast, Recipe, framed, people_of, photograph, plan
from isp_assets.walkers.generate.library import Library
from isp_assets.walkers.generate.picture import StreetFrame, open_frame
from isp_assets.walkers.generate.records import Record, read_table, write_table
from isp_assets.walkers.generate.shots import Shot
from isp_assets.walkers.generate.streets import PLACES
from isp_core.errors import IspError
from isp_core.runs.files import atomic, remove
from isp_core.runs.writer import sole_writer

GENERATOR = 1
"""Counts up when the same recipe gives other bytes."""

_WORK, _RECIPE, _PEOPLE = ".rendering", "recipe.json", "people"
_TRAIN_IMAGES, _TEST_IMAGES = 15, 25  # of a person, about
_IMAGE_BYTES, _FRAME_BYTES = 8_000, 64_000_000  # of an image with its label map; of a street's frame
Watch = Callable[[int, int], None]
Street = tuple[int, int]  # camera and session


class RenderError(IspError):
    """A data set cannot be rendered into the folder."""


@dataclass(frozen=True)
class Rendered:
    """A finished data set. `rendered` counts the images of this call: fewer than the table's where it continued."""

    table: pd.DataFrame
    rendered: int


def render(recipe: Recipe, folder: Path, *, jobs: int = 1, watch: Watch = lambda done, of: None) -> Rendered:
    """Renders all images of `recipe` into `folder`; continues what an earlier call with the same recipe left there.

    Args:
        jobs: processes, 1 or more. With 1 everything happens in this process.
        watch: called with the images finished and all images, after each person.

    Raises:
        RenderError: the folder holds something else, or another recipe; or the disk is too small.
    """
    if not folder.exists():  # planning a million people takes hours: what cannot fit is said before
        place = next(parent for parent in folder.resolve().parents if parent.exists())
        _require_room(place, (recipe.train * _TRAIN_IMAGES + recipe.test * _TEST_IMAGES) * _IMAGE_BYTES)
    groups: dict[int, list[Shot]] = defaultdict(list)
    for shot in plan(recipe):
        groups[shot.identity].append(shot)
    total = sum(map(len, groups.values()))
    if _finished(recipe, folder):
        watch(total, total)
        remove(folder / _WORK)
        return Rendered(read_table(folder), 0)
    work = folder / _WORK
    _begin(recipe, folder)
    with sole_writer(work):
        missing = {person: shots for person, shots in groups.items() if not _rows_file(folder, person).is_file()}
        left = done = total - sum(map(len, missing.values()))
        streets = sorted({(shot.camera, shot.session) for shots in missing.values() for shot in shots})
        _require_room(folder, (total - done) * _IMAGE_BYTES + len(streets) * _FRAME_BYTES)
        for shot in {shot.folder: shot for shots in groups.values() for shot in shots}.values():
            (folder / shot.folder).mkdir(exist_ok=True)
            (folder / f"{shot.folder}_labels").mkdir(exist_ok=True)
        with _frames_folder(work) as frames, _workers(jobs, recipe, folder, frames) as submit:
            watch(done, total)
            for _ in _outcomes(submit, _render_street, [(street,) for street in streets], jobs):
                pass
            for images in _outcomes(submit, _render_person, list(missing.items()), jobs):
                done += images
                watch(done, total)
        rows = [row for person in groups for row in json.loads(_rows_file(folder, person).read_text("utf-8"))]
        table = write_table([Record(**row) for row in rows], folder)
        write_card(folder, table, recipe.seed, recipe.train, recipe.test)
        _write(folder / _RECIPE, _encoded(recipe))  # last: with it the data set is finished
    remove(work)
    return Rendered(table, total - left)


def _encoded(recipe: Recipe) -> bytes:
    """What the bytes of a data set depend on, as JSON."""
    return (json.dumps({"generator": GENERATOR, **asdict(recipe)}, indent=2) + "\n").encode()


def _finished(recipe: Recipe, folder: Path) -> bool:
    """Whether the folder holds this recipe's finished data set. RenderError where it holds anything that rendering
    would overwrite."""
    wanted = json.loads(_encoded(recipe))
    for file, state in ((folder / _RECIPE, "finished"), (folder / _WORK / _RECIPE, "begun")):
        if not file.is_file():
            continue
        try:
            held = dict(json.loads(file.read_text("utf-8")))
        except (ValueError, TypeError) as error:
            raise RenderError(f"{file} is damaged ({error}); choose another folder") from error
        others = [f"{key} {held.get(key)}" for key, value in wanted.items() if held.get(key) != value]
        if others:
            raise RenderError(f"{folder} holds a data set {state} with {', '.join(others)}; choose another folder")
        return state == "finished"
    if folder.exists() and (not folder.is_dir() or any(entry.name != _WORK for entry in folder.iterdir())):
        raise RenderError(f"{folder} is not an empty folder; choose a new one")
    return False


def _begin(recipe: Recipe, folder: Path) -> None:
    try:
        (folder / _WORK / _PEOPLE).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RenderError(f"{folder} cannot be written to ({error.strerror})") from error
    _write(folder / _WORK / _RECIPE, _encoded(recipe))


def _rows_file(folder: Path, person: int) -> Path:
    return folder / _WORK / _PEOPLE / f"{person}.json"


def _write(file: Path, content: bytes) -> None:
    with atomic(file) as temporary:
        temporary.write_bytes(content)


def _require_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise RenderError(
            f"{folder}: rendering needs about {needed / 1e6:,.0f} MB and the disk has {free / 1e6:,.0f} MB free; "
            "choose another disk, or fewer people with --train and --test"
        )


@contextmanager
def _frames_folder(work: Path) -> Iterator[Path]:
    for left in work.glob("frames-*"):  # by a killed process
        remove(left)
    with tempfile.TemporaryDirectory(prefix="frames-", dir=work) as frames:
        yield Path(frames)


# --- in each process -------------------------------------------------------------------------------------------------


class _Studio:
    """What a process needs to take pictures: cast and open frames."""

    def __init__(self, recipe: Recipe, folder: Path, frames: Path) -> None:
        train, test, extras = people_of(recipe)
        self.recipe, self.folder, self.frames = recipe, folder, frames
        self.cast = Cast(Library(), [*train, *test], extras)
        self._open: dict[Street, StreetFrame] = {}

    def frame(self, street: Street) -> StreetFrame:
        if street not in self._open:
            place, session = PLACES[street[0] - 1], street[1]
            self._open[street] = open_frame(self._at(street), place.camera, place.sessions[session - 1].light)
        return self._open[street]

    def render_street(self, street: Street) -> None:
        self._at(street).mkdir()
        framed(PLACES[street[0] - 1], street[1], self.recipe.seed, self.cast.extras).save(self._at(street))

    def render_person(self, person: int, shots: list[Shot]) -> int:
        rows = []
        for shot in shots:
            taken = photograph(shot, self.frame((shot.camera, shot.session)), self.cast)
            (self.folder / taken.record.path).write_bytes(taken.jpeg)
            (self.folder / taken.record.label).write_bytes(taken.label)
            rows.append(asdict(taken.record))
        # written last: a person without this file is rendered again
        _write(_rows_file(self.folder, person), json.dumps(rows).encode())
        return len(rows)

    def _at(self, street: Street) -> Path:
        return self.frames / f"c{street[0]}s{street[1]}"


_studio: _Studio | None = None


def _enter(recipe: Recipe, folder: Path, frames: Path) -> None:
    global _studio
    threadpool_limits(1)  # sums of several threads may differ in the last bit
    _studio = _Studio(recipe, folder, frames)


def _enter_child(recipe: Recipe, folder: Path, frames: Path) -> None:
    """A child also ends with its parent, however that ends."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    _enter(recipe, folder, frames)


def _render_street(street: Street) -> None:
    assert _studio is not None
    _studio.render_street(street)


def _render_person(person: int, shots: list[Shot]) -> int:
    assert _studio is not None
    return _studio.render_person(person, shots)


# --- the processes ---------------------------------------------------------------------------------------------------

_Submit = Callable[..., "Future[Any]"]


@contextmanager
def _workers(jobs: int, recipe: Recipe, folder: Path, frames: Path) -> Iterator[_Submit]:
    """What runs a function of this module in one of `jobs` processes, each with its studio."""
    if jobs == 1:
        _enter(recipe, folder, frames)
        yield _at_once
        return
    pool = ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), initializer=_enter_child, initargs=(recipe, folder, frames)
    )
    try:
        yield pool.submit
    finally:
        pool.shutdown(cancel_futures=True)


def _at_once(function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
    done: Future[Any] = Future()
    done.set_result(function(*arguments))
    return done


def _outcomes(submit: _Submit, function: Callable[..., Any], tasks: list[tuple[Any, ...]], jobs: int) -> Iterator[Any]:
    """Results in the order of their completion; only a few tasks wait at a time, so that millions could be given."""
    ahead = 1 if jobs == 1 else 2 * jobs
    waiting: set[Future[Any]] = set()
    for arguments in tasks:
        waiting.add(submit(function, *arguments))
        if len(waiting) >= ahead:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in finished)
    yield from (future.result() for future in waiting)
