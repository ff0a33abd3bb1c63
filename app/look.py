"""`isp look`: a folder of person crops, parsed without training, and the app opened on it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import isp_assets
from isp_core.commands.foreign import LabelsOption, NetworkOption, PartsOption, label_options
from isp_core.commands.options import EpochOption, JsonOption, print_json
from isp_core.errors import IspError
from isp_core.metrics.spaces import load_space, space_names
from isp_core.paths import place_of_run, there
from isp_core.text_files import printable

if TYPE_CHECKING:
    from isp_core.data import DataSet
    from isp_core.labelling.source import LabelOptions
    from isp_core.look import Looked
    from isp_core.runs import Run
    from isp_eval.parsing_report import Parsing

EMBEDDED = Path(isp_assets.__file__).resolve().parent / "runs" / "contrast-k6"
"""The run whose weights are used where no other is named."""
_WIDE = 0.8  # width to height from which on an image is hardly a crop of one person
_SAMPLED = 64
_NAMED = 5  # images that could not be read are named up to this number


def look_at_images(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of person crops, or a data set.")],
    run: Annotated[
        Path | None, typer.Option("--run", help="A run whose network to use (default: the embedded one).")
    ] = None,
    epoch: EpochOption = None,
    network: NetworkOption = None,
    labels: LabelsOption = None,
    parts: PartsOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The run directory to write (default: runs/look-NAME of this folder).")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", help="Folder of ground-truth label maps of the images: shows IoU.")
    ] = None,
    space: Annotated[str, typer.Option(help=f"Label space of --truth: {', '.join(space_names())}.")] = "lip",
    ignore_names: Annotated[
        bool, typer.Option("--ignore-names", help="Treat each image as another person, whatever the names say.")
    ] = False,
    app: Annotated[bool, typer.Option("--app/--no-app", help="Open the app on the result (never with --json).")] = True,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the app.")] = 8501,
    as_json: JsonOption = False,
) -> None:
    """Parse your own images with a trained network, and open the app on them: no training, no labels.

    Writes a run: part maps, visibility and embeddings of every image. Identities and cameras are taken from the folder
    or the names where they tell them; else each image is a person of its own. Stopped and started again, it continues.
    Images that cannot be read are left out and named; the exit status is 1 then, with --no-app.
    With --network, the parts are found in the feature maps of any ONNX or TorchScript network (docs/other-networks.md).
    """
    if network is not None and (run is not None or epoch is not None):
        raise typer.BadParameter("give a run (--run, --epoch), or another network's description (--network)")
    if network is None and (labels is not None or parts is not None):
        raise typer.BadParameter("--labels and --parts go with --network: a run has its own")
    if truth is not None and space not in space_names():
        raise IspError(f"--space {space}: the app knows {', '.join(space_names())}")
    if truth is not None:
        there(truth, "{}: no such folder of label maps")
    there(folder, "{}: no such folder of images")
    if out is not None:
        place_of_run(out)
    if app and not as_json:
        import streamlit  # noqa: F401  # a missing library is reported before the images are read
    print(f"{printable(folder)}: reading the images", file=sys.stderr)  # before torch, which takes seconds to load
    from isp_core.data.crops import read_crops
    from isp_core.data.label_files import require_label_folder
    from isp_core.look import look
    from isp_core.runs import open_run

    if truth is not None:
        require_label_folder(truth)
    data = read_crops(folder, names=not ignore_names)
    target = out or _usual_place(data.root, "" if network is None else network.stem)
    paths = data.records["path"].drop_duplicates()
    notes = [*data.notes, *_wide([data.root / path for path in paths])]
    typer.echo(f"{printable(folder)}: {len(paths)} images. {' '.join(map(printable, notes))}", err=as_json)
    start = time.perf_counter()
    if network is None:
        found = look(open_run(run or EMBEDDED), data, target, epoch=epoch)
    else:
        found = _look_by_network(network, data, target, label_options(labels, parts, None, None))
    made = open_run(target)
    scores = None if truth is None else score_maps(made, truth, space, data)
    _report(found, made, scores, time.perf_counter() - start, as_json)
    if app and not as_json:
        if found.broken:
            print("\n  ".join(_broken(found)), file=sys.stderr)
        _open(target, data.root, truth, port)
    elif found.broken:
        raise IspError("\n  ".join(_broken(found)))


def _look_by_network(description: Path, data: DataSet, out: Path, options: LabelOptions) -> Looked:
    """A look by the feature maps of another network: images that cannot be read are left out."""
    from isp_core.data.pictures import check_pictures
    from isp_core.foreign.labels import label_by_network
    from isp_core.foreign.network import ForeignNetwork
    from isp_core.look import Looked, lies_in

    if lies_in(out, data.root):
        raise IspError(f"--out {out} lies in the folder of images: choose a place outside of {data.root}")
    network = ForeignNetwork(description)
    typer.echo(f"{printable(network.name)}: {network.summary()}", err=True)
    paths = sorted(set(data.records["path"]))
    broken = {each.path: each.reason for each in check_pictures([data.root / path for path in paths])}
    good = [path for path in paths if data.root / path not in broken]
    reasons = tuple(f"{printable(path)}: {reason}" for path, reason in broken.items())
    if not good:
        raise IspError("\n  ".join([f"{data.root}: none of {len(paths)} images can be read:", *reasons[:_NAMED]]))
    records = data.records[data.records["path"].isin(good)].reset_index(drop=True)
    label_by_network(network, replace(data, records=records), out, options)
    return Looked(out, len(good), False, 0, reasons)


def _usual_place(root: Path, network: str) -> Path:
    """runs/look-NAME in the working directory, or runs/look-NAME-NETWORK; next to the images where that would lie among
    them."""
    from isp_core.look import lies_in

    name = f"look-{root.resolve().name}" + (f"-{network}" if network else "")
    place = Path("runs") / name
    return root.resolve().parent / name if lies_in(place, root) else place


def _wide(files: Sequence[Path]) -> list[str]:
    """A note where many of the images are no crops of one person: such networks read upright ones."""
    from isp_core.data.pictures import read_size
    from isp_core.images import PictureError

    sizes = []
    for file in files[:: max(1, len(files) // _SAMPLED)]:
        with suppress(PictureError):  # the look itself names those which cannot be read
            sizes.append(read_size(file)[:2])
    wide = sum(width > _WIDE * height for height, width in sizes)
    if 2 * wide <= len(sizes):
        return []
    return [f"Of {len(sizes)} images that were looked at, {wide} are wide: crop images to one upright person first."]


def score_maps(run: Run, truth: Path, space: str, data: DataSet) -> Parsing:
    """IoU of the run's maps, kept in the run with the constant mask and, where training noted none, the assignment."""
    from isp_core.assignment import note
    from isp_core.metrics.part_scores import fit_constant
    from isp_core.metrics.spaces import TARGETS
    from isp_core.noted_parts import DOCUMENT
    from isp_core.runs import RunWriter
    from isp_eval.label_maps import maps_of
    from isp_eval.parsing_protocol import evaluate
    from isp_eval.storing import keep

    maps = replace(maps_of(run, "test", None), root=data.root)
    found = evaluate(run, maps, truth, load_space(space), yardsticks=())
    keep(run, found.name, found.document())
    targets = found.truth.targets[found.truth.found]
    constant = fit_constant(targets)
    known = [name for name in TARGETS if name == "foreground" or name in load_space(space).parts]
    document: dict[str, Any] = {
        "rule": "one mask for every image: the thresholded mean of these images' own maps, which favours it",
        "space": space,
        "notes": list(found.notes),
        "test": {name: float(constant.counts(targets, name).sum().iou) for name in known},
        "test_pictures": found.truth.n,
    }
    writer = RunWriter(run.path)
    writer.write_evaluation("constant", document)
    if DOCUMENT not in run.evaluation_names():
        chosen = note(next(iter(found.scores)))
        writer.write_evaluation(
            DOCUMENT, {str(maps.epoch): chosen | {"rule": f"{chosen['rule']}, chosen on these images themselves"}}
        )
    return found


def _report(found: Looked, run: Run, scores: Parsing | None, seconds: float, as_json: bool) -> None:
    if as_json:
        document: dict[str, Any] = {
            "run": str(found.path),
            "images": found.images,
            "kept": found.kept,
            "resumed": found.resumed,
            "seconds": round(seconds, 1),
            "broken": list(found.broken),
        }
        print_json(document | ({} if scores is None else {"parsing": scores.document()}))
        return
    if found.kept:
        typer.echo(f"{found.path}: {found.images} images, looked at before with this network")
    else:
        before = f", {found.resumed} of them read before" if found.resumed else ""
        typer.echo(f"{found.path}: {found.images} images in {seconds:.0f} s{before}")
    metrics = run.metrics().iloc[-1]
    if "mAP" in metrics and metrics["mAP"] == metrics["mAP"]:
        typer.echo(f"images of the same people: R-1 {100 * metrics['R-1']:.1f}, mAP {100 * metrics['mAP']:.1f}")
    if scores is not None:
        from isp_eval.tables import text

        typer.echo(text(scores.table()[["rule", "class", "parts", "IoU", "constant"]]))
        for note in scores.notes:
            typer.echo(f"note: {note}")


def _broken(found: Looked) -> list[str]:
    count = len(found.broken)
    more = [f"and {count - _NAMED} more"] if count > _NAMED else []
    total = found.images + count
    return [f"{count} of {total} images could not be read and were left out:", *found.broken[:_NAMED], *more]


def _open(target: Path, data: Path, truth: Path | None, port: int) -> None:
    from isp_app import server
    from isp_app.command import become_server

    shown = server.environment(os.environ, [target], [data], truth=[truth] if truth is not None else [], embedded=False)
    become_server(port, None, shown)
