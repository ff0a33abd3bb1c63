"""`isp label`, `isp parse` and `isp extract`: what a trained network says, written to files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isp_core.commands.foreign import (
    LabelSetOption,
    LabelsOption,
    NetworkOption,
    PartsOption,
    SeedOption,
    label_maps_of,
    label_options,
)
from isp_core.commands.options import (
    DataOption,
    EpochOption,
    JsonOption,
    OutOption,
    RunOption,
    VisibilityOption,
    print_json,
)
from isp_core.commands.readers import ReaderOption, open_reader
from isp_core.errors import IspError
from isp_core.paths import writable_folder, written
from isp_core.progress import counted
from isp_core.text_files import shown

if TYPE_CHECKING:
    from PIL import Image

_BATCH = 16  # images held at their own size while the network reads them


def label_pictures(
    data: DataOption,
    out: Annotated[
        Path, typer.Option("--out", help="Folder of label maps to write; with --network, the run directory.")
    ],
    run: Annotated[Path | None, typer.Option("--run", help="The run directory.")] = None,
    network: NetworkOption = None,
    epoch: EpochOption = None,
    labels: LabelsOption = None,
    parts: PartsOption = None,
    seed: SeedOption = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", help="With --network: folder of ground-truth maps to measure IoU with.")
    ] = None,
    space: Annotated[
        str | None,
        typer.Option("--space", help="Label space of --truth, and of a folder given as --labels (default: lip)."),
    ] = None,
    assignments: LabelSetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Label a data set's training images with a run's network, as in training, and write the label maps. Or label the
    feature maps of any network (--network), and write a run that the app opens.

    A description (YAML) names the network's ONNX or TorchScript file, its input and its feature map:
    docs/other-networks.md. Nothing is trained. Query and gallery are predicted by a linear classifier of the maps.
    TorchScript files hold programs: open only those of people you trust.
    """
    of_network = {"--labels": labels, "--parts": parts, "--seed": seed, "--truth": truth, "--space": space}
    given = [name for name, value in (of_network | {"--set": assignments or None}).items() if value is not None]
    if (run is None) == (network is None):
        raise typer.BadParameter("give a run (--run), or another network's description (--network)")
    if network is not None and epoch is not None:
        raise typer.BadParameter("--epoch goes with --run")
    if run is not None and given:
        raise typer.BadParameter(f"{', '.join(given)}: with --network only; a run is labelled as in its training")
    if network is not None:
        chosen = label_options(labels, parts, space, assignments)
        label_maps_of(network, data, out, chosen, seed or 0, truth, space or "lip", as_json)
    elif run is not None:
        _label_by_run(run, data, out, epoch, as_json)


def _label_by_run(run: Path, data: Path, out: Path, epoch: int | None, as_json: bool) -> None:
    from isp_core.drawing import run_palette, save_label_map
    from isp_core.extraction import label_data

    writable_folder(out)
    palette, count = run_palette(run), 0
    for path, labels in label_data(run, epoch, data):
        save_label_map(labels, (out / path).with_suffix(".png"), palette)
        count += 1
    _done(as_json, {"out": str(out), "pictures": count}, f"{out}: label maps of {count} images")


def parse_pictures(
    run: ReaderOption,
    out: OutOption,
    pictures: Annotated[list[Path], typer.Argument(help="Images, or folders of them.")],
    epoch: EpochOption = None,
    visibility: VisibilityOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write label maps (PNG), overlays and parts.csv (visibility and share of each part) of images; parts.json
    names the visibility rule. Columns hold the body part's name where ground truth assigned one (share_1_head).

    Images that cannot be read are named at the end, all others are written; the exit status is then 1.
    """
    import pandas as pd

    from isp_core.drawing import overlay, save_label_map
    from isp_core.json_text import json_text
    from isp_core.matching import describe_rule
    from isp_core.tables import write_csv

    files = _picture_files(pictures)
    writable_folder(out)
    parser, palette = open_reader(run, epoch, visibility)
    columns = {
        part.index: f"{part.index}_{part.body_part}" if part.body_part else f"{part.index}" for part in palette.parts
    }
    rows: list[dict[str, object]] = []
    broken: list[str] = []
    for batch in _read_batches(counted(files, "images", len(files)), broken):
        parsing = parser.parse([image for _, _, image in batch])
        for row, (file, name, image) in enumerate(batch):
            save_label_map(parsing.labels[row], out / "labels" / f"{name}.png", palette, image.size)
            shaded = overlay(image, parsing.labels[row], palette)
            with written(out / "overlays" / f"{name}.png") as target:
                shaded.save(target)
            shares = {f"share_{columns[part]}": share for part, share in enumerate(parsing.part_share[row], start=1)}
            seen = {f"visible_{columns[part]}": flag.item() for part, flag in enumerate(parsing.visibility[row] * 1, 1)}
            rows.append({"image": shown(file)} | seen | shares)
    if rows:
        write_csv(pd.DataFrame(rows).round(4), out / "parts.csv")
        about = json_text({"run": run.name, "visibility": describe_rule(parser.visibility)})
        with written(out / "parts.json") as target:
            target.write_text(about, encoding="utf-8")
        _done(
            as_json,
            {"out": str(out), "pictures": len(rows), "visibility": parser.visibility},
            f"{out}: label maps and overlays of {len(rows)} images; parts.csv says which parts are visible by "
            f"{describe_rule(parser.visibility)}",
        )
    if broken:
        raise IspError("\n  ".join([f"{len(broken)} of {len(files)} images could not be read:", *broken]))


def extract_embeddings(
    run: RunOption, data: DataOption, epoch: EpochOption = None, as_json: JsonOption = False
) -> None:
    """Write the embeddings and predicted label maps of a run's query and gallery into the run, and the visibility
    thresholds of that epoch if it has pseudo-labels to calibrate them with."""
    from isp_core.extraction import extract

    done, counts = extract(run, epoch, data)
    _done(as_json, {"run": str(run), "epoch": done} | counts, f"{run}: embeddings of epoch {done}: {counts}")


def _read_batches(
    files: Iterable[tuple[Path, str]], broken: list[str]
) -> Iterator[list[tuple[Path, str, Image.Image]]]:
    """Images in batches of (file, name, image) for the network; why a file cannot be read is added to `broken`."""
    from isp_core.data import PictureError, read_picture

    batch: list[tuple[Path, str, Image.Image]] = []
    for file, name in files:
        try:
            batch.append((file, name, read_picture(file)))
        except PictureError as error:
            broken.append(str(error))
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _picture_files(given: list[Path]) -> list[tuple[Path, str]]:
    """All images, each with a name of its own for what is written."""
    from isp_core.images import IMAGE_SUFFIXES, images_below

    files: list[tuple[Path, str]] = []
    for path in given:
        if path.is_dir():
            below = images_below(path)
            if not below:
                raise IspError(f"{path} holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
            files += [(file, file.relative_to(path).with_suffix("").as_posix()) for file in below]
        elif path.exists():
            files.append((path, path.stem))
        else:
            raise IspError(f"{path}: no such image or folder")
    twice = next((name for name, count in Counter(name for _, name in files).items() if count > 1), None)
    if twice is not None:
        raise IspError(f"two of the images are called {shown(twice)}: parse them into two folders")
    return files


def _done(as_json: bool, document: dict[str, object], text: str) -> None:
    if as_json:
        print_json(document)
    else:
        typer.echo(text)
