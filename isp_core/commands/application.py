"""A command line whose every path enters through isp_core.paths, and whose every error leaves as a line or two."""

from __future__ import annotations

import contextlib
import difflib
import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import typer

from isp_core.errors import InterruptedCommandError, IspError
from isp_core.paths import as_path
from isp_core.text_files import SHOWN, printable, shown

Function = TypeVar("Function", bound=Callable[..., Any])


_INTERRUPTED = 130
_USAGE_ERROR: Any = typer.BadParameter.__base__
"""Click's root of wrong usage; newer versions of Typer bring a Click of their own."""


class Application(typer.Typer):
    """A Typer application; paths that its commands are given have home folders expanded."""

    def command(self, name: str | None = None, **options: Any) -> Callable[[Function], Function]:
        """Typer's decorator; the function that is registered receives expanded paths."""
        register = super().command(name, **options)

        def with_paths(function: Function) -> Function:
            register(_paths_expanded(function))
            return function

        return with_paths

    def run(self, name: str, arguments: Sequence[str] | None = None, *, interrupted: str, usage: str = "") -> None:
        """Runs the command line `name` (default: the process's own arguments) and exits.

        Errors that a user can mend are one or two lines on standard error and exit status 1; wrong usage is status 2.
        interrupted: what is left after Ctrl+C, and how to continue. usage: what is typed to call it, where that is not
        its name.
        """
        print_any_name()
        try:
            status = self(arguments, prog_name=usage or name, standalone_mode=False)
        except _USAGE_ERROR as error:
            sys.exit(_explain_usage(error, usage or name))
        except typer.Abort:  # of a question that was not answered
            status = _INTERRUPTED
        except IspError as error:
            _fail(name, str(error), 1)
        except OSError as error:  # a folder that may not be read or written to, a full disk, too many open files
            place = "" if error.filename is None else f"{shown(error.filename)}: "
            _fail(name, f"{place}{error.strerror or str(error) or type(error).__name__}", 1)
        except MemoryError as error:
            _fail(name, f"not enough memory{f' ({error})' if str(error) else ''}", 1)
        except InterruptedCommandError as error:
            _fail(name, f"interrupted; {error}", _INTERRUPTED)
        except KeyboardInterrupt:
            _fail(name, f"interrupted; {interrupted}", _INTERRUPTED)
        if status == _INTERRUPTED:  # what Typer makes of Ctrl+C
            _fail(name, f"interrupted; {interrupted}", _INTERRUPTED)
        sys.exit(status or 0)


def _explain_usage(error: Any, command: str) -> int:
    """Prints what is wrong with the arguments, and what is meant perhaps, in two lines; returns the exit status."""
    text = error.format_message()
    command = error.ctx.command_path if error.ctx is not None else command
    if "\n" in text or not text:  # no arguments at all: the text is the help, which may have been printed already
        print(text, end="", file=sys.stderr)
        return int(error.exit_code)
    if near := difflib.get_close_matches(
        getattr(error, "option_name", ""), getattr(error, "possibilities", None) or (), 1
    ):
        text = f"{error.message}. Did you mean {near[0]}?"
    print(f"{command}: {printable(text)}\n`{command} --help` lists what there is", file=sys.stderr)
    return int(error.exit_code)


def _fail(name: str, text: str, status: int) -> None:
    lines = "\n".join(printable(line) for line in text.split("\n"))
    print(f"{name}: {lines}", file=sys.stderr)
    sys.exit(status)


def _paths_expanded(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def called(*given: Any, **named: Any) -> Any:
        return function(*map(_expanded, given), **{name: _expanded(value) for name, value in named.items()})

    return called


def _expanded(value: Any) -> Any:
    if isinstance(value, Path):
        return as_path(value)
    if isinstance(value, list | tuple) and any(isinstance(item, Path) for item in value):
        return type(value)(_expanded(item) for item in value)
    return value


def print_any_name() -> None:
    """Lets names that are not UTF-8 be printed, as escapes of their bytes."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # a stream of a test or a notebook
            stream.reconfigure(errors=SHOWN)  # type: ignore[union-attr]
