"""Ground-truth label maps for your own images, made by a part parser (isp_eval.parsers).

They are "ground truth" as SCHP's are in the paper: made by a network, not by people.
Out of scope: evaluating by them (eval.parsing_protocol), learning from them (`isp train --labels FOLDER`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin

from isp_core.data import SPLITS, DataSet, PictureError, read_picture
from isp_core.data.label_files import PARSER_FOLDER
from isp_core.drawing import overlay
from isp_core.errors import IspError
from isp_core.images import MAX_PIXELS, images_below, read_label_map
from isp_core.images.opening import opened
from isp_core.metrics.spaces import load_space
from isp_core.palette import Palette, class_palette
from isp_core.paths import written
from isp_core.progress import counted
from isp_core.text_files import shown
from isp_eval.parsers.parsed import Parsed, Parser

_CONFIDENCE = "confidence"
"""Name of the text chunk in each map that holds the parser's confidence."""
SHEET = "overlay.png"
SHEET_IMAGES, SHEET_COLUMNS = 48, 12
_TILE = (96, 192)
"""Width and height of an image on the overlay sheet."""


@dataclass(frozen=True)
class Source:
    """Where images are: `paths` relative to `root`, whose own name stands for images that lie directly in it."""

    root: Path
    paths: tuple[str, ...]

    def map_of(self, path: str) -> PurePosixPath:
        """Where an image's map goes, relative to the output folder: <folder>_parsing_pgt/<name>.png, SCHP's way."""
        inside = PurePosixPath(path)
        folder = inside.parent if inside.parent.name else PurePosixPath(self.root.resolve().name)
        return folder.with_name(folder.name + PARSER_FOLDER) / f"{inside.stem}.png"


@dataclass(frozen=True)
class TruthReport:
    """What make_truth did.

    maps: image -> confidence in [0, 1], of all images, the kept ones too. empty: images on which the parser found no
    person. classes: share of each class in the pixels of the maps written now. broken: why images could not be read.
    """

    written: int
    kept: int
    maps: dict[str, float]
    empty: tuple[str, ...]
    classes: dict[str, float]
    broken: tuple[str, ...] = ()


def source_of(data: DataSet, splits: Sequence[str] = ()) -> Source:
    """The images of a data set. splits: those wanted, all by default."""
    strange = sorted(set(splits) - set(SPLITS))
    if strange:
        raise IspError(f"there is no split {strange[0]!r}; choose from {', '.join(SPLITS)}")
    frame = data.records[data.records.split.isin(splits)] if splits else data.records
    return Source(data.root, tuple(frame.path))


def plain_folder(folder: Path) -> Source:
    """All images in a folder and below it."""
    paths = sorted(file.relative_to(folder).as_posix() for file in images_below(folder))
    if not paths:
        raise IspError(f"{folder} holds no images")
    return Source(folder, tuple(paths))


def make_truth(parser: Parser, source: Source, out: Path, *, progress: bool = False) -> TruthReport:
    """Writes OUT/<image folder>_parsing_pgt/<name>.png for every image: palette PNGs of its size, in SCHP's way.

    Maps that are there are kept, so that an interrupted run continues. Each map holds its confidence as PNG text.
    Images that cannot be read are left out and named in the report.

    Raises:
        IspError: two images that would share a map; a folder that cannot be written; a map there that is damaged.
    """
    targets = {path: out / source.map_of(path) for path in source.paths}
    _require_distinct(targets)
    palette = voc_palette()
    counts, empty, broken, confidences, kept = np.zeros(256, np.int64), [], [], {}, 0
    for path, file in counted(targets.items(), "parsing", len(targets), show=progress):
        if file.exists():
            try:
                confidences[path] = read_confidence(file)
            except PictureError as error:
                raise IspError(f"{error}. A label map that was there before: remove it to have it made again") from None
            kept += 1
        else:
            try:
                image = read_picture(source.root / path)
            except PictureError as error:
                broken.append(str(error))
                continue
            parsed = parser.parse(image)
            counts += np.bincount(parsed.labels.ravel(), minlength=256)
            _save(file, parsed, palette)
            confidences[path] = parsed.confidence
        if confidences[path] == 0:
            empty.append(path)
    total = max(1, counts.sum())
    space = load_space(parser.space)
    shares = {each.name: float(counts[each.index] / total) for each in space.classes if counts[each.index]}
    return TruthReport(len(confidences) - kept, kept, confidences, tuple(empty), shares, tuple(broken))


def overlay_sheet(source: Source, out: Path, report: TruthReport, space_name: str) -> Path:
    """OUT/overlay.png: the least confident images first, then others spread evenly, each with its map laid over it."""
    order = sorted(report.maps, key=lambda path: report.maps[path])
    doubtful, rest = order[: SHEET_IMAGES // 4], order[SHEET_IMAGES // 4 :]
    places = np.linspace(0, len(rest) - 1, min(len(rest), SHEET_IMAGES - len(doubtful))).round().astype(int)
    shown = doubtful + [rest[place] for place in dict.fromkeys(places.tolist())] if rest else doubtful
    palette = _palette_of(space_name)
    sheet = _tiles([(source.root / path, out / source.map_of(path), report.maps[path]) for path in shown], palette)
    file = out / SHEET
    with written(file):
        sheet.save(file)
    return file


def read_confidence(file: Path) -> float:
    """The confidence that make_truth wrote into a map; NaN in maps of other tools. PictureError where it is damaged."""
    with opened(file, shown(file), ("PNG",), MAX_PIXELS) as image:
        try:
            return float(image.info.get(_CONFIDENCE, "nan"))
        except (ValueError, TypeError):
            return float("nan")


def voc_palette() -> list[int]:
    """The colours of PASCAL VOC and SCHP for classes 0 to 255, as PIL takes them: three bits of a class number, from
    the lowest, are the next bits of red, green and blue, from the highest.

    >>> voc_palette()[:12]
    [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]
    """
    colours = np.zeros((256, 3), np.int64)
    labels = np.arange(256)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= ((labels >> (3 * bit + channel)) & 1) << (7 - bit)
    return [int(value) for value in colours.ravel()]


def _require_distinct(targets: dict[str, Path]) -> None:
    first: dict[Path, str] = {}
    for path, file in targets.items():
        if file in first:
            raise IspError(f"{first[file]} and {path} would share the label map {file}: rename one of the images")
        first[file] = path


def _palette_of(space_name: str) -> Palette:
    """Colours of the classes that a label space's classes count as."""
    space = load_space(space_name)
    return class_palette({each.index: each.part or each.name for each in space.classes})


def _tiles(items: Iterable[tuple[Path, Path, float]], palette: Palette) -> Image.Image:
    items = list(items)
    width, height = _TILE
    columns = min(SHEET_COLUMNS, max(1, len(items)))
    rows = -(-len(items) // columns)
    step = height + 14  # a line of text below each tile
    sheet = Image.new("RGB", (columns * (width + 4), rows * step), "white")
    draw = ImageDraw.Draw(sheet)
    for place, (image, map_file, confidence) in enumerate(items):
        left, top = place % columns * (width + 4), place // columns * step
        tinted = overlay(read_picture(image), read_label_map(map_file), palette)
        sheet.paste(tinted.resize((width, height)), (left, top))
        draw.text((left, top + height + 1), f"{confidence:.2f}", fill="black")
    return sheet


def _save(file: Path, parsed: Parsed, palette: list[int]) -> None:
    image = Image.fromarray(parsed.labels)
    image.putpalette(palette)
    text = PngImagePlugin.PngInfo()
    text.add_text(_CONFIDENCE, f"{parsed.confidence:.4f}")
    temporary = file.with_name(f".{file.name}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        image.save(temporary, format="PNG", optimize=True, pnginfo=text)
        temporary.replace(file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        why = error.strerror or error
        raise IspError(f"{file} could not be written ({why}): make room, and start the command again") from error
