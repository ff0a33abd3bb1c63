"""Finds and reads the images a run was made of. Runs name them; folders come from the server's settings alone."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from isp_app.cache_keys import KEYS
from isp_app.drawing.encode import Pixels, Sprite, sprite, to_uri
from isp_app.reading import runs_access
from isp_app.reading.people import who
from isp_app.rerun import once
from isp_app.safety.names import UnsafeNameError, picture_path
from isp_app.safety.uploads import DECODING
from isp_app.settings import Settings
from isp_core.data.record_paths import file_of_record
from isp_core.data.records import DataError
from isp_core.images import PictureError, open_image
from isp_core.palette import Palette
from isp_core.runs import Run, RunError
from isp_core.runs.schema import Split

_PROBES = 12  # records that must be there before a folder counts as the run's data set
_DEPTH = 3  # how far below a configured folder a data set may lie


@dataclass(frozen=True)
class ImageFolder:
    """Where a run's images lie, and the server's data folders: links in the one may lead into the others."""

    path: Path
    roots: tuple[Path, ...]


@once
def picture_root(run: Run, settings: Settings) -> ImageFolder | None:
    """The folder that holds the run's images, or None: then maps are shown alone."""
    found = _find_root(_probes(run), settings.picture_roots)
    return None if found is None else ImageFolder(found, settings.picture_roots)


def blocked_links(run: Run, settings: Settings) -> tuple[Path, Path] | None:
    """A link that stands for an image of the run, and its target outside the server's data folders, which is why the
    image is not read; None where there is none."""
    return _find_blocked(_probes(run), settings.picture_roots)


def _probes(run: Run) -> tuple[str, ...]:
    table = runs_access.records(run)
    rows = np.linspace(0, len(table) - 1, min(_PROBES, len(table))).astype(int)
    return tuple(str(path) for path in table["path"].iloc[rows])


@st.cache_data(hash_funcs=KEYS, max_entries=64, ttl=30, show_spinner=False)
def _find_root(probes: tuple[str, ...], roots: tuple[Path, ...]) -> Path | None:
    if not probes:
        return None
    return next((f for f in _candidates(roots) if all(_exists(f, probe, roots) for probe in probes)), None)


@st.cache_data(hash_funcs=KEYS, max_entries=64, ttl=30, show_spinner=False)
def _find_blocked(probes: tuple[str, ...], roots: tuple[Path, ...]) -> tuple[Path, Path] | None:
    for folder in _candidates(roots):
        for probe in probes:
            with contextlib.suppress(DataError, OSError):
                file = file_of_record(folder, probe)
                if file.is_file() and not _exists(folder, probe, roots):
                    return file, file.resolve()
    return None


def _candidates(roots: tuple[Path, ...]) -> Iterator[Path]:
    """The configured folders and those up to _DEPTH levels below, the highest first."""
    level = [root for root in roots if root.is_dir()]
    for _ in range(_DEPTH + 1):
        yield from level
        level = [entry for folder in level for entry in _folders(folder)]


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))[:64]
    except OSError:
        return []


def _exists(folder: Path, relative: str, roots: tuple[Path, ...]) -> bool:
    try:
        return picture_path(folder, relative, roots).is_file()
    except (UnsafeNameError, OSError):
        return False


@st.cache_data(hash_funcs=KEYS, max_entries=4096, max_size="96mb", show_spinner=False)
def _decoded(folder: Path, roots: tuple[Path, ...], relative: str, width: int, height: int) -> bytes | None:
    try:
        path = picture_path(folder, relative, roots)
        # twice the size, so that what is kept of the longer side suffices for the shorter one too
        image = open_image(path, longest_side=2 * max(width, height), budget=DECODING)
    except (PictureError, UnsafeNameError):
        return None
    return image.resize((width, height), Image.Resampling.BILINEAR).tobytes()


def read(root: ImageFolder | None, relative: str, width: int, height: int) -> Pixels | None:
    """One image as (height, width, 3), or None where it is missing or broken."""
    if root is None:
        return None
    data = _decoded(root.path, root.roots, relative, width, height)
    return None if data is None else np.frombuffer(data, np.uint8).reshape(height, width, 3)


def uri(root: ImageFolder | None, relative: str, width: int = 256, height: int = 512) -> str | None:
    """One image as a JPEG data URI for the mask viewer and the scrubber."""
    pixels = read(root, relative, width, height)
    if pixels is None:
        return None
    return to_uri(_jpeg(pixels.tobytes(), width, height), "image/jpeg")


def uri_of_file(file: Path, settings: Settings, width: int, height: int) -> str | None:
    """One image that something else than a run names, as `uri`; None where it is in none of the server's data folders,
    missing or broken."""
    folder = next((root for root in settings.picture_roots if file.is_relative_to(root)), None)
    if folder is None:
        return None
    root = ImageFolder(folder, settings.picture_roots)
    return uri(root, file.relative_to(folder).as_posix(), width, height)


@st.cache_data(max_entries=256, max_size="32mb", show_spinner=False)
def _jpeg(data: bytes, width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.frombytes("RGB", (width, height), data).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def aspect(run: Run) -> float:
    """Height / width of the network's input: images are shown in the shape that the network saw."""
    height, width = run.info.size
    return height / width if width else 2.0


def tiles(
    run: Run,
    root: ImageFolder | None,
    split: Split,
    rows: Sequence[int],
    palette: Palette,
    *,
    epoch: int | None,
    width: int = 64,
    first: tuple[Split, int] | None = None,
) -> Sprite:
    """A sprite of images of one split, with their part maps where `epoch` has them. first: an image of another split
    that comes before them."""
    height = round(width * aspect(run))
    groups: list[tuple[Split, tuple[int, ...]]] = [] if first is None else [(first[0], (first[1],))]
    groups.append((split, tuple(int(row) for row in rows)))
    paths: list[str] = []
    maps: list[Pixels] = []
    for one, some in groups:
        paths += [str(path) for path in runs_access.records(run, one)["path"].iloc[list(some)]]
        if epoch is not None and run.info.parts and some:
            with contextlib.suppress(RunError):  # the maps are being written right now: images alone
                maps.append(palette.coded(runs_access.maps(run, one, epoch, some)))
    labels = np.concatenate(maps) if maps else None
    labels = labels if labels is not None and len(labels) == len(paths) else None
    return _sprite(root, tuple(paths), width, height, labels)


@st.cache_data(hash_funcs={**KEYS, ImageFolder: repr}, max_entries=64, max_size="48mb", ttl=300, show_spinner=False)
def _sprite(root: ImageFolder | None, paths: tuple[str, ...], width: int, height: int, labels: Pixels | None) -> Sprite:
    images = [read(root, path, width, height) for path in paths]
    if labels is not None and all(image is None for image in images):
        return sprite(None, width, height, labels)
    blank = np.full((height, width, 3), 43, np.uint8)
    return sprite([blank if image is None else image for image in images], width, height, labels)


def describe(row: pd.Series) -> str:
    """A record in words: for alt texts."""
    camera = f"camera {row['camera']}" if int(row["camera"]) > 0 else "camera unknown"
    return f"{Path(str(row['path'])).name}, {who(row)}, {camera}"
