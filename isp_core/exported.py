"""A network that `isp export` wrote, run by onnxruntime: images in, all terms of Eq. 10 out.

It needs neither the network's code nor its weights. Out of scope: how such a file is made (isp_core.export).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isp_core.data.pictures import Picture
from isp_core.errors import IspError
from isp_core.json_reading import parse_json
from isp_core.matching import Calibration, Embeddings, chosen_rule, judged
from isp_core.onnx_files import open_session
from isp_core.palette import Palette, assign
from isp_core.prediction import ImageParser, Prediction
from isp_core.runs import Run
from isp_core.runs.checksums import sha256
from isp_core.runs.schema import WEIGHTS_FILE, epoch_of
from isp_core.runs.untrusted import is_regular
from isp_core.text_files import shown

SUFFIX = ".onnx"
FOLDER = "exports"
"""Where a run keeps its exports: epoch_0032.onnx, epoch_0032-int8.onnx."""
INPUT = "images"
"""(N, 3, H, W) float32, RGB in 0 .. 255."""
FEATURES = ("global", "foreground", "parts")
"""(N, C_g), (N, C) and (N, K-1, C) float32: as the run's embeddings, after or before the BNNecks."""
PART_OUTPUTS = ("probabilities", "labels", "visibility", "part_share", "part_peak")
"""Eq. 5 (N, K, h, w); its argmax (N, h, w) uint8; Eq. 8 (N, K-1) bool; share of pixels and highest probability of each
part (N, K-1)."""
METADATA = "isp"
Arrays = dict[str, npt.NDArray[Any]]


def output_names(parts: int) -> tuple[str, ...]:
    """The outputs of an export of a network with K = `parts`, in order; a baseline (0) has the global feature alone.

    >>> output_names(0)
    ('global',)
    """
    return (*FEATURES, *PART_OUTPUTS) if parts else FEATURES[:1]


class OnnxParser(ImageParser):
    """An exported file; reads, embeds and matches images as the run's own network does.

    run, epoch, weights: the run's name, the epoch, and the SHA-256 of the weights that were exported ("" where an older
    export does not say).

    >>> parser = OnnxParser(Path("model.onnx"))                           # doctest: +SKIP
    >>> float(parser.match("a.jpg", "b.jpg").distance[0])                 # doctest: +SKIP
    0.31
    """

    def __init__(self, path: Path, threads: int = 0, visibility: str | None = None) -> None:
        """Opens a file.

        Args:
            path: the ONNX file.
            threads: of onnxruntime; 0 for all cores.
            visibility: one of isp_core.matching.VISIBILITY_RULES; None for the run's own.

        Raises:
            IspError: no such file, not an export of ours, the rule lacks its thresholds, or the extra `onnx` is not
                installed.
        """
        self._session = open_session(path, threads)
        text = self._session.get_modelmeta().custom_metadata_map.get(METADATA)
        if text is None:
            raise IspError(f"{shown(path)} was not written by `isp export`: it has no metadata entry {METADATA!r}")
        try:
            about = parse_json(text)
            self.size = (int(about["size"][0]), int(about["size"][1]))
            self.parts = int(about["parts"])
            self.run_name, self.weights = str(about.get("run", "")), str(about.get("weights", ""))
            self.epoch = None if about.get("epoch") is None else int(about["epoch"])
            named = about.get("palette") or {}
            heights = [float("nan") if each is None else float(each) for each in named.get("heights", ())]
            self._classes = {int(part): str(name) for part, name in named.get("classes", {}).items()}
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise IspError(
                f"{shown(path)}: its metadata entry {METADATA!r} is not one that `isp export` writes"
            ) from error
        reads = next((tuple(each.shape[2:]) for each in self._session.get_inputs()), ())
        if reads != self.size:
            raise IspError(
                f"{shown(path)}: its metadata says images of {self.size[0]} x {self.size[1]}, its network reads "
                f"{' x '.join(map(str, reads))}: export the run again"
            )
        self.path, self.outputs = path, output_names(self.parts)
        lacking = set(self.outputs) - {each.name for each in self._session.get_outputs()}
        if lacking:
            raise IspError(f"{shown(path)} lacks the outputs {', '.join(sorted(lacking))}: export the run again")
        made = {each.name: each.shape for each in self._session.get_outputs()}
        if self.parts and made["visibility"][-1:] != [self.parts - 1]:
            raise IspError(
                f"{shown(path)}: its metadata says K = {self.parts}, its network tells the visibility of "
                f"{made['visibility'][-1:]} parts without the background: export the run again"
            )
        self._heights = heights if len(heights) == self.parts - 1 else [float("nan")] * max(0, self.parts - 1)
        stored = about.get("calibration")
        try:
            self.calibration = None if stored is None else Calibration.of(stored)
        except IspError as error:
            raise IspError(f"{shown(path)}: {error}; export the run again") from error
        self.visibility = chosen_rule(visibility, self.calibration, shown(path))

    @property
    def palette(self) -> Palette:
        """Names and colours of the parts, as the run had them when it was exported."""
        return assign(self._heights, self._classes)

    def run(self, images: npt.NDArray[np.float32]) -> Arrays:
        """All outputs by name. images: (N, 3, H, W), RGB in 0 .. 255, at the file's size."""
        return dict(zip(self.outputs, self._session.run(list(self.outputs), {INPUT: images}), strict=True))

    def arrays(self, images: Picture | Sequence[Picture]) -> Arrays:
        """All outputs of images of any size, resized as training resized them, in full precision."""
        found = [self.run(each.float().numpy()) for each in self._batches(images)]
        return {name: np.concatenate([part[name] for part in found]) for name in self.outputs}

    def read(self, images: Picture | Sequence[Picture]) -> Prediction:
        """Parts, label maps, visibility and features of one or several images, see HumanParser.read."""
        found = self.arrays(images)
        global_ = found["global"].astype(np.float16)
        count = len(global_)
        if not self.parts:
            nothing, size = np.zeros((count, 0), np.float16), (self.size[0] // 4, self.size[1] // 4)
            empty = Embeddings(global_, nothing, np.zeros((count, 0, 0), np.float16), nothing.astype(bool), nothing)
            maps = np.zeros((count, *size), np.uint8)
            return Prediction(
                np.zeros((count, 0, *size), np.float32), maps, maps.astype(np.float16), empty, self.visibility
            )
        half = {name: found[name].astype(np.float16) for name in ("foreground", "parts", "part_share", "part_peak")}
        embeddings = Embeddings(global_=global_, visibility=found["visibility"], **half)
        foreground = (1 - found["probabilities"][:, 0]).astype(np.float16)
        seen = judged(embeddings, self.visibility, self.calibration)
        return Prediction(found["probabilities"], found["labels"], foreground, seen, self.visibility)


def export_of(run: Run, file: Path, epoch: int | None = None, visibility: str | None = None) -> OnnxParser:
    """An exported file that stands for the network of `run`.

    IspError where it is of another network, or of another epoch than asked for.
    """
    parser = OnnxParser(file, visibility=visibility)
    name = shown(file)
    if parser.epoch is None or parser.run_name == "":
        raise IspError(f"{name} does not say of which run and epoch it is: export the run again")
    if epoch is not None and epoch != parser.epoch:
        raise IspError(f"{name} holds epoch {parser.epoch}, not {epoch}: leave out --epoch, or export that one")
    weights = run.checkpoint(parser.epoch)
    if weights is not None and parser.weights and sha256(weights / WEIGHTS_FILE) != parser.weights:
        raise IspError(f"{name} is an export of {parser.run_name}, whose weights are not those of {run.path}")
    if weights is None and parser.run_name != run.name:
        raise IspError(f"{name} is an export of {parser.run_name}, not of {run.name}: its features cannot be compared")
    return parser


def exports_of(run: Run) -> list[tuple[int, str, Path]]:
    """The exports in a run's folder, the last epoch first: epoch, variant ("" or "int8"), file. None is opened."""
    folder = run.path / FOLDER
    found = []
    for file in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []:
        name, _, variant = file.stem.partition("-")
        epoch = epoch_of(name)
        if epoch is not None and is_regular(file):
            found.append((epoch, variant, file))
    return sorted(found, key=lambda each: (-each[0], each[1]))
