"""Subcommands from other packages: listed without being loaded, loaded when called, explained where they cannot be."""

from __future__ import annotations

import subprocess
import sys

import pytest

from isp_core.__main__ import main
from isp_core.commands.outer import OUTER, Outer


def _run(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as exit_:
        main(list(arguments))
    return exit_.value.code


@pytest.mark.parametrize("name", OUTER)
def test_every_outer_subcommand_loads_and_names_itself_in_its_usage(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(name, "--help") == 0
    assert f"isp {name}" in capsys.readouterr().out


def test_the_help_lists_outer_subcommands_without_loading_them() -> None:
    code = (
        "import sys\n"
        "from isp_core.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted(name for name in sys.modules if name in ('isp_eval', 'isp_app', 'isp_assets', 'torch')))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert all(outer.help.split(":")[0] in output for outer in OUTER.values())
    assert output.splitlines()[-1] == "[]"


def test_arguments_reach_the_command_behind_the_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("eval", "retrieval", "--run", "nowhere", "--data", ".") == 1
    assert capsys.readouterr().err.startswith("isp: nowhere does not exist")


def test_wrong_usage_of_an_outer_subcommand_is_exit_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("eval", "nonsense") == 2
    assert "No such command 'nonsense'" in capsys.readouterr().err


def test_a_missing_library_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(OUTER, "more", Outer("no_such_library.commands:app", "More.", "gallery"))
    assert _run("more") == 1
    assert capsys.readouterr().err == (
        'isp: isp more needs no_such_library, which is not installed: pip install "isp-reid[gallery]"\n'
    )
