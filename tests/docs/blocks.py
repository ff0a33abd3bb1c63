"""Code blocks of Markdown pages, and how a page's blocks are executed one after the other, as a reader would."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.forked import run_isp, run_python

ROOT = Path(__file__).resolve().parents[2]
RUN = ("bash", "python")
"""Languages of blocks that are executed; `text`, and blocks without a language, are output or sketches."""
_EXCUSED = re.compile(r"<!-- not executed: \S.*-->")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, code, line in the page, and the reason why it is not executed, if any."""

    language: str
    code: str
    line: int
    excused: bool


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in its order."""
    found, lines = [], page.read_text("utf-8").splitlines()
    start = None
    for number, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if start is None:
            start = number
            continue
        before = lines[start - 1] if start else ""
        code = "\n".join(lines[start + 1 : number]) + "\n"
        found.append(Block(lines[start].strip("`").split(" ")[0], code, start + 1, bool(_EXCUSED.fullmatch(before))))
        start = None
    assert start is None, f"{page}: the block that begins in line {start} has no end"
    return found


def execute(page: Path, folder: Path) -> None:
    """Runs the page's blocks in a folder; AssertionError names the block that fails.

    The Python blocks between two commands are one script. Blocks of nothing but `isp` need no shell; others are run by
    bash with this environment's `isp`. A block that starts the app only has to answer.
    """
    script = ""
    for block in [*blocks(page), Block("bash", "true", 0, excused=False)]:
        if block.language not in RUN or block.excused:
            continue
        if block.language == "python":
            script += block.code
            continue
        where = f"{page.relative_to(ROOT)}, line {block.line}"
        if script:
            done = run_python(script, folder)
            assert done.status == 0, f"{where}, the Python before it:\n{script}\n{done.output}"
            script = ""
        if block.code.startswith("isp app"):
            _answers(block.code.split(), folder, where)
        elif commands := _isp_alone(block.code):
            for arguments in commands:
                done = run_isp(arguments, folder)
                assert done.status == 0, f"{where}:\n{block.code}\n{done.output}"
        else:
            _succeeds(["bash", "-euo", "pipefail", "-c", block.code], folder, f"{where}:\n{block.code}")


def _isp_alone(code: str) -> list[list[str]]:
    """The arguments of every `isp` of a block that has nothing else and nothing for a shell; else none."""
    lines = [shlex.split(line) for line in code.replace("\\\n", " ").splitlines()]
    plain = not re.search(r"[|&;<>$`*?(){}~!#]", code) and all(line[:1] == ["isp"] for line in lines)
    return [line[1:] for line in lines] if plain else []


def _environment() -> dict[str, str]:
    bin_folder = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": bin_folder + os.pathsep + os.environ["PATH"]}


def _succeeds(command: list[str], folder: Path, what: str) -> None:
    done = subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, text=True)
    assert done.returncode == 0, f"{what}\n{done.stdout}\n{done.stderr}"


def _answers(command: list[str], folder: Path, where: str) -> None:
    """Starts the app on a free port, waits until it answers, and ends it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "app.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--port", str(port)], cwd=folder, env=_environment(), stdout=log, stderr=subprocess.STDOUT
        )
    try:
        for _ in range(1800):
            assert server.poll() is None, f"{where}: {(folder / 'app.log').read_text()}"
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5):
                return
            time.sleep(0.1)
        raise AssertionError(f"{where}: the app does not answer")
    finally:
        server.terminate()
        server.wait(60)
