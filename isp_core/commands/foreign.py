"""Options of commands that label the feature maps of another network (`--network`), and what they say of it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isp_core.commands.options import print_json
from isp_core.config import ConfigError, load_config, parse_assignments
from isp_core.labelling.sources import DEFAULT, parse_labels, source_of, sources_on_maps
from isp_core.text_files import printable

if TYPE_CHECKING:
    from isp_core.labelling.source import LabelOptions
    from isp_core.runs import Run

NetworkOption = Annotated[
    Path | None,
    typer.Option("--network", help="Instead of a run: YAML description of any ONNX or TorchScript network."),
]
LabelsOption = Annotated[
    str | None,
    typer.Option(
        "--labels",
        help=f"With --network: label source, {', '.join(sources_on_maps())}, or a folder of label maps (default: "
        f"{DEFAULT}).",
    ),
]
PartsOption = Annotated[int | None, typer.Option("--parts", help="With --network: K, background included.")]
SeedOption = Annotated[
    int | None, typer.Option("--seed", help="With --network: seed of everything random (default: 0).")
]
LabelSetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="With --network: any option of the label source, such as labels.restarts=3."),
]


def label_options(
    labels: str | None, parts: int | None, space: str | None, assignments: list[str] | None
) -> LabelOptions:
    """The options of a label source as the command line names them; ConfigError names what is wrong."""
    options: dict[str, Any] = {} if parts is None else {"labels.parts": parts}
    if labels is not None:
        options |= {f"labels.{key}": value for key, value in parse_labels(labels, space).items()}
    options |= parse_assignments(assignments or [])
    strange = next((key for key in options if not key.startswith("labels.")), None)
    if strange is not None:
        raise ConfigError(f"--set {strange}: nothing is trained here, so only options labels.* can be set")
    return load_config(overrides=options).labels


def label_maps_of(
    description: Path,
    data: Path,
    out: Path,
    options: LabelOptions,
    seed: int,
    truth: Path | None,
    space: str,
    as_json: bool,
) -> None:
    """`isp label --network`: labels by a network with a description, as the run `out`, and what came of it in words."""
    from isp_core.data import load
    from isp_core.data.label_files import require_label_folder
    from isp_core.foreign.labels import label_by_network
    from isp_core.foreign.network import ForeignNetwork

    source_of(options).require_maps()  # first what needs no network
    if truth is not None:
        require_label_folder(truth)
    given = load(data)
    network = ForeignNetwork(description)
    typer.echo(f"{printable(network.name)}: {network.summary()}", err=True)
    made = label_by_network(
        network,
        given,
        out,
        options,
        seed=seed,
        truth=None if truth is None else (truth, space),
        show=sys.stderr.isatty() and not as_json,
    )
    row = {str(name): float(value) for name, value in made.metrics().iloc[-1].items()}
    if as_json:
        print_json({"run": str(out), "network": network.name, "labels": options.source, "metrics": row})
        return
    count = {split: some.pictures for split, some in made.info.data.splits.items()}
    typer.echo(f"{out}: labels of {count['train']} images, predictions of {count['query'] + count['gallery']}")
    for line in run_lines(made, row):
        typer.echo(line)
    for note in given.notes:
        typer.echo(f"note: {note}", err=True)
    if not count["query"] + count["gallery"]:
        typer.echo(
            "note: without query and gallery images there are no predictions and no rankings; "
            f"`isp look {shlex.quote(str(data))} --network {shlex.quote(str(description))}` uses every image as both",
            err=True,
        )
    typer.echo(f"open it: isp app --runs {shlex.quote(str(out))} --data {shlex.quote(str(data))}")


def run_lines(run: Run, row: Mapping[str, float]) -> list[str]:
    """The metrics of labels by another network, a line each: class IoU next to the constant mask, and retrieval."""
    lines = []
    constant = run.read_evaluation("constant") if "constant" in run.evaluation_names() else {}
    for split, of in (("train", "labels, training images"), ("test", "predictions, query and gallery")):
        masks = {name: iou for name, iou in constant.get(split, {}).items() if f"{split}_iou_{name}" in row}
        if masks:
            ious = (f"{name} {100 * row[f'{split}_iou_{name}']:.1f} ({100 * iou:.1f})" for name, iou in masks.items())
            lines.append(f"IoU of {of} (constant mask): {', '.join(ious)}")
    if row.get("mAP", float("nan")) == row.get("mAP"):
        lines.append(
            f"R-1 {100 * row['R-1']:.1f}, mAP {100 * row['mAP']:.1f} by Eq. 10; by the global feature alone "
            f"R-1 {100 * row['R-1_global']:.1f}, mAP {100 * row['mAP_global']:.1f}"
        )
    return lines
