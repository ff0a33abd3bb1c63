"""The form that starts a training: what can be chosen, and what is wrong with a value, beside its field and at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import streamlit as st

from isp_app import empty
from isp_app.cache_keys import KEYS
from isp_app.empty import WALKERS
from isp_app.safety.names import distinct, plain, slug, valid_name
from isp_app.state import jobs
from isp_app.state.jobs import JobError, Wish
from isp_app.state.sidebar import Selection
from isp_core.config import Config, load_config, preset_names
from isp_core.data.label_files import find_label_maps
from isp_core.data.readers import READERS, load
from isp_core.errors import IspError
from isp_core.labelling.source import Source
from isp_core.labelling.sources import SOURCES
from isp_core.metrics.spaces import space_names
from isp_core.runs.schema import RUN_FILE

NO_TRUTH = "none"
DEPTH = 3  # how far below a configured folder a data set may lie, as for images
MOST_DATA = 40
_STARTED = "_trainings_started"  # how many this session started: a form starts again after each


@st.cache_data(hash_funcs=KEYS, ttl=60, show_spinner="Looking for data sets")
def _data_sets(roots: tuple[Path, ...]) -> dict[str, Path]:
    """Folders that look like a data set, in the configured ones or at most three levels below; no others can be chosen.

    Only folder listings are looked at: a data set is read when it is chosen.
    """
    found: list[Path] = []
    for root in roots:
        level = [root] if root.is_dir() else []
        for _ in range(DEPTH + 1):
            known = [folder for folder in level if not _is_run(folder) and _looks_like_data(folder)]
            found += [folder for folder in known if folder not in found]
            level = [entry for folder in level if folder not in known for entry in _folders(folder)]
    shown = found[:MOST_DATA]
    return dict(zip(distinct([str(folder) for folder in shown]), shown, strict=True))


def _looks_like_data(folder: Path) -> bool:
    try:
        return any(reader.recognises(folder) for reader in READERS)
    except (IspError, OSError, ValueError):
        return False


def _is_run(folder: Path) -> bool:
    """A run's label maps and records are none of a data set's."""
    return (folder / RUN_FILE).exists()


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(
            p for p in folder.iterdir() if p.is_dir() and not p.name.startswith((".", "_")) and not _is_run(p)
        )[:64]
    except OSError:
        return []


@dataclass(frozen=True)
class Counts:
    """What a data set has to train on."""

    name: str
    images: int
    people: int


@st.cache_data(hash_funcs=KEYS, ttl=600, max_entries=16, show_spinner="Reading the data set")
def _counts(folder: Path) -> Counts:
    """What a data set holds; IspError where it cannot be read or has nothing to train on."""
    data = load(folder)
    train = data.split("train")
    if train.empty:
        raise IspError(f"{folder.name} has no training images")
    return Counts(data.name, len(train), int(train.loc[train["identity"] > 0, "identity"].nunique()))


def training_images(folder: Path, identities: int) -> int:
    """How many images a training on so many people sees, about; 0: all of them. IspError as `_counts`."""
    counts = _counts(folder)
    share = min(1.0, identities / counts.people) if identities and counts.people else 1.0
    return round(counts.images * share)


@st.cache_data(hash_funcs=KEYS, ttl=60, max_entries=16, show_spinner="Looking for ground truth")
def _truth_problem(folder: Path) -> str:
    """Why a data set has no label maps to measure by; "" where it has."""
    data = load(folder)
    try:
        find_label_maps(data.root, data.records.iloc[:64])
    except IspError as error:
        return str(error)
    return ""


def show(selection: Selection, root: Path) -> None:
    """The form. A training that was started becomes the page's (`job` in the URL)."""
    st.subheader("Start a run", anchor=False)
    data_sets = _data_sets(selection.settings.picture_roots)
    if not data_sets:
        empty.say(
            "No data set was found in this server's data folders. Start the server with them:",
            "isp app --data FOLDER",
        )
        return
    left, right = st.columns(2)
    data = left.selectbox("Data set", list(data_sets), key="train-data")
    presets = preset_names()
    folder = data_sets[str(data)]
    usual = "walkers" if folder == WALKERS and "walkers" in presets else "cpu"
    preset = str(
        right.selectbox("Preset", presets, index=presets.index(usual) if usual in presets else 0, key=f"preset-{data}")
    )
    try:
        counts = _counts(folder)
    except IspError as error:
        left.error(plain(empty.short(error)))
        return
    left.caption(plain(f"{counts.name}: {counts.images} training images of {counts.people} people"))
    recipe = load_config(preset)
    height, width = recipe.data.size
    right.caption(
        f"{preset}: {recipe.model.backbone}, {height} × {width}, labels by {recipe.labels.source}, "
        f"{recipe.run.epochs} epochs. Everything below starts from it."
    )
    wish, problems = _fields(root, folder, preset, recipe, counts)
    if not problems:
        try:
            load_config(preset, overrides=wish.options())
        except IspError as error:
            problems.append(str(error))
            st.error(plain(empty.short(error)))
    why = "; ".join(plain(empty.short(problem)) for problem in problems) or None
    pressed = st.button("Start training", type="primary", disabled=bool(problems), help=why)
    st.caption("The command: the same as by hand")
    st.code(empty.short(wish.shown(root)), language="bash", wrap_lines=True)
    if not pressed:
        return
    try:
        job = jobs.start(root, wish)
    except (JobError, OSError) as error:
        st.error(plain(empty.short(error)))
        return
    st.query_params["job"] = job.name
    st.session_state[_STARTED] = st.session_state.get(_STARTED, 0) + 1  # the next one gets a name that is free
    st.rerun()


def _fields(root: Path, folder: Path, preset: str, recipe: Config, counts: Counts) -> tuple[Wish, list[str]]:
    """The fields, each with what is wrong with its value below it; the wish, and all that is wrong."""
    problems: list[str] = []

    def wrong(text: str) -> None:
        if text:
            problems.append(text)
            st.caption(f":red[{plain(empty.short(text))}]")

    key = f"{preset}-{folder}-{st.session_state.get(_STARTED, 0)}"
    sources = [name for name, source in SOURCES.items() if source.complete()]
    usual = recipe.labels.source if recipe.labels.source in sources else sources[0]
    one, two, three = st.columns(3)
    with one:
        name = st.text_input("Name", value=_free_name(root, slug(folder.name)), max_chars=64, key=f"name-{key}").strip()
        wrong(_name_problem(root, name))
    with two:
        labels = str(
            st.selectbox(
                "Labels",
                sources,
                index=sources.index(usual),
                help=_about(SOURCES[each] for each in sources),
                key=f"labels-{key}",
            )
        )
        st.caption(plain(SOURCES[labels].description))
    with three:
        spaces = [NO_TRUTH, *space_names()]
        space = str(
            st.selectbox(
                "Ground truth, for IoU",
                spaces,
                index=spaces.index("walkers") if folder == WALKERS else 0,
                help="Label maps next to the images, in this label space; the network never learns from them",
                key=f"space-{key}",
            )
        )
        wrong(_truth_problem(folder) if space != NO_TRUTH else "")
    one, two, three, four = st.columns(4)
    allowed = SOURCES[labels].parts_allowed()
    with one:
        parts = int(st.number_input("K (with background)", 0, 99, recipe.labels.k or 6, key=f"parts-{key}"))
        if not allowed:
            st.caption("not used: these labels have no parts")
        elif parts not in allowed:
            wrong(f"{labels} allows K = {min(allowed)} to {max(allowed)}")
    with two:
        epochs = int(st.number_input("Epochs", 0, 100_000, recipe.run.epochs, key=f"epochs-{key}"))
        wrong("" if epochs else "at least one epoch")
    with three:
        identities = int(st.number_input("Identities", 0, 1_000_000, 0, help="0: all of them", key=f"identities-{key}"))
        wrong(_identities_problem(identities, counts, recipe))
    with four:
        seed = int(st.number_input("Seed", 0, 2**31 - 1, recipe.run.seed, key=f"seed-{key}"))
    wish = Wish(name, folder, preset, epochs, parts, labels, identities or None, seed)
    return (wish if space == NO_TRUTH else replace(wish, truth=(folder, space))), problems


def _free_name(root: Path, data: str) -> str:
    """A name that no run or training of this folder has yet."""
    stem = data.lstrip("._-")[:48] or "run"
    names = (f"{stem}-{n}" for n in itertools.count(1))
    return next(name for name in names if not (root / name).exists() and jobs.read(root, name) is None)


def _name_problem(root: Path, name: str) -> str:
    if not name:
        return "give the run a name"
    if not valid_name(name):
        return "letters, digits, dot, dash and underscore, at most 64"
    if (root / name).exists():
        return f"{name} exists already: choose another name, or resume it above"
    return ""


def _identities_problem(identities: int, counts: Counts, recipe: Config) -> str:
    needed, there = recipe.data.identities_per_batch, identities or counts.people
    if identities > counts.people:
        return f"{counts.name} has {counts.people}"
    if there < needed:
        return f"a batch of this preset has {needed} people: at least {needed}"
    return ""


def _about(sources: Iterable[Source[Any]]) -> str:
    """What each source of labels does, as the help of the choice."""
    return "\n".join(f"- {source.name}: {source.description}" for source in sources)
