"""The Dockerfile and the Procfile start the app as they say; without docker the commands themselves are checked."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from isp_app import server
from isp_core.__main__ import app

ROOT = Path(__file__).resolve().parents[2]
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
