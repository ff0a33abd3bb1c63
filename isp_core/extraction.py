"""A trained run's network over a whole data set: embeddings and predictions into the run, or label maps out of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from isp_core.calibration import calibrate_run
from isp_core.config import check_config
from isp_core.data import DataSet, PictureCache, load
from isp_core.data.records import TEST
from isp_core.errors import IspError
from isp_core.inference import join, read_all
from isp_core.labelling.rounds import Labels, TrainingPictures
from isp_core.labelling.sources import source_of
from isp_core.matching.visibility_rules import EQ8
from isp_core.models import normalisation
from isp_core.parser import HumanParser
from isp_core.progress import counted
from isp_core.runs import Run, RunWriter, open_run
from isp_core.runs.listing import why_no_weights
from isp_core.runs.schema import Split
from isp_core.runs.writer import sole_writer


def extract(run: Path, epoch: int | None, data: Path) -> tuple[int, dict[str, int]]:
    """Writes embeddings of query and gallery, and their predicted maps, into the run; returns the epoch and the counts.

    Columns of the data set's table that the run was written without are added to its records. IspError where `data` is
    not what the run was made of: its rows would not be the run's rows.
    """
    opened, data_set = open_run(run), load(data)
    _require_same_data(opened, data_set)
    if data_set.split("query").empty or data_set.split("gallery").empty:
        raise IspError(f"{data_set.root} has no query or no gallery: there is nothing to extract embeddings of")
    epoch = _epoch(opened, epoch)
    with sole_writer(run):
        parser, writer = HumanParser.load(opened, epoch, visibility=EQ8), RunWriter(run)
        splits: tuple[Split, ...] = ("query", "gallery")
        readings = {}
        for split in splits:
            pictures = PictureCache(data_set.paths(data_set.split(split)), parser.size, 0)
            by = normalisation(parser.network.spec.backbone)
            reads = read_all(parser.network, pictures, by, parser.device, parser.features)
            shown = counted(reads, split, len(pictures), lambda read: len(read[0]))
            readings[split] = join([reading for _, reading in shown])
            writer.write_embeddings(split, epoch, readings[split].embeddings)
        if parser.parts:
            maps = np.concatenate([readings[split].labels for split in splits])
            writer.write_maps("test", epoch, [(np.arange(len(maps)), maps)], len(maps))
        if parser.parts and any(each <= epoch for each in opened.label_epochs("train")):
            calibrate_run(opened, data_set, epoch)
        writer.add_columns(opened.records(), data_set.records)
        return epoch, {split: len(readings[split].labels) for split in splits}


def label_data(run: Path, epoch: int | None, data: Path) -> Iterator[tuple[str, Labels]]:
    """(path, label map) of every training image of `data`, by the run's way of labelling on its network."""
    opened, data_set = open_run(run), load(data)
    epoch = _epoch(opened, epoch)
    parser = HumanParser.load(opened, epoch)
    train = data_set.split("train")
    if train.empty:
        raise IspError(f"{data_set.root} has no training images to label; `isp parse` takes any images")
    _, targets = np.unique(np.asarray(train.identity), return_inverse=True)
    by = normalisation(parser.network.spec.backbone)
    pictures = TrainingPictures(
        PictureCache(data_set.paths(train), parser.size, 0),
        list(train.path),
        targets,
        np.asarray(train.camera),
        by,
        parser.device,
    )
    config = check_config(opened.info.config)
    labeller = source_of(config.labels).make(config.labels, pictures, config.run.seed)
    if labeller is None:
        raise IspError(f"{run} is a baseline without parts: it has no labels to make")
    stream = labeller.round(parser.network, epoch, _first_labels(opened, epoch, data_set))
    for found in counted(stream, "images", len(train), lambda item: len(item.rows)):
        for row, labels in zip(found.rows, found.labels, strict=True):
            yield str(train.path[int(row)]), labels


def _first_labels(run: Run, epoch: int, data: DataSet) -> Labels | None:
    """What the run's first round said of the training images, if it came before `epoch` and they are the run's."""
    records, given = run.records(), data.split("train")
    if list(records[records.split == "train"].path) != list(given.path):
        return None
    labelled = [each for each in run.label_epochs("train") if each < epoch]
    return run.labels("train", labelled[0]) if labelled else None


def _epoch(run: Run, epoch: int | None) -> int:
    epochs = run.weight_epochs()
    if not epochs:
        raise IspError(why_no_weights(run))
    return epochs[-1] if epoch is None else epoch


def _require_same_data(run: Run, data: DataSet) -> None:
    own = run.records()[["path", "identity", "camera", "split"]]
    given = data.records[["path", "identity", "camera", "split"]]
    queries = [frame[frame.split.isin(TEST)].reset_index(drop=True) for frame in (own, given)]
    if not queries[0].equals(queries[1]):
        raise IspError(
            f"{data.root} is not the data set of {run.path} ({run.info.data.name}): its query or gallery differs"
        )
