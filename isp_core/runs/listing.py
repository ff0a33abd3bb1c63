"""The runs of a folder, one line each, whatever state each of them is in."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import dataclass
from pathlib import Path

from isp_core.runs import schema
from isp_core.runs.errors import RunError
from isp_core.runs.reader import Run, open_run


@dataclass(frozen=True)
class RunSummary:
    """A row of `isp runs list`; of a broken run only name, path and the problem are known. weights: epochs that have
    any; parent: the run whose network parsed these images, where nothing was trained on them; network: the one that is
    not ours, whose feature maps were labelled."""

    name: str
    path: str
    epochs: int = 0
    parts: int = 0
    backbone: str = ""
    data: str = ""
    labels: str = ""
    weights: int = 0
    imported: bool = False
    parent: str | None = None
    network: str = ""
    created: dt.datetime | None = None
    problem: str | None = None


def summarise(path: Path) -> RunSummary:
    """The summary of one run directory, whatever state it is in."""
    try:
        run = open_run(path)
        epochs = run.epochs
        run.count("train")  # records that cannot be read are a problem of every page
    except RunError as error:
        return RunSummary(path.name, str(path), problem=str(error))
    except OSError as error:
        return RunSummary(path.name, str(path), problem=f"{path} cannot be read ({error.strerror or error})")
    except Exception as error:  # a folder of runs is read whole, whatever one of them holds
        return RunSummary(path.name, str(path), problem=f"{path} cannot be read ({type(error).__name__}: {error})")
    info = run.info
    last = epochs[-1] if epochs else 0
    return RunSummary(
        name=run.name,
        path=str(path),
        epochs=last,
        parts=info.parts,
        backbone=info.backbone,
        data=info.data.name,
        labels=info.labels,
        weights=len(run.weight_epochs()),
        imported=info.imported,
        parent=info.parent,
        network=info.network,
        created=info.created,
    )


def list_runs(root: str | Path) -> list[RunSummary]:
    """The runs directly in `root` (or `root` itself where it is one), by name; broken ones with their problem."""
    return [summarise(entry) for entry in run_folders(root)]


def why_no_weights(run: Run) -> str:
    """What to say where a run holds no weights: why, and which runs beside it do hold some."""
    try:
        beside = [each.name for each in list_runs(run.path.absolute().parent) if each.weights]
    except RunError:
        beside = []
    why = "it was imported" if run.info.imported else "they were pruned, or not published with it"
    if run.info.network:
        why = f"its labels were made by {run.info.network}, a network of another form, without training"
    others = f"; beside it {', '.join(beside[:5])} {'has' if len(beside) == 1 else 'have'} weights" if beside else ""
    return f"{run.path} holds no weights: {why}{others}"


def run_folders(root: str | Path) -> list[Path]:
    """The folders that hold a run.json, whatever it is: those directly in `root`, or `root` itself."""
    folder = Path(root)
    try:
        if not folder.is_dir():
            raise RunError(f"{folder} {'is not a folder' if os.path.lexists(folder) else 'does not exist'}")
        if _may_be_run(folder):
            return [folder]
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise RunError(f"{folder} cannot be read ({error.strerror or error})") from error
    return [entry for entry in entries if _may_be_run(entry)]


def _may_be_run(folder: Path) -> bool:
    """Whether there is a run.json, or a folder that may not be looked into: whoever cannot read a run is told so."""
    try:
        os.lstat(folder / schema.RUN_FILE)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True
