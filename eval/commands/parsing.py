"""`python -m eval parsing`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from isp_core.commands.options import EpochOption, JsonOption, RunOption, print_json
from isp_core.metrics.spaces import load_space, space_names
from isp_core.paths import there, writable_folder

if TYPE_CHECKING:
    import pandas as pd

    from isp_core.metrics.bootstrap import Interval
    from isp_core.metrics.part_scores import Assignment
    from isp_core.metrics.presence import Alarms
    from isp_eval.parsing_report import Ambiguous

# all that is written to files; a terminal is too narrow for it
_SHOWN = ["rule", "class", "parts", "IoU", "95 %", "constant", "IoU per image", "mean with complement"]
_VISIBILITY_SHOWN = [
    *("rule", "visible by", "class", "parts", "n with", "n without", "balanced accuracy", "always visible"),
    *("found where present", "hidden where absent"),
]


def judge_parsing(
    run: RunOption,
    truth: Annotated[
        Path, typer.Option(help="Folder of ground-truth maps named like the images (palette or grey PNG, npy).")
    ],
    space: Annotated[
        str, typer.Option(help=f"Label space of the ground truth: {', '.join(space_names())}, or a YAML file.")
    ],
    split: Annotated[
        Literal["train", "test", "validation"],
        typer.Option(
            help="train: pseudo-labels; test: predictions of query and gallery; validation: of identities held out."
        ),
    ] = "test",
    epoch: EpochOption = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="The run's data set: checks shapes, adds the AUC of probabilities. Another one: its test images."
        ),
    ] = None,
    training_truth: Annotated[
        Path | None,
        typer.Option(
            help="Ground truth of the run's training images if --truth does not have it; needed for the part-to-class "
            "assignment and the constant mask."
        ),
    ] = None,
    training_space: Annotated[str | None, typer.Option(help="Its label space (default: --space).")] = None,
    images: Annotated[
        Path | None, typer.Option(help="A folder of any images to evaluate instead; identities are not needed.")
    ] = None,
    pictures: Annotated[Path | None, typer.Option(hidden=True, help="The former name of --images.")] = None,
    alarm: Annotated[
        float,
        typer.Option(min=0, max=0.99, help="Belongings count as found above this share of the pixels."),
    ] = 0.01,
    resample: Annotated[
        Literal["identities", "images"],
        typer.Option(
            help="What intervals resample. Images of one person are alike: intervals over single images are too narrow."
        ),
    ] = "identities",
    yardsticks: Annotated[
        bool,
        typer.Option(
            help="Also compute foreground masks that use neither identities nor training (an ellipse, position words, "
            "both with GrabCut); needs the images (--data or --images), and a few minutes for 1,000 of them."
        ),
    ] = True,
    out: Annotated[Path | None, typer.Option(help="Folder for the tables as CSV, Markdown and LaTeX.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compute class IoU, binary mIoU and pixel accuracy, next to a constant mask; stored in RUN/evaluation.

    The constant mask is one mask for all images, fitted on the training ground truth: compare every result with it.
    """
    images = images or pictures
    there(truth, "{}: no such folder of label maps")
    # imported here: --help need not wait for torch
    from isp_core.data import load
    from isp_core.data.label_files import require_label_folder
    from isp_core.matching.visibility_rules import describe_rule
    from isp_core.runs import open_run
    from isp_eval.label_maps import maps_of, maps_of_pictures
    from isp_eval.parsing_protocol import TrainingTruth, evaluate
    from isp_eval.storing import keep
    from isp_eval.tables import text, write_csv, write_table
    from isp_eval.yardsticks import YARDSTICKS

    if out is not None:
        writable_folder(out)
    require_label_folder(truth)
    opened, progress = open_run(run), sys.stderr.isatty() and not as_json
    if images is not None:
        maps = maps_of_pictures(opened, images, epoch, progress)
    else:
        maps = maps_of(opened, split, epoch, None if data is None else load(data), progress)
    trained = None if training_truth is None else TrainingTruth(training_truth, load_space(training_space or space))
    found = evaluate(
        opened,
        maps,
        truth,
        load_space(space),
        alarm,
        trained,
        resample,
        tuple(YARDSTICKS) if yardsticks else (),
        progress,
    )
    kept = keep(opened, found.name, found.document())
    caption = f"{found.run}, epoch {found.epoch}, {found.truth.n} {found.what} images of {found.data}, "
    caption += f"ground truth {space}; {found.resampled}"
    if out is not None:
        write_table(found.table(), out, found.name, caption)
        write_table(found.agreement_table(), out, f"{found.name}-agreement", f"Parts and classes, {caption}")
        write_table(found.purity_table(), out, f"{found.name}-purity", f"Parts of {caption}")
        write_csv(found.pictures_table(), out, f"{found.name}-images")
        write_table(found.visibility_table(), out, f"{found.name}-visibility", f"Visible parts of {caption}")
    if as_json:
        typer.echo(kept, err=True)
        print_json(found.document())
        return
    typer.echo(f"{caption}\n\n{text(_shown(found.table()))}\n\n{_ambiguous(found.ambiguous)}\n")
    typer.echo(
        f"agreement of parts and classes, without assigning one to the other:\n{text(found.agreement_table())}\n"
    )
    typer.echo(f"where each part's pixels lie, and their purity:\n{text(found.purity_table())}\n")
    visible = found.visibility_table()
    typer.echo(
        "is the part visible in the images whose ground truth shows it, and only there? Visible by "
        f"{', or by '.join(map(describe_rule, visible['visible by'].unique()))}:\n{text(visible[_VISIBILITY_SHOWN])}"
    )
    for assignment, presence in found.presence.items():
        if presence.alarms is not None:
            typer.echo(f"\n{_alarms(presence.alarms, assignment)}")
    for note in (*found.notes, *found.space.notes):
        typer.echo(f"note: {note}")
    typer.echo(kept)


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """The columns that a terminal has room for, with the interval of the IoU in one of them."""
    from isp_eval.tables import range_words

    ends = zip(table["IoU, 95% low"], table["IoU, 95% high"], strict=True)
    return table.assign(**{"95 %": [range_words(low, high) for low, high in ends]})[_SHOWN]


def _ambiguous(found: Ambiguous) -> str:
    if not found.share:
        return "no pixel is ambiguous (foreground in 20 to 80 % of the training ground truth)"
    return (
        f"ambiguous pixels ({found.share:.0%} of all), foreground: IoU {100 * found.iou:.1f}, constant "
        f"{100 * found.constant_iou:.1f}; AUC of the {found.auc_of} {found.auc:.3f}, of the training mean "
        f"{found.constant_auc:.3f}\nper image: IoU {100 * found.picture_iou:.1f}, constant "
        f"{100 * found.constant_picture_iou:.1f}; AUC {found.picture_auc:.3f}, training mean "
        f"{found.constant_picture_auc:.3f}"
    )


def _alarms(found: Alarms, assignment: Assignment) -> str:
    part, what = ", ".join(map(str, assignment.belongings)), f"on more than {100 * found.threshold:.3g} % of the pixels"

    from isp_eval.tables import range_words

    def share(of: Interval) -> str:
        spread = range_words(100 * of.low, 100 * of.high)
        return f"{100 * of.mean:.1f} %{f' ({spread})' if spread else ''} of {of.n}" if of.n else "none of 0"

    return (
        f"belongings (part {part}, {assignment.rule}) {what}: false alarms in {share(found.false)} images "
        f"without any, hits in {share(found.hits)} with some"
    )
