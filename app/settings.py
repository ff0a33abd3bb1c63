"""What the person who starts the server has decided, from its environment and command line. Never from the browser.

ISP_RUNS            folders of runs (or runs), separated like PATH, shown in addition to the embedded study; default:
                    runs in the working directory, and in the checkout that the app runs from
ISP_DATA            folders of data sets, separated like PATH; the embedded data set is always known
ISP_TRUTH           folders of ground-truth label maps that do not lie beside their images
ISP_GALLERY         a gallery store (isp gallery), whose nearest entries Upload shows too
ISP_EMBEDDED        0: leave out the embedded study
ISP_ALLOW_TRAINING  1: training and data that is not embedded may be used although others can reach the server
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import isp_assets
from isp_core.paths import as_path

_YES, _NO = ("1", "true", "yes"), ("0", "false", "no")
RUNS, DATA, TRUTH = "ISP_RUNS", "ISP_DATA", "ISP_TRUTH"
GALLERY = "ISP_GALLERY"
EMBEDDED, ALLOW_TRAINING = "ISP_EMBEDDED", "ISP_ALLOW_TRAINING"
PROJECT = Path(__file__).resolve().parent.parent  # the checkout; in an installation site-packages
EMBEDDED_DATA = Path(isp_assets.__file__).resolve().parent


@dataclass(frozen=True)
class Settings:
    """run_roots, data_roots, truths: folders that exist or may come to exist. trusted: see `is_trusted`.
    store: a gallery store, "" for none."""

    run_roots: tuple[Path, ...]
    data_roots: tuple[Path, ...]
    trusted: bool
    truths: tuple[Path, ...] = ()
    store: str = ""

    @property
    def own_runs(self) -> Path:
        """Where new runs go: the last configured folder (runs beside the project by default), never the embedded study,
        so that this server shows them."""
        others = [path for path in self.run_roots if not embedded(path)]
        return others[-1] if others else PROJECT / "runs"

    @property
    def picture_roots(self) -> tuple[Path, ...]:
        """Where images may be read: the embedded data always, other data only on a trusted server."""
        return (EMBEDDED_DATA, *self.data_roots) if self.trusted else (EMBEDDED_DATA,)

    @property
    def gallery_store(self) -> str:
        """The gallery store that may be searched: on a trusted server only."""
        return self.store if self.trusted else ""

    @property
    def truth_roots(self) -> tuple[Path, ...]:
        """Where label maps may be read that do not lie beside their images: on a trusted server only."""
        return self.truths if self.trusted else ()


def embedded(path: Path) -> bool:
    """Whether a folder or a run is part of the embedded study; all others are the user's own."""
    return path == EMBEDDED_DATA or EMBEDDED_DATA in path.parents


def read_settings(environment: Mapping[str, str], address: str | None) -> Settings:
    """Settings from an environment and the address the server is bound to (None: all addresses)."""
    study = () if environment.get(EMBEDDED, "").strip().lower() in _NO else (EMBEDDED_DATA / "runs",)
    roots = (*study, *(_folders(environment.get(RUNS, "")) or _usual_folders()))
    return Settings(
        run_roots=tuple(dict.fromkeys(roots)),
        data_roots=_folders(environment.get(DATA, "")),
        trusted=is_trusted(environment, address),
        truths=_folders(environment.get(TRUTH, "")),
        store=environment.get(GALLERY, "").strip(),
    )


def _usual_folders() -> tuple[Path, ...]:
    """Where runs are looked for when no folder is named; new ones go to the last."""
    here = Path.cwd() / "runs"
    return (PROJECT / "runs", here) if (PROJECT / "pyproject.toml").is_file() else (here,)


def is_trusted(environment: Mapping[str, str], address: str | None) -> bool:
    """Training, and data that is not embedded, need a server that only this machine reaches, or an explicit word.

    >>> is_trusted({}, "127.0.0.1"), is_trusted({}, "0.0.0.0"), is_trusted({}, None)
    (True, False, False)
    >>> is_trusted({"ISP_ALLOW_TRAINING": "1"}, "0.0.0.0")
    True
    """
    if environment.get(ALLOW_TRAINING, "").strip().lower() in _YES:
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
    import streamlit as st  # here: `isp app` reads the names above before it starts Streamlit

    return read_settings(os.environ, st.get_option("server.address") or None)


def _folders(text: str) -> tuple[Path, ...]:
    return tuple(as_path(item).resolve() for item in text.split(os.pathsep) if item.strip())
