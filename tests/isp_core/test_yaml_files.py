"""Whatever stands in a user's YAML, it is read as written or refused with its file and line; never a traceback."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isp_core.config import ConfigError, load_config, parse_assignments
from isp_core.errors import IspError
from isp_core.metrics.spaces import load_space
from isp_core.text_files import TextError, read_text, shown
from isp_core.yaml_files import MAX_DEPTH, YamlError, parse_yaml
from isp_eval.parsers.described import load_description

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
REFUSED = {
    "a number of 5,000 digits": "9" * 5000,
    "3,000 nested lists": "[" * 3000,
    "3,000 nested mappings": "{a: " * 3000,
    "a list that holds itself": "&a [*a]",
    "aliases of aliases": BOMB,
    "the same key twice": "a: 1\na: 2",
    "a list as key": "? [a]\n: 1",
    "a Python object": "!!python/object/apply:os.system [ls]",
    "bytes": "!!binary aGk=",
    "a tag that its value contradicts": "!!int text",
    "a control character": "a: \0",
    "an open bracket": "[1, 2",
    "an unknown alias": "*nobody",
    "two documents": "--- 1\n--- 2",
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01 10:00:00", "2024-01-01 10:00:00"),
        ("12:30", "12:30"),
        ("010", 10),
        ("0x10", 16),
        ("1e-3", 0.001),
        ("-.5", -0.5),
        ("none", "none"),
        ("null", None),
        ("yes", "yes"),
        ("true", True),
        ("", None),
        ("[]", []),
        ("{a: {b: [1, text]}}", {"a": {"b": [1, "text"]}}),
    ],
)
def test_values_are_read_as_they_are_written(text: str, value: Any) -> None:
    found = parse_yaml(text, "here")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_hostile_yaml_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(YamlError, match=r"^here") as refused:
        parse_yaml(text, "here")
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_every_door_for_yaml_refuses_it_with_an_error_of_ours(text: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"mine\.yaml"):
        load_config(file=file)
    with pytest.raises(ConfigError, match="--set run"):
        load_config(overrides=parse_assignments([f"run={text}"]))
    for read in (load_space, load_description):
        with pytest.raises(IspError, match=r"mine\.yaml"):
            read(file)


@given(st.text(max_size=60))
def test_any_text_is_a_value_or_an_error_of_ours(text: str) -> None:
    with suppress(YamlError):
        assert isinstance(parse_yaml(text, "here"), str | int | float | bool | list | dict | None)


def test_nesting_as_deep_as_people_write_it_is_read() -> None:
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert parse_yaml(deep, "here") is not None


@pytest.mark.parametrize("content", ["- a\n- b", "[]", "text", "7", "2024-01-01", "1: {epochs: 3}", "base: [market]"])
def test_a_configuration_that_is_no_mapping_of_sections_never_trains_as_if_empty(content: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=r"mine\.yaml"):
        load_config(file=file)


@pytest.mark.parametrize("section", ["[1]", "3", "text", "2024-01-01"])
def test_a_section_that_is_no_mapping_is_named(section: str) -> None:
    with pytest.raises(ConfigError, match="run is a section"):
        load_config(overrides=parse_assignments([f"run={section}"]))


def test_a_section_left_empty_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("run:\n  # epochs: 7\ndata: {pad: 3}\n")
    assert load_config(file=file) == load_config(overrides={"data.pad": 3})


@pytest.mark.parametrize("value", [".inf", ".nan", "1e999", "2024-01-01", "[head]", "{a: 1}"])
def test_a_rate_is_a_finite_number(value: str) -> None:
    with pytest.raises(ConfigError, match=r"optim\.lr"):
        load_config(overrides=parse_assignments([f"optim.lr={value}"]))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("name: x\nclasses: {1: {name: hat, part: [head]}}", "class 1 has part"),
        ("name: x\nclasses: {1: {name: hat, part: {a: b}}}", "class 1 has part"),
        ("name: x\nclasses: {1: {name: [hat], part: head}}", "class 1: name is text"),
        ("name: x\nclasses: {1: 2024-01-01}", "class 1 has part"),
        ("name: x\nclasses: {true: head}", "class number True"),
        ("name: x\nclasses: [head]", "not a label space"),
        ("name: [x]\nclasses: {1: head}", "name is text"),
        ("name: x\ntitle: {}\nclasses: {1: head}", "title is text"),
        ("name: x\nnotes: [[1]]\nclasses: {1: head}", "notes are a list of sentences"),
        ("[head]", "not a label space"),
    ],
)
def test_a_label_space_names_the_entry_that_is_wrong(content: str, named: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(content)
    with pytest.raises(IspError, match=f"mine.yaml.*{named}|{named}.*"):
        load_space(file)


@pytest.mark.parametrize("content", ["", "[a]", "name: [x]", "name: x\ninput: 3\noutput: 2024-01-01"])
def test_a_parsers_description_names_the_entry_that_is_wrong(content: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(content)
    with pytest.raises(IspError, match=r"mine\.yaml"):
        load_description(file)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_is_read_in_the_encodings_that_editors_write(encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("run: {epochs: 3}  # naïve\n", encoding=encoding)
    assert load_config(file=file).run.epochs == 3


def test_text_in_another_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(b"run: {epochs: 3}\n# caf\xe9\n")
    with pytest.raises(IspError, match=r"mine\.yaml, line 2: byte 0xe9"):
        load_config(file=file)


def test_missing_folders_and_huge_files_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "huge.yaml").write_bytes(b" " * 101)
    for name, why in (("none.yaml", "no such file"), (".", "not a file"), ("huge.yaml", "more than")):
        with pytest.raises(TextError, match=why):
            read_text(tmp_path / name, max_bytes=100)


def test_a_name_that_is_not_utf_8_can_be_printed() -> None:
    name = b"\xd5\xd5/1.jpg".decode("utf-8", "surrogateescape")
    assert shown(name).encode("utf-8") == b"\\xd5\\xd5/1.jpg"
    assert shown(Path("é.jpg")) == "é.jpg"


@pytest.mark.parametrize(("people", "images"), [(1, 1)])
def test_a_batch_that_cannot_be_normalised_is_refused(people: int, images: int) -> None:
    with pytest.raises(ConfigError, match="cannot be batch-normalised"):
        load_config(overrides={"data.identities_per_batch": people, "data.pictures_per_identity": images})
