"""`python -m eval study`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from isp_core.commands.options import DataOption, JsonOption, OutOption, print_json
from isp_core.paths import place_of_run


def run_study(
    study: Annotated[
        Literal["K", "cascade", "semantics", "backbone", "matching"],
        typer.Argument(
            help="K: Tables 3, 4. cascade: Figure 5. semantics: Table 5. backbone: Table 6. matching: Tables 1, 2."
        ),
    ],
    data: DataOption,
    out: OutOption,
    values: Annotated[
        list[str] | None,
        typer.Option(help="Rows instead of the usual ones (K: 4 ...; backbone: name or name=weights)."),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="The preset of all rows (as isp train --preset; default: cpu, for cascade cascade-cpu)."),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file that overrides the preset.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of every run.")] = None,
    parts: Annotated[int | None, typer.Option(help="K, unless the study varies it.")] = None,
    identities: Annotated[int | None, typer.Option(help="Train on the first N identities only.")] = None,
    size: Annotated[str | None, typer.Option(help="Height x width of the input.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every run; with --seeds, the first one.")] = None,
    seeds: Annotated[
        int,
        typer.Option(
            min=1,
            help="Trainings of every row, with successive seeds: rows are means with their spread. "
            "A row of one seed is not ranked.",
        ),
    ] = 1,
    assignments: Annotated[list[str] | None, typer.Option("--set", help="Any option: section.key=value.")] = None,
    truth: Annotated[Path | None, typer.Option(help="Folder of ground-truth maps to evaluate parsing with.")] = None,
    space: Annotated[str, typer.Option(help="Label space of --truth and --maps.")] = "lip",
    maps: Annotated[Path | None, typer.Option(help="A parser's maps for '+extra info' to train on.")] = None,
    resample: Annotated[
        Literal["identities", "queries"], typer.Option(help="What intervals and paired tests resample.")
    ] = "identities",
    subset: Annotated[str, typer.Option(help="Evaluate only queries of this subset, such as occluded.")] = "",
    jobs: Annotated[int, typer.Option(min=1, help="Runs to train at once; they share the cores.")] = 1,
    column: Annotated[str | None, typer.Option("--paper", help="The paper's data set to compare with.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Train the missing runs of a study, evaluate them, and write the paper's table to OUT/tables.

    Studies with the same OUT share the runs in OUT/runs: finished ones are reused, unfinished ones resumed. The paper's
    own numbers are in columns that are marked as such; they were measured on whole data sets with HRNet-W32.
    """
    place_of_run(out / "runs")
    # imported here: --help need not wait for torch
    from isp_core.commands.training import parse_size
    from isp_core.config import load_config, parse_assignments
    from isp_core.data import load
    from isp_core.errors import IspError
    from isp_eval.retrieval import Rule
    from isp_eval.studies.paper import ISP, column_for
    from isp_eval.studies.plans import plan, usual_preset, with_seeds
    from isp_eval.studies.reports import Truth, tables_of
    from isp_eval.studies.training import Bench, train_missing
    from isp_eval.tables import text, write_table

    if column is not None and column not in ISP:
        raise IspError(f"the paper has no data set {column!r}; it has {', '.join(ISP)}")
    options = {
        "run.epochs": epochs,
        "labels.parts": parts,
        "data.identities": identities,
        "data.size": None if size is None else parse_size(size),
        "run.seed": seed,
    }
    overrides = {key: value for key, value in options.items() if value is not None}
    overrides |= parse_assignments(assignments or [])
    base = load_config(preset, config, overrides, default=usual_preset(study))
    variants = with_seeds(plan(study, base, values or (), maps, space), base.run.seed, seeds)
    column = column or column_for(load(data).name)
    bench = Bench(data.resolve(), out, None if truth is None else truth.resolve(), space, jobs)
    trained = train_missing(bench, base, variants, lambda line: typer.echo(line, err=True))
    missing = [each for each in trained if each.run is None]
    if len(missing) == len(trained):
        raise IspError(f"no row of study {study} could be trained; {missing[0].variant.run}: {missing[0].problem}")
    judged = None if truth is None else Truth(truth, space, data)
    tables = tables_of(study, trained, column, judged, Rule(subset=subset, resample=resample))
    files = [
        str(file)
        for table in tables
        for file in write_table(table.frame, out / "tables", table.name, table.caption, table.decimals)
    ]
    if as_json:
        rows = {table.name: table.frame.to_dict("records") for table in tables}
        print_json({"study": study, "tables": rows, "files": files, "missing": [m.variant.run for m in missing]})
    else:
        for table in tables:
            typer.echo(f"{table.caption}\n\n{text(table.frame, table.decimals)}\n")
        typer.echo(f"written: {', '.join(files)}")
    if missing:
        names = ", ".join(each.variant.run for each in missing)
        raise IspError(f"{len(missing)} of {len(trained)} rows could not be trained and are empty: {names}")
