"""What `--run` of the commands that read images takes: a run directory, or a file that `isp export` wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isp_core.commands.options import existing_run
from isp_core.errors import IspError

if TYPE_CHECKING:
    from isp_core.palette import Palette
    from isp_core.prediction import ImageParser
    from isp_core.runs import Run
    from isp_core.runs.schema import Split

ReaderOption = Annotated[
    Path,
    typer.Option("--run", help="The run directory, or an ONNX file that isp export wrote.", callback=existing_run),
]


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


def searchable_epoch(run: Run, split: Split = "gallery") -> int:
    """The last epoch whose images can be searched: with embeddings of the split, and weights to embed others with.

    IspError where there is none.
    """
    known = sorted(set(run.embedding_epochs(split)) & set(run.weight_epochs()))
    if not run.weight_epochs():
        from isp_core.runs.listing import why_no_weights

        raise IspError(why_no_weights(run))
    if not known:
        raise IspError(
            f"{run.path} has no epoch with both weights and {split} embeddings: `isp extract --run {run.path} "
            "--data DIR`"
        )
    return known[-1]
