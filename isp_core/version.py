"""Which version of this project runs: VERSION is the one place that names it (pyproject.toml reads it here)."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

VERSION = "0.2.0"
COMMIT_FILE = "commit.txt"  # next to this module in a wheel; setup.py writes it
_PACKAGE = Path(__file__).resolve().parent


@cache
def commit() -> str | None:
    """The commit that the code comes from: 40 hexadecimal digits, with "-dirty" where tracked files were changed.

    None where neither the wheel nor a checkout says it.
    """
    file = _PACKAGE / COMMIT_FILE
    if file.is_file():
        return file.read_text(encoding="ascii").strip() or None
    return commit_of(_PACKAGE.parent)


def commit_of(checkout: Path) -> str | None:
    """The commit of a git checkout, with "-dirty" where tracked files differ from it; None where git cannot say."""
    if not (checkout / ".git").exists():  # not of a repository that merely contains an installed copy
        return None
    command = ["git", "-C", str(checkout), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def describe_version() -> str:
    """The version with the commit's first twelve digits, where it is known: "0.2.0 (3f2a9c1b7d04)"."""
    known = commit()
    if known is None:
        return VERSION
    digits, dash, state = known.partition("-")
    return f"{VERSION} ({digits[:12]}{dash}{state})"
