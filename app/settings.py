"""What the person who starts the server has decided, from its environment and command line. Never from the browser.

ISP_RUNS            folders of runs (or runs), separated like PATH; default: assets/runs and runs beside the project
ISP_DATA            folders of data sets, separated like PATH; the embedded data set is always known
ISP_ALLOW_TRAINING  1: training and data that is not embedded may be used although others can reach the server
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

PROJECT = Path(__file__).resolve().parent.parent
EMBEDDED_DATA = PROJECT / "assets"


@dataclass(frozen=True)
class Settings:
    """run_roots, data_roots: folders that exist or may come to exist. trusted: see `is_trusted`."""

    run_roots: tuple[Path, ...]
    data_roots: tuple[Path, ...]
    trusted: bool

    @property
    def picture_roots(self) -> tuple[Path, ...]:
        """Where pictures may be read: the embedded data always, other data only on a trusted server."""
        return (EMBEDDED_DATA, *self.data_roots) if self.trusted else (EMBEDDED_DATA,)


def read_settings(environment: Mapping[str, str], address: str | None) -> Settings:
    """Settings from an environment and the address the server is bound to (None: all addresses)."""
    runs = _folders(environment.get("ISP_RUNS", ""))
    return Settings(
        run_roots=runs or (PROJECT / "assets" / "runs", PROJECT / "runs"),
        data_roots=_folders(environment.get("ISP_DATA", "")),
        trusted=is_trusted(environment, address),
    )


def is_trusted(environment: Mapping[str, str], address: str | None) -> bool:
    """Training, and data that is not embedded, need a server that only this machine reaches, or an explicit word.

    >>> is_trusted({}, "127.0.0.1"), is_trusted({}, "0.0.0.0"), is_trusted({}, None)
    (True, False, False)
    >>> is_trusted({"ISP_ALLOW_TRAINING": "1"}, "0.0.0.0")
    True
    """
    if environment.get("ISP_ALLOW_TRAINING", "").strip().lower() in ("1", "true", "yes"):
        return True
    if address is None:
        return False
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def settings() -> Settings:
    """The settings of this server."""
    return read_settings(os.environ, st.get_option("server.address") or None)


def _folders(text: str) -> tuple[Path, ...]:
    return tuple(Path(item).expanduser().resolve() for item in text.split(os.pathsep) if item.strip())
