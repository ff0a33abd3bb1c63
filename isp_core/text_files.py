"""Text files of users and their programs: decoded by their byte order mark, bounded in size."""

from __future__ import annotations

import codecs
from pathlib import Path

from isp_core.errors import IspError

MAX_BYTES = 64 * 2**20
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class TextError(IspError):
    """A text file that is missing, too large, or in an unknown encoding; the message begins with its path."""


def read_text(path: Path, max_bytes: int = MAX_BYTES) -> str:
    """The text of a file in UTF-8, or in UTF-16 where a byte order mark says so (Excel's "Unicode text").

    Raises:
        TextError: no such file, not a regular file, more than `max_bytes`, or another encoding.
    """
    if not path.exists():
        raise TextError(f"{shown(path)} cannot be read: no such file")
    if not path.is_file():
        raise TextError(f"{shown(path)} cannot be read: not a file; give the file itself")
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise TextError(f"{shown(path)} cannot be read: {error.strerror}") from error
    if len(content) > max_bytes:
        raise TextError(f"{shown(path)}: more than {max_bytes / 2**20:g} MiB of text; is it the right file?")
    return decode_text(content, shown(path))


def decode_text(content: bytes, where: str) -> str:
    """Bytes as text, see `read_text`. TextError, which begins with `where`, names the first byte that is neither."""
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TextError(
            f"{where}, line {line}: byte {content[error.start]:#04x} is not {encoding.upper()} text; save it in UTF-8"
        ) from None


SHOWN = "isp_core.shown"


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return shown(error.object[error.start : error.end]).encode("ascii", "backslashreplace").decode(), error.end


codecs.register_error(SHOWN, _escape)
"""How a stream writes what it cannot encode: as `shown` does."""


def shown(path: object) -> str:
    r"""A path, or any name from a disk, as text that UTF-8 can hold: other bytes are shown as escapes.

    >>> shown(b"\xd5\xd5\xc6\xac/1.jpg".decode("utf-8", "surrogateescape"))
    '\\xd5\\xd5Ƭ/1.jpg'
    """
    text = str(path)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        try:
            return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        except UnicodeEncodeError:  # half a character, as JSON and YAML can spell it
            return text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text


def printable(text: object) -> str:
    r"""Text from a run or a file name as one line for a terminal: control characters, and bytes that are not UTF-8, are
    written as escapes.

    >>> print(printable("a\x1b[31mred\n"), printable(b"\xd5\xd5".decode("utf-8", "surrogateescape")))
    a\x1b[31mred\n \xd5\xd5
    """
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in shown(text))
