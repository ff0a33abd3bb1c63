"""What a reader has to know to read a page, said where it appears: where labels come from, the constant mask, why only
some epochs have maps, and by which rule a part counts as visible."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from isp_app.reading import runs_access
from isp_app.safety.names import plain
from isp_core.labelling.source import Source
from isp_core.labelling.sources import SOURCES
from isp_core.matching import Embeddings, describe_rule
from isp_core.runs import Run
from isp_core.runs.schema import Split

CONSTANT_MASK = (
    "The constant mask is one mask for every image, fitted on the ground truth of the training images: it knows where "
    "people usually stand and never looks at the image. Only what is higher was learned from images."
)


def sources(names: Iterable[str]) -> None:
    """The sources of labels that a page names, one line each; what is no source of ours is left out."""
    for name in dict.fromkeys(names):
        if name in SOURCES:
            st.caption(f"**{plain(name)}**: {plain(about(SOURCES[name]))}")


def about(source: Source[Any]) -> str:
    """How a source makes labels, and what it uses."""
    uses = f" Uses: {', '.join(use.value for use in source.uses)}." if source.uses else ""
    return source.description + uses


def labels(run: Run) -> str:
    """The run's source of pseudo-labels: how they are made, and what they use."""
    if run.info.parent is not None:
        return f"Nothing was trained on these images: the network of {run.info.parent} parsed them."
    source = SOURCES.get(run.info.labels)
    if run.info.network and source is not None:
        return (
            f"Nothing was trained: labels ({source.name}) were made of the feature maps of {run.info.network}, a "
            f"network from elsewhere. {about(source)} Query and gallery are predicted by a "
            "linear classifier of the same maps."
        )
    if source is None:
        return f"The run says {run.info.labels or 'nothing'} about the source of its labels, which is not one of ours."
    return f"Labels: {source.name}. {about(source)} {levelled(run)}".rstrip()


def levelled(run: Run) -> str:
    """Why clustered labels of levelled feature maps do not measure the paper's method; "" for all other runs."""
    source = SOURCES.get(run.info.labels)
    if source is None or not source.published or _configured(run, "model", "level_stages") is not True:
        return ""
    return (
        "Not a fair form of the paper's method: the stages of the feature maps were levelled (model.level_stages), "
        "which removes the activation that Eq. 3 looks at. The preset cascade-cpu does not level them."
    )


def constant_mask(run: Run, split: Split) -> None:
    """The constant mask in words, where the page shows one."""
    if runs_access.constant_mask(run, split):
        st.caption(CONSTANT_MASK)


def stored_epochs(run: Run, split: Split) -> str:
    """Why these epochs have maps, and not all; "" where all have."""
    stored = runs_access.map_epochs(run, split)
    finished = [int(epoch) for epoch in run.epochs]
    if len(stored) >= len(finished):
        return ""
    head = f"{len(stored)} of {len(finished)} epochs have maps"
    if split == "train":
        every = _configured(run, "labels", "every")
        if isinstance(every, int) and every > 1:
            return (
                f"{head}: training images are labelled again every {every} epochs (labels.every) and keep their labels "
                "in between."
            )
        return f"{head}: those in which the training images were labelled."
    every = _configured(run, "run", "eval_every")
    if isinstance(every, int) and every > 1:
        return f"{head}: query and gallery are predicted at each evaluation, every {every} epochs (run.eval_every)."
    return f"{head}: those in which query and gallery were predicted."


def _configured(run: Run, section: str, name: str) -> object:
    found = run.info.config.get(section)
    return found.get(name) if isinstance(found, Mapping) else None


def visibility(run: Run, epoch: int, seen: Mapping[str, Embeddings], key: str, rule: str = "") -> None:
    """The rule that decides which parts are visible, and one click away its thresholds and l_k of Eq. 8.

    seen: images by name (at most a few), each the embeddings of one, with visibility by the rule.
    rule: in words, where it is not the run's own at this epoch.
    """
    rule = rule or describe_rule(run.visibility_rule(epoch))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Visible parts, l_k, by {plain(rule)}.", width="content")
        with st.popover("l_k of Eq. 8 and thresholds", key=f"rule-{key}"):
            _thresholds(run, epoch, seen)


def _thresholds(run: Run, epoch: int, seen: Mapping[str, Embeddings]) -> None:
    calibration = run.calibration(epoch)
    palette = runs_access.palette(run)
    known = calibration is not None and len(calibration.thresholds) == len(palette.parts)
    head = ["part", *(["threshold"] if known else [])]
    for name in seen:
        head += [f"{plain(name)}: highest probability", "l_k", "l_k of Eq. 8"]
    lines = [_line(head), _line([":--", *["--:"] * (len(head) - 1)])]
    for part in palette.parts:
        k = part.index - 1
        cells = [plain(part.name)]
        if calibration is not None and known:
            cells.append(f"{calibration.thresholds[k]:.2f}")
        for one in seen.values():
            cells += _cells(one, k)
        lines.append(_line(cells))
    st.markdown("\n".join(lines))
    if known:
        st.caption(
            "A part counts where its highest probability at any pixel reaches the threshold, which was calibrated on "
            "training images with pseudo-labels. Eq. 8 asks only that it is the most likely part at some pixel."
        )
    else:
        st.caption("This run has no calibrated thresholds, so Eq. 8 itself is used. Calibrate it:")
        st.code(f"isp calibrate --run {run.name} --data DATA", language="bash")


def _cells(one: Embeddings, k: int) -> list[str]:
    peak = "–" if one.part_peak is None else f"{float(np.asarray(one.part_peak)[0, k]):.2f}"
    flag = float(np.asarray(one.visibility)[0, k])
    eq8 = int(np.asarray(one.part_share)[0, k] > 0)  # some pixel's most likely part
    return [peak, f"{flag:g}" if flag in (0, 1) else f"{flag:.2f}", str(eq8)]


def _line(cells: Sequence[Any]) -> str:
    return f"| {' | '.join(map(str, cells))} |"
