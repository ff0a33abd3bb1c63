"""What `--run` of the commands that read images takes: a run directory, or a file that `isp export` wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isp_core.errors import IspError

if TYPE_CHECKING:
    from isp_core.exported import OnnxParser
    from isp_core.palette import Palette
    from isp_core.prediction import ImageParser
    from isp_core.runs import Run

ReaderOption = Annotated[Path, typer.Option("--run", help="The run directory, or an ONNX file that isp export wrote.")]


def open_reader(place: Path, epoch: int | None, visibility: str | None) -> tuple[ImageParser, Palette]:
    """The network at `place` and its parts' names and colours; an ONNX file loads none of the network's code."""
    from isp_core.exported import SUFFIX, OnnxParser

    if place.suffix.lower() == SUFFIX:
        parser = OnnxParser(place, visibility=visibility)
        if epoch is not None and parser.epoch != epoch:
            raise IspError(f"{place} holds epoch {parser.epoch}, not {epoch}: leave out --epoch, or export that one")
        return parser, parser.palette
    from isp_core.drawing import run_palette
    from isp_core.parser import HumanParser

    return HumanParser.load(place, epoch, visibility=visibility), run_palette(place)


def export_of(run: Run, file: Path, epoch: int | None, visibility: str | None) -> OnnxParser:
    """An exported file that stands for the run's network, of an epoch that has embeddings.

    IspError where it is of another network, or of another epoch than asked for.
    """
    from isp_core.exported import OnnxParser
    from isp_core.runs.checksums import sha256
    from isp_core.runs.schema import WEIGHTS_FILE

    parser = OnnxParser(file, visibility=visibility)
    if parser.epoch is None or parser.run_name == "":
        raise IspError(f"{file} does not say of which run and epoch it is: export the run again")
    if epoch is not None and epoch != parser.epoch:
        raise IspError(f"{file} holds epoch {parser.epoch}, not {epoch}: leave out --epoch, or export that one")
    weights = run.checkpoint(parser.epoch)
    if weights is not None and parser.weights and sha256(weights / WEIGHTS_FILE) != parser.weights:
        raise IspError(f"{file} is an export of {parser.run_name}, whose weights are not those of {run.path}")
    if weights is None and parser.run_name != run.name:
        raise IspError(f"{file} is an export of {parser.run_name}, not of {run.name}: its features cannot be compared")
    if parser.epoch not in run.embedding_epochs():
        raise IspError(
            f"{run.path} has no gallery embeddings of epoch {parser.epoch}, which {file} was exported from: "
            f"`isp extract --run {run.path} --epoch {parser.epoch} --data DIR`"
        )
    return parser
