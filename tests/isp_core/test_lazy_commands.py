"""Subcommands: listed without being loaded, loaded when called, explained where they cannot be; wrong usage in two
lines that name the nearest command or option, before anything slow is loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from isp_core.__main__ import main
from isp_core.commands.lazy import COMMANDS, Subcommand


def _run(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as exit_:
        main(list(arguments))
    return exit_.value.code


@pytest.mark.parametrize("name", COMMANDS)
def test_every_subcommand_loads_and_names_itself_in_its_usage(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(name, "--help") == 0
    assert f"isp {name}" in capsys.readouterr().out


def _loaded_by(*arguments: str) -> set[str]:
    """The top-level packages that are loaded when a command line ends."""
    code = (
        "import sys\n"
        "from isp_core.__main__ import main\n"
        f"try: main({list(arguments)!r})\n"
        "except SystemExit: pass\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return set(output.splitlines()[-1].split())


def test_the_help_lists_every_subcommand_without_loading_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert _loaded_by("--help").isdisjoint({"isp_eval", "isp_app", "isp_assets", "pandas", "torch"})
    _run("--help")
    said = "".join(capsys.readouterr().out.split())
    assert all("".join(each.help.split()[:4]) in said for each in COMMANDS.values())


@pytest.mark.parametrize(
    "arguments",
    [
        ("loook",),
        ("runs", "lst"),
        ("train", "--laels", "none"),
        ("train", "--data", ".", "--out", "x", "--labels", "nope"),
        ("train", "--data", "nowhere", "--out", "x"),
        ("train", "--data", ".", "--out", "x", "--set", "run.seed=true"),
        ("train", "--data", ".", "--out", __file__),
        ("extract", "--run", "nowhere", "--data", "."),
        ("parse", "--run", "nowhere", "--out", "x", "a.jpg"),
        ("runs", "prune", ".", "--keep", "none"),
        ("eval", "retrieval", "--run", "nowhere"),
    ],
    ids=" ".join,
)
def test_wrong_arguments_load_neither_torch_nor_pandas(arguments: tuple[str, ...]) -> None:
    assert _loaded_by(*arguments).isdisjoint({"torch", "pandas", "scipy", "rich"})


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("loook",), "Did you mean 'look'?"),
        (("evl",), "'eval'"),
        (("runs", "lst"), "Did you mean 'list'?"),
        (("train", "--laels", "none"), "Did you mean --labels?"),
        (("eval", "parsing", "--spce", "lip"), "Did you mean --space?"),
        (("look", "--prot", "1"), "Did you mean --port?"),
        (("train",), "Missing option '--data'"),
        (("train", "--epochs", "two"), "--epochs"),
    ],
    ids=str,
)
def test_wrong_usage_is_two_lines_that_name_what_is_near(
    arguments: tuple[str, ...], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(*arguments) == 2
    said = capsys.readouterr()
    first, second = said.err.splitlines()
    assert not said.out
    assert first.startswith("isp")
    assert named in first
    assert second.endswith("--help` lists what there is")


def test_arguments_reach_the_command_behind_the_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("eval", "retrieval", "--run", "nowhere", "--data", ".") == 1
    assert capsys.readouterr().err.startswith("isp: nowhere does not exist")


def test_wrong_usage_of_an_outer_subcommand_is_exit_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("eval", "nonsense") == 2
    assert "No such command 'nonsense'" in capsys.readouterr().err


def test_a_missing_library_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(COMMANDS, "more", Subcommand("no_such_library.commands:app", "More.", "gallery"))
    assert _run("more") == 1
    assert capsys.readouterr().err == (
        'isp: isp more needs no_such_library, which is not installed: pip install "isp-reid[gallery]"\n'
    )
