"""A command line whose every path enters through isp_core.paths, whatever option or argument it is given to."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import typer

from isp_core.paths import as_path

Function = TypeVar("Function", bound=Callable[..., Any])


class Application(typer.Typer):
    """A Typer application; paths that its commands are given have home folders expanded."""

    def command(self, name: str | None = None, **options: Any) -> Callable[[Function], Function]:
        """Typer's decorator; the function that is registered receives expanded paths."""
        register = super().command(name, **options)

        def with_paths(function: Function) -> Function:
            register(_paths_expanded(function))
            return function

        return with_paths


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
    """Lets names that are not UTF-8 be printed, as escapes."""
    with contextlib.suppress(AttributeError):  # a stream of a test or a notebook
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
