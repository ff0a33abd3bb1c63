"""Command line of the generator: render a data set, look at it, measure what needs no learning."""

import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from isp_assets.walkers.generate import baselines
from isp_assets.walkers.generate.dataset import Recipe, plan, render
from isp_assets.walkers.generate.library import Library
from isp_assets.walkers.generate.records import RecordsError, read_table
from isp_assets.walkers.generate.sheets import contact_sheet
from isp_core.errors import IspError

app = typer.Typer(help=__doc__, add_completion=False, no_args_is_help=True)


@app.command("render")
def render_command(
    out: Annotated[Path, typer.Argument(help="Folder to write; must be new or empty.")],
    meshes: Annotated[Path, typer.Option(help="MakeHuman's CC0 files: the folder that holds `data` and `base`.")],
    seed: Annotated[int, typer.Option(help="The one seed.")] = Recipe.seed,
    train: Annotated[int, typer.Option(min=2, help="Training identities.")] = Recipe.train,
    test: Annotated[int, typer.Option(min=2, help="Test identities.")] = Recipe.test,
    every: Annotated[int, typer.Option(min=1, help="Take only every n-th picture, for a look.")] = 1,
) -> None:
    """Render pictures, label maps and records. The defaults repeat the committed data set."""
    if out.exists() and any(out.iterdir()):
        raise IspError(f"{out}: not empty; give a new folder")
    recipe, library = Recipe(seed=seed, train=train, test=test), Library(meshes)
    out.mkdir(parents=True, exist_ok=True)
    table = render(recipe, library, out, plan(recipe)[::every], _progress)
    typer.echo(f"{len(table)} pictures of {table['identity'].nunique()} people in {out}")


def _progress(done: int, of: int) -> None:
    if done % 50 == 0 or done == of:
        print(f"\r{done} of {of}", end="" if done < of else "\n", file=sys.stderr, flush=True)


@app.command()
def sheet(
    folder: Annotated[Path, typer.Argument(help="A rendered data set.")],
    out: Annotated[Path, typer.Argument(help="PNG to write.")],
    query: Annotated[str, typer.Option(help="pandas query on the records, e.g. \"belonging == 'suitcase'\".")] = "",
    count: Annotated[int, typer.Option(min=1, help="Pictures, drawn at random.")] = 48,
    columns: Annotated[int, typer.Option(min=1)] = 12,
    labels: Annotated[bool, typer.Option(help="Show each label map beside its picture.")] = True,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
) -> None:
    """Draw a contact sheet."""
    table = read_table(folder)
    try:
        table = table.query(query) if query else table
    except (ValueError, SyntaxError, KeyError, pd.errors.UndefinedVariableError) as error:
        raise RecordsError(f"--query {query!r}: {error}; columns are {', '.join(table.columns)}") from error
    if table.empty:
        raise RecordsError(f"{folder}: no record matches {query!r}")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(table))[:count])
    contact_sheet(folder, table.iloc[chosen], columns, labels).save(out)


@app.command("baselines")
def baselines_command(folder: Annotated[Path, typer.Argument(help="A rendered data set.")]) -> None:
    """Measure the constant mask, colour histograms and chance, as the card reports them."""
    records = read_table(folder)
    train = baselines.read_labels(folder, records[records["split"] == "train"])
    test = baselines.read_labels(folder, records[records["split"] != "train"])
    for name, score in baselines.constant_masks(train, test).items():
        typer.echo(f"constant mask, {name}: IoU {score:.1f}")
    for subset in ("", "occluded"):
        queries = subset or "clear"
        for kind, result in (
            ("chance", baselines.chance_retrieval(records, subset)),
            ("colour histograms", baselines.histogram_retrieval(folder, records, subset)),
        ):
            typer.echo(f"{kind}, {queries} queries: mAP {result.mean_ap:.1f}, R-1 {result.rank1:.1f}")


def main() -> None:
    try:
        app()
    except IspError as error:
        typer.echo(f"Error: {error}", err=True)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
