"""`isp walkers`: a rendered data set of any size."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from isp_assets.walkers.generate.dataset import Recipe
from isp_assets.walkers.generate.rendering import render
from isp_core.errors import InterruptedCommandError
from isp_core.progress import progress_bar


def render_walkers(
    out: Annotated[Path, typer.Argument(help="Folder to write: new, empty, or left by the same command.")],
    train: Annotated[int, typer.Option(min=2, help="Training people, 15 images each.")] = Recipe.train,
    test: Annotated[int, typer.Option(min=2, help="Test people, some 26 images each.")] = Recipe.test,
    seed: Annotated[int, typer.Option(min=0, help="Seed of people, places and images.")] = Recipe.seed,
    jobs: Annotated[
        int, typer.Option(min=1, help="Number of processes. It does not change the images.")
    ] = os.cpu_count() or 1,
) -> None:
    """Render a data set of pedestrians with exact label maps, of any size, free to use (CC0).

    After an interruption, the same command continues. The defaults repeat the embedded data set's people.
    """
    recipe, begun = Recipe(seed=seed, train=train, test=test), time.perf_counter()
    try:
        with progress_bar("rendering", 0) as bar:
            rendered = render(recipe, out, jobs=jobs, watch=bar.move)
    except KeyboardInterrupt:
        raise InterruptedCommandError(f"the same command continues in {out}") from None
    table, seconds = rendered.table, time.perf_counter() - begun
    people = f"{len(table):,} images of {table['identity'].nunique():,} people"
    if rendered.rendered:
        pace = f"{rendered.rendered:,} in {seconds:.0f} s, {rendered.rendered / seconds:.1f} a second"
        typer.echo(f"{out}: {people} ({pace}, with {jobs} processes)")
    else:
        typer.echo(f"{out}: {people}, complete already")
