"""How the app's server runs: the command behind `isp app`, and a check that holds however the server was started.

The options are in .streamlit/config.toml beside main.py. Streamlit is not imported here: `isp app --help` is quick.
"""

from __future__ import annotations

import os
import socket
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from isp_app.settings import ALLOW_TRAINING, DATA, EMBEDDED, GALLERY, RUNS, TRUTH
from isp_core.errors import IspError
from isp_core.paths import as_path

FOLDER = Path(__file__).resolve().parent
MAIN = FOLDER / "main.py"
CONFIG = FOLDER / ".streamlit" / "config.toml"
REQUIRED: dict[str, tuple[Any, ...]] = {
    # option: the values that keep the app private
    "browser.gatherUsageStats": (False,),
    "client.showErrorDetails": ("type", "none", False, "false"),
    "server.enableXsrfProtection": (True,),
    "server.enableCORS": (True,),
}


class ServerError(IspError):
    """A server that would not be private, or folders that do not exist."""


def options(config: Path = CONFIG) -> dict[str, Any]:
    """The options of a Streamlit configuration file by their dotted names, themes left out."""
    sections = tomllib.loads(config.read_text(encoding="utf-8"))
    return {
        f"{section}.{name}": value
        for section, values in sections.items()
        if section != "theme"
        for name, value in values.items()
    }


def command(port: int, share_on: str | None = None) -> list[str]:
    """What `isp app` runs. Every option is on the command line, where no other configuration can override it."""
    wanted = {**options(), "server.port": port, "server.headless": True}
    if share_on is not None:
        everywhere = share_on in ("0.0.0.0", "::")
        wanted |= {
            "server.address": share_on,
            "browser.serverAddress": socket.gethostname() if everywhere else share_on,  # the link that is printed
        }
    flags = [f"--{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in wanted.items()]
    return [sys.executable, "-m", "streamlit", "run", str(MAIN), *flags]


def environment(
    base: Mapping[str, str],
    runs: Sequence[Path],
    data: Sequence[Path],
    embedded: bool = True,
    allow_training: bool = False,
    truth: Sequence[Path] = (),
    store: str | None = None,
) -> dict[str, str]:
    """The server's environment: `base` with the folders added to those that it names already.

    store: a gallery store, named as `isp gallery` takes it.
    data: folders, or tables of images (CSV, Parquet), which stand for the folders that they are in. ServerError if one,
    or a folder of ground truth, does not exist; a folder of runs may come to exist later.
    """
    from isp_core.tables import SUFFIXES  # loads pandas, which `isp app --help` need not wait for

    data = [place.parent if place.is_file() and place.suffix.lower() in SUFFIXES else place for place in data]
    for option, folders in (("--data", data), ("--truth", truth)):
        missing = [str(folder) for folder in folders if not folder.is_dir()]
        if missing:
            raise ServerError(f"{option} {missing[0]}: no such folder")
    files = [str(folder) for folder in runs if folder.exists() and not folder.is_dir()]
    if files:
        raise ServerError(f"--runs {files[0]} is a file: give a folder of runs, or a run")
    made = dict(base)
    for name, folders in ((RUNS, runs), (DATA, data), (TRUTH, truth)):
        known = [item for item in base.get(name, "").split(os.pathsep) if item.strip()]
        if folders or known:
            made[name] = os.pathsep.join([*known, *(str(as_path(folder).resolve()) for folder in folders)])
    if store is not None:
        made[GALLERY] = store
    if not embedded:
        made[EMBEDDED] = "0"
    if allow_training:
        made[ALLOW_TRAINING] = "1"
    return made


def ask_no_service() -> None:
    """Keeps Streamlit from asking an outside service for this machine's address.

    It does so when a request comes from a foreign origin, to see whether the origin is this machine; no option turns
    it off. Without an address such a request is refused, as it should be.
    """
    from streamlit import net_util

    net_util.get_external_ip = lambda: None


def require_private(option: Callable[[str], Any]) -> None:
    """ServerError where the running server's options would send data away or tell strangers about errors.

    option: reads one of Streamlit's options, as st.get_option does.
    """
    for name, allowed in REQUIRED.items():
        value = option(name)
        if value not in allowed:
            raise ServerError(
                f"{name} is {value}, and this app runs only with {name}={str(allowed[0]).lower()}: "
                f"start it with `isp app`, or with `streamlit run {MAIN}` without that option"
            )
    if not option("server.address"):
        raise ServerError(
            "server.address is not set, so that every machine in the network could open the app: start it with "
            "`isp app`, or give --server.address (127.0.0.1 for this machine alone)"
        )
