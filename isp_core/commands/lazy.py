"""The subcommands of `isp`: named in a table, each loaded when it is used, so that help and wrong usage need none.

Some live in packages above isp_core, which imports none of them. A new subcommand is one line of COMMANDS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from isp_core.commands.application import Application
from isp_core.errors import IspError


@dataclass(frozen=True)
class Subcommand:
    """`place` is "module:attribute" of a Typer app or of a function, `help` its line in `isp --help`, `extra` the
    optional dependencies that it needs (`pip install "isp-reid[EXTRA]"`)."""

    place: str
    help: str
    extra: str | None = None


_HERE = "isp_core.commands"
COMMANDS = {
    "data": Subcommand(
        f"{_HERE}.data:describe_data",
        "Print splits, identities, images and cameras of a data set, and what looks wrong.",
    ),
    "train": Subcommand(
        f"{_HERE}.training:train_run",
        "Train a run with one checkpoint per epoch; stop it at any time and continue with --resume.",
    ),
    "options": Subcommand(
        f"{_HERE}.configuration:list_options", "Print every option of a run with its default and meaning."
    ),
    "label": Subcommand(
        f"{_HERE}.networks:label_pictures",
        "Label a data set's training images with a run's network, as in training, and write the label maps.",
    ),
    "parse": Subcommand(
        f"{_HERE}.networks:parse_pictures", "Write label maps, overlays and a table of the visible parts of images."
    ),
    "extract": Subcommand(
        f"{_HERE}.networks:extract_embeddings",
        "Write the embeddings and predicted label maps of a run's query and gallery into the run.",
    ),
    "calibrate": Subcommand(
        f"{_HERE}.visibility:calibrate_visibility", "Calibrate the probability at which each part counts as visible."
    ),
    "match": Subcommand(
        f"{_HERE}.matching:match_images", "Print the distance of two images with its terms, and save an image of both."
    ),
    "export": Subcommand(
        f"{_HERE}.export:export_network",
        "Write a run's network as one ONNX file, compared with PyTorch before it is saved.",
        "onnx",
    ),
    "search": Subcommand(
        f"{_HERE}.search:search_gallery", "Find the gallery images of a run that are nearest to your own images."
    ),
    "gallery": Subcommand(
        f"{_HERE}.gallery:app", "Search, fill and empty a gallery whose images come and go.", "gallery"
    ),
    "doctor": Subcommand(f"{_HERE}.doctor:examine_installation", "Check versions, devices, weights, folders and disk."),
    "runs": Subcommand(f"{_HERE}.runs:app", "Manage run directories."),
    "look": Subcommand(
        "isp_app.look:look_at_images", "Parse a folder of your own images and open the app on it.", "app"
    ),
    "app": Subcommand("isp_app.command:serve", "Open the app on the embedded study and your own runs.", "app"),
    "truth": Subcommand(
        "isp_eval.commands.truth:write_truth", "Make ground-truth label maps with a part parser.", "truth"
    ),
    "eval": Subcommand("isp_eval.__main__:app", "Evaluate runs: rankings, parsing scores, the paper's tables.", "eval"),
    "walkers": Subcommand(
        "isp_assets.walkers.generate.command:render_walkers",
        "Render pedestrians: a data set of any size, with exact label maps.",
        "eval",
    ),
}


class LazyCommand(TyperCommand):
    """Stands for a subcommand in `isp --help`, and becomes the real one when it is called."""

    def __init__(self, name: str, subcommand: Subcommand) -> None:
        super().__init__(name, help=subcommand.help)
        self.subcommand = subcommand

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        return self.real().make_context(info_name, args, parent, **extra)

    def real(self) -> Any:
        """The click command that it stands for; IspError where a library that it needs is not installed."""
        return _load(str(self.name), self.subcommand)


class Commands(TyperGroup):
    """The commands of COMMANDS, in its order."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = {name: LazyCommand(name, subcommand) for name, subcommand in COMMANDS.items()}

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)


def _load(name: str, subcommand: Subcommand) -> Any:
    """The click command behind an entry; IspError where a library that it needs is not installed."""
    module, _, attribute = subcommand.place.partition(":")
    try:
        found: typer.Typer | Callable[..., None] = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        package = f"isp-reid[{subcommand.extra}]" if subcommand.extra else "isp-reid"
        raise IspError(f'isp {name} needs {error.name}, which is not installed: pip install "{package}"') from error
    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    single = Application(add_completion=False, pretty_exceptions_enable=False)
    single.command(name)(found)
    return typer.main.get_command(single)
