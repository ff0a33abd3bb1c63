"""Finds and reads the pictures a run was made of. Runs name them; folders come from the server's settings alone."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from isp_app.cache_keys import KEYS
from isp_app.drawing.encode import Pixels, Sprite, sprite, to_uri
from isp_app.reading import runs_access
from isp_app.safety.names import UnsafeNameError, picture_path
from isp_app.safety.uploads import DECODING
from isp_app.settings import Settings
from isp_core.images import PictureError, open_image
from isp_core.palette import Palette
from isp_core.runs import Run, RunError
from isp_core.runs.schema import Split

_PROBES = 12  # records that must be there before a folder counts as the run's data set
_DEPTH = 3  # how far below a configured folder a data set may lie


def picture_root(run: Run, settings: Settings) -> Path | None:
    """The folder that holds the run's pictures, or None: then maps are shown alone."""
    table = runs_access.records(run)
    if table.empty:
        return None
    rows = np.linspace(0, len(table) - 1, min(_PROBES, len(table))).astype(int)
    return _find_root(tuple(str(path) for path in table["path"].iloc[rows]), settings.picture_roots)


@st.cache_data(hash_funcs=KEYS, max_entries=64, ttl=30, show_spinner=False)
def _find_root(probes: tuple[str, ...], roots: tuple[Path, ...]) -> Path | None:
    level = [root for root in roots if root.is_dir()]
    for _ in range(_DEPTH + 1):
        for folder in level:
            if all(_exists(folder, probe) for probe in probes):
                return folder
        level = [entry for folder in level for entry in _folders(folder)]
    return None


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))[:64]
    except OSError:
        return []


def _exists(folder: Path, relative: str) -> bool:
    try:
        return picture_path(folder, relative).is_file()
    except UnsafeNameError:
        return False


@st.cache_data(hash_funcs=KEYS, max_entries=4096, max_size="96mb", show_spinner=False)
def _decoded(root: Path, relative: str, width: int, height: int) -> bytes | None:
    try:
        path = picture_path(root, relative)
        # twice the size, so that what is kept of the longer side suffices for the shorter one too
        image = open_image(path, longest_side=2 * max(width, height), budget=DECODING)
    except (PictureError, UnsafeNameError):
        return None
    return image.resize((width, height), Image.Resampling.BILINEAR).tobytes()


def read(root: Path | None, relative: str, width: int, height: int) -> Pixels | None:
    """One picture as (height, width, 3), or None where it is missing or broken."""
    if root is None:
        return None
    data = _decoded(root, relative, width, height)
    return None if data is None else np.frombuffer(data, np.uint8).reshape(height, width, 3)


def uri(root: Path | None, relative: str, width: int = 256, height: int = 512) -> str | None:
    """One picture as a JPEG data URI for the mask viewer and the scrubber."""
    pixels = read(root, relative, width, height)
    if pixels is None:
        return None
    return to_uri(_jpeg(pixels.tobytes(), width, height), "image/jpeg")


@st.cache_data(max_entries=256, max_size="32mb", show_spinner=False)
def _jpeg(data: bytes, width: int, height: int) -> bytes:
    import io

    buffer = io.BytesIO()
    Image.frombytes("RGB", (width, height), data).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def aspect(run: Run) -> float:
    """Height / width of the network's input: pictures are shown in the shape that the network saw."""
    height, width = run.info.size
    return height / width if width else 2.0


def tiles(
    run: Run,
    root: Path | None,
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


@st.cache_data(hash_funcs=KEYS, max_entries=64, max_size="48mb", ttl=300, show_spinner=False)
def _sprite(root: Path | None, paths: tuple[str, ...], width: int, height: int, labels: Pixels | None) -> Sprite:
    images = [read(root, path, width, height) for path in paths]
    if labels is not None and all(image is None for image in images):
        return sprite(None, width, height, labels)
    blank = np.full((height, width, 3), 43, np.uint8)
    return sprite([blank if image is None else image for image in images], width, height, labels)


def describe(row: pd.Series) -> str:
    """A record in words: for alt texts."""
    camera = f"camera {row['camera']}" if int(row["camera"]) > 0 else "camera unknown"
    return f"{Path(str(row['path'])).name}, person {row['identity']}, {camera}"
