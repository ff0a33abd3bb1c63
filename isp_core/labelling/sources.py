"""The sources of pseudo-labels, by name. Command line, configuration, studies, app and documentation read them here."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from isp_core.labelling.clustering import CLUSTERING
from isp_core.labelling.maps import MAPS
from isp_core.labelling.none import NONE
from isp_core.labelling.position_words import POSITION_WORDS
from isp_core.labelling.prototypes import PROTOTYPES
from isp_core.labelling.source import Family, LabelOptions, Role, Source
from isp_core.paths import as_path
from isp_core.section import ConfigError
from isp_core.text_files import shown

SOURCES: dict[str, Source[Any]] = {
    source.name: source
    for source in (
        CLUSTERING,
        POSITION_WORDS,
        PROTOTYPES,
        MAPS,
        NONE,
    )
}
DEFAULT = CLUSTERING.name
"""The paper's."""


def source_named(name: object) -> Source[Any]:
    """The source of this name; ConfigError names the nearest, and all there are."""
    if isinstance(name, str) and name in SOURCES:
        return SOURCES[name]
    near = difflib.get_close_matches(str(name), SOURCES, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ConfigError(
        f"labels.source: no source of labels is called {name!r}: {hint}there are {', '.join(SOURCES)}. "
        f"Label maps of a folder: labels.source={MAPS.name} with labels.folder"
    )


def source_of(options: LabelOptions) -> Source[Any]:
    """The source that these options belong to."""
    return source_named(options.source)


def sources_on_maps() -> tuple[str, ...]:
    """The names of the sources that label by the feature map of a network that we did not make."""
    return tuple(name for name, source in SOURCES.items() if not source.beyond_maps)


def options_of(document: Mapping[str, Any]) -> LabelOptions:
    """The section `labels` of a configuration, by its source's own options (the paper's where no source is named)."""
    name = document.get("source", DEFAULT)
    found: LabelOptions = source_named(name).options.model_validate({**document, "source": name})
    return found


def owners(option: str, besides: str) -> list[str]:
    """The names of other sources that have an option of this name."""
    return [name for name, source in SOURCES.items() if name != besides and option in source.options.model_fields]


def role_of(source: str, parts: int) -> Role:
    """What a run's labels stand for, by the source that run.json names and its K. Runs of an unknown source (imported
    ones) were given their parts."""
    if not parts:
        return Role.BASELINE
    return SOURCES[source].role if source in SOURCES else Role.GIVEN


def family_of(source: str, parts: int) -> Family:
    """The family of a run, by the source that run.json names and its K; see `role_of`."""
    role = role_of(source, parts)
    if role is Role.LEARNED:
        return Family.PAPER if SOURCES[source].published else Family.OURS
    return Family.BASELINE if role is Role.BASELINE else Family.EXTRA


def parse_labels(text: str, space: str | None = None) -> dict[str, Any]:
    """What --labels takes, a source's name or a folder of label maps, as options of the section `labels`.

    >>> parse_labels("clustering")
    {'source': 'clustering'}
    """
    if text in SOURCES:
        return {"source": text} | ({"space": space} if space is not None and text == MAPS.name else {})
    if as_path(text).is_dir():
        return {"source": MAPS.name, "folder": text} | ({} if space is None else {"space": space})
    near = difflib.get_close_matches(text, SOURCES, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ConfigError(
        f"--labels takes {', '.join(SOURCES)}, or a folder of label maps; no source and no folder is called "
        f"'{shown(text)}'{hint}"
    )
