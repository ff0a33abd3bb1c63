"""A configuration from its layers: later sources override earlier ones.

Defaults, presets, a YAML file, the command line. A layer that names another source of labels drops what only the former
source allows.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from isp_core.config.checking import check_config
from isp_core.config.schema import Config
from isp_core.errors import IspError
from isp_core.labelling.layouts import BELONGINGS
from isp_core.labelling.source import Source
from isp_core.labelling.sources import DEFAULT, source_named
from isp_core.section import ConfigError
from isp_core.text_files import shown
from isp_core.yaml_files import parse_yaml, read_yaml, require_mapping


def preset_names() -> list[str]:
    """The presets that come with the package, the default and the reference first."""
    names = [entry.name.removesuffix(".yaml") for entry in _presets().iterdir() if entry.name.endswith(".yaml")]
    return sorted(names, key=lambda name: (name not in ("cpu", "paper"), name))


def load_config(
    preset: str | None = None,
    file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    default: str | None = None,
) -> Config:
    """Defaults, then a preset, then a YAML file, then dotted overrides ({"run.epochs": 3}).

    Presets may be joined by +, later ones over earlier ones: "market+resnet50" is Market-1501's recipe on ResNet50.
    Where no preset is given, the file may name one (`base: market`); where it does not either, it is `default`.
    """
    own = {} if file is None else _read_sections(file)
    base = own.pop("base", None)
    if base is not None and not isinstance(base, str):
        raise ConfigError(f"{shown(file)}: base names a preset, such as cpu or market+resnet50; got {base!r}")
    presets = preset or base or default
    try:
        return check_config(_layered(presets, own, _nested(overrides or {})))
    except ConfigError as error:
        if file is None or _possible(_layered(presets, own, {})):
            raise
        raise ConfigError(f"{shown(file)}: {error}") from None


def _layered(presets: str | None, own: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    document = _presets_document(presets)
    _override(document, own)
    _override(document, overrides)
    return document


def _possible(document: Mapping[str, Any]) -> bool:
    try:
        check_config(document)
    except ConfigError:
        return False
    return True


def changed(config: Config, overrides: Mapping[str, Any]) -> Config:
    """The configuration with dotted overrides. Where they name another source of labels, options that only the previous
    source has are left out."""
    document = config.model_dump(mode="json")
    _override(document, _nested(overrides))
    return check_config(document)


def parse_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """["loss.parsing=1", ...] -> {"loss.parsing": 1}; values are read as YAML."""
    result: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set takes key=value, such as loss.parsing=1; got {assignment!r}")
        if shown(value) != value:
            raise ConfigError(
                f"--set {key.strip()}: {shown(value)} is not UTF-8: rename that file or folder, or give a link to it"
            )
        try:
            result[key.strip()] = parse_yaml(value, f"--set {key.strip()}")
        except IspError as error:
            raise ConfigError(f"{error} (it is not a YAML value, such as 1, text or [1, 2])") from None
    return result


def _presets_document(presets: str | None) -> dict[str, Any]:
    """The document of presets joined by +, each over the one it is based on."""
    document: dict[str, Any] = {}
    for name in [part.strip() for part in presets.split("+")] if presets is not None else []:
        names = preset_names()
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ConfigError(f"no preset is called {name!r}: {hint}there are {', '.join(names)}; + joins several")
        text = _presets().joinpath(f"{name}.yaml").read_text("utf-8")
        own = _sections(parse_yaml(text, f"preset {name}"), f"preset {name}")
        _override(document, _presets_document(own.pop("base", None)))
        _override(document, own)
    return document


def _presets() -> Any:
    return resources.files("isp_core") / "presets"


def _read_sections(file: Path) -> dict[str, Any]:
    try:
        return _sections(read_yaml(file), str(file))
    except IspError as error:
        raise ConfigError(str(error)) from None


def _sections(content: Any, where: str) -> dict[str, Any]:
    """A document of sections; empty for an empty file."""
    document = require_mapping(content, where, f"sections ({', '.join(Config.model_fields)})")
    strange = next((key for key in document if not isinstance(key, str)), None)
    if strange is not None:
        raise ConfigError(f"{where}: {strange!r} is not a section; there are {', '.join(Config.model_fields)}")
    return {name: section for name, section in document.items() if section is not None}  # "run:" with nothing below


def _nested(dotted: Mapping[str, Any]) -> dict[str, Any]:
    """{"run.epochs": 3} -> {"run": {"epochs": 3}}."""
    document: dict[str, Any] = {}
    for key, value in dotted.items():
        nested: Any = value
        for name in reversed(key.split(".")):
            nested = {name: nested}
        _merge(document, nested)
    return document


def _override(document: dict[str, Any], layer: Mapping[str, Any]) -> None:
    """Merges a layer of higher priority. Where it names another source of labels than the layers below, options that
    only the former source has are dropped, and a K that the new one does not allow: a preset's `sharpen` must not stand
    in the way of `--labels none`, nor its K of 7 in that of a parser's maps. Neither must a preset's form of training
    that needs parts, or belongings, stand in the way of labels without them."""
    labels, below = layer.get("labels"), document.get("labels")
    if isinstance(labels, Mapping) and isinstance(below, dict):
        name = labels.get("source", below.get("source", DEFAULT))
        source = source_named(name)
        if name != below.get("source", DEFAULT):
            known = source.options.model_fields
            below = document["labels"] = {
                key: value
                for key, value in below.items()
                if key in known and (key != "parts" or value in source.parts_allowed())
            }
        _drop_forms(document, source, {**below, **labels})
    _merge(document, layer)


def _drop_forms(document: dict[str, Any], source: Source[Any], labels: Mapping[str, Any]) -> None:
    """Takes out of `document` what its labels-to-be do not allow; labels of a wrong K are left to their own error."""
    allowed = source.parts_allowed()
    if "parts" in labels and labels["parts"] not in allowed:
        return
    parts = labels.get("parts", source.options.model_fields["parts"].default) if allowed else 0
    if not parts:
        _drop(document, "loss", "triplet")
    if not parts or BELONGINGS not in source.layout(parts):
        _drop(document, "data", "carry")


def _drop(document: Mapping[str, Any], section: str, option: str) -> None:
    if isinstance(document.get(section), dict):
        document[section].pop(option, None)


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value
