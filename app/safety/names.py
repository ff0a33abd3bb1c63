"""Names and paths from addresses and imported tables: checked, resolved, kept inside their folder."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from isp_core.data.record_paths import file_of_record
from isp_core.data.records import DataError
from isp_core.errors import IspError
from isp_core.text_files import shown

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class UnsafeNameError(IspError):
    """A name or path that is not used."""


def valid_name(name: str) -> bool:
    """Whether `name` may be a run's: letters, digits, dot, dash, underscore, at most 64, and not "." or "..".

    >>> valid_name("k6-seed0"), valid_name("../k6"), valid_name(".."), valid_name("a" * 65)
    (True, False, False, False)
    """
    return bool(_NAME.fullmatch(name)) and name.strip(".") != ""


def inside(root: Path, name: str) -> Path:
    """`root / name`, resolved, links followed; UnsafeNameError where that leaves `root`."""
    if not valid_name(name):
        raise UnsafeNameError(f"{name[:80]!r} is not a name: letters, digits, dot, dash and underscore, at most 64")
    return _confined(root, root / name)


def picture_path(root: Path, relative: str, roots: Sequence[Path] = ()) -> Path:
    """An image named by a record (posix, relative), links followed; UnsafeNameError where it is neither inside `root`
    nor inside one of `roots`, the folders that the server was started with: data folders may be made of links."""
    try:
        file = file_of_record(root, relative)
    except DataError as error:
        raise UnsafeNameError(str(error)) from None
    real = file.resolve()
    if any(_holds(folder, real) for folder in (root, *roots)):
        return real
    raise UnsafeNameError(f"{file.name[:80]!r} leads out of {root}: {real} is in no data folder of this server")


def escape(text: object) -> str:
    """Text for st.html or a markdown cell: no markup survives.

    >>> escape("<b>0002</b>")
    '&lt;b&gt;0002&lt;/b&gt;'
    """
    return html.escape(shown(text), quote=True)


_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:])")
_JOINER = "\u2060"  # has no width and breaks no line
# what the browser's side finds again in the text when all backslashes are gone: addresses, mail, :emoji: and icons
_FOUND_LATER = re.compile(r"(?i)(?:https?://(?=\S*\.)|www(?=\.)|@(?=[\w-]+\.)|:(?=[\w+/-]+:))")


def plain(text: object) -> str:
    """Text for st.markdown and labels, where names from outside must not become links, images, HTML or formulas.

    >>> plain("[x](http://y)")
    '\\\\[x\\\\]\\\\(http\\\\://y\\\\)'
    """
    broken = _FOUND_LATER.sub(lambda found: found[0] + _JOINER, " ".join(shown(text).split()))
    return _MARKDOWN.sub(r"\\\1", broken)


def slug(text: object) -> str:
    """A name from outside as a part of a file's name.

    >>> slug("../my data")
    '.._my_data'
    """
    return re.sub(r"[^A-Za-z0-9._-]", "_", str(text))[:64]


def distinct(paths: Sequence[str], separator: str = "/") -> list[str]:
    """The shortest ending of each path that no other has: its name, with its folders where the name is not enough.

    Paths that are equal are numbered. Names are joined by `separator`.

    >>> distinct(["a/1.jpg", "b/1.jpg", "b/2.jpg"])
    ['a/1.jpg', 'b/1.jpg', '2.jpg']
    >>> distinct(["image.jpg", "image.jpg"])
    ['image.jpg', 'image.jpg (2)']
    """
    parts = [path.strip("/").split("/") for path in paths]
    names = [part[-1] for part in parts]
    length = 1
    while True:
        counts = Counter(names)
        clashing = [i for i, name in enumerate(names) if counts[name] > 1 and len(parts[i]) > length]
        if not clashing:
            break
        length += 1
        for i in clashing:
            names[i] = separator.join(parts[i][-length:])
    seen: Counter[str] = Counter()
    taken = set(names)
    for i, name in enumerate(names):
        seen[name] += 1
        while seen[name] > 1 and f"{name} ({seen[name]})" in taken:
            seen[name] += 1
        if seen[name] > 1:
            names[i] = f"{name} ({seen[name]})"
            taken.add(names[i])
    return names


def _holds(folder: Path, real: Path) -> bool:
    real_folder = folder.resolve()
    return real == real_folder or real_folder in real.parents


def _confined(root: Path, path: Path) -> Path:
    real = path.resolve()
    if not _holds(root, real):
        raise UnsafeNameError(f"{path.name[:80]!r} leads out of {root}")
    return real
