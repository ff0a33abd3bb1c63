"""`isp`, the command line (also `python -m isp_core`)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated

# Threads that spin while they wait are up to ten times slower beside another busy process; must be set before torch
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import typer

from isp_core.commands.application import Application
from isp_core.commands.lazy import Commands
from isp_core.version import describe_version

HELP = "Human parts learned from identity labels (ISP, ECCV 2020)."
app = Application(
    cls=Commands,
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"isp-reid {describe_version()}")
        raise typer.Exit


@app.callback(help=HELP)
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print version and commit.", is_eager=True, callback=_print_version),
    ] = False,
) -> None: ...


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line (default: the process's own arguments) and exits, see `Application.run`."""
    app.run("isp", arguments, interrupted="what was finished is kept: start again (isp train: with --resume)")


if __name__ == "__main__":
    main()
