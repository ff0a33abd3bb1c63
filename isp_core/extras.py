"""What to type where an optional library is missing: one sentence, whichever command needed it."""

from __future__ import annotations

from importlib.util import find_spec

from isp_core.errors import IspError


def require(extra: str, *modules: str) -> None:
    """IspError where a top-level module that comes with one of the package's extras is not installed."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise IspError(f'{missing[0]} is not installed: pip install "isp-reid[{extra}]"')
