"""Runs that are read and never written to: those in a folder that says so, by a file called READ-ONLY.

Published results, such as the embedded study, are kept so: whatever a command finds out about them is printed, and no
file of them changes. A run that is copied elsewhere is your own, and is written to.
"""

from __future__ import annotations

import os
from pathlib import Path

from isp_core.runs.errors import WriteError

MARK = "READ-ONLY"


def require_unprotected(run: Path) -> None:
    """WriteError where the run, or the folder that it lies in, has a file READ-ONLY."""
    folder = run.absolute()
    for place in (folder, folder.parent):
        if os.path.lexists(place / MARK):
            raise WriteError(run, f"{place / MARK} says that nothing is written there: copy the run to another folder")
