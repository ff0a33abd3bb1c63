"""`isp runs`: list, show, verify, prune, import."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from isp_core.commands.application import Application
from isp_core.commands.imports import import_results
from isp_core.commands.options import JsonOption, existing_run, print_json
from isp_core.progress import counted
from isp_core.text_files import printable

if TYPE_CHECKING:
    from isp_core.runs import RunSummary

app = Application(
    help="Manage run directories.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("import")(import_results)
_MAIN = ("epoch", "loss_total", "churn", "train_iou_foreground", "test_iou_foreground", "R-1", "R-5", "mAP", "mINP")
"""What `isp runs show` prints: it fits into a terminal of 100 columns."""
_SHARE = re.compile(r"(^|_)(R-\d+|mAP|mINP|iou)(_|$)")
"""Metrics that are stored as fractions and shown in per cent."""
RunArgument = Annotated[Path, typer.Argument(help="The run directory.", callback=existing_run)]


@app.command("list")
def list_folder(
    folder: Annotated[Path, typer.Argument(help="A folder of runs (default: runs, in this folder).")] = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """List the runs in a folder; of broken ones, say what is wrong."""
    # imported here, as in every command: wrong usage need not wait for pandas
    from isp_core.runs import list_runs

    runs = list_runs(folder)
    if as_json:
        print_json([asdict(run) for run in runs])
        return
    if not runs:
        typer.echo(f"{folder} holds no runs")
        return
    rows = [_HEAD] + [
        (
            printable(run.name),
            str(run.epochs),
            str(run.parts or "-"),
            *map(printable, (run.backbone, run.data, run.labels)),
            _weights(run),
        )
        for run in runs
        if run.problem is None
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for row in rows if len(rows) > 1 else []:
        typer.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    for run in runs:
        if run.problem is not None:
            typer.echo(printable(f"{run.name}: {run.problem}"))


_HEAD = ("run", "epoch", "K", "backbone", "data", "labels", "weights")


def _weights(run: RunSummary) -> str:
    """How many epochs have weights, in a word."""
    return "none" if not run.weights else f"{run.weights} epoch{'' if run.weights == 1 else 's'}"


@app.command("show")
def show_run(
    run: RunArgument,
    every: Annotated[bool, typer.Option("--all", help="Show every metric, however wide the table.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a run's description and its main metrics (--all: every one)."""
    import pandas as pd

    from isp_core.runs import open_run

    opened = open_run(run)
    metrics = opened.metrics().reset_index()
    if as_json:
        print_json({"info": opened.info.model_dump(mode="json", by_alias=True), "metrics": metrics.to_dict("records")})
        return
    info = opened.info
    lines = [f"{opened.name}: {info.backbone}, K = {info.parts or '-'}, input {info.size[0]}x{info.size[1]}"]
    if info.parameters:
        counts = ", ".join(f"{name} {count / 1e6:.2f} M" for name, count in info.parameters.items())
        lines.append(f"parameters: {counts}; initial weights: {info.weights}")
    lines.append(f"data {info.data.name} ({info.data.fingerprint[:12]}), labels {info.labels}, seed {info.seed}")
    for line in lines:
        typer.echo(printable(line))
    known = [name for name in _MAIN if name in metrics and metrics[name].notna().any()]
    left_out = len(metrics.columns) - len(known)
    shown = metrics if every else metrics[known]
    shares = [name for name in shown if _SHARE.search(str(name)) and pd.api.types.is_numeric_dtype(shown[name])]
    shown = shown.assign(**{str(name): 100 * shown[name] for name in shares}).rename(columns=printable)
    typer.echo(shown.to_string(index=False, float_format=lambda value: f"{value:.4g}", na_rep=""))
    if shares:
        typer.echo("R-k, mAP, mINP and IoU in per cent")
    if not every and left_out:
        typer.echo(f"{left_out} more metrics: --all shows them, --json prints them")


@app.command("verify")
def verify_run(run: RunArgument, as_json: JsonOption = False) -> None:
    """Read every file of a run and name what is damaged; the exit status is 1 if anything is."""
    from isp_core.runs import open_run
    from isp_core.runs.maintenance import notes, verify

    opened = open_run(run)
    findings = verify(opened, lambda files: counted(files, "files", len(files)))
    for note in [] if findings else notes(opened):
        typer.echo(f"note: {note}", err=as_json)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            typer.echo(printable(f"{finding.file}: {finding.problem}"))
        typer.echo(f"{run}: {len(findings) or 'no'} problem{'' if len(findings) == 1 else 's'}")
    if findings:
        raise typer.Exit(1)


@app.command("prune")
def prune_run(
    run: RunArgument,
    keep: Annotated[
        Literal["all", "best", "last"],
        typer.Option(help="Weights to keep: all (only clean up), best and last, or last."),
    ] = "best",
    metric: Annotated[
        str | None,
        typer.Option(
            help="Metric that chooses the best epoch (default: mAP of validation identities, else of the test set)."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Remove checkpoints that are no longer needed."""
    from isp_core.runs import open_run
    from isp_core.runs.maintenance import prune

    freed = prune(open_run(run), keep, metric)
    if as_json:
        print_json({"run": str(run), "freed_bytes": freed})
    else:
        typer.echo(f"{run}: {freed / 1e6:.1f} MB freed")
