"""The Upload page's images: uploaded, shot, pasted or examples, one of them chosen, each with its crop."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image
from streamlit.delta_generator import DeltaGenerator

from isp_app.components.crop_box import WHOLE, crop_box
from isp_app.components.paste_box import paste_box
from isp_app.components.ranking_grid import Tile, ranking_grid
from isp_app.drawing.encode import png, sprite, to_uri
from isp_app.reading import parse_upload, pictures, runs_access
from isp_app.safety.names import plain
from isp_app.safety.uploads import FORMATS, MAX_BYTES
from isp_app.state import given
from isp_app.state.given import MOST, Given
from isp_app.state.sidebar import Selection
from isp_core.runs import Run

EXAMPLES = 6
SHOWN = (512, 256)  # height and width at which images are shown
WIDE = 0.8  # width to height from which an image hardly shows one person alone
CROP = (420, 420)  # CSS pixels at most
_ROUND, _WHICH, _TAKEN = "upload-round", "which", "upload-taken"


def choose(selection: Selection, run: Run, place: DeltaGenerator) -> tuple[list[Given], int]:
    """Controls for the images; all of them, and which one is looked at. Examples stand in while there are none.

    place: where images are uploaded.
    """
    with place:
        _inputs()
    for text in given.said():
        st.warning(plain(text))
    with st.container(horizontal=True, vertical_alignment="center"):
        chooser = st.container(width=320)
        if given.images():
            remover = st.container(width="content")
        if st.toggle("Camera", key="camera"):
            shot = _widget("shot")
            place.camera_input("Take a photo", key=shot, on_change=_take, args=(shot,))
        show = st.toggle(
            "Examples", value=True, key="sample", bind="query-params", help="Test images of the network's own data"
        )
        if given.images():
            st.button("Clear everything", help="Forgets all images of this session", on_click=_clear)
    left, right = st.columns(2) if given.images() and show else (st.container(), st.container())
    with right:
        examples = _examples(selection, run) if show else []
    images = given.images() or examples
    if not images:
        return [], 0
    with chooser:
        which = _which(images)
    if given.images():
        item = images[which]
        remover.button(
            f"Remove {plain(item.name)}",
            icon=":material/close:",
            on_click=given.remove,
            args=(item.id,),
            key="remove",
        )
        with left:
            _crop(item)
        images = given.images()
    return images, which


def _which(images: list[Given]) -> int:
    """The image that is looked at: its crop, its parts in words, its neighbours."""
    state = st.session_state
    state[_WHICH] = min(int(state.get(_WHICH) or 0), len(images) - 1)
    chosen = st.selectbox(
        "Image",
        range(len(images)),
        format_func=lambda i: images[i].name,
        key=_WHICH,
        label_visibility="collapsed",
    )
    return int(chosen or 0)


def _widget(name: str) -> str:
    """The key of an input that starts empty again after each upload."""
    return f"{name}-{st.session_state.setdefault(_ROUND, 0)}"


def _take(widget: str) -> None:
    """Takes each file once: a rerun that is cut short by the next one calls this again with the same files."""
    files, taken = st.session_state.get(widget), st.session_state.setdefault(_TAKEN, set())
    given_now = files if isinstance(files, list) else [files] if files is not None else []
    several = [file for file in given_now if file.file_id not in taken]
    taken.update(file.file_id for file in several)
    if several:
        _add([(file.name, file.getvalue()) for file in several[: MOST + 1]], len(several))
        st.session_state[_ROUND] += 1  # the images are listed below, and stay when the page changes


def _inputs() -> None:
    key = _widget("uploads")
    st.file_uploader(
        "Images",
        type=["png", "jpg", "jpeg", "webp"],
        accept_multiple_files=True,
        key=key,
        on_change=_take,
        args=(key,),
        help=f"{', '.join(FORMATS)}; at most {MAX_BYTES // 2**20} MB each; at most {MOST} images",
    )
    paste_box("paste", MAX_BYTES, lambda name, content: _add([(name, content)], 1))


def _add(files: list[tuple[str, bytes]], count: int) -> None:
    given.add(files, count)
    st.session_state[_WHICH] = max(0, len(given.images()) - 1) if count == 1 else 0


def _clear() -> None:
    st.session_state[_ROUND] += 1
    given.forget()
    parse_upload.forget()
    shown.clear()


def _examples(selection: Selection, run: Run) -> list[Given]:
    """Test images of the run's own data, where they are here; a click takes one as input."""
    root = pictures.picture_root(run, selection.settings)
    table = runs_access.records(run, "query")
    if root is None or table.empty:
        return []
    rows = np.linspace(0, len(table) - 1, min(EXAMPLES, len(table))).astype(int)
    found = []
    for row in rows:
        path = str(table["path"].iloc[row])
        pixels = pictures.read(root, path, SHOWN[1], SHOWN[0])
        if pixels is not None:
            found.append(Given(f"example {row}", Path(path).name, Image.fromarray(pixels)))
    if not found:
        return []
    width = 40
    small = [np.asarray(one.picture.resize((width, 2 * width))) for one in found]
    tiles = [Tile(i, "none", "use", f"Example {one.name}: take it") for i, one in enumerate(found)]

    def take(i: int) -> None:
        given.keep(found[i].name, found[i].picture)
        st.session_state[_WHICH] = len(given.images()) - 1

    with st.expander("Examples", expanded=False) if given.images() else nullcontext():  # own images come first
        ranking_grid(
            tiles,
            sprite(small, width, 2 * width),
            runs_access.palette(run),
            title="Examples",
            key="examples",
            on_open=take,
        )
    return found


def _crop(item: Given) -> None:
    wide = item.picture.width > WIDE * item.picture.height
    words = "wide: draw a box around one person, as training saw people" if wide else "drag a box around one person"
    with st.expander(f"Crop {plain(item.name)}", expanded=wide or item.box != WHOLE, icon=":material/crop:"):
        if wide and item.box == WHOLE:
            st.info(f"{plain(item.name)} is {words}.")
        box = crop_box(
            encoded(item.picture, CROP),
            item.picture.size,
            identifier=item.id,
            box=item.box,
            title=f"Crop of {item.name}",
            key="crop",
            width=CROP[1],
            height=CROP[0],
        )
        if box != item.box:
            given.crop(item.id, box)


@st.cache_data(max_entries=64, max_size="32mb", show_spinner=False, scope="session")
def shown(pixels: bytes, size: tuple[int, int], most: tuple[int, int] | None) -> str:
    """An image as the browser shows it, encoded once, kept in this session alone: at most `most` (height, width), or in
    the shape that the network sees."""
    picture = Image.frombytes("RGB", size, pixels)
    if most is None:
        picture = picture.resize(SHOWN[::-1], Image.Resampling.BILINEAR)
    else:
        picture.thumbnail((2 * most[1], 2 * most[0]))
    return to_uri(png(np.asarray(picture)), "image/png")


def encoded(picture: Image.Image, most: tuple[int, int] | None = None) -> str:
    """A data URI of an image, see `shown`."""
    return shown(picture.tobytes(), picture.size, most)
