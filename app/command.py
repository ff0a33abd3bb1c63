"""`isp app`: serve the app."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from isp_app import server


def serve(
    runs: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of runs, or a run, shown in addition to the embedded study; may be repeated."),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of data sets that runs were trained on, or a CSV file; may be repeated."),
    ] = None,
    truth: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of ground-truth label maps that do not lie beside their images; may be repeated."),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the server.")] = 8501,
    share_on: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Address to listen on, so that other machines can open the app (0.0.0.0: on every network). "
            "They see all runs; your data and training stay closed to them.",
        ),
    ] = None,
    allow_training: Annotated[
        bool, typer.Option("--allow-training", help="With --share-on: open your data and training to others too.")
    ] = False,
    gallery: Annotated[
        str | None,
        typer.Option(help="A gallery store (isp gallery), whose nearest entries Upload shows too."),
    ] = None,
    embedded: Annotated[bool, typer.Option(help="Show the embedded study.")] = True,
) -> None:
    """Open the app on the embedded study and your own runs; only this machine can open it.

    Without --runs, the folder `runs` in the working directory is shown too. Stop the app with Ctrl+C.
    """
    import streamlit  # noqa: F401  # a missing library is reported here, with the extra that has it

    for folder in runs or []:
        if not folder.exists():
            typer.echo(f"note: --runs {folder} does not exist yet; its runs are shown once it does", err=True)
    made = server.environment(os.environ, runs or [], data or [], embedded, allow_training, truth or [], gallery)
    become_server(port, share_on, made)


def become_server(port: int, share_on: str | None, environment: Mapping[str, str]) -> None:
    """Replaces this process by the server: its signals and its exit status are the server's."""
    words = server.command(port, share_on)
    os.execve(words[0], words, environment)
