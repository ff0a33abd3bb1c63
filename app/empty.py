"""What a page says when there is nothing to show: what is missing, and the exact command that makes it."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from isp_app.reading import pictures
from isp_app.safety.names import plain
from isp_app.settings import EMBEDDED_DATA, PROJECT, Settings
from isp_app.state.links import link
from isp_app.state.sidebar import Selection
from isp_core.runs import Run
from isp_core.text_files import shown

WALKERS = EMBEDDED_DATA / "walkers"


def train_command(settings: Settings, data: object = "DATA", name: str = "NAME", more: str = "") -> str:
    """The command that trains a run which this server shows."""
    return f"isp train --data {argument(data)} --out {argument(settings.own_runs / name)}{more}"


def say(message: str, command: str | None = None) -> None:
    """One sentence, and a command to copy."""
    st.info(message)
    if command:
        st.code(command, language="bash")


def run_or_reason(selection: Selection) -> Run | None:
    """The chosen run; None after telling why there is none."""
    if selection.run is not None:
        return selection.run
    if selection.chosen is None:
        if selection.problem:
            st.warning("The list of runs could not be read.")
            st.text(short(selection.problem))
        no_runs(selection.settings)
    else:
        st.warning(f"The run {plain(selection.chosen.id)} cannot be opened.")
        st.text(short(selection.problem))
        st.code(f"isp runs verify {argument(selection.chosen.path)}", language="bash")
    return None


def no_runs(settings: Settings) -> None:
    """No run lies in the server's folders: where it looks, and how to make one."""
    roots = " and ".join(plain(short(root)) for root in settings.run_roots)
    data = WALKERS if WALKERS.is_dir() else "DATA"
    say(f"There is no run in {roots} yet. Train one, then reload this page:", train_command(settings, data))
    if settings.trusted:
        link("train", "Or start one on the page Train", ":material/model_training:")
    st.caption(
        "A run is a folder with run.json in it. The embedded study lies in assets/runs of a complete checkout; other "
        "folders are read where the server is started with `isp app --runs FOLDER`."
    )


def no_maps(run: Run, split: str) -> None:
    """Nothing to look at in this split."""
    if not run.epochs:
        say(
            f"{plain(run.name)} has not finished an epoch yet. If it is still training, reload the page later. "
            "If it was stopped, continue it:",
            f"isp train --data DATA --out {argument(run.path)} --resume",
        )
    elif run.info.parts == 0:
        say(
            f"{plain(run.name)} is a baseline: it has no parts, so there are no label maps to show here. Choose a run "
            "with parts in the sidebar, or look at what a baseline has:"
        )
        with st.container(horizontal=True):
            link("ranking", "Its rankings", ":material/format_list_numbered:")
            link("embeddings", "Its embeddings", ":material/scatter_plot:")
    elif split == "train" and run.info.parent is not None:
        say(
            f"{plain(run.name)} was made by `isp look`: nothing was trained on its images, so there are no training "
            "images and no pseudo-labels. Choose query or gallery in the sidebar."
        )
    elif split == "train" and run.info.network:
        say(
            f"{plain(run.name)} has no training images: its parts were found on query and gallery. Choose "
            "one of them in the sidebar."
        )
    elif split == "train":
        say(
            f"{plain(run.name)} has no pseudo-labels stored. Label its training images:",
            f"isp label --run {argument(run.path)} --data DATA --out LABELS",
        )
    else:
        say(
            f"{plain(run.name)} has no predictions of query and gallery stored. Make them:",
            f"isp extract --run {argument(run.path)} --data DATA",
        )


def no_embeddings(run: Run) -> None:
    """No features to rank by."""
    if not run.epochs:
        no_maps(run, "gallery")
        return
    say(
        f"{plain(run.name)} has no embeddings of query and gallery. Make them:",
        f"isp extract --run {argument(run.path)} --data DATA",
    )


def no_truth(run: Run) -> None:
    """No label maps to evaluate by."""
    if run.info.parent is not None:
        say(
            f"No ground truth was found for the images of {plain(run.name)}, so its maps have no score. If you have "
            "label maps named like the images, start the app with `--truth MAPS`, or parse the folder again with them:",
            "isp look DIR --truth MAPS --space lip",
        )
        return
    say(
        f"No ground truth was found next to the images of {plain(run.name)}, so its maps have no score. Label maps "
        "such as SCHP's (same names, in bounding_box_train_parsing_pgt next to bounding_box_train) are read as is; "
        "name a folder of others with `isp app --truth MAPS`, or make them with a parser (isp truth --help). To "
        "evaluate by them on the command line:",
        f"isp eval parsing --run {argument(run.path)} --truth MAPS --space lip",
    )


def no_pictures(run: Run, settings: Settings) -> None:
    """The run's images are not on this machine, or not to be shown: why, and the way out."""
    blocked = pictures.blocked_links(run, settings)
    if blocked is None:
        st.caption(
            "The images of this run were not found in the data folders of this server, so its maps are shown alone. "
            "Start the server with `isp app --data FOLDER` to name others."
        )
        return
    link, target = blocked
    st.caption(
        "The maps are shown alone: the images of this run are links that lead out of the data folders of this server, "
        "and such links are not followed. Name the folder that they lead into, too:"
    )
    st.text(f"{short(link)} leads to {short(target)}")
    own = next((root for root in settings.picture_roots if root in link.parents), link.parent)
    st.code(f"isp app --data {argument(own)} --data {argument(_data_folder(link, target))}", language="bash")


def _data_folder(link: Path, target: Path) -> Path:
    """The folder to name so that the target, and those of the links next to it, may be read: above the part that both
    paths end in."""
    pairs = zip(reversed(link.parts), reversed(target.parts), strict=False)
    alike = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    return target.parents[min(max(alike, 1), len(target.parents)) - 1]


def left_out(reasons: Mapping[str, str]) -> None:
    """Runs that a page leaves out because they could not be read."""
    for name, reason in reasons.items():
        st.warning(f"{plain(name)} is left out.")
        st.text(short(reason))


def short(path: object) -> str:
    """A path as the user would type it in the project folder; keeps other parts of the machine out of the page."""
    return shown(path).replace(f"{PROJECT}/", "")


def argument(path: object) -> str:
    """A path as one word of a command to copy, whatever characters a folder's name has."""
    return shlex.quote(short(path))
