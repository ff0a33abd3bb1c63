"""`isp train`: every option of a run, from a preset, a YAML file and the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from isp_core.commands.options import DataOption, JsonOption, print_json
from isp_core.config import ConfigError, load_config, parse_assignments, preset_names
from isp_core.labelling.sources import SOURCES, parse_labels
from isp_core.paths import place_of_run, require_no_run
from isp_core.text_files import printable


def train_run(
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", help="The run directory to write (or to continue).")],
    preset: Annotated[
        str | None,
        typer.Option(help=f"Recipe: {', '.join(preset_names())} (default: cpu). Several: market+resnet50."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with any options, overriding the preset (`base: NAME` names one).")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs to train.")] = None,
    parts: Annotated[int | None, typer.Option(help="K: number of parts, background included.")] = None,
    identities: Annotated[int | None, typer.Option(help="Train on the first N identities only.")] = None,
    size: Annotated[str | None, typer.Option(help="Height x width of the input, such as 256x128.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    labels: Annotated[
        str | None, typer.Option(help=f"Label source: {', '.join(SOURCES)}; or a folder of label maps.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="Folder of ground-truth maps to measure IoU with (never to train on).")
    ] = None,
    space: Annotated[
        str | None, typer.Option(help="Label space of --truth, and of a folder given as --labels (default: lip).")
    ] = None,
    eval_every: Annotated[int | None, typer.Option(help="Epochs between evaluations; 0: only the last.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out.")] = False,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", help="Any option, such as loss.parsing=1 (docs/training.md has all).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train a run with one checkpoint per epoch; stop it at any time and continue with --resume.

    Values come from the defaults (the paper's), a preset, the YAML file, and these options; later sources override
    earlier ones. A resumed run keeps its configuration; only --epochs, --truth and --space may then be given.
    """
    options: dict[str, Any] = {
        "run.epochs": epochs,
        "labels.parts": parts,
        "data.identities": identities,
        "data.size": None if size is None else parse_size(size),
        "run.seed": seed,
        "run.eval_every": eval_every,
        "run.truth": None if truth is None else str(truth),
        "run.space": space,
    }
    options = {key: value for key, value in options.items() if value is not None}
    if labels is not None:
        options |= {f"labels.{key}": value for key, value in parse_labels(labels, space).items()}
    options |= parse_assignments(assignments or [])
    recipe = preset is not None or config is not None
    begun = None
    if not resume:
        begun = load_config(preset, config, options, default="cpu")
        require_no_run(place_of_run(out))
    typer.echo(f"{printable(out)}: reading {printable(data)}", err=True)  # before torch, which takes seconds to load
    from isp_core.data import load
    from isp_core.training import resumed_config, train

    settings = resumed_config(out, options, recipe=recipe) if begun is None else begun
    run = train(
        settings,
        load(data),
        out,
        resume=resume,
        report=lambda line: typer.echo(line, err=True),
        progress=sys.stderr.isatty() and not as_json,
    )
    if as_json:
        last = run.metrics().iloc[-1].to_dict()
        print_json({"run": str(run.path), "epochs": run.last_epoch, "metrics": last})


def parse_size(text: str) -> tuple[int, int]:
    """ "256x128" -> (256, 128)."""
    height, cross, width = text.lower().partition("x")
    if not cross or not all(side.isdecimal() and len(side) <= 9 for side in (height, width)):
        raise ConfigError(f"--size takes height x width, such as 256x128; got {text!r}")
    return int(height), int(width)
