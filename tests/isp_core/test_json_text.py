"""JSON that is written can be read by every reader, whatever the numbers and the names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from isp_core.json_text import json_text


def strict(text: str) -> object:
    """Parsed without the constants that JSON lacks and Python's reader takes."""

    def refused(constant: str) -> object:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text.encode("utf-8"), parse_constant=refused)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (float("nan"), None),
        (float("inf"), None),
        (-np.float32("inf"), None),
        (np.float32("nan"), None),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (np.array([1.5, np.nan]), [1.5, None]),
        ((1, [np.float16(0.5)]), [1, [0.5]]),
        ({1: {"a": float("inf")}}, {"1": {"a": None}}),
        (Path("a/b"), "a/b"),
        (os.fsdecode(b"\xd5\xc6.jpg"), "\\xd5\\xc6.jpg"),
        ("\ud83d", "\\ud83d"),
        ("line\nline \x1b[31m é 👩", "line\nline \x1b[31m é 👩"),
        (None, None),
        (10**400, 10**400),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_what_is_written_is_json_in_utf8(value: object, read: object) -> None:
    assert strict(json_text({"value": value})) == {"value": read}


def test_names_that_are_not_utf8_are_keys_too() -> None:
    assert strict(json_text({os.fsdecode(b"\xd5"): 1})) == {"\\xd5": 1}
