"""`isp export`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from isp_core.commands.options import EpochOption, JsonOption, RunOption, print_json
from isp_core.errors import IspError
from isp_core.paths import writable_file


def export_network(
    run: RunOption,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="The ONNX file to write (default: RUN/exports/epoch_NNNN.onnx, where the app finds it)."
        ),
    ] = None,
    epoch: EpochOption = None,
    int8: Annotated[
        Path | None,
        typer.Option("--int8", help="Also write OUT with int8 in its name, calibrated on this folder of images."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a run's network as one ONNX file, compared with PyTorch before it is saved.

    Input: images (N, 3, H, W), float32 RGB, 0 .. 255. Outputs: probabilities, label map, visibility, share and peak of
    each part, and the global, foreground and part features. Needs the extra `onnx`.
    """
    from isp_core.export import export_onnx, quantise
    from isp_core.exported import FOLDER, SUFFIX
    from isp_core.parser import HumanParser
    from isp_core.runs import open_run
    from isp_core.runs.schema import epoch_name

    if out is not None:
        writable_file(out, SUFFIX)
    opened = open_run(run)
    chosen = max(opened.weight_epochs(), default=None) if epoch is None else epoch
    images = _images(int8) if int8 is not None else []
    parser = HumanParser.load(opened, chosen, device="cpu")
    if out is None:
        out = opened.path / FOLDER / f"{epoch_name(chosen or 0)}{SUFFIX}"
    typer.echo(f"writing {out} and comparing it with PyTorch; this may take some minutes", err=True)
    written = export_onnx(parser, out, run=opened, epoch=chosen)
    small = quantise(out, out.with_name(f"{out.stem}-int8.onnx"), images) if int8 is not None else None
    if as_json:
        print_json(asdict(written) | {"int8": asdict(small) if small is not None else None})
        return
    height, width = written.size
    typer.echo(
        f"{out}: {written.megabytes:.1f} MB, opset {written.opset}, images of {height} x {width}, "
        f"at most {max(written.differences.values()):.0e} from PyTorch"
    )
    typer.echo(f"outputs: {', '.join(written.outputs)}")
    if small is not None:
        pixels = f"{small.pixels_agree:.1%} of pixels with the same label, " if small.pixels_agree is not None else ""
        features = ", ".join(f"{name} {value:.3f}" for name, value in small.cosine.items())
        typer.echo(
            f"{small.path}: {small.megabytes:.1f} MB; on {small.compared_on} other images {pixels}cosine {features}"
        )


def _images(folder: Path) -> list[Path]:
    from isp_core.images import images_below

    images = images_below(folder) if folder.is_dir() else []
    if len(images) < 4:
        raise IspError(f"{folder} holds {len(images)} images; int8 needs at least 4 to calibrate and compare on")
    step = max(1, len(images) // 256)  # enough for ranges, and spread over all people
    return images[::step]
