"""Compiled functions, where the disk keeps them and where it cannot."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import numba
import pytest

from isp_core.compiled import compiled


def double(number: int) -> int:
    return 2 * number


@pytest.mark.parametrize("writable", [True, False])
def test_compiles_with_and_without_a_cache(writable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    njit: Callable[..., Any] = numba.njit

    def refusing(*arguments: Any, cache: bool = False, **options: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function 'double': no locator available")
        return njit(*arguments, **options)

    if not writable:
        monkeypatch.setattr(numba, "njit", refusing)
    assert compiled(double)(21) == 42


def test_compiles_with_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_what: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("numba.core.caching.FunctionCache.load_overload", lambda *_what: None)
    monkeypatch.setattr("numba.core.caching.FunctionCache.save_overload", full)
    assert compiled(double)(21) == 42
