"""Commands and scripts in processes of their own that share one start of Python and torch.

Every `isp` begins with some six seconds of imports on one core. A server that has imported what the commands need is
forked for each of them instead. Out of scope: the installed `isp` itself (tests/install).
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import ModuleType

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["isp_core.training", "isp_core.parser", "isp_core.commands.training", "isp_eval.retrieval"]
)


@dataclass(frozen=True)
class Done:
    """How a command or script ended, and what it printed on both of its streams."""

    status: int
    output: str


def start_isp(arguments: Sequence[str | Path], folder: Path, output: Path) -> ForkServerProcess:
    """Starts `isp ARGUMENTS` in a folder; what it prints goes into the file `output`."""
    return _start("", [str(each) for each in arguments], folder, output)


def run_isp(arguments: Sequence[str | Path], folder: Path) -> Done:
    """`isp ARGUMENTS` in a folder."""
    return _run("", [str(each) for each in arguments], folder)


def run_python(code: str, folder: Path) -> Done:
    """`python -c CODE` in a folder."""
    return _run(code, [], folder)


def _run(code: str, arguments: list[str], folder: Path) -> Done:
    with tempfile.TemporaryDirectory() as place:
        output = Path(place, "output")
        process = _start(code, arguments, folder, output)
        process.join()
        return Done(process.exitcode or 0, output.read_text("utf-8"))


def _start(code: str, arguments: list[str], folder: Path, output: Path) -> ForkServerProcess:
    process = _FORKS.Process(target=_child, args=(code, arguments, str(folder), str(output)))
    process.start()
    return process


def _child(code: str, arguments: list[str], folder: str, output: str) -> None:
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(written, sys.stdout.fileno())
    os.dup2(written, sys.stderr.fileno())
    os.chdir(folder)
    if not code:
        from isp_core.__main__ import main

        main(arguments)
    script = ModuleType("__main__")  # where classes of the script look their names up
    sys.modules["__main__"] = script
    exec(compile(code, "<script>", "exec"), script.__dict__)
