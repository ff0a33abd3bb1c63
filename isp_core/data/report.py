"""What a data set holds and what is odd about it: the answer of `isp data`. Out of scope: how it was read
(readers/)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isp_core.data.pictures import BrokenPicture, check_pictures, read_size, why_broken
from isp_core.data.readers.published import recognise
from isp_core.data.records import DISTRACTOR, JUNK, SPLITS, DataSet
from isp_core.images import PictureError

SMALL = (64, 32)  # height, width: half of Market-1501's, a quarter of what the network sees
USUAL_SHAPE = (1.0, 5.0)  # height / width of a standing person's box
_EXAMPLES = 5


@dataclass(frozen=True)
class SplitReport:
    """One split. `identities` counts people (not junk, not the distractors); `cameras` lists the known ones."""

    split: str
    pictures: int
    identities: int
    cameras: tuple[int, ...]
    distractors: int
    junk: int
    subsets: dict[str, int]


@dataclass(frozen=True)
class Oddity:
    """Something that is allowed but worth knowing: what, how often (0: true of the whole), a few of the cases."""

    what: str
    count: int
    examples: tuple[str, ...] = ()

    def to_text(self) -> str:
        """One line."""
        shown = f" ({', '.join(self.examples)}{', ...' * (self.count > len(self.examples))})" if self.examples else ""
        return f"{self.what}: {self.count}{shown}" if self.count else self.what


@dataclass(frozen=True)
class PictureSizes:
    """Heights and widths in pixels over all readable pictures: smallest, median, largest, each axis by itself."""

    smallest: tuple[int, int]
    median: tuple[int, int]
    largest: tuple[int, int]


@dataclass(frozen=True)
class DataReport:
    """All of `isp data`. `checked` says whether every image was decoded, or only its header read."""

    name: str
    root: Path
    layout: str
    fingerprint: str
    splits: tuple[SplitReport, ...]
    sizes: PictureSizes | None
    published: str | None
    differences: tuple[str, ...]
    oddities: tuple[Oddity, ...]
    broken: tuple[BrokenPicture, ...]
    checked: bool
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON's own types."""
        return {
            "name": self.name,
            "root": str(self.root),
            "layout": self.layout,
            "fingerprint": self.fingerprint,
            "splits": [{**vars(split), "cameras": list(split.cameras)} for split in self.splits],
            "sizes": None if self.sizes is None else {key: list(value) for key, value in vars(self.sizes).items()},
            "published": None
            if self.published is None
            else {
                "name": self.published,
                "matches": not self.differences,
                "differences": list(self.differences),
            },
            "oddities": [{**vars(oddity), "examples": list(oddity.examples)} for oddity in self.oddities],
            "broken": [{"path": str(broken.path), "reason": broken.reason} for broken in self.broken],
            "checked": self.checked,
            "notes": list(self.notes),
        }

    def to_text(self) -> str:
        """The report for a terminal."""
        lines = [f"{self.name}  (layout: {self.layout}; {self.root})", ""]
        lines.append(f"{'split':<8} {'images':>9} {'identities':>11} {'cameras':>8} {'distractors':>12} {'junk':>6}")
        for s in self.splits:
            subsets = "".join(f"  {n} {name}" for name, n in s.subsets.items())
            cameras = str(len(s.cameras)) if s.cameras else "-"
            lines.append(
                f"{s.split:<8} {s.pictures:>9} {s.identities:>11} {cameras:>8} {s.distractors:>12} {s.junk:>6}{subsets}"
            )
        lines.append("")
        if self.sizes is not None:
            small, middle, large = (
                f"{h} x {w}" for h, w in (self.sizes.smallest, self.sizes.median, self.sizes.largest)
            )
            lines.append(f"Height x width: median {middle}, from {small} to {large}.")
        if self.published is not None and not self.differences:
            lines.append(f"The counts are the published ones of {self.published}.")
        elif self.published is not None:
            lines.append(f"Not the published counts of {self.published}: a part of it, or a variant.")
            lines.extend(f"  {difference}" for difference in self.differences)
        lines.extend(f"Note: {note}" for note in self.notes)
        lines.extend(f"Odd: {oddity.to_text()}" for oddity in self.oddities)
        if self.broken:
            lines.append(f"Broken or missing: {len(self.broken)} images")
            lines.extend(f"  {broken.path}: {broken.reason}" for broken in self.broken)
        else:
            lines.append(
                "All images can be decoded." if self.checked else "All images are there (headers read, not decoded)."
            )
        return "\n".join(lines)


def describe(
    data: DataSet,
    check_pictures: bool = False,
    workers: int = 2,
    progress: Callable[[int], object] | None = None,
) -> DataReport:
    """Counts a data set and looks for what is odd about it.

    Args:
        data: as read by `load`.
        check_pictures: decode every image, which finds those cut off; otherwise only headers are read.
        workers: reading threads.
        progress: called with 1 after each image (twice an image where `check_pictures`).
    """
    records = data.records
    headers, broken = _read_headers(data, workers, progress)
    if check_pictures:
        broken = _decode_all(data.paths(records), workers, progress)
    known = recognise(data.root.absolute(), records)
    return DataReport(
        name=data.name,
        root=data.root,
        layout=data.layout,
        fingerprint=data.fingerprint,
        splits=tuple(_split_report(name, data.split(name)) for name in SPLITS),
        sizes=_sizes(headers),
        published=known.name if known is not None else None,
        differences=known.differences(records) if known is not None else (),
        oddities=(*_table_oddities(data), *_picture_oddities(headers)),
        broken=tuple(broken),
        checked=check_pictures,
        notes=data.notes,
    )


_decode_all = check_pictures  # `describe` has an option of this name


def _read_headers(
    data: DataSet, workers: int, progress: Callable[[int], object] | None
) -> tuple[pd.DataFrame, list[BrokenPicture]]:
    """Columns path, height, width, mode of the readable images; and the others."""

    def header(path: Path) -> tuple[int, int, str] | BrokenPicture:
        try:
            return read_size(path)
        except PictureError as error:
            return BrokenPicture(path, why_broken(path, error))
        finally:
            if progress is not None:
                progress(1)

    with ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(header, data.paths(data.records)))
    rows = [(p, *r) for p, r in zip(data.records["path"], results, strict=True) if not isinstance(r, BrokenPicture)]
    return (
        pd.DataFrame(rows, columns=["path", "height", "width", "mode"]),
        [result for result in results if isinstance(result, BrokenPicture)],
    )


def _split_report(name: str, rows: pd.DataFrame) -> SplitReport:
    identities, cameras, subsets = rows["identity"], rows["camera"], rows["subset"]
    return SplitReport(
        split=name,
        pictures=len(rows),
        identities=int(identities[identities > 0].nunique()),
        cameras=tuple(int(camera) for camera in np.unique(cameras[cameras > 0])),
        distractors=int((identities == DISTRACTOR).sum()),
        junk=int((identities <= JUNK).sum()),
        subsets={str(subset): int(n) for subset, n in subsets[subsets != ""].value_counts().items()},
    )


def _sizes(headers: pd.DataFrame) -> PictureSizes | None:
    if headers.empty:
        return None
    sizes = headers[["height", "width"]].to_numpy(dtype=np.int64)

    def pair(values: NDArray[Any]) -> tuple[int, int]:
        return int(values[0]), int(values[1])

    return PictureSizes(pair(sizes.min(axis=0)), pair(np.median(sizes, axis=0)), pair(sizes.max(axis=0)))


def _odd(what: str, cases: pd.Series | NDArray[Any] | list[str]) -> list[Oddity]:
    """One oddity, or none where there is no case."""
    listed = [str(case) for case in cases]
    return [Oddity(what, len(listed), tuple(listed[:_EXAMPLES]))] if listed else []


def _table_oddities(data: DataSet) -> list[Oddity]:
    """What the table alone shows."""
    train, query, gallery = (data.split(name) for name in SPLITS)
    test = pd.concat([query, gallery])
    people = test.loc[test["identity"] > 0, "identity"]
    pictures, cameras = train.groupby("identity").size(), train.groupby("identity")["camera"].nunique()
    odd: list[Oddity] = []
    if train.empty:
        odd.append(Oddity("no training images: it can be tested on and parsed, not trained on", 0))
    if query.empty or gallery.empty:
        odd.append(Oddity("no queries or no gallery: nothing can be evaluated on it", 0))
    odd += _odd("training identities with one image", pictures.index[pictures == 1].to_numpy())
    if data.has_cameras:
        if data.records["camera"].nunique() == 1:
            odd.append(Oddity("one camera in all: no retrieval across cameras, no contrast of cameras in labels", 0))
        else:
            odd += _odd("training identities seen by one camera only", cameras.index[cameras == 1].to_numpy())
    odd += _odd("test identities that are also trained on", np.intersect1d(train["identity"], people))
    odd += _odd("queries that are junk or distractors", query.loc[query["identity"] < 1, "path"])
    odd += _odd("queries without a true match in the gallery", query.loc[~_has_match(query, gallery), "path"])
    paths = data.records["path"]
    odd += _odd("images listed in two splits", paths[paths.duplicated()])
    names = paths.drop_duplicates().str.rsplit("/", n=1).str[-1]
    odd += _odd("file names that occur in several folders", names[names.duplicated()].unique())
    return odd


def _has_match(query: pd.DataFrame, gallery: pd.DataFrame) -> NDArray[np.bool_]:
    """(queries,) whether the gallery holds the person in another camera, or, cameras unknown, in another image."""
    known = query["camera"] > 0
    same_person = query["identity"].map(gallery["identity"].value_counts()).fillna(0)
    seen = gallery.groupby(["identity", "camera"]).size().rename("n").reset_index()
    own_camera = query.merge(seen, on=["identity", "camera"], how="left")["n"].fillna(0)
    own_picture = query["path"].isin(gallery["path"])
    matches: NDArray[np.bool_] = (same_person - own_camera.where(known, own_picture.astype(float)) > 0).to_numpy()
    return matches | (query["identity"] < 1).to_numpy()


def _picture_oddities(headers: pd.DataFrame) -> list[Oddity]:
    """What the images' headers show."""
    height, width = headers["height"], headers["width"]
    shape = height / width
    odd = _odd(
        f"images smaller than {SMALL[0]} x {SMALL[1]} pixels",
        headers.loc[(height < SMALL[0]) | (width < SMALL[1]), "path"],
    )
    odd += _odd(
        "images of unusual shape (wider than tall, or more than five times as tall as wide)",
        headers.loc[(shape < USUAL_SHAPE[0]) | (shape > USUAL_SHAPE[1]), "path"],
    )
    for mode, rows in headers[headers["mode"] != "RGB"].groupby("mode"):
        odd += _odd(f"images of colour mode {mode}, read as RGB", rows["path"])
    return odd
