"""The configuration of a run that is resumed: its own, but for its length and what it is measured by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isp_core.config import Config, ConfigError, check_config
from isp_core.runs import open_run
from isp_core.runs.schema import RUN_FILE

FREE = {"run.epochs": "--epochs", "run.truth": "--truth", "run.space": "--space"}


def resumed_config(out: Path, options: Mapping[str, Any], *, recipe: bool = False) -> Config:
    """The configuration of the run in `out`, with the options that may change (FREE).

    ConfigError where `out` holds no run, or where other options, or a preset or file (`recipe`), were given.
    """
    if not (out / RUN_FILE).exists():
        raise ConfigError(f"{out} holds no run to resume: leave out --resume to begin it")
    other = sorted(set(options) - set(FREE))
    if recipe or other:
        named = ", ".join(other) or "--preset and --config"
        raise ConfigError(
            f"a resumed run keeps its configuration, only {', '.join(FREE.values())} may change; leave out {named}"
        )
    document = open_run(out).info.config
    given = {key.removeprefix("run."): value for key, value in options.items()}
    return check_config(document | {"run": document.get("run", {}) | given})
