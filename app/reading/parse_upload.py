"""An uploaded image through a run's network: parts, visibility, nearest people. Results live in the session only."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import streamlit as st
import torch
from PIL import Image

from isp_app.cache_keys import KEYS
from isp_app.reading import runs_access
from isp_core.exported import export_of, exports_of
from isp_core.file_state import State, state_of
from isp_core.gallery import CANDIDATES, GalleryIndex
from isp_core.matching import Embeddings, describe_rule
from isp_core.parser import HumanParser
from isp_core.prediction import ImageParser
from isp_core.runs import Run, open_run
from isp_core.runs.maps import Maps

_ONE_AT_A_TIME = threading.Semaphore(1)  # a network uses all cores already
NEAREST = 12


@st.cache_resource(hash_funcs=KEYS, max_entries=6, show_spinner="Loading the network")
def _parser(run: Run, epoch: int, export: Path | None, state: State | None) -> ImageParser:
    """The network of a run, or its export; `state` of the export's file makes a new one of it another entry."""
    return HumanParser.load(run, epoch) if export is None else export_of(run, export, epoch)


@dataclass(frozen=True)
class Seen:
    """What the network sees in one image. labels (h, w); vectors: one row; empty label map for a baseline."""

    labels: Maps
    vectors: Embeddings
    rule: str = ""  # of visibility, with what it does


@st.cache_data(hash_funcs=KEYS, max_entries=128, max_size="64mb", show_spinner="Parsing", scope="session")
def _see(
    run: Run, epoch: int, export: Path | None, state: State | None, pixels: bytes, width: int, height: int
) -> Seen:
    return _read(_parser(run, epoch, export, state), Image.frombytes("RGB", (width, height), pixels))


def _read(parser: ImageParser, picture: Image.Image) -> Seen:
    with _ONE_AT_A_TIME, torch.inference_mode():
        found = parser.read(picture)
    return Seen(
        found.labels[0] if parser.parts else np.zeros((0, 0), np.uint8), found.embeddings, describe_rule(found.rule)
    )


@dataclass(frozen=True)
class Network:
    """The weights of a run at an epoch, or the file that `isp export` made of them. name: the run's in the list, the
    epoch, and how it was exported."""

    name: str
    run: Run
    epoch: int
    export: Path | None = None

    def _parser(self) -> ImageParser:
        return _parser(self.run, self.epoch, self.export, self._state())

    def _state(self) -> State | None:
        return None if self.export is None else state_of(self.export)

    def require(self) -> None:
        """IspError where the network cannot be opened, or the export is of other weights than the run's."""
        self._parser()

    def see(self, picture: Image.Image) -> Seen:
        """Parts and features of one RGB image, kept for this session."""
        pixels = picture.tobytes()
        return _see(self.run, self.epoch, self.export, self._state(), pixels, picture.width, picture.height)

    def read(self, picture: Image.Image) -> Seen:
        """The same without the session's cache, which a download that is made when it is clicked cannot reach."""
        return _read(self._parser(), picture)

    def trained_on(self) -> str:
        """What the network has seen, in a sentence, and what that means for other images."""
        info = self.run.info
        if info.parent is not None:
            return (
                f"the network of {info.parent}; nothing was trained on these images. Look at the masks before you "
                "rely on them."
            )
        count, (height, width) = info.data.splits.get("train"), info.size
        many = "" if count is None else f", {count.pictures} images of {count.identities} people"
        many += "" if count is None or count.cameras < 1 else f" from {count.cameras} cameras"
        kind = " (rendered people, no photographs)" if info.data.name.lower() == "walkers" else ""
        labels = f"; labels: {info.labels}" if info.labels and info.parts else ""
        return (
            f"trained on {info.data.name}{kind}{many}, crops of one person at {height} × {width}{labels}. "
            "On images unlike these, expect worse results."
        )


def networks_of(name: str, run: Run) -> list[Network]:
    """The networks of a run that is called `name` in the list: epochs with weights, the last first, then its exports.

    RunError where its folder cannot be read.
    """
    found = [Network(f"{name} epoch {epoch}", run, epoch) for epoch in run.weight_epochs()[::-1]]
    for epoch, variant, file in exports_of(run):
        how = f"ONNX {variant}" if variant else "ONNX"
        found.append(Network(f"{name} epoch {epoch} ({how})", run, epoch, file))
    return found


def forget() -> None:
    """Drops what this session's uploads left in the cache."""
    _see.clear()


@dataclass(frozen=True)
class Neighbour:
    """The nearest image of one person: its gallery row, its distance, and how many images that person has there."""

    row: int
    distance: float
    pictures: int


def nearest_people(run: Run, epoch: int, seen: Seen) -> list[Neighbour]:
    """The nearest people of the gallery by Eq. 10, one image each; no camera is left out, for the upload has none.

    An index proposes candidates, more of them where those are too few people. Junk (identity -1) is no one; distractors
    (identity 0) are people of whom nothing is known, one each.
    """
    index = _index(run, epoch)
    who = runs_access.records(run, "gallery")["identity"].to_numpy()
    counts = dict(zip(*np.unique(who, return_counts=True), strict=True))
    candidates = CANDIDATES
    while True:
        near = index.search(seen.vectors, candidates, candidates)
        found: dict[tuple[int, int], Neighbour] = {}
        for row, far in zip(near.rows[0].tolist(), near.distances[0].tolist(), strict=True):
            identity = int(who[row])
            if row < 0 or identity < 0:
                continue
            pictures = int(counts[identity]) if identity else 1
            found.setdefault((identity, 0 if identity else row), Neighbour(row, far, pictures))
        if len(found) >= NEAREST or candidates >= len(who):
            return list(found.values())[:NEAREST]
        candidates *= 4


@st.cache_resource(hash_funcs=KEYS, max_entries=2, show_spinner="Indexing the gallery")
def _index(run: Run, epoch: int) -> GalleryIndex:
    return GalleryIndex.build(runs_access.embeddings(run, "gallery", epoch))


def likely_belonging(run: Run) -> tuple[int | None, str]:
    """The part that most likely is a belonging, and the rule that says so."""
    assigned = [k for k, name in runs_access.assigned_classes(run).items() if name == "belongings"]
    if assigned:
        return assigned[0], "evaluation assigned it to belongings by ground truth"
    epochs = run.label_epochs("train")
    if not epochs or run.info.parts < 3:
        return None, "no pseudo-labels are stored, so nothing can be said"
    shown = _presence(run.path, runs_access.map_token(run, "train", epochs[-1]), epochs[-1], run.info.parts)
    k = int(np.argmin(shown)) + 1
    return k, f"the fewest training images show it ({100 * shown[k - 1]:.0f} %): belongings are carried by some only"


@st.cache_data(hash_funcs=KEYS, max_entries=16, show_spinner=False)
def _presence(path: Path, token: str, epoch: int, parts: int) -> npt.NDArray[np.float64]:
    run = open_run(path)
    count = len(runs_access.records(run, "train"))
    rows = np.sort(np.random.default_rng(0).permutation(count)[:2048])
    maps = run.labels("train", epoch, rows).reshape(len(rows), -1)
    return np.array([float((maps == k).any(1).mean()) for k in range(1, parts)])
