"""`isp options`: every option of a run, as the table in the documentation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import typer

from isp_core.config import Config
from isp_core.labelling.sources import SOURCES
from isp_core.section import Section


def list_options() -> None:
    """Print every option of a run with its default and meaning (Markdown; docs/training.md has the same tables)."""
    typer.echo(options_table())


def options_table() -> str:
    """Tables of all options: those that every run has, then those of each source of labels."""
    shared = [
        row for name, field in Config.model_fields.items() if name != "labels" for row in _rows(name, field.annotation)
    ]
    tables = ["\n".join([*_HEAD, *shared])]
    for source in SOURCES.values():
        rows = "\n".join([*_HEAD, *_rows("labels", source.options)])
        tables.append(f"### Labels: {source.name}\n\n{source.description} It uses: {_uses(source.uses)}.\n\n{rows}")
    return "\n\n".join(tables)


_HEAD = ("| option | default | what |", "|---|---|---|")


def _rows(prefix: str, section: Any) -> Iterator[str]:
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from _rows(f"{prefix}.{name}", field.annotation)
            continue
        choices = [str(value) for value in get_args(field.annotation) if isinstance(value, str | int)]
        allowed = f" ({', '.join(choices)})" if len(choices) > 1 else ""
        default = "required" if field.is_required() else _words(field.default)
        yield f"| `{prefix}.{name}` | {default} | {field.description}{allowed} |"


def _words(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(map(_words, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _uses(uses: tuple[str, ...]) -> str:
    return ", ".join(uses) if uses else "nothing"
