"""Overview: what a run found, at first sight; every run as a card or a row, broken ones included; the paper's figures
and tables made from them."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import streamlit as st

from isp_app import empty, explain
from isp_app.components.mask_viewer import Panel, mask_viewer
from isp_app.drawing import sparks
from isp_app.drawing.encode import mask_uri
from isp_app.drawing.sparks import Spark
from isp_app.reading import curves, paper, people, pictures, run_rows, runs_access, tables
from isp_app.reading.runs_access import Listed
from isp_app.safety.names import plain
from isp_app.state.controls import all_found, arrived, by_hand, follow
from isp_app.state.links import link
from isp_app.state.look import current_look
from isp_app.state.sidebar import Selection
from isp_app.views import columns, forms, paper_map, run_table
from isp_core.labelling.source import Family
from isp_core.runs import Run
from isp_core.runs.schema import Split
from isp_core.tables import to_csv
from isp_eval.studies.rows import TABLES, variant

CARDS = 12
FIRST = 8  # images at the top
CLASSES = ("foreground", "head", "legs", "belongings")
PAPER = "The paper's"
TITLE = "What identity labels teach about the human body"
ABOUT = (
    "ISP learns the parts of a person, belongings included, for re-identification: from the answer to *who is "
    "this?* and, depending on the source of its labels, from where people stand in an image and from its colours. "
    "Label maps drawn by people or by a parser are used by the runs that say so."
)
CARD_VIEW, TABLE_VIEW = VIEWS = ("cards", "table and curves")


def show(selection: Selection) -> None:
    """The page."""
    if not selection.listed:
        st.title(TITLE, anchor=False)
        st.markdown(ABOUT)
        empty.no_runs(selection.settings)
        _paper()
        return
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title(TITLE, anchor=False, width="content")
        view = _view()
    # a link to a table opens on it: it comes first then; a table chosen on the page stays where it was chosen
    first = st.container() if arrived("table") else None
    # who asks for the table of runs wants it at first sight; images and the map of the paper come below it
    runs, images = (st.container(), st.container()) if view == TABLE_VIEW else (st.container(), st.container())[::-1]
    with images:
        st.markdown(ABOUT)
        if selection.run is not None:
            try:
                _first_sight(selection, selection.run)
            except Exception as error:  # the cards below say what is wrong with it
                st.text(empty.short(runs_access.reason(error)))
        try:
            paper_map.show(_opened(list(selection.listed)))
        except Exception as error:  # what is wrong with a run is said below
            st.text(empty.short(runs_access.reason(error)))
    with runs:
        if view != TABLE_VIEW:
            st.subheader("Runs", anchor=False)
        row = st.columns([8, 4, 4, 3], vertical_alignment="bottom") if view == TABLE_VIEW else ()
        places = row or [st.container()]
        with places[0]:
            chosen = _filter(list(selection.listed))
        broken = [item for item in chosen if item.summary.problem]
        whole = [item for item in chosen if not item.summary.problem]
        if view == TABLE_VIEW:
            run_table.show(whole, places[1:])
        else:
            _cards(whole)
        for item in broken:
            with st.container(border=True):
                st.markdown(f"**{plain(item.id)}** cannot be read")
                st.text(empty.short(item.summary.problem))
    with first or st.container():
        _tables(_opened(whole))


def _view() -> str:
    """Cards or table, in the URL."""
    follow("view", VIEWS, "View", CARD_VIEW)
    chosen = st.segmented_control(
        "Show runs as",
        VIEWS,
        default=CARD_VIEW,
        key="view",
        bind="query-params",
        persist_state="session",
        required=True,
        on_change=by_hand,
        args=("view",),
        label_visibility="collapsed",
        width="content",
    )
    return str(chosen)


def _opened(listed: list[Listed]) -> list[tuple[Listed, Run]]:
    """The runs that can be read whole; the others are named as cards or below the table."""
    found = []
    for item in listed:
        try:
            found.append((item, runs_access.open_whole(item)))
        except Exception:
            continue
    return found


def _first_sight(selection: Selection, run: Run) -> None:
    """Some images of the chosen run under its parts: test images where there are predictions, else training's."""
    if not run.info.parts:
        return
    order: tuple[Split, ...] = ("query", "gallery", "train")
    split = next((s for s in order if runs_access.map_epochs(run, s) and len(runs_access.records(run, s))), None)
    if split is None:
        return
    table, epoch = runs_access.records(run, split), runs_access.map_epochs(run, split)[-1]
    rows = tuple(dict.fromkeys(int(i) for i in np.linspace(0, len(table) - 1, FIRST)))
    root, palette = pictures.picture_root(run, selection.settings), runs_access.palette(run)
    panels = [
        Panel(
            people.who(table.iloc[row]),
            pictures.describe(table.iloc[row]),
            mask_uri(palette.coded(labels)),
            pictures.uri(root, str(table["path"].iloc[row])),
            pictures.aspect(run),
        )
        for row, labels in zip(rows, runs_access.maps(run, split, epoch, rows), strict=True)
    ]
    mask_viewer(panels, palette, title="What the run found", key="first", look=current_look(), width=88)
    what = "pseudo-labels of training images" if split == "train" else "predictions on people that it never saw"
    if run.info.parent is not None:
        what = f"your images, parsed by the network of {plain(run.info.parent)}"
    st.caption(
        f"{plain(run.name)}, K = {run.info.parts}, epoch {epoch}: {what}, at even steps through the {split} images, "
        f"not chosen. {plain(palette.rule)}"
    )
    if root is None:
        empty.no_pictures(run, selection.settings)


def _filter(listed: list[Listed]) -> list[Listed]:
    if len(listed) <= 1:
        return listed
    names = [item.id for item in listed]
    all_found("runs", names, "Run")
    wanted = st.multiselect(
        "Runs",
        names,
        key="runs",
        bind="query-params",
        persist_state="session",
        on_change=by_hand,
        args=("runs",),
        placeholder="All runs",
    )
    return [item for item in listed if not wanted or item.id in wanted]


def _cards(listed: list[Listed]) -> None:
    """Cards in pages, those of one family under its name; the user's own before the embedded study."""
    order = {family: place for place, family in enumerate(Family)}
    listed = sorted(listed, key=lambda item: (not item.own, order[run_rows.family(item)]))
    pages = -(-len(listed) // CARDS)
    page = 1
    if pages > 1:
        page = st.pagination(pages, key="cards", bind="query-params")
    here = listed[(page - 1) * CARDS : page * CARDS]
    if any(_has_constant_mask(item) for item in here):
        st.caption(explain.CONSTANT_MASK)
    both = len({item.own for item in listed}) > 1
    for (own, family), group in itertools.groupby(here, key=lambda item: (item.own, run_rows.family(item))):
        items = list(group)
        whose = ("Your runs: " if own else "Embedded study: ") if both else ""
        words = f"{whose}{family.value}"
        st.markdown(f"**{words[0].upper()}{words[1:]}**")
        if family is not Family.PARSED:
            explain.sources(item.summary.labels for item in items)
        grid = st.grid(columns="auto", min_column_width=320, gap="small")
        for item in items:
            with grid, st.container(border=True, gap="small"):
                try:
                    _card(item, runs_access.open_listed(item))
                except Exception as error:  # whatever one run holds, the others are shown
                    st.markdown(f"**{plain(item.id)}** cannot be read")
                    st.text(empty.short(runs_access.reason(error)))


def _has_constant_mask(item: Listed) -> bool:
    try:
        run = runs_access.open_listed(item)
        return bool(runs_access.constant_mask(run, "query") or runs_access.constant_mask(run, "train"))
    except Exception:  # its card says what is wrong with it
        return False


def _card(item: Listed, run: Run) -> None:
    info, table = run.info, runs_access.metrics(run)
    st.markdown(f"**{plain(item.id)}**")
    kind = f"K = {info.parts}" if info.parts else "no parts (baseline)"
    if info.parent is None:
        epochs = f"{item.summary.epochs} epoch" + ("" if item.summary.epochs == 1 else "s")
        labels = f"labels: {info.labels}" if info.labels else ""
        if info.network:
            epochs = "not trained"
    else:
        epochs, labels = "", f"parsed by {info.parent}, epoch {item.summary.epochs}"
    facts = [kind, variant(run.info), info.backbone, epochs, info.data.name, labels]
    facts += ["imported"] if info.imported else []
    st.caption(" · ".join(plain(fact) for fact in facts if fact))
    if unfair := explain.levelled(run):
        st.caption(unfair)
    found = {name: curves.curve(table, name) for name in curves.RETRIEVAL}
    sparks.row(
        [
            _spark(name, figure) if figure else Spark(name, "–", hint="Not evaluated yet")
            for name, figure in found.items()
        ]
    )
    _iou(run, table)
    with st.container(horizontal=True, gap="small"):
        if info.parts:
            link("evolution", "Evolution", ":material/movie:", run=item.id)
        link("ranking", "Ranking", ":material/format_list_numbered:", run=item.id, split="query")
        if info.parts:
            link("iou", "IoU", ":material/table_chart:", run=item.id)


def _spark(name: str, figure: curves.Curve, below: str = "") -> Spark:
    return Spark(name, f"{figure.last:.1f}", figure.values, below, f"Percent, at epoch {figure.epochs[-1]}")


def _iou(run: Run, table: pd.DataFrame) -> None:
    """Spark lines of IoU, predictions where they were measured, else pseudo-labels, each above the constant mask."""
    sides: tuple[tuple[str, Split, str], ...] = (("test", "query", "predictions"), ("train", "train", "pseudo-labels"))
    for side, split, words in sides:
        found = [(name, figure) for name in CLASSES if (figure := curves.curve(table, f"{side}_iou_{name}"))]
        if not found:
            continue
        constant = runs_access.constant_mask(run, split)
        st.caption(f"IoU of {words}" + ("; below: points above the constant mask" if constant else ""))
        above = {name: f"{figure.last - 100 * constant[name]:+.1f}" for name, figure in found if name in constant}
        sparks.row([_spark(name, figure, above.get(name, "")) for name, figure in found])
        return


def _tables(opened: list[tuple[Listed, Run]]) -> None:
    """One table, once it is asked for: the browser's grid would cost the first page half a second."""
    st.subheader("Tables", anchor=False)
    options = [*TABLES, PAPER]
    follow("table", options, "Table", None)
    which = st.segmented_control(
        "Table",
        options,
        key="table",
        bind="query-params",
        persist_state="session",
        on_change=by_hand,
        args=("table",),
        label_visibility="collapsed",
    )
    if which is None:
        st.caption("Choose one: the runs laid out as one of the paper's tables. Each can be saved as CSV.")
        return
    if which == PAPER:
        _paper()
        return
    left_out: dict[str, str] = {}
    runs = {item.id: run for item, run in opened}
    table = tables.build(which, list(runs.items()), left_out)
    empty.left_out(left_out)
    if table.empty:
        st.info(f"No run here belongs in {which}: {TABLES[which].about} Train one, then look again:")
        st.code(_study(which), language="bash")
        return
    st.caption(
        TABLES[which].about
        + " In percent; empty where it was not measured. Columns named after the paper hold its own numbers."
    )
    shown = table
    if "form" in table:
        form = forms.choose()
        shown = table[table["form"] == form].drop(columns="form")
    labels = {name: _header(str(name)) for name in shown.columns}
    first = sorted(map(str, shown.columns), key=_late)
    usual = columns.fitting(columns.widths(shown, labels), first)
    st.dataframe(
        shown,
        hide_index=True,
        alt=f"{which}, in percent",
        placeholder="",
        column_order=columns.choose(shown, "tcols", usual),
        column_config=columns.config(shown, labels, {name: name for name in labels if labels[name] != name}),
    )
    st.download_button(
        f"{which} (CSV)",
        lambda: to_csv(run_table.with_sources(table, runs)),
        f"{which.lower().replace(' ', '')}.csv",
        "text/csv",
        on_click="ignore",
    )


def _header(name: str) -> str:
    """A header as short as the column's place allows: a class's constant mask follows the class."""
    if name == run_rows.INTERVAL:
        return "mAP, 95 %"
    metric, _, rest = name.partition(", ")
    if rest == "constant":
        return rest
    return f"{metric}, paper" if rest.startswith("paper") else name


def _late(name: str) -> int:
    """Columns that give way first where not all fit: 0, none; the higher the earlier."""
    order = ("rule", "R-5", "epoch", "n", "data", "constant")
    return next((place for place, word in enumerate(order, 1) if word in (name, *name.split(", "))), 0)


def _study(which: str) -> str:
    study = {"Table 5": "semantics", "Table 6": "backbone"}.get(which, "K")
    return f"isp eval study {study} --data DATA --out STUDY"


def _paper() -> None:
    st.caption(f"{paper.LABEL} It trained on GPUs for 120 epochs with ImageNet weights.")
    st.dataframe(paper.retrieval_table(), hide_index=True, alt="Retrieval results of the paper", placeholder="")
