"""Every command line ends with a line and a status, whatever is raised inside it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from isp_core.commands.application import Application
from isp_core.errors import IspError

CASES = {
    "our own": (IspError("x.csv, line 3: no"), 1, "tool: x.csv, line 3: no"),
    "no permission": (
        PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/data/a"),
        1,
        "tool: /data/a: Permission denied",
    ),
    "a full disk": (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), 1, "tool: No space left on device"),
    "a name in another encoding": (
        OSError(errno.EIO, os.strerror(errno.EIO), "/data/\udcd5"),
        1,
        "tool: /data/\\xd5: Input/output error",
    ),
    "too little memory": (MemoryError("Unable to allocate 9 GiB"), 1, "tool: not enough memory (Unable to allocate"),
    "interrupted": (KeyboardInterrupt(), 130, "tool: interrupted; all is kept"),
    "a name that steers the terminal": (IspError("\x1b[2Jx: no"), 1, "tool: \\x1b[2Jx: no"),
}


@pytest.mark.parametrize(("raised", "status", "line"), CASES.values(), ids=CASES.keys())
def test_what_a_command_raises_becomes_one_line_on_standard_error(
    raised: BaseException, status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    app = Application()

    @app.command()
    def fail() -> None:
        raise raised

    with pytest.raises(SystemExit) as exit_:
        app.run("tool", [], interrupted="all is kept")
    said = capsys.readouterr()
    assert exit_.value.code == status
    assert said.err.strip().startswith(line)
    assert len(said.err.strip().splitlines()) == 1
    assert said.out == ""


def test_the_generators_command_line_expands_home_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from isp_assets.walkers.generate.__main__ import app

    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(SystemExit):
        app.run("walkers", ["baselines", "~/nowhere"], interrupted="")
    assert not Path("~").exists()
