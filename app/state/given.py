"""Your own images: what was uploaded, shot, pasted or taken from the examples, and how each is cropped.

In this session's memory alone, so that they survive a change of page; never in the URL, a log or a file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import streamlit as st
from PIL import Image

from isp_app.components.crop_box import WHOLE, Box
from isp_app.safety import uploads
from isp_app.safety.names import distinct
from isp_app.safety.uploads import UploadError

MOST = 16
_KEPT, _SAID = "_given", "_given_said"
_SMALLEST = 8  # pixels of a crop's sides


@dataclass(frozen=True)
class Given:
    """An image to parse. id: of its content and name. name: no two have the same. picture: RGB. box: the crop."""

    id: str
    name: str
    picture: Image.Image
    box: Box = WHOLE

    @property
    def pixels(self) -> tuple[int, int, int, int]:
        """The crop in pixels: left, top, right, bottom; the whole image where it would be too small."""
        w, h = self.picture.size
        x0, y0, x1, y1 = (round(side * v) for side, v in zip((w, h, w, h), self.box, strict=True))
        return (x0, y0, x1, y1) if x1 - x0 >= _SMALLEST and y1 - y0 >= _SMALLEST else (0, 0, w, h)

    @property
    def cropped(self) -> Image.Image:
        """What the network sees."""
        return self.picture if self.box == WHOLE else self.picture.crop(self.pixels)


def images() -> list[Given]:
    """All images of this session, in the order in which they came."""
    found: dict[str, Given] = st.session_state.get(_KEPT, {})
    named = distinct([one.name.replace("/", "_") for one in found.values()])
    return [replace(one, name=name) for one, name in zip(found.values(), named, strict=True)]


def add(files: list[tuple[str, bytes]], count: int) -> None:
    """Opens files (name, content) and keeps them, up to MOST images; notes what was refused. count: files that came."""
    found: dict[str, Given] = st.session_state.setdefault(_KEPT, {})
    room = MOST - len(found)
    for name, content in files[:room]:
        try:
            keep(name, uploads.decode(content, name))
        except UploadError as error:
            _say(str(error))
    if count > room:
        rest = f"{files[room][0][:80]} and {count - room - 1} more" if count - room > 1 else files[room][0][:80]
        _say(
            f"{count} images were uploaded; the first {room} are parsed. {rest}: left out, since at most {MOST} are "
            "kept. Remove some images and upload it again."
        )


def keep(name: str, picture: Image.Image) -> None:
    """Keeps an RGB image."""
    found: dict[str, Given] = st.session_state.setdefault(_KEPT, {})
    identifier = hashlib.sha256(f"{len(found)} {name} {picture.size}".encode() + picture.tobytes()).hexdigest()[:16]
    found[identifier] = Given(identifier, name[:80], picture)


def crop(identifier: str, box: Box) -> None:
    """Sets an image's crop."""
    found: dict[str, Given] = st.session_state.get(_KEPT, {})
    if identifier in found:
        found[identifier] = replace(found[identifier], box=box)


def remove(identifier: str) -> None:
    """Forgets one image."""
    st.session_state.get(_KEPT, {}).pop(identifier, None)


def forget() -> None:
    """Forgets all images."""
    st.session_state.pop(_KEPT, None)
    st.session_state.pop(_SAID, None)


def _say(text: str) -> None:
    st.session_state.setdefault(_SAID, []).append(text)


def said() -> list[str]:
    """What was refused since the last rerun; forgotten once read."""
    found: list[str] = st.session_state.pop(_SAID, [])
    return found
