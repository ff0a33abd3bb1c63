"""SHA-256 of every file of a run, noted as each is written: SHA256SUMS, in the form of sha256sum.

`sha256sum -c SHA256SUMS` in the run's folder checks it without this package. A file that is being replaced has, for
that moment, two valid sums: the note comes before the rename, and a writer may be killed between the two. Older and
foreign runs have no SHA256SUMS; nothing is checked there, and `isp runs verify` says so.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from functools import lru_cache, partial
from pathlib import Path

from isp_core.runs.errors import RunError
from isp_core.runs.files import atomic, open_lock, require_inside
from isp_core.runs.protection import require_unprotected
from isp_core.runs.untrusted import read_checked

SUMS_FILE = "SHA256SUMS"
SUMS_LOCK = ".sums.lock"
MAX_SUMS = 16 * 2**20

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_PENDING = re.compile(r"# replaces ([0-9a-f]{64}|nothing)  (.+)")
NOTHING = "nothing"

Sums = dict[str, tuple[str, ...]]
"""The sums that are valid for each file, by its path in the run; NOTHING: it may also not be there (yet)."""


def recorded(target: Path, root: Path | None) -> AbstractContextManager[Path]:
    """`atomic(target)` for a file or folder of the run `root`, whose sums are noted with it; None: no run's file.

    WriteError where the run is kept from being written to (isp_core.runs.protection), or a link leads out of it.
    """
    if root is None:
        return atomic(target)
    require_unprotected(root)
    require_inside(root, target)
    return atomic(target, partial(_noting, root, target))


def read_sums(root: Path) -> Sums:
    """The noted sums; none where the run has no SHA256SUMS."""
    file = root / SUMS_FILE
    try:
        status = file.stat()
    except FileNotFoundError:
        return {}
    return _read(file, root, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def forget(root: Path, removed: Iterable[Path]) -> None:
    """Takes files, and those below folders, off the list."""
    gone = {path.relative_to(root).as_posix() for path in removed}
    if gone and (root / SUMS_FILE).exists():
        with writing(root):
            sums = dict(read_sums(root))
            _write(root, {name: each for name, each in sums.items() if not _below(name, gone)})


def require_unchanged(root: Path, file: Path) -> None:
    """RunError where a file's content is not what was noted when it was written."""
    name = file.relative_to(root).as_posix()
    noted = read_sums(root).get(name)
    if noted is not None and sha256(file) not in noted:
        raise RunError(
            f"{file} is not what was written: its SHA-256 is not the one in {SUMS_FILE}. Restore it from a copy, make "
            f"it again, or, if you changed it yourself, take its line out of {root / SUMS_FILE}"
        )


def sha256(file: Path) -> str:
    """SHA-256 of a file in hexadecimal digits; computed again when the file changes."""
    status = file.stat()
    return _sha256(file, status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


@contextlib.contextmanager
def writing(root: Path) -> Iterator[None]:
    """Held while a file appears under its name and its sum is noted: moments, so others wait."""
    with open_lock(root / SUMS_LOCK) as handle:
        with contextlib.suppress(OSError):  # some network file systems know no locks; then nothing is kept
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _noting(root: Path, target: Path, temporary: Path) -> Iterator[None]:
    """Notes the sums of what is about to be renamed to `target`; what they replace stays valid until it is."""
    place = target.relative_to(root).as_posix()
    if temporary.is_dir():
        files = sorted(file for file in temporary.rglob("*") if file.is_file())
        new = {f"{place}/{file.relative_to(temporary).as_posix()}": sha256(file) for file in files}
    else:
        new = {place: sha256(temporary)}
    with writing(root):
        sums = {name: each for name, each in read_sums(root).items() if name in new or not _below(name, {place})}
        before = {name: sums[name][0] if name in sums else NOTHING for name in new}
        _write(root, sums | {name: (digest, before[name]) for name, digest in new.items()})
        yield
        _write(root, sums | {name: (digest,) for name, digest in new.items()})


def _below(name: str, places: set[str]) -> bool:
    return any(name == place or name.startswith(f"{place}/") for place in places)


@lru_cache(maxsize=32)
def _read(file: Path, root: Path, changed: int, moved: int, inode: int) -> Sums:
    text = read_checked(file, lambda found: found.read_text(encoding="utf-8"), root, MAX_SUMS)
    sums: Sums = {}
    for line in text.splitlines():
        if pending := _PENDING.fullmatch(line):
            sums[pending[2]] = (*sums.get(pending[2], ()), pending[1])
        elif noted := _LINE.fullmatch(line):
            sums[noted[2]] = (noted[1], *sums.get(noted[2], ()))
    return sums


def _write(root: Path, sums: Sums) -> None:
    lines = []
    for name, (digest, *before) in sorted(sums.items()):
        lines += [f"{digest}  {name}", *(f"# replaces {each}  {name}" for each in before)]
    with atomic(root / SUMS_FILE) as path:
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@lru_cache(maxsize=4096)
def _sha256(file: Path, changed: int, moved: int, size: int, inode: int) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
