"""The files that a configuration names: recorded so that they mean the same everywhere, and found again when moved."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from isp_core.config import Config, ConfigError, check_config
from isp_core.models.weights import NAMED_SOURCES
from isp_core.paths import absolute, as_path, find_moved

# option -> whether its value names a file or a folder, and how to give it again when a run is resumed
_PLACES: dict[tuple[str, str], tuple[Callable[[str], bool], str]] = {
    ("labels", "folder"): (lambda value: True, "--labels FOLDER"),
    ("labels", "space"): (lambda value: value.endswith((".yaml", ".yml")), "--set labels.space=FILE"),
    ("model", "weights"): (lambda value: value not in NAMED_SOURCES, "--set model.weights=FILE"),
    ("run", "truth"): (lambda value: True, "--truth FOLDER"),
    ("run", "space"): (lambda value: value.endswith((".yaml", ".yml")), "--space FILE"),
}


def anchored(config: Config) -> Config:
    """The configuration to record: its files and folders as absolute paths, home folders expanded."""
    return _changed(config, lambda value, _: str(absolute(value)))


def relocated(config: Config, near: Iterable[Path], trained: bool) -> Config:
    """A recorded configuration with its files where they are now, see `find_moved`.

    trained: whether the run has a checkpoint; its initial weights are then needed no more.

    Raises:
        ConfigError: what is not found, and how to give it again.
    """
    near = list(near)

    def place(value: str, again: str) -> str:
        found = find_moved(as_path(value), near)
        if not found.exists() and not (trained and "model.weights" in again):
            raise ConfigError(f"{value}, which this run was begun with, is no longer there: give it again with {again}")
        return str(found.absolute())

    return _changed(config, place)


def _changed(config: Config, change: Callable[[str, str], str]) -> Config:
    document: dict[str, dict[str, Any]] = config.model_dump(mode="json")
    for (section, key), (names_a_place, again) in _PLACES.items():
        value = document[section].get(key)
        if isinstance(value, str) and names_a_place(value):
            document[section][key] = change(value, again)
    return check_config(document)
