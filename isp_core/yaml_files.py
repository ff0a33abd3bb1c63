"""The one reader of YAML that users write: configurations, --set values, label spaces, parser descriptions.

YAML 1.2's core schema: a date stays text, `yes` is no boolean, 010 is ten and 12:30 is no number. What would silently
lose something (the same key twice) or never end (aliases of aliases, deep nesting) is refused.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from isp_core.errors import IspError
from isp_core.text_files import read_text

MAX_BYTES = 2**20
MAX_DEPTH = 20
MAX_NODES = 20_000
MAX_DIGITS = 30

Mapping = dict[Any, Any]


class YamlError(IspError):
    """YAML that cannot be understood; the message says where, and what is allowed."""


def read_yaml(path: Path) -> Any:
    """The content of a YAML file: None, booleans, numbers, text, lists and mappings with plain keys.

    Raises:
        TextError: the file cannot be read (see `read_text`).
        YamlError: it is no YAML, or holds something else.
    """
    return parse_yaml(read_text(path, MAX_BYTES), str(path))


def read_mapping(path: Path, needed: str) -> Mapping:
    """The mapping in a YAML file, empty for an empty file. `needed` ends the error: "... must hold NEEDED"."""
    return require_mapping(read_yaml(path), str(path), needed)


def require_mapping(content: Any, where: str, needed: str) -> Mapping:
    """`content` where it is a mapping (None is an empty one), YamlError otherwise."""
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise YamlError(f"{where} must hold {needed}, not {_NAMES.get(type(content), type(content).__name__)}")
    return content


def parse_yaml(text: str, where: str) -> Any:
    """The value of a YAML text; errors begin with `where`."""
    if len(text) > MAX_BYTES:
        raise YamlError(f"{where} is longer than {MAX_BYTES // 2**20} MiB")
    loader = None
    try:
        _check_depth(text, where)
        loader = _CoreLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, where, 0, [0])
        return loader.construct_document(node)
    except YamlError:
        raise
    except yaml.MarkedYAMLError as error:
        problem = error.problem or error.context or "it cannot be read"
        mark = error.problem_mark or error.context_mark
        place = "" if mark is None else f", line {mark.line + 1}, column {mark.column + 1}"
        raise YamlError(f"{where}{place} is not YAML: {problem}") from None
    except (yaml.YAMLError, RecursionError, ValueError, KeyError, TypeError) as error:
        # the last three: a tag that its value contradicts, such as !!int text
        raise YamlError(f"{where} is not YAML: {str(error).splitlines()[0]}") from None
    finally:
        if loader is not None:
            loader.dispose()


_NAMES = {list: "a list", str: "text", int: "a number", float: "a number", bool: "a boolean"}
_CORE = "tag:yaml.org,2002:"


class _CoreLoader(yaml.SafeLoader):
    """A SafeLoader with the core schema's types alone."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 (PyYAML declares them so)
    yaml_constructors = {}  # noqa: RUF012


def _integer(loader: _CoreLoader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    if len(text) > MAX_DIGITS:
        raise yaml.constructor.ConstructorError(
            None, None, f"a number of {len(text)} characters, at most {MAX_DIGITS} are read", node.start_mark
        )
    return int(text, 0) if text[:2].lower() in ("0x", "0o") else int(text)


def _number(loader: _CoreLoader, node: yaml.ScalarNode) -> float:
    text = loader.construct_scalar(node).lower()
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


def _mapping(loader: _CoreLoader, node: yaml.MappingNode) -> Mapping:
    result: Mapping = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, list | dict):
            raise yaml.constructor.ConstructorError(None, None, "a key must be text or a number", key_node.start_mark)
        if key in result:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} occurs twice", key_node.start_mark)
        result[key] = loader.construct_object(value_node, deep=True)
    return result


def _sequence(loader: _CoreLoader, node: yaml.SequenceNode) -> list[Any]:
    return [loader.construct_object(item, deep=True) for item in node.value]


def _unknown(loader: _CoreLoader, node: yaml.Node) -> Any:
    raise yaml.constructor.ConstructorError(
        None, None, f"the tag {node.tag} is not read; write text, numbers, lists and mappings", node.start_mark
    )


_SCALARS = (  # type, how it is written, first characters ("" is the empty scalar)
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", [*"-+0123456789"]),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", [*"-+.0123456789"]),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", [*"-+."]),
    ("null", r"~|null|Null|NULL|", [*"~nN", ""]),
)
for _tag, _pattern, _first in _SCALARS:
    _CoreLoader.add_implicit_resolver(f"{_CORE}{_tag}", re.compile(f"^(?:{_pattern})$"), _first)
for _tag, _constructor in (
    ("null", yaml.SafeLoader.construct_yaml_null),
    ("bool", yaml.SafeLoader.construct_yaml_bool),
    ("int", _integer),
    ("float", _number),
    ("str", yaml.SafeLoader.construct_yaml_str),
    ("seq", _sequence),
    ("map", _mapping),
):
    _CoreLoader.add_constructor(f"{_CORE}{_tag}", _constructor)
_CoreLoader.add_constructor(None, _unknown)


def _check_depth(text: str, where: str) -> None:
    """Counts nesting in the stream of events, which needs no recursion; composing does."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            mark = event.start_mark
            at = "" if mark is None else f", line {mark.line + 1}"
            raise YamlError(f"{where}{at}: nested more than {MAX_DEPTH} deep")


def _count(node: yaml.Node, where: str, depth: int, seen: list[int]) -> None:
    """Bounds what aliases unfold to; an alias of what holds it would never end."""
    seen[0] += 1
    if depth > MAX_DEPTH or seen[0] > MAX_NODES:
        raise YamlError(f"{where}: its aliases unfold to more than {MAX_NODES:,} values or {MAX_DEPTH} levels")
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _count(item, where, depth + 1, seen)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _count(key, where, depth + 1, seen)
            _count(value, where, depth + 1, seen)
