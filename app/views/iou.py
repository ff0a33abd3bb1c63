"""IoU: stored label maps against truth, pseudo-labels and predictions apart as in Table 3, the constant mask beside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from isp_app import empty
from isp_app.components.mask_viewer import Panel, mask_viewer
from isp_app.drawing import exports
from isp_app.drawing.encode import mask_uri
from isp_app.reading import paper, parsing, pictures, runs_access, truth
from isp_app.reading.parsing import AUTHORS, ONE_TO_ONE, Judged
from isp_app.safety.names import plain
from isp_app.state.links import link
from isp_app.state.look import current_look
from isp_app.state.pick import names
from isp_app.state.sidebar import SPLIT_NAMES, Selection
from isp_core.metrics.parsing import Assignment
from isp_core.metrics.spaces import TARGETS
from isp_core.palette import union
from isp_core.runs import Run
from isp_core.runs.schema import Split

SORTS = ("worst first", "best first", "by name")
FORMS = {"class IoU": "iou", "mean of class and complement IoU": "mean_iou"}


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
    left, middle = st.columns([1, 3])
    epoch = int(left.selectbox("Epoch", epochs[::-1], key="epoch", bind="query-params", persist_state="session"))
    rule_options = [ONE_TO_ONE, *([AUTHORS] if run.info.parts in (6, 7) else [])]
    rule = str(
        middle.selectbox(
            "Parts stand for classes by", rule_options, key="rule", bind="query-params", persist_state="session"
        )
    )
    judged = parsing.judge(run, selection.settings, split, epoch)
    if judged is None:
        empty.no_truth(run)
        return
    matched = parsing.assignment(run, selection.settings, epoch, rule)
    sentence = rule_sentence(run, matched)
    st.caption(plain(sentence))
    aggregate = _aggregate(run, selection, epoch, rule, split)
    form = st.segmented_control(
        "Form",
        list(FORMS),
        default="class IoU",
        key="form",
        bind="query-params",
        persist_state="session",
        required=True,
        help="The authors' script prints the mean of class and complement IoU, which is higher for small parts",
    )
    st.dataframe(
        aggregate[aggregate["form"] == form].drop(columns="form"),
        hide_index=True,
        alt="IoU by class in percent",
        column_config=_percent(TARGETS),
        placeholder="",
    )
    st.caption(
        "Pixels of all pictures together, in percent; n pictures with truth. Empty: the truth cannot tell this class. "
        "The constant mask is one mask for every picture, fitted on the training truth: only what stands above it "
        "was learnt."
    )
    for note in judged.notes:
        st.caption(plain(note))
    table = parsing.per_picture(run, split, judged, matched)
    source = exports.provenance(run, epoch, split)
    kept = _pictures(selection, run, split, epoch, judged, matched, table)
    with st.container(horizontal=True):
        st.download_button(
            "Table 3 (CSV)",
            lambda: exports.csv(aggregate, source, sentence),
            f"{source.stem}_iou.csv",
            "text/csv",
            on_click="ignore",
        )
        st.download_button(
            "Per picture (CSV)",
            lambda: exports.csv(kept.drop(columns="row").rename(columns={"split": "record_split"}), source, sentence),
            f"{source.stem}_iou_pictures.csv",
            "text/csv",
            on_click="ignore",
        )
        st.download_button(
            "Everything (JSON)",
            lambda: exports.document(
                {
                    "aggregate": aggregate.to_dict("records"),
                    "confusion": {
                        "rows": list(parsing.TRUTH_COLUMNS),
                        "parts": run.info.parts,
                        "pixels": judged.counts.sum(0),
                    },
                },
                source,
                sentence,
            ),
            f"{source.stem}_iou.json",
            "application/json",
            on_click="ignore",
        )
    with st.expander("Table 3 of the paper"):
        st.caption(
            f"{paper.LABEL} K = 6, SCHP's maps as truth. Its script "
            "prints the mean of class and complement IoU, so compare with that form."
        )
        st.dataframe(paper.table_3(), hide_index=True, alt="Table 3 of the paper")


def rule_sentence(run: Run, matched: Assignment) -> str:
    """Which part stands for which class, and by which rule: on the page and in every file."""
    named = [
        f"{name} = {' + '.join(map(str, matched.parts_of(name, run.info.parts))) or 'no part'}"
        for name in parsing.scored(run)
        if name != "foreground"
    ]
    lacking = [name for name in TARGETS if name not in parsing.scored(run)]
    missing = f" The truth has no {', '.join(lacking)}: not scored." if lacking else ""
    return f"Parts stand for classes {matched.rule}: {', '.join(named)}; foreground = all parts.{missing}"


def _aggregate(run: Run, selection: Selection, epoch: int, rule: str, split: Split) -> pd.DataFrame:
    """Rows as in Table 3: this split's maps and the other kind's, each beside its constant mask, in both forms."""
    rows: list[dict[str, Any]] = []
    others: tuple[Split, ...] = ("train", "query", "gallery")
    for one in sorted(others, key=lambda s: s != split):
        stored = [e for e in runs_access.map_epochs(run, one) if e <= epoch]
        if not stored or runs_access.records(run, one).empty:
            continue
        judged = parsing.judge(run, selection.settings, one, stored[-1])
        if judged is None or not len(judged.rows):
            continue
        matched = parsing.assignment(run, selection.settings, stored[-1], rule)
        for words, form in FORMS.items():
            head = {"pictures": SPLIT_NAMES[one], "epoch": stored[-1], "n": len(judged.rows), "form": words}
            rows.append({**head, "maps": run.name, **parsing.overall(run, judged, matched, form)})
            rows.append(
                {**head, "maps": "constant mask", **parsing.constant(run, selection.settings, one, stored[-1], form)}
            )
    order = ["pictures", "form", "maps", "epoch", "n", *TARGETS]
    return pd.DataFrame(rows)[order].sort_values(["form"], kind="stable")


def _percent(columns: tuple[str, ...]) -> dict[str, Any]:
    return {name: st.column_config.NumberColumn(name, format="%.1f") for name in columns}


def _pictures(
    selection: Selection, run: Run, split: Split, epoch: int, judged: Judged, matched: Assignment, table: pd.DataFrame
) -> pd.DataFrame:
    st.subheader("Pictures", anchor=False)
    known = list(parsing.scored(run))
    one, two, three, four = st.columns(4)
    part = str(one.selectbox("Class", known, key="part", bind="query-params", persist_state="session"))
    low = two.number_input("IoU from", 0, 100, 0, key="min", bind="query-params", persist_state="session")
    high = three.number_input("IoU to", 0, 100, 100, key="max", bind="query-params", persist_state="session")
    sort = four.selectbox("Order", SORTS, key="sort", bind="query-params", persist_state="session")
    known_constant = parsing.constant_each(run, selection.settings, split, epoch, part)
    if known_constant is not None and len(known_constant) == len(table):
        table = table.assign(constant=known_constant)
    defined = table[table[part].notna()]
    kept = defined[(defined[part] >= low) & (defined[part] <= high)]
    cell = _confusion(run, judged)
    if cell is not None:
        code, index = cell
        pixels = pd.Series(judged.counts[:, code, index], index=table.index)
        kept = kept[pixels[kept.index] > 0].assign(pixels_in_cell=pixels)
        st.caption(
            f"Only pictures with pixels of {parsing.TRUTH_COLUMNS[code]} under "
            f"{plain(runs_access.palette(run).name(index))}; most of them first."
        )
        kept = kept.sort_values("pixels_in_cell", ascending=False)
    elif sort == "by name":
        kept = kept.sort_values("path")
    else:
        kept = kept.sort_values([part, "path"], ascending=[sort == "worst first", True])
    _histogram(defined[part], part)
    st.caption(
        f"{len(kept)} of {len(table)} pictures; {len(table) - len(defined)} have no {part} in their truth: no score. "
        "Choose a row to see the picture."
    )
    if kept.empty:
        return kept
    beside = {"constant": st.column_config.NumberColumn(f"{part}, constant mask", format="%.1f")}
    first = [*([] if cell is None else ["pixels_in_cell"]), "path", "identity", "camera", part]
    first += ["constant"] if "constant" in kept else []
    shown = [*first, *(name for name in known if name != part)]
    event = st.dataframe(
        kept[shown],
        hide_index=True,
        height=300,
        on_select="rerun",
        selection_mode="single-row",
        key="iou-rows",
        alt=f"IoU of each picture, {sort}",
        placeholder="",
        column_config=_percent(TARGETS) | beside,
    )
    chosen = event.selection.rows if event is not None else []
    if chosen and chosen[0] < len(kept):
        row = int(kept["row"].iloc[chosen[0]])
        st.query_params["row"] = names(kept.iloc[[chosen[0]]])[0]
    else:
        wanted = st.query_params.get("row", "")
        found = [i for i, name in enumerate(names(kept)) if name == wanted] if wanted else []
        row = int(kept["row"].iloc[found[0] if found else 0])
    _picture(selection, run, split, epoch, row, kept[kept["row"] == row].iloc[0], part)
    return kept.rename(columns={"constant": f"{part}, constant mask"})


def _confusion(run: Run, judged: Judged) -> tuple[int, int] | None:
    """The part x truth table; a chosen cell filters the pictures. Returns (truth code, part)."""
    total = judged.counts.sum(0)  # (7, K)
    share = 100 * total / np.maximum(total.sum(0, keepdims=True), 1)
    palette = runs_access.palette(run)
    rows = [palette.name(k) for k in range(run.info.parts)]
    table = pd.DataFrame(share.T, columns=list(parsing.TRUTH_COLUMNS))
    table.insert(0, "part", rows)
    with st.expander("Which pixels each part is made of (part × truth); choose a cell to filter the pictures"):
        st.caption("Rows add up to 100 %: of a part's pixels, how many lie on each class of the truth.")
        event = st.dataframe(
            table,
            hide_index=True,
            on_select="rerun",
            selection_mode="single-cell",
            key="confusion",
            alt="Share of each part's pixels by class of the truth, in percent",
            column_config=_percent(parsing.TRUTH_COLUMNS),
        )
    cells = event.selection.cells if event is not None else []
    if not cells:
        return None
    index, column = cells[0]
    if column not in parsing.TRUTH_COLUMNS or not 0 <= index < run.info.parts:
        return None
    return parsing.TRUTH_COLUMNS.index(column), int(index)


def _histogram(values: pd.Series, part: str) -> None:
    counts, _ = np.histogram(values.dropna(), bins=np.arange(0, 101, 10))
    bins = [f"{a:02d}-{a + 10}" for a in range(0, 100, 10)]
    st.bar_chart(
        pd.DataFrame({"IoU, percent": bins, "pictures": counts}),
        x="IoU, percent",
        y="pictures",
        height=160,
        alt=f"Distribution of {part} IoU over pictures",
    )


def _picture(selection: Selection, run: Run, split: Split, epoch: int, row: int, scores: pd.Series, part: str) -> None:
    record = runs_access.records(run, split).iloc[row]
    root = pictures.picture_root(run, selection.settings)
    labels = runs_access.maps(run, split, epoch, (row,))[0]
    codes = truth.of_picture(run, selection.settings, split, row, (labels.shape[0], labels.shape[1]))
    image = pictures.uri(root, str(record["path"]))
    ratio, alt = pictures.aspect(run), pictures.describe(record)
    panels = [Panel("input", f"Input, {alt}", None, image, ratio)] if image else []
    if codes is not None:
        panels.append(Panel("truth", f"Truth, {alt}", mask_uri(truth.palette().coded(codes)), image, ratio))
    palette = runs_access.palette(run)
    panels.append(Panel(SPLIT_NAMES[split], f"Part map, {alt}", mask_uri(palette.coded(labels)), image, ratio))
    name = names(runs_access.records(run, split).iloc[[row]])[0]
    st.markdown(f"**{plain(name)}**")
    found = [f"{target} {scores[target]:.1f} %" for target in TARGETS if scores[target] == scores[target]]
    level = scores.get("constant", np.nan)
    beside = f"; the constant mask has {level:.1f} % for {part}" if level == level else ""
    st.caption("IoU of this picture: " + ", ".join(found) + beside)
    link("evolution", "This picture over all epochs", ":material/movie:", split=split, pid=record["identity"], img=name)
    mask_viewer(
        panels, union([palette, truth.palette()]), title="Input, truth and parts", key="iou-viewer", look=current_look()
    )
