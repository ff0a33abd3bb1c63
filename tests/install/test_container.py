"""The Dockerfile and the Procfile start the app as they say.

Docker is not needed: the Dockerfile's own commands are run, from a folder that holds only what it copies, by
a user without rights. The libraries are this environment's.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from isp_app import server
from isp_core.__main__ import app

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 1000  # the image's user
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def instructions(name: str) -> list[str]:
    whole = DOCKERFILE.replace("\\\n", " ")
    return [line.split(maxsplit=1)[1] for line in whole.splitlines() if line.startswith(f"{name} ")]


def test_the_container_runs_the_app_as_a_user_without_rights() -> None:
    users = instructions("USER")
    assert users[-1] not in ("root", "0")
    made = next(line for line in instructions("RUN") if "useradd" in line)
    assert re.search(rf"useradd .*\b{users[-1]}\b", made)
    assert DOCKERFILE.index("\nUSER ") < DOCKERFILE.index("\nENTRYPOINT ")


def test_everything_it_copies_exists_and_the_installation_needs_no_more() -> None:
    copied = {path for line in instructions("COPY") for path in line.split()[:-1]}
    assert all((ROOT / path).exists() for path in copied)
    assert {
        "pyproject.toml",
        "setup.py",
        "README.md",
        "LICENSE",
        "NOTICE",
        "isp_core",
        "eval",
        "app",
        "assets",
    } <= copied


def test_its_entry_point_is_a_command_of_ours_that_listens_for_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = json.loads(instructions("ENTRYPOINT")[0])
    assert entry[0] == "isp"
    started: list[list[str]] = []
    monkeypatch.setattr("os.execve", lambda program, words, environment: started.append(words))
    result = CliRunner().invoke(app, entry[1:])
    assert result.exit_code == 0, result.output
    assert "--server.address=0.0.0.0" in started[0]
    assert f"--server.port={instructions('EXPOSE')[0]}" in started[0]


def test_the_procfile_starts_main_py_and_sets_no_option_that_is_refused() -> None:
    words = shlex.split((ROOT / "Procfile").read_text(encoding="utf-8").partition(": ")[2])
    assert words[:3] == ["streamlit", "run", "app/main.py"]
    given = dict(word.removeprefix("--").split("=") for word in words[3:])
    running = {**server.options(), **given}
    server.require_private(running.__getitem__)


def interpreter() -> str:
    """A Python of this version that a user without rights may run: this one, or one outside of root's home."""
    version = f"python{sysconfig.get_python_version()}"
    for candidate in (os.path.realpath(sys.executable), shutil.which(version, path="/usr/local/bin:/usr/bin")):
        with suppress(OSError):
            if candidate and subprocess.run([candidate, "-c", "import venv"], cwd="/", user=user()).returncode == 0:
                return candidate
    pytest.skip(f"no {version} that another user than root may run")


def user() -> int | None:
    """Who runs the app: the image's user where the tests are root's, else whoever runs the tests."""
    return NOBODY if os.getuid() == 0 else None


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """What the Dockerfile builds, as a folder: /source with what it copies, an environment with what it installs from
    there, and /srv, the home of its user."""
    for line in instructions("COPY"):
        *sources, target = line.split()
        for source in sources:
            place = tmp_path / target.strip("/")
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, place)
    subprocess.run([interpreter(), "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    site = tmp_path / "venv" / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    (site / "libraries.pth").write_text("\n".join(libraries) + "\n")
    install = next(line for line in instructions("RUN") if '"/source[app]"' in line).partition(" && ")[0]
    words = [word.replace("/source[app]", str(tmp_path / "source")) for word in shlex.split(install)]
    assert words[:2] == ["pip", "install"]
    offline = ["--no-deps", "--no-build-isolation", "--quiet"]
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "pip", "--python", python, *words[1:], *offline], check=True)
    shutil.rmtree(tmp_path / "source")  # as the Dockerfile does: the app must not need it
    (tmp_path / "srv").mkdir()
    if user() is not None:
        os.chown(tmp_path / "srv", NOBODY, NOBODY)
        for folder in [tmp_path, *tmp_path.parents]:
            with suppress(PermissionError):
                folder.chmod(folder.stat().st_mode | 0o055)  # pytest's folders are its user's alone
            if folder == Path("/tmp"):
                break
    return tmp_path


@pytest.mark.slow
def test_its_commands_run_by_a_user_without_rights_start_an_app_that_is_healthy(image: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    program, *words = json.loads(instructions("ENTRYPOINT")[0])
    home = image / instructions("WORKDIR")[0].strip("/")
    environment = {"PATH": f"{image / 'venv' / 'bin'}:/usr/bin:/bin", "HOME": str(home)}
    with (image / "app.log").open("wb") as log:
        server = subprocess.Popen(
            [image / "venv" / "bin" / program, *words, "--port", port],
            cwd=home,
            env=environment,
            user=user(),
            group=user(),
            extra_groups=[] if user() else None,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    check = json.loads(instructions("HEALTHCHECK")[0].removeprefix("CMD "))
    check = [word.replace(f":{instructions('EXPOSE')[0]}/", f":{port}/") for word in check]
    try:
        for _ in range(600):
            assert server.poll() is None, (image / "app.log").read_text()
            healthy = subprocess.run(check, env=environment, capture_output=True, text=True)
            if healthy.returncode == 0:
                break
            time.sleep(0.5)
        assert healthy.returncode == 0, healthy.stderr
        status = Path(f"/proc/{server.pid}/status")
        if status.exists():  # Linux
            uids = next(line for line in status.read_text().splitlines() if line.startswith("Uid:")).split()[1:]
            assert "0" not in uids
        assert not (image / "source").exists()
    finally:
        server.terminate()
        server.wait(60)
