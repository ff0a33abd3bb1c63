"""Training in a process of its own, known by files: leaving the page, the browser or the server changes nothing.

A job is ROOT/.jobs/NAME.json (process id and command), NAME.log (the training log) and NAME.stage (what it is doing);
the run itself is ROOT/NAME. All sessions read the same files: two tabs see the same. Streamlit is not used here.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from isp_app.safety.names import inside, valid_name
from isp_core import progress
from isp_core.errors import IspError
from isp_core.json_reading import read_note
from isp_core.labelling.sources import SOURCES
from isp_core.progress import Stage, read_stage

FOLDER = ".jobs"
TAIL = 16_000  # bytes of the log that a page shows at most

_children: dict[int, subprocess.Popen[bytes]] = {}  # to reap what this server started
_starting = threading.Lock()


class JobError(IspError):
    """A training that cannot be started or stopped."""


@dataclass(frozen=True)
class Job:
    """A training: its run's name, process, command and when it began (seconds since 1970)."""

    name: str
    pid: int
    command: tuple[str, ...]
    started: float

    @property
    def running(self) -> bool:
        """Whether the process is still there and still this job."""
        child = _children.get(self.pid)
        if child is not None:
            return child.poll() is None
        return _is_ours(self.pid, self.name)


@dataclass(frozen=True)
class Wish:
    """What the page asks for; checked before a process starts."""

    name: str
    data: Path
    preset: str
    epochs: int
    parts: int
    labels: str
    identities: int | None = None
    seed: int = 0
    truth: tuple[Path, str] | None = None

    def options(self) -> dict[str, object]:
        """What it changes in its preset."""
        parts = {"labels.parts": self.parts} if self._has_parts else {}
        return {"run.epochs": self.epochs, "run.seed": self.seed, "labels.source": self.labels} | parts

    @property
    def _has_parts(self) -> bool:
        return bool(SOURCES[self.labels].parts_allowed())

    def command(self, out: Path) -> list[str]:
        """The same command that a person would type; the page shows it."""
        words = ["train", "--data", str(self.data), "--out", str(out), "--preset", self.preset]
        words += ["--epochs", str(self.epochs), "--labels", self.labels, "--seed", str(self.seed)]
        if self._has_parts:
            words += ["--parts", str(self.parts)]
        if self.identities:
            words += ["--identities", str(self.identities)]
        if self.truth is not None:
            words += ["--truth", str(self.truth[0]), "--space", self.truth[1]]
        return words

    def shown(self, root: Path) -> str:
        """The command in one line, to copy."""
        return f"isp {shlex.join(self.command(root / (self.name or 'NAME')))}"


def start(root: Path, wish: Wish) -> Job:
    """Starts a training; JobError where the name is taken or not a name."""
    if not valid_name(wish.name):
        raise JobError(f"{wish.name[:80]!r} is not a name: letters, digits, dot, dash and underscore, at most 64")
    with _starting:
        root.mkdir(parents=True, exist_ok=True)
        out = inside(root, wish.name)
        before = read(root, wish.name)
        if out.exists() or (before is not None and before.running):
            raise JobError(f"{wish.name} exists already: choose another name, or resume it")
        return _launch(root, wish.name, wish.command(out))


def resume(root: Path, name: str) -> Job:
    """Continues a stopped training from its last finished epoch."""
    with _starting:
        job = read(root, name)
        if job is None:
            raise JobError(f"{name[:80]} was not started from this page: resume it with `isp train ... --resume`")
        if job.running:
            raise JobError(f"{name} is running already")
        return _launch(root, name, resumed(job.command))


_KEPT = ("--data", "--out", "--epochs", "--truth", "--space")


def resumed(command: Sequence[str]) -> list[str]:
    """The command that continues a training: its configuration is in the run, so only places are given again.

    >>> resumed(("train", "--data", "d", "--out", "r", "--preset", "cpu", "--epochs", "3", "--seed", "0"))
    ['train', '--data', 'd', '--out', 'r', '--epochs', '3', '--resume']
    """
    said = [word for name, value in itertools.pairwise(command) if name in _KEPT for word in (name, value)]
    return [command[0], *said, "--resume"]


def stop(root: Path, name: str) -> None:
    """Asks the training to end, and ends it after ten seconds. Finished epochs stay."""
    job = read(root, name)
    if job is None or not job.running:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(job.pid, signal.SIGTERM)
    for _ in range(100):
        if not job.running:
            return
        time.sleep(0.1)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(job.pid, signal.SIGKILL)


def read(root: Path, name: str) -> Job | None:
    """The job of this name, None where there is none or its file is broken."""
    if not valid_name(name):
        return None
    found = read_note(root / FOLDER / f"{name}.json")
    try:
        return Job(str(found["name"]), int(found["pid"]), tuple(map(str, found["command"])), float(found["started"]))
    except (ValueError, KeyError, TypeError):
        return None


def everything(root: Path) -> list[Job]:
    """All jobs of a folder of runs, the latest first."""
    folder = root / FOLDER
    names = [file.stem for file in folder.glob("*.json")] if folder.is_dir() else []
    found = [job for job in (read(root, name) for name in names) if job is not None]
    return sorted(found, key=lambda job: -job.started)


def log_tail(root: Path, name: str) -> str:
    """The end of the training log."""
    if not valid_name(name):
        return ""
    try:
        with (root / FOLDER / f"{name}.log").open("rb") as handle:
            handle.seek(0, os.SEEK_END)
            handle.seek(max(0, handle.tell() - TAIL))
            text = handle.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(line.rsplit("\r", 1)[-1] for line in text.splitlines())


def stage(root: Path, name: str) -> Stage | None:
    """What the training of this name is doing, as it noted last; None before it began to work."""
    return read_stage(root / FOLDER / f"{name}.stage") if valid_name(name) else None


def _launch(root: Path, name: str, words: Sequence[str]) -> Job:
    folder = root / FOLDER
    folder.mkdir(exist_ok=True)
    noted = folder / f"{name}.stage"
    noted.unlink(missing_ok=True)
    with (folder / f"{name}.log").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "isp_core", *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, progress.FILE: str(noted.resolve())},
            start_new_session=True,  # the server's end is not the training's
        )
    _children[child.pid] = child
    job = Job(name, child.pid, tuple(words), time.time())
    temporary = folder / f".{name}.json.tmp"
    temporary.write_text(json.dumps(asdict(job)), encoding="utf-8")
    temporary.replace(folder / f"{name}.json")
    return job


def _is_ours(pid: int, name: str) -> bool:
    """Whether process `pid` is a training of run `name`, and not another process that got the number later."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rsplit(")", 1)[-1].split()[0]
    except OSError:
        return not Path("/proc").is_dir()  # systems without /proc: the number has to do
    return b"isp_core" in words and any(word.endswith(f"/{name}".encode()) for word in words) and state != "Z"
