"""A document as a configuration: each problem in a sentence that names the key, the value and what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import ValidationError

from isp_core.config.schema import Config
from isp_core.labelling.sources import DEFAULT, SOURCES, owners
from isp_core.section import ConfigError, Section
from isp_core.text_files import shown

_QUOTED = 200
"""Characters of a value that a message quotes."""


def check_config(document: Mapping[str, Any]) -> Config:
    """A nested document as a Config; ConfigError names the key, the value and what is allowed."""
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        items = list(_items(error, (), document))[:5]
        raise ConfigError("; ".join(items)) from None


def _items(error: ValidationError, above: tuple[str, ...], document: Mapping[str, Any]) -> Iterator[str]:
    """Each problem in a sentence; those of a source's options are nested in an error of their own."""
    for item in error.errors():
        location = (*above, *(part for part in item["loc"] if isinstance(part, str)))
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, ValidationError):
            yield from _items(cause, location, document)
        else:
            yield _explain(item, location, document)


def _explain(item: Any, location: tuple[str, ...], document: Mapping[str, Any]) -> str:
    key, section = ".".join(location), _section(location[:-1], document)
    if item["type"] == "model_type":
        return (
            f"{key} is a section: write its options below it, as in {key}: {{option: value}}; got {_got(item['input'])}"
        )
    if not location and item["type"] == "value_error":  # of options that do not go together
        return str(item["ctx"]["error"])
    if item["type"] != "extra_forbidden":
        why = item["ctx"]["error"] if item["type"] == "value_error" else item["msg"]  # pydantic's prefix says nothing
        if item["type"] == "missing":
            return f"{key} is missing{_allowed(section, location)}"
        return f"{key}: {why}; got {_got(item['input'])}{_allowed(section, location)}"
    known = list(section.model_fields)
    if location[0] == "labels" and len(location) == 2:
        own = document["labels"].get("source", DEFAULT)
        if others := owners(location[1], own):
            owner = f"source {others[0]}" if len(others) == 1 else f"sources {_words(others)}"
            return f"{key} belongs to {owner}; this run's source is {own}, which has {_words(known)}"
    near = difflib.get_close_matches(location[-1], known, n=1)
    if not near:  # an option of a section, written without it
        near = [
            f"{name}.{location[-1]}"
            for name, field in Config.model_fields.items()
            if len(location) == 1 and location[0] in getattr(field.annotation, "model_fields", {})
        ]
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return f"unknown key {key}: {hint}{'.'.join(location[:-1]) or 'the configuration'} has {_words(known)}"


def _got(value: object) -> str:
    """A value as a message quotes it, however long it is."""
    text = f"'{shown(value)}'" if isinstance(value, str) else repr(value)
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}..."


def _words(names: list[str]) -> str:
    return ", ".join(names)


def _section(location: tuple[str, ...], document: Mapping[str, Any]) -> type[Section]:
    """The class of a section by its place; that of labels is its source's."""
    section: Any = Config
    for depth, name in enumerate(location):
        if depth == 0 and name == "labels":
            labels = document.get("labels")
            source = labels.get("source", DEFAULT) if isinstance(labels, Mapping) else DEFAULT
            section = SOURCES[source].options
        else:
            section = section.model_fields[name].annotation
    return section  # type: ignore[no-any-return]


def _allowed(section: type[Section], location: tuple[str, ...]) -> str:
    field = section.model_fields.get(location[-1]) if location else None
    if field is None:
        return ""
    values = [value for value in get_args(field.annotation) if isinstance(value, str | int)]
    allowed = f"; allowed: {', '.join(map(str, values))}" if values else ""
    return allowed + (f" ({field.description})" if field.description else "")
