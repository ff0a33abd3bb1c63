"""Resuming a run: its own configuration, but for its length and what it is measured by, its own data and maps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isp_core.config import Config, ConfigError, check_config
from isp_core.data.records import DataSet
from isp_core.errors import IspError
from isp_core.labelling.rounds import Labeller, Labels
from isp_core.labelling.source import Source
from isp_core.paths import as_path
from isp_core.runs import Run, open_run
from isp_core.runs.schema import RUN_FILE

FREE = {"run.epochs": "--epochs", "run.truth": "--truth", "run.space": "--space"}
MOVED = ("labels.source", "labels.folder", "labels.space", "model.weights")
"""Files of the run that may be given again where they were moved; what they hold must be the same."""


def resumed_config(out: Path, options: Mapping[str, Any], *, recipe: bool = False) -> Config:
    """The configuration of the run in `out`, with the options that may change (FREE).

    ConfigError where `out` holds no run, or where other options, or a preset or file (`recipe`), were given.
    """
    if not (out / RUN_FILE).exists():
        raise ConfigError(f"{out} holds no run to resume: leave out --resume to begin it")
    document = open_run(out).info.config
    moved = [key for key in MOVED if key in options and _names_a_place(document, key, options[key])]
    other = sorted(set(options) - set(FREE) - set(moved))
    if recipe or other:
        named = ", ".join(other) or "--preset and --config"
        raise ConfigError(
            f"a resumed run keeps its configuration, only {', '.join(FREE.values())} may change; leave out {named}"
        )
    changed = {section: dict(values) for section, values in document.items()}
    for key, value in options.items():
        section, _, name = key.partition(".")
        changed.setdefault(section, {})[name] = value
    return check_config(changed)


def _names_a_place(document: Mapping[str, Any], key: str, value: object) -> bool:
    """Whether an option of the run is a file or folder (or stays as it is), and what is given for it is one too."""
    section, _, name = key.partition(".")
    recorded, given = str(document.get(section, {}).get(name)), as_path(str(value))
    # runs of earlier versions recorded relative paths; of those the name must be the same
    return str(value) == recorded or (given.exists() and ("/" in recorded or given.name == recorded))


def resumable(out: Path, data: DataSet) -> Run:
    """The run in `out`; IspError where it has no training to resume, or was trained on other data."""
    run = open_run(out)
    if run.info.imported:
        raise IspError(f"{out} was imported: it has no training to resume")
    if run.info.network:
        raise IspError(f"{out} was made by `isp label --network` with {run.info.network}: it has no training to resume")
    if run.info.parent is not None:
        raise IspError(f"{out} was made by `isp look` with {run.info.parent}: it has no training to resume")
    if run.info.data.fingerprint != data.fingerprint:
        raise IspError(
            f"{out} was trained on other data than {data.root}: {run.info.data.name}, fingerprint "
            f"{run.info.data.fingerprint[:12]}, here {data.fingerprint[:12]}. Give the same --data"
        )
    return run


def require_same_maps(out: Path, labeller: Labeller | None, first: Labels | None) -> None:
    """IspError where label maps of a folder, moved or given again, are not those that the run was begun with.

    first: the labels of the run's first round, (N, h, w).
    """
    given = getattr(labeller, "labels", None)
    if given is None or first is None:
        return
    other = (given != first).any(axis=(1, 2))
    if other.any():
        raise IspError(
            f"{out} was begun with other label maps: those of {int(other.sum())} of {len(other)} training images "
            "differ. Give the same maps with --labels, or begin a new run"
        )


def other_algorithm_line(run: Run, source: Source[Any]) -> str | None:
    """What to say where the run's labels so far were made by another algorithm than its source has today."""
    if run.info.label_algorithm == source.algorithm:
        return None
    return (
        f"{run.path}: its labels so far were made by algorithm {run.info.label_algorithm} of source {source.name}; "
        f"from here on algorithm {source.algorithm} makes them"
    )
