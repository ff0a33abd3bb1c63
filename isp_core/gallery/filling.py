"""Filling a gallery store: from a run's stored embeddings, or with new images through its network.

Entries are added in batches, each kept before the next begins, and an image that is in the store already is skipped: a
command that was interrupted goes on when it is started again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from isp_core.data import PictureError, read_picture
from isp_core.data.people import called
from isp_core.data.record_paths import file_of_record
from isp_core.gallery.entries import (
    Image,
    Labels,
    Layout,
    embedding_fingerprint,
    encode,
    file_fingerprint,
    stored_path,
)
from isp_core.gallery.errors import GalleryError
from isp_core.gallery.network import Network, require_same
from isp_core.gallery.store import GalleryStore
from isp_core.inference import chunks
from isp_core.matching import Embeddings
from isp_core.matching.visibility_rules import EQ8
from isp_core.parser import HumanParser
from isp_core.progress import progress_bar
from isp_core.runs import Run
from isp_core.runs.schema import Split

BATCH = 256
READ_AT_ONCE = 32
"""Images that are held at their own size while the network reads them."""
TIMES = ("time", "timestamp", "frame")
"""Columns of a run's records or of a table that say when an image was taken; the first that is there counts."""
Opener = Callable[[Network], GalleryStore]
"""Opens the store for embeddings of a network, and makes it where it is not there yet."""


@dataclass
class Filled:
    """What was added. kept: images that were there already; other_labels: those among them whose identity, camera or
    time is another than what was given now; broken: why images were left out."""

    added: int = 0
    kept: int = 0
    other_labels: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


def build(open_: Opener, run: Run, epoch: int, split: Split, data: Path | None = None, *, show: bool = True) -> Filled:
    """Puts a split of a run into a store, from the embeddings that the run holds.

    data: where the run's images are. Without, an entry's fingerprint is that of its path and embeddings, and the same
    image that is added as a file later counts as another one.

    Raises:
        IspError: no weights or no embeddings of that epoch; `data` lacks images; the store is another network's.
    """
    network, filled = Network.of(run, epoch), Filled()
    embeddings = run.embeddings(split, epoch, EQ8)
    if not len(embeddings):
        raise GalleryError(f"{run.path} has no images in split {split!r}: there is nothing to build from")
    records = run.records(split)
    _require_images(records["path"], data)
    labels, paths = _labels_of(records), [str(path) for path in records["path"]]
    with (
        open_(network.with_layout(Layout.of(embeddings))) as store,
        progress_bar("entries", len(paths), show) as bar,
    ):
        require_same(store.network, network, store.place)
        for rows in chunks(len(paths), BATCH):
            some = embeddings[rows.start : rows.stop]
            images = list(_of_records(some, paths[rows.start : rows.stop], labels[rows.start : rows.stop], data))
            new = _new(store, images, filled)
            if new:
                store.add([images[row] for row in new], some[new])
            filled.added += len(new)
            bar.update(len(rows))
        store.finish()
    return filled


def add(open_: Opener, run: Run, epoch: int, files: Sequence[tuple[Path, Labels]], *, show: bool = True) -> Filled:
    """Parses images with a run's network and puts them into a store; those that cannot be read are left out and named.

    Raises:
        IspError: no weights of that epoch; the store is another network's; no image could be read.
    """
    network, filled = Network.of(run, epoch), Filled()
    parser = HumanParser.load(run, epoch, visibility=EQ8)
    store: GalleryStore | None = None
    with contextlib.ExitStack() as held, progress_bar("images", len(files), show) as bar:
        for rows in chunks(len(files), READ_AT_ONCE):
            images, opened = [], []
            for file, labels in files[rows.start : rows.stop]:
                try:
                    opened.append(read_picture(file))
                    images.append(Image(file_fingerprint(file), stored_path(file.absolute()), labels))
                except PictureError as error:
                    filled.broken.append(str(error))
            bar.update(len(rows))
            if not images:
                continue
            if store is None:
                store = held.enter_context(open_(network.with_layout(_layout(parser))))
                require_same(store.network, network, store.place)
            new = _new(store, images, filled)
            if new:
                store.add([images[row] for row in new], parser.embed([opened[row] for row in new]))
            filled.added += len(new)
        if store is None:
            raise GalleryError("\n  ".join([f"none of {len(files)} images can be read:", *filled.broken[:10]]))
        store.finish()
    return filled


def _layout(parser: HumanParser) -> Layout:
    """What the network's embeddings look like."""
    global_, foreground, parts = (*parser.network.group_widths, 0, 0)[:3]
    count = max(parser.parts - 1, 0)
    return Layout(global_, foreground, count, parts // max(count, 1))


def _require_images(paths: Iterable[str], data: Path | None) -> None:
    missing = None if data is None else next((p for p in paths if not file_of_record(data, p).is_file()), None)
    if missing is not None:
        raise GalleryError(
            f"{data} has no image {missing}: give --data the folder of the run's data set, or leave it out"
        )


def _of_records(
    embeddings: Embeddings, paths: Sequence[str], labels: Sequence[Labels], data: Path | None
) -> Iterator[Image]:
    if data is None:
        for path, text, each in zip(paths, encode(embeddings), labels, strict=True):
            yield Image(embedding_fingerprint(path, text), stored_path(path), each)
        return
    for path, each in zip(paths, labels, strict=True):
        file = file_of_record(data, path)
        yield Image(file_fingerprint(file), stored_path(file.absolute()), each)


def _new(store: GalleryStore, images: Sequence[Image], filled: Filled) -> list[int]:
    """The rows of images that the store does not hold yet, each once."""
    there = dict(store.present([image.fingerprint for image in images]))
    rows: list[int] = []
    for row, image in enumerate(images):
        known = there.get(image.fingerprint)
        if known is None:
            rows.append(row)
            there[image.fingerprint] = image.labels
            continue
        filled.kept += 1
        if known != image.labels:
            filled.other_labels.append(image.path)
    return rows


def _labels_of(records: pd.DataFrame) -> list[Labels]:
    """People by their names where they have some. Cameras below 1 are unknown ones, which a look numbers one by one."""
    column = next((name for name in TIMES if name in records and pd.api.types.is_numeric_dtype(records[name])), None)
    times: Iterable[float] = [float("nan")] * len(records) if column is None else records[column].astype(float)
    return [
        Labels(person, str(camera) if camera > 0 else "", None if pd.isna(time) else float(time))
        for person, camera, time in zip(called(records), records["camera"], times, strict=True)
    ]
