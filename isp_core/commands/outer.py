"""Subcommands of `isp` that live in packages above isp_core: named in a table, loaded when one of them is used.

isp_core imports none of these packages. A new subcommand is one line of OUTER.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from isp_core.commands.application import Application
from isp_core.errors import IspError


@dataclass(frozen=True)
class Outer:
    """A subcommand: `place` is "module:attribute" of a Typer app or of a function, `help` its line in `isp --help`,
    `extra` the optional dependencies that it needs (`pip install "isp-reid[EXTRA]"`)."""

    place: str
    help: str
    extra: str


OUTER = {
    "look": Outer("isp_app.look:look_at_images", "Parse a folder of your own images and open the app on it.", "app"),
    "app": Outer("isp_app.command:serve", "Open the app on the embedded study and your own runs.", "app"),
    "truth": Outer("isp_eval.commands.truth:write_truth", "Make ground-truth label maps with a part parser.", "truth"),
    "eval": Outer("isp_eval.__main__:app", "Evaluate runs: rankings, parsing scores, the paper's tables.", "eval"),
    "walkers": Outer(
        "isp_assets.walkers.generate.command:render_walkers",
        "Render pedestrians: a data set of any size, with exact label maps.",
        "eval",
    ),
}


class OuterCommand(TyperCommand):
    """Stands for a subcommand in `isp --help`, and becomes the real one when it is called."""

    def __init__(self, name: str, outer: Outer) -> None:
        super().__init__(name, help=outer.help)
        self.outer = outer

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        return self.real().make_context(info_name, args, parent, **extra)

    def real(self) -> Any:
        """The click command that it stands for; IspError where a library that it needs is not installed."""
        return _load(str(self.name), self.outer)


class Commands(TyperGroup):
    """The commands of `isp`: its own, then those of OUTER."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *OUTER]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in OUTER:
            return OuterCommand(cmd_name, OUTER[cmd_name])
        return super().get_command(ctx, cmd_name)


def _load(name: str, outer: Outer) -> Any:
    """The click command behind an entry; IspError where a library that it needs is not installed."""
    module, _, attribute = outer.place.partition(":")
    try:
        found: typer.Typer | Callable[..., None] = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise IspError(
            f'isp {name} needs {error.name}, which is not installed: pip install "isp-reid[{outer.extra}]"'
        ) from error
    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    single = Application(add_completion=False, pretty_exceptions_enable=False)
    single.command(name)(found)
    return typer.main.get_command(single)
