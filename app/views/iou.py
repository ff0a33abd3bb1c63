"""IoU: stored label maps against the ground truth, pseudo-labels and predictions apart as in Table 3, the constant mask
next to them; any other run, epoch or split to compare with."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from isp_app import empty, explain
from isp_app.drawing import exports
from isp_app.reading import map_scores, paper, runs_access
from isp_app.reading.map_scores import AUTHORS, ONE_TO_ONE, Scored
from isp_app.safety.names import plain
from isp_app.state.controls import select
from isp_app.state.sidebar import SPLIT_NAMES, Selection
from isp_app.views import forms, iou_images
from isp_core.metrics.part_scores import Assignment
from isp_core.metrics.spaces import TARGETS
from isp_core.runs import Run

NOTHING = "nothing"
SIDES = "sides"  # what a row of the table was made from: one Scored, or the two of a difference


def show(selection: Selection) -> None:
    """The page."""
    st.title("IoU", anchor=False)
    run = empty.run_or_reason(selection)
    if run is None:
        return
    split = selection.split
    epochs = runs_access.map_epochs(run, split)
    if not epochs or runs_access.records(run, split).empty:
        empty.no_maps(run, split)
        return
    left, middle, right = st.columns([1, 2, 2])
    why = explain.stored_epochs(run, split) or None
    epoch = int(select("Epoch", epochs[::-1], "epoch", place=left, help=why))
    rules = [ONE_TO_ONE, *([AUTHORS] if run.info.parts in (6, 7) else [])]
    rule = select("Part-to-class assignment", rules, "rule", place=middle)
    identifier = selection.chosen.id if selection.chosen is not None else run.name
    own = map_scores.score(identifier, run, selection.settings, split, epoch, rule)
    if own is None:
        empty.no_truth(run)
        return
    with right:
        other = _other(selection, run, rule)
    sentence = rule_sentence(run, own.matched)
    st.caption(plain(sentence))
    if other is not None:
        st.caption(plain(f"A: {own.label}. B: {other.label}. A - B is in points: positive where A is better."))
    aggregate = _aggregate(selection, own, other, rule)
    form = forms.choose()
    st.dataframe(
        aggregate[aggregate["form"] == form].drop(columns=["form", "run", SIDES]),
        hide_index=True,
        alt="IoU by class in percent",
        column_config=_columns(),
        column_order=[
            "images",
            "maps",
            "epoch",
            "n",
            TARGETS[0],
            map_scores.INTERVAL,
            *TARGETS[1:],
            *map_scores.AGREEMENT,
        ],
        placeholder="",
    )
    st.caption(
        "Pixels of all images together, in percent; n images with ground truth. Empty: the ground truth does not have "
        f"this class, or no part stands for it. The constant mask is {plain(map_scores.constant_rule(run))}: only what "
        "is higher was learned. NMI and ARI compare parts with classes on the foreground of the ground truth without "
        "assigning one to the other; a constant label map does well there, since it never calls a person background. "
        "The interval resamples identities."
    )
    for note in own.judged.notes:
        st.caption(plain(note))
    kept = iou_images.show(selection, own, other)
    _downloads(own, aggregate, kept, sentence)
    with st.expander("Table 3 of the paper"):
        st.caption(
            f"{paper.LABEL} K = 6, SCHP's maps as ground truth. Its script "
            "prints the binary mIoU, so compare with that form."
        )
        st.dataframe(paper.table_3(), hide_index=True, alt="Table 3 of the paper")


def _columns() -> dict[str, Any]:
    """Narrow columns: the last one is in sight on a laptop."""
    percent = {
        name: st.column_config.NumberColumn(name, format="%.1f", width=82 if len(name) > 6 else 52)
        for name in (*TARGETS, *map_scores.AGREEMENT)
    }
    return percent | {
        "images": st.column_config.TextColumn(width=136),
        "maps": st.column_config.TextColumn(width=112),
        "epoch": st.column_config.NumberColumn(width=52),
        "n": st.column_config.NumberColumn(width=42, help="Images with ground truth"),
        map_scores.INTERVAL: st.column_config.TextColumn(
            "95 %", width=92, help="The 95 % interval of the foreground IoU; resamples identities"
        ),
    }


def _other(selection: Selection, run: Run, rule: str) -> Scored | None:
    """What the user chose to compare with: a run (this one too), its epoch, its split."""
    others = {item.id: other for item, other in selection.open_others() if other.info.parts}
    name = select(
        "Compare with", [NOTHING, *others], "with", help="Any run, epoch or split", what="Run to compare with"
    )
    if name == NOTHING:
        return None
    other = others[name]
    left, right = st.columns(2)
    possible = [split for split in runs_access.splits_of(other) if runs_access.map_epochs(other, split)]
    if not possible:
        st.info(f"{plain(name)} has no label maps stored.")
        return None
    usual = possible.index(selection.split) if selection.split in possible else 0
    chosen = select("its split", possible, "with_split", place=left, index=usual)
    split = next(one for one in possible if one == chosen)
    epochs = runs_access.map_epochs(other, split)
    epoch = int(select("its epoch", epochs[::-1], "with_epoch", place=right))
    its_rule = rule if rule == ONE_TO_ONE or other.info.parts in (6, 7) else ONE_TO_ONE
    found = map_scores.score(name, other, selection.settings, split, epoch, its_rule)
    if found is None:
        st.info(f"No ground truth was found for {plain(name)}, so its maps have no IoU.")
    return found


def rule_sentence(run: Run, matched: Assignment) -> str:
    """Which part stands for which class, and by which rule: on the page and in every file."""
    known = map_scores.scored(run)
    named = [
        f"{name} = {' + '.join(map(str, matched.parts_of(name, run.info.parts))) or 'no part'}"
        for name in known
        if name != "foreground"
    ]
    lacking = [name for name in TARGETS if name not in known]
    missing = f" The ground truth has no {', '.join(lacking)}: not scored." if lacking else ""
    return f"Part-to-class assignment {matched.rule}: {', '.join(named)}; foreground = all parts.{missing}"


def _aggregate(selection: Selection, own: Scored, other: Scored | None, rule: str) -> pd.DataFrame:
    """Rows as in Table 3: this split's maps and the other kind's, each with its constant mask, in both forms; what they
    are compared with, and the difference."""
    rows: list[dict[str, Any]] = []
    for split in sorted(runs_access.splits_of(own.run), key=lambda s: s != own.split):
        stored = [e for e in runs_access.map_epochs(own.run, split) if e <= own.epoch]
        if not stored or runs_access.records(own.run, split).empty:
            continue
        found = map_scores.score(own.name, own.run, selection.settings, split, stored[-1], rule)
        if found is None or not len(found.judged.rows):
            continue
        agreed = map_scores.agreement(own.run, split, found.judged)
        level = map_scores.constant_agreement(own.run, selection.settings, split, found.epoch)
        for words, form in forms.FORMS.items():
            head = {"images": SPLIT_NAMES[split], "epoch": found.epoch, "n": len(found.judged.rows), "form": words}
            head[SIDES] = (found,)
            values = found.overall(form)
            rows.append({**head, "run": own.name, "maps": own.name, **values, **agreed})
            constant = found.constant(selection.settings, form)
            rows.append({**head, "run": own.name, "maps": "constant mask", **constant, **level})
            for each in map_scores.yardsticks(own.run, split, found.epoch):
                ends = {map_scores.INTERVAL: each[map_scores.INTERVAL]}
                rows.append(
                    {**head, "run": own.name, "n": None, "maps": each["maps"], "foreground": each[form], **ends}
                )
            if other is not None and split == own.split:
                theirs = other.overall(form)
                head |= {"images": SPLIT_NAMES[other.split], "epoch": other.epoch, "n": len(other.judged.rows)}
                head[SIDES] = (other,)
                shared = map_scores.agreement(other.run, other.split, other.judged)
                rows.append({**head, "run": other.name, "maps": other.name, **theirs, **shared})
                difference = {name: values[name] - theirs[name] for name in TARGETS}
                difference |= {name: agreed[name] - shared[name] for name in map_scores.AGREEMENT}
                head |= {"n": None, "epoch": None, SIDES: (own, other)}
                rows.append({**head, "run": f"{own.name} - {other.name}", "maps": "difference", **difference})
    order = ["images", "form", "run", "maps", "epoch", "n", *TARGETS, *map_scores.AGREEMENT, map_scores.INTERVAL, SIDES]
    table = pd.DataFrame(rows).reindex(columns=order).sort_values(["form"], kind="stable")
    table.loc[table["form"] != "class IoU", map_scores.INTERVAL] = ""  # it is that of the class IoU
    table[map_scores.INTERVAL] = table[map_scores.INTERVAL].fillna("")
    return table.astype({"epoch": "Int64", "n": "Int64"})


def _source(sides: tuple[Scored, ...]) -> exports.Provenance:
    """Where a row comes from; a difference names both."""
    made = [exports.provenance(side.run, side.epoch, side.split) for side in sides]
    return made[0] if len(made) == 1 else exports.difference(*made)


def _rule(sides: tuple[Scored, ...]) -> str:
    """The part-to-class assignment of a row; a difference says both where they differ."""
    return " - ".join(dict.fromkeys(rule_sentence(side.run, side.matched) for side in sides))


def _downloads(own: Scored, aggregate: pd.DataFrame, kept: pd.DataFrame, sentence: str) -> None:
    run = own.run
    source = exports.provenance(run, own.epoch, own.split)
    sides = list(aggregate[SIDES])
    aggregate = aggregate.drop(columns=SIDES)
    with st.container(horizontal=True):
        st.download_button(
            "Table 3 (CSV)",
            lambda: exports.csv(
                aggregate.drop(columns=["run", "epoch"]),
                [_source(each) for each in sides],
                [_rule(each) for each in sides],
            ),
            f"{source.stem}_iou.csv",
            "text/csv",
            on_click="ignore",
        )
        st.download_button(
            "Per image (CSV)",
            lambda: exports.csv(kept.drop(columns="row"), source, sentence),
            f"{source.stem}_iou_images.csv",
            "text/csv",
            on_click="ignore",
        )
        st.download_button(
            "Everything (JSON)",
            lambda: exports.document(
                {
                    "aggregate": aggregate.to_dict("records"),
                    "confusion": {
                        "rows": list(map_scores.TRUTH_COLUMNS),
                        "parts": run.info.parts,
                        "pixels": own.judged.counts.sum(0),
                    },
                },
                source,
                sentence,
            ),
            f"{source.stem}_iou.json",
            "application/json",
            on_click="ignore",
        )
