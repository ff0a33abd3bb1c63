"""Which entries of a gallery store are meant, and how Milvus is asked for them.

Texts enter a filter as quoted literals whose quotes and backslashes are escaped; labels hold printable characters only
(entries.py), so that no text can end its literal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isp_core.gallery.entries import label
from isp_core.gallery.errors import GalleryError


@dataclass(frozen=True)
class Where:
    """Entries that meet every condition that is given. since, until: inclusive; entries without a time meet neither."""

    fingerprints: Sequence[str] = ()
    paths: Sequence[str] = ()
    identities: Sequence[str] = ()
    cameras: Sequence[str] = ()
    not_cameras: Sequence[str] = ()
    since: float | None = None
    until: float | None = None

    def __post_init__(self) -> None:
        if self.since is not None and self.until is not None and self.since > self.until:
            raise GalleryError(f"since {self.since:g} is later than until {self.until:g}: no entry can meet both")

    @property
    def everything(self) -> bool:
        """Whether there is no condition."""
        return not expression(self)


def expression(where: Where) -> str:
    r"""The filter in Milvus's language; "" for all entries.

    >>> expression(Where(identities=['O"Brien\\'], not_cameras=["007"], since=10))
    'identity in ["O\\"Brien\\\\"] and camera not in ["7"] and time >= 10.0'
    """
    conditions = [
        _among("id", where.fingerprints),
        _among("path", where.paths),
        _among("identity", [label(each, "identity") for each in where.identities]),
        _among("camera", [label(each, "camera") for each in where.cameras]),
        _among("camera", [label(each, "camera") for each in where.not_cameras], "not in"),
        None if where.since is None else f"time >= {where.since!r}",
        None if where.until is None else f"time <= {where.until!r}",
    ]
    return " and ".join(each for each in conditions if each)


def _among(field: str, texts: Sequence[str], how: str = "in") -> str | None:
    return f"{field} {how} [{', '.join(map(_literal, texts))}]" if texts else None


def _literal(text: str) -> str:
    if not text.isprintable():
        raise GalleryError(f"{text[:80]!r} holds characters that cannot be printed: no entry is called so")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
