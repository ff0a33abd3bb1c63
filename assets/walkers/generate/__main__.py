"""Command line of the generator: render a data set, join two, look at one, measure what needs no learning."""

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from isp_assets.walkers.generate import baselines
from isp_assets.walkers.generate.command import render_walkers
from isp_assets.walkers.generate.joining import join_sets
from isp_assets.walkers.generate.packed import MESHES, pack
from isp_assets.walkers.generate.records import RecordsError, read_table
from isp_assets.walkers.generate.sheets import contact_sheet
from isp_core.commands.application import Application

app = Application(help=__doc__, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
app.command("render")(render_walkers)


@app.command("pack")
def pack_meshes(
    makehuman: Annotated[Path, typer.Argument(help="MakeHuman's CC0 files: the folder that holds `data` and `base`.")],
    out: Annotated[Path, typer.Option(help="Folder to write; by default the package's own.")] = MESHES,
) -> None:
    """Pack MakeHuman's meshes into the files that the generator reads."""
    for file in pack(makehuman, out):
        typer.echo(f"{file} {file.stat().st_size / 1e6:.2f} MB")


@app.command("join")
def join_command(
    out: Annotated[Path, typer.Argument(help="Folder to write; must be new or empty.")],
    train: Annotated[Path, typer.Option(help="Rendered data set whose training people are taken.")],
    test: Annotated[Path, typer.Option(help="Rendered data set whose query and gallery are taken.")],
) -> None:
    """Make a data set of one set's training people and another's test people."""
    table = join_sets(train, test, out)
    people = table.groupby("split")["identity"].nunique()
    typer.echo(f"{out}: {len(table):,} images, {people['train']:,} training and {people['gallery']:,} test people")


@app.command()
def sheet(
    folder: Annotated[Path, typer.Argument(help="A rendered data set.")],
    out: Annotated[Path, typer.Argument(help="PNG to write.")],
    query: Annotated[str, typer.Option(help="pandas query on the records, e.g. \"belonging == 'suitcase'\".")] = "",
    count: Annotated[int, typer.Option(min=1, help="Pictures, drawn at random.")] = 48,
    columns: Annotated[int, typer.Option(min=1)] = 12,
    labels: Annotated[bool, typer.Option(help="Show each label map next to its image.")] = True,
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
    app.run("walkers", usage="python -m assets.walkers.generate", interrupted="what was written is complete")


if __name__ == "__main__":
    main()
