"""Which label maps are evaluated: a run's stored ones, or what its network sees now in other images.

Out of scope: evaluating (eval.parsing_protocol).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from isp_core.data import DataSet, PictureCache
from isp_core.data.records import TEST, VALIDATION
from isp_core.errors import IspError
from isp_core.images import IMAGE_SUFFIXES, images_below
from isp_core.matching import Embeddings, judged
from isp_core.matching.visibility_rules import CALIBRATED, EQ8
from isp_core.runs import Run
from isp_eval.sources import same_test

if TYPE_CHECKING:
    from isp_core.inference import Reading

Split = Literal["train", "test", "validation"]
SPLITS: tuple[Split, ...] = ("train", "test")

Scores = npt.NDArray[np.floating[Any]]
Visible = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class LabelMaps:
    """Label maps (N, h, w) of some images at one epoch of a run.

    what: "train" (pseudo-labels), "test" (predictions of the run's query and gallery), "validation" (of the identities
    it held out) or "other" (another data set or folder). identities (N,), or None where no one says who is who.
    foreground (N, h, w): what says how much of a person each pixel is; foreground_is names it.
    root: where the images are, if known. visible (N, K-1): the parts that the run's calibrated rule calls visible; None
    where it has no thresholds, or the parts' probabilities are not known.
    """

    what: Literal["train", "test", "validation", "other"]
    epoch: int
    data: str
    fingerprint: str
    paths: tuple[str, ...]
    identities: npt.NDArray[np.int64] | None
    labels: npt.NDArray[np.uint8]
    foreground: Scores
    foreground_is: str
    root: Path | None = None
    visible: Visible | None = None


def maps_of(
    run: Run, split: Split, epoch: int | None, data: DataSet | None = None, progress: bool = False
) -> LabelMaps:
    """A run's maps of a split, stored; or, where `data` is another data set, what the network sees in its test set.

    Where the run's own data and weights are given, the foreground scores of test images are probabilities, else the
    maps themselves. IspError where there are no such maps.
    """
    if data is not None and split == "test" and not same_test(run, data):
        test = data.records[data.records.split.isin(TEST)]
        frame = test if len(test) else data.records
        return _seen_now(
            run, epoch, data.root, list(frame.path), frame.identity.to_numpy(), data.name, data.fingerprint, progress
        )
    epochs = run.label_epochs(split)
    if not epochs:
        raise IspError(f"{run.path} has no label maps of {split} images")
    epoch = epochs[-1] if epoch is None else epoch
    if epoch not in epochs:
        raise IspError(f"{run.path} has no {split} label maps of epoch {epoch}; it has those of {_some(epochs)}")
    labels = run.labels(split, epoch)
    frame = run.test_records() if split == "test" else run.records(split)
    visible = _kept_visible(run, split, epoch)
    if split == "test":  # an image that is query and gallery counts once
        once = ~frame["path"].duplicated().to_numpy()
        labels, frame = labels[once], frame[once].reset_index(drop=True)
        visible = None if visible is None else visible[once]
    foreground: Scores = (labels > 0).astype(np.float32)
    of = "label maps (0 or 1)"
    if split == "train":
        activation = run.activation(epoch)
        if activation is not None:
            foreground, of = activation, "activation (Eq. 3)"
    elif data is not None and run.has_weights(epoch):
        seen = _look(run, epoch, [data.root / p for p in frame.path], progress)
        foreground, of = seen.foreground, _PROBABILITY
        visible = _visible(run, epoch, seen.embeddings)
    info = run.info.data
    root = None if data is None else data.root
    identities = frame.identity.to_numpy()
    return LabelMaps(
        split, epoch, info.name, info.fingerprint, tuple(frame.path), identities, labels, foreground, of, root, visible
    )


def maps_of_pictures(run: Run, folder: Path, epoch: int | None, progress: bool = False) -> LabelMaps:
    """What a run's network sees in all images of a folder; no one needs to know who is on them."""
    if not folder.is_dir():
        raise IspError(f"{folder}: no such folder of images")
    paths = [path.relative_to(folder).as_posix() for path in images_below(folder)]
    if not paths:
        raise IspError(f"{folder} holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return _seen_now(run, epoch, folder, paths, None, folder.name, "", progress)


_PROBABILITY = "foreground probability (Eq. 5)"


def _seen_now(
    run: Run,
    epoch: int | None,
    root: Path,
    paths: Sequence[str],
    identities: npt.NDArray[np.int64] | None,
    name: str,
    fingerprint: str,
    progress: bool,
) -> LabelMaps:
    epochs = run.weight_epochs()
    if not epochs:
        raise IspError(f"{run.path} holds no weights to look at other images with")
    epoch = epochs[-1] if epoch is None else epoch
    seen = _look(run, epoch, [root / path for path in paths], progress)
    visible = _visible(run, epoch, seen.embeddings)
    return LabelMaps(
        "other",
        epoch,
        name,
        fingerprint,
        tuple(paths),
        identities,
        seen.labels,
        seen.foreground,
        _PROBABILITY,
        root,
        visible,
    )


def _kept_visible(run: Run, split: Split, epoch: int) -> Visible | None:
    """By the embeddings that the run keeps of the split, in the order of its maps."""
    splits = {"train": (), "test": TEST, "validation": (VALIDATION,)}[split]
    if run.calibration(epoch) is None or not all(epoch in run.embedding_epochs(each) for each in splits):
        return None
    kept = [run.embeddings(each, epoch, EQ8) for each in splits]
    return _visible(run, epoch, Embeddings.join(kept)) if kept else None


def _visible(run: Run, epoch: int, embeddings: Embeddings) -> Visible | None:
    calibration = run.calibration(epoch)
    if calibration is None or embeddings.part_peak is None:
        return None
    return np.asarray(judged(embeddings, CALIBRATED, calibration).visibility)


def _look(run: Run, epoch: int, files: Sequence[Path], progress: bool) -> Reading:
    # imported here: they load every backbone's code, and stored maps need none
    from isp_core.inference import join, read_all
    from isp_core.models import normalisation
    from isp_core.parser import HumanParser

    parser = HumanParser.load(run, epoch)
    if not parser.parts:
        raise IspError(f"{run.path} is a baseline without parts: it has no label maps")
    pictures = PictureCache(files, parser.size, 0)
    reads = read_all(parser.network, pictures, normalisation(parser.network.spec.backbone), parser.device)
    return join([reading for _, reading in tqdm(reads, "parsing", leave=False, delay=2, disable=not progress)])


def _some(epochs: list[int]) -> str:
    return ", ".join(map(str, epochs)) if len(epochs) <= 12 else f"{epochs[0]} to {epochs[-1]} ({len(epochs)} of them)"
