"""Help: own runs, words, metrics, colours and keys. Static text; nothing here depends on a run."""

from __future__ import annotations

import streamlit as st

from isp_app import explain
from isp_app.components import crop_box, epoch_scrubber, mask_viewer, plane
from isp_app.safety.names import escape, plain
from isp_app.state.sidebar import Selection
from isp_core.labelling.sources import SOURCES
from isp_core.matching import MATCHINGS
from isp_core.palette import SLOTS, Slot

WORDS = {
    "identity": "Who an image shows: the only label that the paper's method learns from.",
    "query, gallery": "What is searched for, and what is searched in. Gallery images of the query's own "
    "identity and camera are left out of its ranking.",
    "pseudo-label": "The part that the source of labels gives to a pixel of a training image (the paper: by "
    "clustering, Eq. 3-4); made again in each labelling round.",
    "prediction": "The part that the classifier gives to a pixel (argmax of Eq. 5); never mixed with pseudo-labels.",
    "K": "Number of parts with the background as part 0; the paper uses 4 to 8.",
    "part": "A cluster of foreground pixels of one person, numbered from top to bottom. It may be a belonging.",
    "foreground, activation": "Length of a pixel's feature relative to the longest in the image (Eq. 3).",
    "visibility, l_k": "Whether part k shows: its highest probability reaches its threshold or, in runs without "
    "thresholds, it is the most likely part at some pixel (Eq. 8). Hidden parts are left out of the distance.",
    "aligned matching": "Mean of the distances of global, foreground and all parts that both images show (Eq. 10).",
    "cascade, variants": "Foreground first, then parts. Variant 1 clusters in one step; Variant 2 skips normalisation.",
    "baseline": "The same network without parts: the global feature alone.",
    "epoch 0": "The state before training: features of the initialised backbone.",
}
MEASURES = {
    "R-1, R-5": "Share of queries with a true match in the first 1 or 5 of the ranking.",
    "AP, mAP": "Mean precision at the true matches of a query; its mean over queries with a true match.",
    "mINP": "Share of true matches among all images up to the last true match, mean over queries.",
    "class IoU": "Intersection of the pixels of both maps over their union, over a split. Empty where the ground truth "
    "does not have the class.",
    "binary mIoU": "Mean of the IoU of a class and of everything else. The authors' script prints it as IoU; it is "
    "higher for small parts.",
    "constant mask": explain.CONSTANT_MASK,
    "ambiguous pixels": "Foreground in 20 to 80 % of the training ground truth: a constant mask cannot decide them.",
    "AUC": "Probability that a person's pixel scores higher than one of the background.",
    "labels changed": "Share of pixels whose pseudo-label differs from the round before.",
    "purity": "Share of a part's pixels in its most common class, over all people (across) or within each person.",
}
OWN = """
isp app --runs runs --data DATA          # both may be repeated
ISP_RUNS=runs ISP_DATA=DATA streamlit run app/main.py
"""


def show(_: Selection) -> None:
    """The page."""
    st.title("Help", anchor=False)
    st.markdown(
        "For research on what networks learn. It is not for identifying people without a legal basis. "
        "The app sends nothing off this machine."
    )
    st.subheader("Your own runs", anchor=False)
    st.markdown(
        "Start the app with your folders: they are added to the embedded study, and the app opens on the newest of "
        "your runs. A folder `runs` in the working directory is read without being named. The sidebar lists the "
        "folders in use. Data folders hold the "
        "images and label maps of runs; links in them are followed into other data folders of the server only."
    )
    st.code(OWN.strip(), language="bash", wrap_lines=True)
    sources = {source.name: explain.about(source) for source in SOURCES.values()}
    for title, words in (
        ("Words", WORDS),
        ("Metrics", MEASURES),
        ("Sources of labels", sources),
        ("Matching rules", {name: rule.description for name, rule in MATCHINGS.items()}),
    ):
        st.subheader(title, anchor=False)
        # a table of Markdown fills the page's width; cells of st.table wrap at a third of it
        lines = [f"| **{plain(word)}** | {plain(meaning)} |" for word, meaning in words.items()]
        st.markdown("\n".join(["| | meaning |", "|:--|:--|", *lines]))
    st.subheader("Colours", anchor=False)
    st.markdown(
        "A part's colour says which body part it is, on every page, for every K, epoch and run: the class that "
        "evaluation assigned to it, or, without ground truth, the place of its mean height between head and shoes. "
        "Colours are Okabe and Ito's, which most colour-blind people can tell apart; a second part of the same class "
        "gets a darker or lighter shade. Where some parts have a class, the others are greyed."
    )
    st.html("<div style='display:flex;flex-wrap:wrap;gap:.8rem'>" + "".join(_swatch(slot) for slot in SLOTS) + "</div>")
    st.subheader("Keys", anchor=False)
    st.markdown(
        f"Click a viewer or reach it with Tab, then: **mask viewer** {mask_viewer.HINT}. "
        f"**Epoch scrubber** {epoch_scrubber.HINT}. **Ranking grid** arrows, Home, End, Enter opens, M part maps. "
        f"**Embeddings** {plane.HINT}. "
        f"**Finder** P previous image, N next image. **Crop box** {crop_box.KEYS}."
    )
    st.subheader("URLs", anchor=False)
    st.markdown("Every control is in the URL: copy it to show another person what you see, on the same runs.")


def _swatch(slot: Slot) -> str:
    r, g, b = slot.rgb
    name, colour = escape(slot.body_part), escape(slot.colour)
    return (
        f"<span><i style='display:inline-block;width:1.1em;height:1.1em;background:rgb({r},{g},{b});"
        f"border:1px solid;vertical-align:middle'></i> {name} ({colour})</span>"
    )
