"""What a gallery store keeps of an image: its fingerprint, labels, and its embeddings as one text.

Embeddings are kept in half precision, as runs keep them, so that Eq. 10 gives what it gives on the run's own. The text
holds global, foreground and part features, the share and highest probability of each part, and the flags of Eq. 8, one
after the other, in base64: every engine can hold a text.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isp_core.data.readers.naming import parse_integer
from isp_core.gallery.errors import GalleryError
from isp_core.matching import Embeddings
from isp_core.text_files import printable, shown

MAX_LABEL = 200
"""Characters of an identity or a camera."""
MAX_PATH = 4096
"""Bytes of an image's path."""
MAX_TEXT = 65_535
"""Bytes of the embeddings' text: what Milvus holds in one field."""
HALF, FLAG = np.dtype("<f2"), np.dtype("u1")


@dataclass(frozen=True)
class Labels:
    """Who is on an image, seen by which camera, when. "" and None: unknown.

    identity, camera: any printable text; numbers in their plain form ("7", not "0007"). time: seconds since 1970 or a
    frame number, whichever the data has. GalleryError for a text that is too long or not printable, or a time that is
    no finite number.
    """

    identity: str = ""
    camera: str = ""
    time: float | None = None

    def __post_init__(self) -> None:
        for name in ("identity", "camera"):
            object.__setattr__(self, name, label(getattr(self, name), name))
        if self.time is not None and not math.isfinite(self.time):
            raise GalleryError(f"time {self.time} is not a finite number")


@dataclass(frozen=True)
class Image:
    """One entry of a store. fingerprint: "sha256:..." of the image file, or "embedding:..." where only its embeddings
    were at hand; an entry is in a store once. path: where the image was when it was added."""

    fingerprint: str
    path: str
    labels: Labels


def label(text: object, name: str = "label") -> str:
    """An identity or a camera as stores hold it.

    >>> label("0007"), label(" O'Brien "), label(-1)
    ('7', "O'Brien", '-1')
    """
    plain = shown(text).strip()
    number = parse_integer(plain)
    if number is not None:
        return str(number)
    if len(plain) > MAX_LABEL or not plain.isprintable():
        raise GalleryError(f"{name} {plain[:40]!r}: at most {MAX_LABEL} printable characters")
    return plain


def time_of(text: str) -> float:
    """A time as people write it: a number (seconds or a frame), or a date with or without a time (UTC unless it names a
    zone).

    >>> time_of("451"), time_of("2026-11-30T12:00:00"), time_of("2026-11-30")
    (451.0, 1796040000.0, 1795996800.0)
    """
    try:
        number = float(text)
    except ValueError:
        try:
            date = dt.datetime.fromisoformat(text.strip())
        except ValueError:
            raise GalleryError(f"time {text!r}: give a number, or a date such as 2026-11-30T12:00:00") from None
        return (date if date.tzinfo else date.replace(tzinfo=dt.UTC)).timestamp()
    if not math.isfinite(number):
        raise GalleryError(f"time {text!r} is not a finite number")
    return number


def stored_path(path: Path | str) -> str:
    """A path as stores hold it; GalleryError where it is longer than they can."""
    text = printable(shown(path))
    if len(text.encode()) > MAX_PATH:
        raise GalleryError(f"{text[:80]}...: a path of more than {MAX_PATH} bytes cannot be kept")
    return text


def file_fingerprint(file: Path) -> str:
    """Of an image file's bytes, whatever its name."""
    with file.open("rb") as handle:
        return f"sha256:{hashlib.file_digest(handle, 'sha256').hexdigest()}"


def embedding_fingerprint(path: str, text: str) -> str:
    """Of an image that is not at hand: its path and its embeddings' text."""
    whole = f"{path}\n{text}".encode("utf-8", "replace")
    return f"embedding:{hashlib.sha256(whole).hexdigest()}"


@dataclass(frozen=True)
class Layout:
    """How many numbers an image's embeddings have. global_: C; foreground: C'; parts: K - 1 of `channels` each."""

    global_: int
    foreground: int
    parts: int
    channels: int

    @classmethod
    def of(cls, embeddings: Embeddings) -> Layout:
        _, parts, channels = embeddings.parts.shape
        return cls(int(embeddings.global_.shape[1]), int(embeddings.foreground.shape[1]), int(parts), int(channels))

    @property
    def candidates(self) -> int:
        """Channels that candidates are found by: C + C'."""
        return self.global_ + self.foreground

    @property
    def nbytes(self) -> int:
        """Bytes of an image's embeddings."""
        halves = self.global_ + self.foreground + self.parts * (self.channels + 2)
        return halves * HALF.itemsize + self.parts * FLAG.itemsize

    @property
    def characters(self) -> int:
        """Characters of their text. GalleryError where that is more than a store holds."""
        needed = 4 * math.ceil(self.nbytes / 3)
        if needed > MAX_TEXT:
            raise GalleryError(
                f"the embeddings of an image take {needed} characters ({self.parts} parts of {self.channels} channels);"
                f" a gallery store holds {MAX_TEXT}: use fewer channels, or `isp search`"
            )
        return needed


def encode(embeddings: Embeddings) -> list[str]:
    """The text of each image. visibility must be Eq. 8's flags, as networks and runs give it."""
    n, layout = len(embeddings), Layout.of(embeddings)
    peaks = embeddings.part_peak
    peaks = np.full((n, layout.parts), np.nan) if peaks is None else np.asarray(peaks)
    halves = [embeddings.global_, embeddings.foreground, np.asarray(embeddings.parts).reshape(n, -1)]
    rows = np.concatenate([np.asarray(x).astype(HALF) for x in (*halves, embeddings.part_share, peaks)], axis=1)
    flags = np.asarray(embeddings.visibility).astype(FLAG)
    pairs = zip(np.ascontiguousarray(rows), np.ascontiguousarray(flags), strict=True)
    return [base64.b64encode(row.tobytes() + flag.tobytes()).decode("ascii") for row, flag in pairs]


def decode(texts: Sequence[str], layout: Layout) -> Embeddings:
    """What `encode` was given. GalleryError where a text is not of this layout."""
    try:
        whole = [base64.b64decode(text, validate=True) for text in texts]
    except ValueError as error:
        raise GalleryError(f"an entry's embeddings are damaged ({error}): remove it and add its image again") from None
    if any(len(each) != layout.nbytes for each in whole):
        raise GalleryError("an entry's embeddings have another size than the store's: remove it, add its image again")
    table: npt.NDArray[np.uint8] = np.frombuffer(b"".join(whole), np.uint8).reshape(len(whole), layout.nbytes)
    cut = layout.nbytes - layout.parts * FLAG.itemsize
    numbers = np.ascontiguousarray(table[:, :cut]).view(HALF)
    widths = (layout.global_, layout.foreground, layout.parts * layout.channels, layout.parts, layout.parts)
    columns = np.split(numbers, np.cumsum(widths)[:-1], axis=1)
    global_, foreground, parts, share, peak = (each.copy(order="C") for each in columns)  # torch takes no odd strides
    return Embeddings(
        global_,
        foreground,
        parts.reshape(len(whole), layout.parts, layout.channels),
        table[:, cut:].astype(bool),
        share,
        None if np.isnan(peak).any() else peak,
    )
