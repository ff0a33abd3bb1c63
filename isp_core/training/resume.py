"""The configuration of a run that is resumed: its own, but for its length and what it is measured by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isp_core.config import Config, ConfigError, check_config
from isp_core.paths import as_path
from isp_core.runs import open_run
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
