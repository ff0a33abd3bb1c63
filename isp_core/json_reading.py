"""The one reader of JSON: of runs, stores, exports and small notes between programs, all of which may be damaged.

Numbers beyond 64 bits and infinities (1e999 is one) are refused here, so that nobody who converts a number has to.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from isp_core.text_files import TextError, read_text

_MOST = 2**64
MAX_NOTE = 2**20


def parse_json(text: str) -> Any:
    """The document. ValueError says why it is none: no JSON, nested too deeply, or a number that is out of range.

    >>> parse_json('{"R-1": 0.5, "K": [6, null]}')
    {'R-1': 0.5, 'K': [6, None]}
    """
    try:
        return json.loads(text, parse_int=_integer, parse_float=_number, parse_constant=_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_note(file: Path) -> Any:
    """A small document that a program of ours left for another; None where there is none, or no such document."""
    try:
        return parse_json(read_text(file, MAX_NOTE))
    except (TextError, ValueError):
        return None


def _integer(digits: str) -> int:
    if len(digits) > len(str(_MOST)) or abs(int(digits)) >= _MOST:
        raise ValueError(f"the number {digits[:24]} is beyond 64 bits")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if abs(value) == float("inf"):
        raise ValueError(f"the number {digits[:24]} is too large")
    return value


def _constant(name: str) -> float:
    """NaN is read, as older programs wrote it for what is missing."""
    if name != "NaN":
        raise ValueError(f"{name} is no number of JSON")
    return float("nan")
