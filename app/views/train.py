"""Train: start a run in its own process, watch it live, stop and resume it. Off unless the server may."""

from __future__ import annotations

import itertools
import shlex
import time
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from isp_app import empty
from isp_app.components.mask_viewer import Panel, mask_viewer
from isp_app.drawing import exports, sparks
from isp_app.drawing.encode import mask_uri
from isp_app.drawing.line_chart import MOST_LINES, line_chart
from isp_app.drawing.sparks import Spark
from isp_app.reading import curves, pace, people, pictures, runs_access
from isp_app.safety.names import plain, valid_name
from isp_app.settings import PROJECT
from isp_app.state import jobs
from isp_app.state.controls import not_found
from isp_app.state.jobs import Job, JobError
from isp_app.state.links import link
from isp_app.state.look import current_look
from isp_app.state.pick import names
from isp_app.state.sidebar import Selection
from isp_app.views import train_form
from isp_app.views.overview import TABLE_VIEW
from isp_core.config import load_config
from isp_core.errors import IspError
from isp_core.progress import Stage
from isp_core.runs import Run, RunError, open_run

PINNED = 6
EVERY = 3.0  # seconds between two looks at the disk


def show(selection: Selection) -> None:
    """The page."""
    st.title("Train", anchor=False)
    if not selection.settings.trusted:
        st.info(
            "Training is off, because others can reach this server. It is on where the server is bound to this machine "
            "(--server.address=127.0.0.1), or where it is started with ISP_ALLOW_TRAINING=1."
        )
        st.markdown("A run can be trained from the command line, and is shown here while it grows:")
        st.code(empty.train_command(selection.settings), language="bash")
        return
    root = selection.settings.own_runs
    _watch(selection, root)
    train_form.show(selection, root)


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
        if not job.running and _unfinished(root, job) and st.button("Resume", help="From the last finished epoch"):
            try:
                jobs.resume(root, job.name)
            except JobError as error:
                st.error(plain(error))
            else:
                st.rerun()
    # also while it rests: another tab may start or resume it
    st.fragment(_live, run_every=EVERY)(selection, root, job.name, job.running, len(known))


def _unfinished(root: Path, job: Job) -> bool:
    """Whether there is something to resume: a run that has not all its epochs."""
    if not (root / job.name).exists():
        return False
    try:
        run = open_run(root / job.name)
    except RunError:
        return True
    total = _wanted_epochs(job, run)
    return total is None or not len(run.epochs) or int(run.epochs[-1]) < total


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
    try:
        run: Run | None = open_run(root / name)
    except RunError:
        run = None
    _progress(selection, root, job, run)
    if run is None and not job.running:
        said = [line for line in jobs.log_tail(root, name).splitlines() if line.strip()]
        st.warning(f"The training ended before a run was begun. {plain(empty.short(said[-1])) if said else ''}")
    elif run is not None:
        if not job.running:
            _compare(selection, run)
        _curves(run)
        _maps(selection, run)
    with st.expander("Training log", expanded=run is None):
        st.code(f"isp {shlex.join(job.command)}".replace(f"{PROJECT}/", ""), language="bash", wrap_lines=True)
        st.text(empty.short(jobs.log_tail(root, name))[-4000:] or "nothing yet")


def _progress(selection: Selection, root: Path, job: Job, run: Run | None) -> None:
    """Stage, progress and time left, of the stage and of the whole training."""
    done = int(run.epochs[-1]) if run is not None and len(run.epochs) else None
    total = _wanted_epochs(job, run)
    if not job.running:
        ended = "finished" if done is not None and total is not None and done >= total else "stopped"
        st.caption(f"{ended}: epoch {done if done is not None else '–'}" + (f" of {total}" if total else ""))
        return
    stage = jobs.stage(root, job.name)
    if stage is None:
        so_far = _duration(max(0.0, time.time() - job.started))  # the clock may have been set back
        words = (
            f"starting: loading libraries and the data set, {so_far} so far; {_at_the_pace_of_others(selection, job)}"
        )
        st.progress(0.0, plain(words))
        return
    left = time_left(run, stage, done, total)
    words = f"{stage_words(stage)}: {stage.done} of {stage.total}"
    words += f"; {'–' if done is None else done} of {total} epochs finished" if total else ""
    words += f"; about {_duration(left)} left" if left is not None else f"; {_at_the_pace_of_others(selection, job)}"
    st.progress(whole_share(stage, done, total), plain(words))


def _at_the_pace_of_others(selection: Selection, job: Job) -> str:
    """Time left before the training's own steps tell it, from a run like it."""
    unknown = "time left is known after the first steps"
    said = dict(itertools.pairwise(job.command))
    try:
        recipe = load_config(said["--preset"], overrides={"run.epochs": int(said["--epochs"])})
        images = train_form.training_images(Path(said["--data"]), int(said.get("--identities", 0)))
    except (KeyError, ValueError, IspError):  # a training that was resumed names no preset
        return unknown
    found = pace.expected(((item.id, run) for item, run in selection.open_others()), recipe, images)
    if found is None:
        return unknown
    left = max(0.0, found.seconds - (time.time() - job.started))
    return f"about {_duration(left)} left at the pace of {found.of}"


def _wanted_epochs(job: Job, run: Run | None) -> int | None:
    if "--epochs" in job.command[:-1]:
        return int(job.command[job.command.index("--epochs") + 1])
    section = run.info.config.get("run") if run is not None else None
    found = section.get("epochs") if isinstance(section, dict) else None
    return found if isinstance(found, int) else None


def stage_words(stage: Stage) -> str:
    """What the training is doing, in words.

    >>> stage_words(Stage("epoch 3", 1, 2, 0, 0)), stage_words(Stage("images", 1, 2, 0, 0))
    ('training, epoch 3', 'checking that all images can be read')
    """
    what, _, epoch = stage.what.partition(" ")
    known = {
        "images": "checking that all images can be read",
        "epoch": "training, epoch",
        "labels": "labelling the training images, epoch",
        "visibility": "calibrating visibility, epoch",
    }
    return f"{known.get(what, f'evaluating {what}, epoch' if epoch else what)} {epoch}".strip()


def whole_share(stage: Stage, done: int | None, total: int | None) -> float:
    """How much of the training is done, 0 to 1, counted in epochs; the stage's own share where there are no epochs."""
    inner = min(1.0, stage.done / stage.total) if stage.total else 0.0
    if not total or done is None:
        return inner
    return min(1.0, (done + (inner if stage.what.startswith("epoch ") else 0.0)) / total)


def time_left(run: Run | None, stage: Stage, done: int | None, total: int | None) -> float | None:
    """Seconds to the end at the pace so far: that of finished epochs with labels and evaluations, or, before the first,
    of the steps of the one that runs. None where nothing can be said yet."""
    if not total:
        return stage.seconds_left
    table = None if run is None else runs_access.metrics(run)
    spent = [] if table is None else [name for name in table.columns if str(name).startswith("seconds_")]
    if table is not None and done and spent:
        per_epoch = float(table[spent].sum(axis=1).iloc[1:].mean())  # epoch 0 is the state before training
        running = stage.done / stage.total if stage.what.startswith("epoch ") and stage.total else 0.0
        return max(0.0, per_epoch * (total - done - running))
    if not stage.what.startswith("epoch ") or not stage.done:
        return None
    pace = (stage.noted - stage.begun) / stage.done
    return pace * (stage.total * total - stage.done)


def _duration(seconds: float) -> str:
    """Words for a time.

    >>> _duration(4), _duration(200), _duration(9000)
    ('4 s', '3 min', '2 h 30 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _compare(selection: Selection, run: Run) -> None:
    """From a run that rests to its comparison with another, in one click."""
    own = next((item for item in selection.listed if item.path == run.path.resolve() or item.path == run.path), None)
    chosen = selection.chosen
    if own is None or not len(run.epochs):
        return
    others = [item for item in selection.listed if item is not own and not item.summary.problem]
    alike = [item for item in others if item.summary.data == own.summary.data]
    other = chosen if chosen in alike else next(iter(alike), None)
    with st.container(horizontal=True):
        if other is not None:
            st.markdown(f"Compare with {plain(other.id)}:")
            pair = f"{own.id},{other.id}"
            link("overview", "Table and curves", ":material/table:", view=TABLE_VIEW, ref=other.id, chart=pair)
            if run.info.parts and other.summary.parts:
                link("iou", "IoU", ":material/table_chart:", run=own.id, **{"with": other.id})
            link("ranking", "Rankings", ":material/format_list_numbered:", run=own.id, vs=other.id, split="query")
        link("evolution", "Its evolution", ":material/movie:", run=own.id)


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
        st.altair_chart(_losses(losses), alt="Losses by epoch")
    source = exports.provenance(run, int(table.index[-1]), "train")
    st.download_button(
        "Metrics (CSV)",
        exports.csv(table.reset_index().rename(columns={"epoch": "of_epoch"}), source),
        f"{run.name}_metrics.csv",
        "text/csv",
        on_click="ignore",
        key="metrics-csv",
    )


def _losses(found: list[curves.Curve]) -> alt.LayerChart | alt.FacetChart:
    """A line per loss, the total first. The legend is in three columns of short names: it fits a phone."""
    by_name = {item.title.removeprefix("loss: "): item for item in found if item.values}
    names = sorted(by_name, key=lambda name: name != "total")[:MOST_LINES]
    lines = [
        pd.DataFrame({"line": name, "epoch": by_name[name].epochs, "value": by_name[name].values}) for name in names
    ]
    return line_chart(pd.concat(lines, ignore_index=True), names, None, 3, legend_columns=3)


def _maps(selection: Selection, run: Run) -> None:
    epochs = runs_access.map_epochs(run, "train")
    table = runs_access.records(run, "train")
    if not epochs or table.empty:
        return
    options = names(table)
    even = np.linspace(0, len(options) - 1, min(PINNED, len(options))).astype(int)
    pinned = st.multiselect(
        "Pinned images",
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
            people.who(table.iloc[row]),
            pictures.describe(table.iloc[row]),
            mask_uri(palette.coded(labels)),
            pictures.uri(root, str(table["path"].iloc[row])),
            pictures.aspect(run),
        )
        for row, labels in zip(rows, runs_access.maps(run, "train", epochs[-1], rows), strict=True)
    ]
    st.caption(f"Pseudo-labels of epoch {epochs[-1]}")
    mask_viewer(panels, palette, title="Pinned images", key="pins", look=current_look(), width=110)
