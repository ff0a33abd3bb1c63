"""The one writer of JSON, for commands, runs and the app: any name is text, and what JSON cannot say is null."""

from __future__ import annotations

import json
import math
from typing import Any

from isp_core.text_files import shown


def json_text(document: Any, indent: int = 2) -> str:
    """One JSON document that every reader takes and UTF-8 can hold.

    Args:
        document: dicts, lists, tuples, texts, numbers, None, and NumPy's scalars and arrays. Anything else, such as
            a path, becomes its text.
        indent: spaces per level.

    Returns:
        JSON that ends in a new line. NaN and infinities are null; bytes of names that are not UTF-8 are escapes.

    >>> print(json_text({"R-1": float("nan"), "K": 6}), end="")
    {
      "R-1": null,
      "K": 6
    }
    """
    return json.dumps(_plain(document), indent=indent, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # a scalar or an array of NumPy
        value = value.tolist()
    if isinstance(value, dict):
        return {shown(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int) else shown(value)
