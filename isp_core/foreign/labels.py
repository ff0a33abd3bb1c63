"""Labels of a data set by the feature maps of a network that we did not make, as a run that the app opens.

The maps are clustered as they are: nothing is trained. A part classifier (Eq. 5), solved on the labels of the training
images, predicts the parts of query and gallery, whose identities are not looked at, and pools the features of Eq. 2.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from isp_core.assignment import note
from isp_core.data import DataSet, PictureCache
from isp_core.data.pictures import require_pictures
from isp_core.errors import IspError
from isp_core.foreign.classifier import PartClassifier, solve_classifier
from isp_core.foreign.network import BATCH, ForeignNetwork
from isp_core.inference import Reading, chunks, join, picture_batches, prepare, reading_of
from isp_core.labelling.rounds import Round, TrainingPictures, collect
from isp_core.labelling.source import LabelOptions
from isp_core.labelling.sources import source_of
from isp_core.metrics.part_scores import Assignment
from isp_core.models import Normalisation, map_size
from isp_core.noted_parts import DOCUMENT
from isp_core.paths import writable_folder
from isp_core.progress import counted
from isp_core.runs import DataInfo, Run, RunInfo, RunWriter, SplitCount, open_run
from isp_core.runs.checksums import sha256
from isp_core.runs.files import remove
from isp_core.runs.schema import SPLITS, TEST, Split, new_info
from isp_core.runs.writer import require_new
from isp_core.training.watch import Row, TruthWatch, label_row, retrieval_row

NAME = "network"
"""The evaluation document that says of which network and which file a run is."""
SAMPLE = 500
"""Images that the classifier is solved on at most; bounds time."""
UNCHANGED = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
"""Images in [0, 1]: the network's description says how it wants them."""


def label_by_network(
    network: ForeignNetwork,
    data: DataSet,
    out: Path,
    options: LabelOptions,
    *,
    seed: int = 0,
    truth: tuple[Path, str] | None = None,
    show: bool = True,
) -> Run:
    """Writes the run `out`, whose epoch 0 holds labels, predictions and features by `network`.

    Without training images (a folder of crops) labels are made of the gallery's people; only predictions are kept then.

    Args:
        options: how labels are made; the source must work on feature maps (isp_core.labelling.sources).
        seed: of everything random.
        truth: a folder of label maps and their label space, to measure IoU by, never to learn from.
        show: progress bars.

    Raises:
        IspError: the source needs more than feature maps, `out` holds something, images cannot be read, there is no
            ground truth where it is said to be, or the network gives something else than it did when it was opened.
    """
    require_new(writable_folder(out))  # minutes before it is written
    found = _Labelling(network, data, options, seed, truth, show).make()
    existed = out.exists()
    with contextlib.ExitStack() as held:
        writer = RunWriter.create(out, _info(network, data, options, seed), data.records, held)
        try:
            found.write(writer)
        except BaseException:
            if not existed:
                remove(out)
            raise
    return open_run(out)


@dataclass
class _Found:
    """All that a run will hold, so that an interrupted command leaves none. labels: of the training images; None where
    there are none."""

    row: Row
    documents: dict[str, dict[str, Any]]
    labels: Round | None = None
    readings: dict[Split, Reading] = field(default_factory=dict)

    def write(self, writer: RunWriter) -> None:
        """Epoch 0."""
        if self.labels is not None:
            rows = np.arange(len(self.labels.labels))
            writer.write_maps("train", 0, [(rows, self.labels.labels)], len(rows))
            if self.labels.activation is not None:
                writer.write_maps("activation", 0, [(rows, self.labels.activation)], len(rows))
        for split, reading in self.readings.items():
            writer.write_embeddings(split, 0, reading.embeddings)
        if self.readings:
            maps = join(list(self.readings.values())).labels
            writer.write_maps("test", 0, [(np.arange(len(maps)), maps)], len(maps))
        for name, document in self.documents.items():
            writer.write_evaluation(name, document)
        writer.finish_epoch(0, self.row)


class _Labelling:
    """What a run is made of. It is checked when it is made, before anything is written."""

    def __init__(
        self,
        network: ForeignNetwork,
        data: DataSet,
        options: LabelOptions,
        seed: int,
        truth: tuple[Path, str] | None,
        show: bool,
    ) -> None:
        self.network, self.data, self.options, self.seed, self.show = network, data, options, seed, show
        self.size, self.trained = map_size(network.size), not data.split("train").empty
        if truth is not None and not self.trained:
            raise IspError(
                f"{data.root} has no training images, on whose ground truth parts are assigned to classes: leave out "
                "--truth"
            )
        try:
            options.require_suiting(self.size)
        except ValueError as error:
            height, width = network.size
            raise IspError(f"{error} (input.size of {network.path} is {height} x {width})") from None
        self.frame = _labelled(data)
        self.pictures = PictureCache(data.paths(self.frame), network.size)
        _, targets = np.unique(np.asarray(self.frame["identity"]), return_inverse=True)
        training = TrainingPictures(
            self.pictures,
            list(self.frame["path"]),
            targets,
            np.asarray(self.frame["camera"]),
            UNCHANGED,
            torch.device("cpu"),
        )
        self.labeller = source_of(options).make_on_maps(options, training, seed)
        self.watch = None if truth is None else TruthWatch(data, *truth, self.size)
        require_pictures([data.root / path for path in sorted(set(data.records["path"]))])

    def make(self) -> _Found:
        """Labels, predictions and metrics."""
        labels, assignment = self._label(), None
        row: Row = label_row(labels.labels, None, self.options.k)
        row |= {"seconds_network": labels.seconds_network, "seconds_clustering": labels.seconds_clustering}
        found = _Found(row, {NAME: _document(self.network, self.trained)}, labels if self.trained else None)
        if self.watch is not None:
            measured, assignment = self.watch.train_row(labels.labels, self.options.k)
            row |= measured
            found.documents |= {DOCUMENT: {"0": note(assignment)}, "constant": self.watch.baseline()}
        self._predict(found, labels.labels, assignment)
        return found

    def _label(self) -> Round:
        stream = self.labeller.first_round(self.network)
        shown = counted(stream, "labels", len(self.frame), lambda item: len(item.rows), show=self.show)
        return collect(shown, len(self.frame), self.size)

    def _predict(self, found: _Found, labels: npt.NDArray[np.uint8], assignment: Assignment | None) -> None:
        """Query and gallery by a classifier that is solved on the labels; the metrics of both."""
        start = time.perf_counter()
        frames = {split: self.data.split(split) for split in TEST}
        if any(frame.empty for frame in frames.values()):
            return
        sample = np.sort(np.random.default_rng([self.seed, 1]).permutation(len(labels))[:SAMPLE])
        classifier = solve_classifier(self._maps_and(labels, sample), self.options.k, len(sample), self.seed)
        found.readings = {split: self._read(classifier, frame, split) for split, frame in frames.items()}
        whole = join(list(found.readings.values()))
        with contextlib.suppress(IspError):  # no query has a true match that another camera saw
            query, gallery = (found.readings[split].embeddings for split in TEST)
            found.row |= retrieval_row(query, gallery, frames["query"], frames["gallery"])
        if self.watch is not None and assignment is not None:
            found.row |= self.watch.predicted_row("test", whole.labels, whole.foreground, self.options.k, assignment)
        found.row |= {"seconds_evaluation": time.perf_counter() - start}

    @torch.inference_mode()
    def _maps_and(
        self, labels: npt.NDArray[np.uint8], sample: npt.NDArray[np.int64]
    ) -> Iterator[tuple[torch.Tensor, npt.NDArray[np.uint8]]]:
        plan = [sample[list(places)].tolist() for places in chunks(len(sample), BATCH)]
        for rows, batch in picture_batches(self.pictures, plan):
            yield self.network.clustered_maps(prepare(batch, UNCHANGED)), labels[list(rows)]

    @torch.inference_mode()
    def _read(self, classifier: PartClassifier, frame: pd.DataFrame, split: str) -> Reading:
        plan = [list(rows) for rows in chunks(len(frame), BATCH)]
        batches = picture_batches(PictureCache(self.data.paths(frame), self.network.size, 0), plan)
        readings = []
        for _, batch in counted(batches, split, len(frame), lambda item: len(item[0]), show=self.show):
            maps, own = self.network.read(prepare(batch, UNCHANGED))
            readings.append(reading_of(classifier.output(maps, own, self.network.size)))
        whole = join(readings)
        for name in ("global_", "foreground", "parts"):
            if not np.isfinite(np.asarray(getattr(whole.embeddings, name))).all():
                raise IspError(
                    f"{self.network.file}: its features exceed 65504, the most that runs can keep (half precision): "
                    "name an earlier tensor, or one after a normalisation"
                )
        return whole


def _labelled(data: DataSet) -> pd.DataFrame:
    """The images that are labelled: those to train on, else each image of a person once."""
    train = data.split("train")
    if len(train):
        return train
    people = data.records[data.records["identity"] > 0].drop_duplicates("path").reset_index(drop=True)
    if people.empty:
        raise IspError(f"{data.root}: no image shows a person whose images could be labelled together")
    return people


def _document(network: ForeignNetwork, trained: bool) -> dict[str, Any]:
    described = network.description.model_dump(mode="json", exclude_none=True)
    own = "the network's own" if network.embedding_width is not None else "the mean of the feature map"
    notes = [*network.description.notes, f"Global feature: {own}. Nothing was trained."]
    if not trained:
        notes.append("There were no training images: the parts were found on these images themselves.")
    return {
        "kind": NAME,
        "description": described | {"file": network.file.name},
        "sha256": sha256(network.file),
        "channels": network.channels,
        "grid": list(network.grid),
        "notes": notes,
    }


def _info(network: ForeignNetwork, data: DataSet, options: LabelOptions, seed: int) -> RunInfo:
    splits = {}
    for split in SPLITS:
        frame = data.split(split)
        cameras = frame["camera"][frame["camera"] > 0].nunique()
        splits[split] = SplitCount(pictures=len(frame), identities=frame["identity"].nunique(), cameras=int(cameras))
    return new_info(
        created=dt.datetime.now(dt.UTC),
        data=DataInfo(name=data.name, fingerprint=data.fingerprint, splits=splits),
        config={"labels": options.model_dump(mode="json")},
        parts=options.k,
        backbone=network.name,
        size=network.size,
        labels=options.source,
        label_algorithm=source_of(options).algorithm,
        seed=seed,
        network=network.name,
    )
