"""The parsers that make ground truth for images, by name. Adding one is one line here, or a YAML file of your own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from isp_core.errors import IspError
from isp_eval.parsers.body import BodyParser
from isp_eval.parsers.described import DescribedParser, load_description, open_onnx, parser_names
from isp_eval.parsers.models import BODYPIX, find_pose_model
from isp_eval.parsers.networks import open_blazepose, open_bodypix
from isp_eval.parsers.parsed import Parser

DEFAULT = "body"


@dataclass(frozen=True)
class ParserFiles:
    """Network files and threads that the user chose; None: what the parser finds itself."""

    onnx: Path | None = None
    pose: Path | None = None
    threads: int = 1


def _body(files: ParserFiles) -> Parser:
    pose = open_blazepose(files.pose or find_pose_model(), files.threads)
    return BodyParser(pose, open_bodypix(files.onnx or BODYPIX, files.threads))


def _bodypix(files: ParserFiles) -> Parser:
    description = load_description("bodypix")
    return DescribedParser(open_onnx(files.onnx or BODYPIX, description, files.threads), description)


PARSERS: Mapping[str, Callable[[ParserFiles], Parser]] = {
    "body": _body,
    "bodypix": _bodypix,
}
"""Parsers whose networks we know where to find; every other description needs an ONNX file."""


def open_parser(name_or_description: str, files: ParserFiles) -> Parser:
    """A parser of PARSERS, or any ONNX network with a description: one of ours by name (schp_lip) or a YAML file.

    Raises:
        IspError: an unknown name, a wrong description, or a network that is missing (says how to get it).
    """
    if name_or_description in PARSERS:
        return PARSERS[name_or_description](files)
    if not name_or_description.endswith((".yaml", ".yml")) and name_or_description not in parser_names():
        known = ", ".join(sorted({*PARSERS, *parser_names()}))
        raise IspError(f"parser {name_or_description!r} is unknown; known: {known}, or a YAML file")
    description = load_description(name_or_description)
    if files.onnx is None:
        raise IspError(
            f"parser {description.name} needs its network: give its ONNX file with --onnx (no package ships it)"
        )
    return DescribedParser(open_onnx(files.onnx, description, files.threads), description)
