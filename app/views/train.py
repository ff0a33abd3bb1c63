"""Train: start a run in its own process, watch it live, stop and resume it. Off unless the server may."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from isp_app import empty
from isp_app.cache_keys import KEYS
from isp_app.components.mask_viewer import Panel, mask_viewer
from isp_app.drawing import exports, sparks
from isp_app.drawing.encode import mask_uri
from isp_app.drawing.sparks import Spark
from isp_app.empty import WALKERS
from isp_app.reading import curves, pictures, runs_access
from isp_app.safety.names import distinct, plain, valid_name
from isp_app.settings import PROJECT
from isp_app.state import jobs
from isp_app.state.controls import not_found
from isp_app.state.jobs import JobError, Wish
from isp_app.state.look import current_look
from isp_app.state.pick import names
from isp_app.state.sidebar import Selection
from isp_core.config import load_config, preset_names
from isp_core.data.label_files import find_label_maps
from isp_core.data.readers import READERS, load
from isp_core.errors import IspError
from isp_core.labelling.source import Source
from isp_core.labelling.sources import SOURCES
from isp_core.metrics.spaces import space_names
from isp_core.runs import Run, RunError, open_run

PINNED = 6
EVERY = 3.0  # seconds between two looks at the disk
NO_TRUTH = "none"
DEPTH = 3  # how far below a configured folder a data set may lie, as for pictures
MOST_DATA = 40


def show(selection: Selection) -> None:
    """The page."""
    st.title("Train", anchor=False)
    if not selection.settings.trusted:
        st.info(
            "Training is off, because others can reach this server. It is on where the server is bound to this machine "
            "(--server.address=127.0.0.1), or where the one who starts it sets ISP_ALLOW_TRAINING=1."
        )
        st.markdown("A run can be trained from the command line, and is shown here while it grows:")
        st.code(empty.train_command(selection.settings), language="bash")
        return
    root = selection.settings.own_runs
    _watch(selection, root)
    _form(selection, root)


@st.cache_data(hash_funcs=KEYS, ttl=60, show_spinner="Looking for data sets")
def _data_sets(roots: tuple[Path, ...]) -> dict[str, Path]:
    """Folders that look like a data set, in the configured ones or at most three levels below; no others can be chosen.

    Only folder listings are looked at: a data set is read when it is chosen.
    """
    found: list[Path] = []
    for root in roots:
        level = [root] if root.is_dir() else []
        for _ in range(DEPTH + 1):
            known = [folder for folder in level if _looks_like_data(folder)]
            found += [folder for folder in known if folder not in found]
            level = [entry for folder in level if folder not in known for entry in _folders(folder)]
    shown = found[:MOST_DATA]
    return dict(zip(distinct([str(folder) for folder in shown]), shown, strict=True))


def _looks_like_data(folder: Path) -> bool:
    try:
        return any(reader.recognises(folder) for reader in READERS)
    except (IspError, OSError, ValueError):
        return False


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith((".", "_")))[:64]
    except OSError:
        return []


@st.cache_data(hash_funcs=KEYS, ttl=600, max_entries=16, show_spinner="Reading the data set")
def _counts(folder: Path) -> str:
    """What a data set holds, in words; IspError where it cannot be read or has nothing to train on."""
    data = load(folder)
    train = data.split("train")
    if train.empty:
        raise IspError(f"{folder.name} has no training pictures")
    return f"{data.name}: {len(train)} training pictures of {train['identity'].nunique()} people"


def _form(selection: Selection, root: Path) -> None:
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
        st.caption(plain(_counts(folder)))
    except IspError as error:
        st.warning(plain(empty.short(error)))
        return
    recipe = load_config(preset)
    height, width = recipe.data.size
    st.caption(
        f"{preset}: {recipe.model.backbone}, {height} × {width}, labels by {recipe.labels.source}, "
        f"{recipe.run.epochs} epochs. Everything below starts from it."
    )
    sources = [name for name, source in SOURCES.items() if source.complete()]
    source = recipe.labels.source if recipe.labels.source in sources else sources[0]
    spaces = [NO_TRUTH, *space_names()]
    with st.form(f"start-{preset}"):
        name = st.text_input("Name", placeholder="k6-seed0", max_chars=64)
        with st.container(horizontal=True):
            parts = st.number_input("K (with background)", 2, 32, recipe.labels.k or 6, width=150)
            epochs = st.number_input("Epochs", 1, 1000, recipe.run.epochs, width=150)
            identities = st.number_input("Identities", 0, 100_000, 0, help="0: all of them", width=150)
            seed = st.number_input("Seed", 0, 2**31 - 1, recipe.run.seed, width=150)
            labels = st.selectbox(
                "Labels",
                sources,
                index=sources.index(source),
                help=_about(SOURCES[name] for name in sources),
                width=150,
            )
            space = st.selectbox(
                "Truth, for IoU",
                spaces,
                index=spaces.index("walkers") if folder == WALKERS else 0,
                help="Label maps beside the pictures, in this label space; they are never learnt from",
                width=150,
            )
        pressed = st.form_submit_button("Start training", type="primary")
    if not pressed:
        return
    wish = Wish(
        name.strip(), folder, str(preset), int(epochs), int(parts), str(labels), int(identities) or None, int(seed)
    )
    try:
        if space != NO_TRUTH:
            find_label_maps(load(folder).root, load(folder).records.iloc[:64])
            wish = replace(wish, truth=(load(folder).root, str(space)))
        load_config(preset, overrides=wish.options())
        job = jobs.start(root, wish)
    except IspError as error:
        st.error(plain(empty.short(error)))
        return
    st.query_params["job"] = job.name
    st.rerun()


def _about(sources: Iterable[Source[Any]]) -> str:
    """What each source of labels does, as the help of the choice."""
    return "\n".join(f"- {source.name}: {source.description}" for source in sources)


def _watch(selection: Selection, root: Path) -> None:
    known = jobs.everything(root)
    if not known:
        if wanted := st.query_params.get("job", ""):
            not_found("Training", wanted, None)
        st.caption("No run was started from this page yet.")
        st.fragment(_await_first, run_every=EVERY)(root)
        return
    names = [job.name for job in known]
    wanted = st.query_params.get("job", "")
    if wanted and wanted not in names:
        not_found("Training", wanted, names[0])
    name = st.selectbox(
        "Trainings",
        names,
        index=names.index(wanted) if wanted in names else 0,
        format_func=lambda n: f"{n} ({'running' if known[names.index(n)].running else 'not running'})",
    )
    st.query_params["job"] = str(name)
    job = known[names.index(str(name))]
    with st.container(horizontal=True):
        if job.running and st.button("Stop", help="Finished epochs stay; it can be resumed"):
            jobs.stop(root, job.name)
            st.rerun()
        if not job.running and (root / job.name).exists() and st.button("Resume", help="From the last finished epoch"):
            try:
                jobs.resume(root, job.name)
            except JobError as error:
                st.error(plain(error))
            else:
                st.rerun()
    # also while it rests: another tab may start or resume it
    st.fragment(_live, run_every=EVERY)(selection, root, job.name, job.running, len(known))


def _await_first(root: Path) -> None:
    if jobs.everything(root):
        st.rerun()


def _live(selection: Selection, root: Path, name: str, was_running: bool, known: int) -> None:
    """What is on the disk right now; read again every few seconds while the training runs."""
    job = jobs.read(root, name)
    if job is None or not valid_name(name):
        return
    if job.running != was_running or len(jobs.everything(root)) != known:
        st.rerun()
    st.caption("running" if job.running else "not running")
    try:
        run: Run | None = open_run(root / name)
    except RunError:
        run = None
    if run is None and job.running:
        st.caption("The run has not begun to write yet.")
    elif run is None:
        said = [line for line in jobs.log_tail(root, name).splitlines() if line.strip()]
        st.warning(f"The training ended before a run was begun. {plain(empty.short(said[-1])) if said else ''}")
    else:
        _curves(run)
        _maps(selection, run)
    with st.expander("What the trainer says", expanded=run is None):
        st.code(f"isp {shlex.join(job.command)}".replace(f"{PROJECT}/", ""), language="bash")
        st.text(empty.short(jobs.log_tail(root, name))[-4000:] or "nothing yet")


def _curves(run: Run) -> None:
    table = runs_access.metrics(run)
    if table.empty:
        st.caption("No epoch is finished yet.")
        return
    total = run.info.config.get("run", {}).get("epochs") if isinstance(run.info.config.get("run"), dict) else None
    st.caption(f"epoch {int(table.index[-1])}" + (f" of {plain(total)}" if total else ""))
    shown = [*curves.matching(table, r"^loss_total$"), *curves.matching(table, r"^churn$")]
    shown += [*curves.matching(table, r"^(train|test)_iou_foreground$"), *curves.matching(table, r"^(R-1|mAP)$")]
    sparks.row([Spark(item.title, f"{item.last:.{item.digits}f}{item.unit}", item.values) for item in shown[:6]])
    losses = curves.matching(table, r"^loss_")
    if losses and len(table) > 1:
        lines = table[[item.column for item in losses]].rename(columns={i.column: i.title for i in losses})
        st.line_chart(lines, height=220, x_label="epoch", alt="Losses by epoch")
    source = exports.provenance(run, int(table.index[-1]), "train")
    st.download_button(
        "Metrics (CSV)",
        exports.csv(table.reset_index().rename(columns={"epoch": "of_epoch"}), source),
        f"{run.name}_metrics.csv",
        "text/csv",
        on_click="ignore",
        key="metrics-csv",
    )


def _maps(selection: Selection, run: Run) -> None:
    epochs = runs_access.map_epochs(run, "train")
    table = runs_access.records(run, "train")
    if not epochs or table.empty:
        return
    options = names(table)
    even = np.linspace(0, len(options) - 1, min(PINNED, len(options))).astype(int)
    pinned = st.multiselect(
        "Pinned pictures",
        options if len(options) <= 3000 else [options[i] for i in even],
        default=[options[i] for i in dict.fromkeys(even)],
        max_selections=12,
        key=f"pins-{run.name}",
    )
    rows = tuple(options.index(name) for name in pinned)
    if not rows:
        return
    palette = runs_access.palette(run)
    root = pictures.picture_root(run, selection.settings)
    panels = [
        Panel(
            f"person {table['identity'].iloc[row]}",
            pictures.describe(table.iloc[row]),
            mask_uri(palette.coded(labels)),
            pictures.uri(root, str(table["path"].iloc[row])),
            pictures.aspect(run),
        )
        for row, labels in zip(rows, runs_access.maps(run, "train", epochs[-1], rows), strict=True)
    ]
    st.caption(f"Pseudo-labels of epoch {epochs[-1]}")
    mask_viewer(panels, palette, title="Pinned pictures", key="pins", look=current_look(), width=110)
