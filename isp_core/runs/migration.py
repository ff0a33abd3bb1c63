"""run.json of older versions in today's form. Nothing on the disk is changed: a run is migrated whenever it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from isp_core.labelling.sources import SOURCES

Document = dict[str, Any]

UNKNOWN_ALGORITHM = 0
"""Of labels made before sources had numbers."""


def migrate(document: Document) -> Document:
    """The document in the newest schema that a chain of migrations leads to; what is unknown stays as it is."""
    while (step := _MIGRATIONS.get(str(document.get("schema")))) is not None:
        document = step(document)
    return document


def _from_1(document: Document) -> Document:
    """`labels.source` was a keyword or a folder of maps, next to options of all sources; embeddings were of
    `run.matching`, attention was a 1x1 convolution or none, and Eq. 5 always had a bias."""
    config = document.get("config")
    config = dict(config) if isinstance(config, Mapping) else {}
    if isinstance(config.get("labels"), Mapping):
        config["labels"] = _labels_from_1(config["labels"])
    if isinstance(config.get("model"), Mapping):
        attention = "pixel" if config["model"].get("attention") else "none"
        config["model"] = {**config["model"], "attention": attention, "bias": True}
    if isinstance(config.get("run"), Mapping):
        config["run"] = {"features" if key == "matching" else key: value for key, value in config["run"].items()}
    return document | {
        "schema": "isp-run/2",
        "config": config,
        "labels": _source_from_1(str(document.get("labels", ""))),
        "label_algorithm": UNKNOWN_ALGORITHM,
    }


_NAMES_FROM_1 = {"clustering": "clustering", "contrast": "position-words", "none": "none", "": ""}


def _source_from_1(name: str) -> str:
    return _NAMES_FROM_1.get(name, "maps")


def _labels_from_1(labels: Mapping[str, Any]) -> Document:
    source = str(labels.get("source", "clustering"))
    name = _source_from_1(source)
    known = SOURCES[name].options.model_fields
    own = {key: value for key, value in labels.items() if key in known} | {"source": name}
    return own | ({"folder": source} if name == "maps" else {})


_MIGRATIONS: Mapping[str, Callable[[Document], Document]] = {"isp-run/1": _from_1}
