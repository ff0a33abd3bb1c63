"""A trained network over any folder of person crops: a run of images that no one labelled, without training.

Readings are kept batch by batch next to the run, so that an interrupted look continues; the run appears once it is
whole. Out of scope: which images a folder holds and who is on them (data/crops.py), and the app.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from safetensors.numpy import load_file, save_file

from isp_core.assignment import ONE_TO_ONE
from isp_core.data import DataSet, PictureError, read_picture, resize_picture
from isp_core.data.records import IDENTITY_NAME
from isp_core.errors import IspError
from isp_core.inference import BATCH, Reading, chunks, join, read
from isp_core.json_reading import read_note
from isp_core.json_text import json_text
from isp_core.matching import Calibration, Embeddings
from isp_core.matching.visibility_rules import EQ8
from isp_core.noted_parts import DOCUMENT, noted_at, read_document
from isp_core.parser import HumanParser
from isp_core.paths import place_of_run
from isp_core.progress import progress_bar
from isp_core.runs import DataInfo, Run, RunError, RunWriter, SplitCount, open_run, schema
from isp_core.runs.checksums import sha256
from isp_core.runs.files import atomic, remove
from isp_core.runs.schema import TEST, Split
from isp_core.runs.writer import require_room, sole_writer
from isp_core.tensor_files import read_tensor_file
from isp_core.training.watch import retrieval_row

NAME = "look"
"""The evaluation document that says of which network and which images a look is."""
RANKED_AT_ONCE = 25_000_000
"""Pairs of images up to which a look measures retrieval itself: seconds. `isp eval retrieval` has no limit."""
_READ = "read"  # tensor: which images of a batch could be read


@dataclass(frozen=True)
class Looked:
    """What a look made. images: those in the run; kept: the run was there already, of these images and this network;
    resumed: images that an earlier, interrupted look had read; broken: why images were left out."""

    path: Path
    images: int
    kept: bool
    resumed: int
    broken: tuple[str, ...]


def look(source: Run, data: DataSet, out: Path, *, epoch: int | None = None, show: bool = True) -> Looked:
    """Parses and embeds the images of `data` with the network of `source` and writes the run `out`.

    The run has one epoch, that of the weights, which are copied: it can be searched, exported and asked like any other.
    An earlier look at `out` is replaced where its images or its network have changed. Images that cannot be read are
    left out.

    Args:
        data: query and gallery, which may name the same images (isp_core.data.crops).
        epoch: of `source`; default: the last with weights.
        show: progress with the time left, on a terminal.

    Raises:
        IspError: `source` has no weights; `out` holds something else or lies among the images; no image can be read;
            the disk is full.
    """
    if lies_in(out, data.root):
        raise RunError(f"--out {out} lies in the folder of images: choose a place outside of {data.root}")
    epochs = source.weight_epochs()
    parser = HumanParser.load(source, epoch, visibility=EQ8)
    epoch = epochs[-1] if epoch is None else epoch
    paths = sorted(set(data.records["path"]))
    key = {
        "kind": NAME,
        "run": source.name,
        "epoch": epoch,
        "weights": sha256(_weights(source, epoch)),
        "images": data.fingerprint,
    }
    if IDENTITY_NAME in data.records:  # an earlier look may have left them out
        key["names"] = True
    there = _earlier(out)
    if there is not None and all(there.get(name) == value for name, value in key.items()):
        known = tuple(str(reason) for reason in there.get("broken", ()))
        return Looked(out, len(paths) - len(known), True, 0, known)
    work = out.absolute().with_name(f".{out.absolute().name}.{NAME}")
    needed = len(paths) * 3 * _bytes_each(parser) + 2 * _weights(source, epoch).stat().st_size
    require_room(out, needed, "this look", "choose another disk with --out")
    with contextlib.ExitStack() as held:
        held.enter_context(sole_writer(work))
        _begin(work, key)
        resumed, readings, broken = _read_all(parser, data.root, paths, work, show)
        good = [path for path, reason in zip(paths, broken, strict=True) if reason is None]
        reasons = tuple(reason for reason in broken if reason is not None)
        if not good:
            raise IspError("\n  ".join([f"{data.root}: none of {len(paths)} images can be read:", *reasons[:10]]))
        made = work / "run"
        remove(made)
        _write_run(made, source, epoch, data, good, join(readings), key | {"broken": list(reasons)})
        _put(made, out)
        remove(work)
    return Looked(out, len(good), False, resumed, reasons)


def lies_in(place: Path, folder: Path) -> bool:
    """Whether `place` is `folder` or lies below it."""
    return place.resolve().is_relative_to(folder.resolve())


def _weights(run: Run, epoch: int) -> Path:
    folder = run.checkpoint(epoch)
    if folder is None:
        raise IspError(f"{run.path} has no weights of epoch {epoch}")
    return folder / schema.WEIGHTS_FILE


def _bytes_each(parser: HumanParser) -> int:
    """About what an image takes: its map, and features in half precision."""
    height, width = parser.size
    return height * width // 16 + 2 * sum(parser.network.group_widths) + 100


def _earlier(out: Path) -> dict[str, Any] | None:
    """What the look at `out` was of; None where there is nothing. RunError where something else is."""
    place_of_run(out)
    if not out.exists() or not any(out.iterdir()):
        return None
    if not (out / schema.RUN_FILE).exists():
        raise RunError(f"{out} is not empty and not a look at images: choose another --out")
    run = open_run(out)
    if NAME not in run.evaluation_names():
        raise RunError(f"{out} holds a run that was not made by `isp look`: choose another --out")
    return run.read_evaluation(NAME)


def _begin(work: Path, key: dict[str, Any]) -> None:
    """Empties the work folder unless it holds readings of the same images by the same network."""
    note = work / "of.json"
    if read_note(note) == key:
        return
    for entry in work.iterdir():
        if entry.name != schema.LOCK_FILE:
            remove(entry)
    with atomic(note) as file:
        file.write_text(json_text(key), encoding="utf-8")


def _read_all(
    parser: HumanParser, root: Path, paths: Sequence[str], work: Path, show: bool
) -> tuple[int, list[Reading], list[str | None]]:
    """How many images had been read before, all readings, and for each image why it is left out (None: it is not)."""
    readings: list[Reading] = []
    broken: list[str | None] = []
    resumed = 0
    with progress_bar("images", len(paths), show) as bar:
        for batch in chunks(len(paths), BATCH):
            file = work / f"{batch.start:08d}.safetensors"
            kept = _stored(file, len(batch))
            if kept is None:
                reading, reasons = _read_batch(parser, [root / paths[row] for row in batch])
                with atomic(file) as temporary:
                    save_file(_tensors(reading, reasons), temporary)
            else:
                reading, was_read = kept
                resumed += len(batch)
                reasons = [
                    None if fine else _reason(root / paths[row]) for row, fine in zip(batch, was_read, strict=True)
                ]
            if reading is not None:
                readings.append(reading)
            broken += reasons
            bar.update(len(batch))
    return resumed, readings, broken


def _read_batch(parser: HumanParser, files: Sequence[Path]) -> tuple[Reading | None, list[str | None]]:
    images: list[torch.Tensor] = []
    reasons: list[str | None] = []
    for file in files:
        try:
            images.append(resize_picture(read_picture(file), parser.size))
            reasons.append(None)
        except PictureError as error:
            reasons.append(str(error))
    if not images:
        return None, reasons
    return read(parser.network, torch.stack(images).to(parser.device), parser.normalisation, parser.features)[
        0
    ], reasons


def _reason(file: Path) -> str:
    try:
        read_picture(file)
    except PictureError as error:
        return str(error)
    return f"{file}: could not be read when the look began; start again to include it"


def _tensors(reading: Reading | None, reasons: Sequence[str | None]) -> dict[str, npt.NDArray[Any]]:
    tensors: dict[str, npt.NDArray[Any]] = {_READ: np.array([reason is None for reason in reasons])}
    if reading is not None:
        tensors |= {"labels": reading.labels, "probability": reading.foreground}
        for each in fields(Embeddings):
            array = getattr(reading.embeddings, each.name)
            if array is not None:
                tensors[each.name] = np.ascontiguousarray(array)
    return tensors


def _stored(file: Path, count: int) -> tuple[Reading | None, npt.NDArray[np.bool_]] | None:
    """What an earlier look read of a batch; None where it did not, or left a damaged file."""
    if not file.exists():
        return None
    try:
        tensors = load_file(file)
        was_read = tensors[_READ]
        if was_read.shape != (count,):
            return None
        if "labels" not in tensors:
            return None, was_read
        held: dict[str, Any] = {each.name: tensors.get(each.name) for each in fields(Embeddings)}
        return Reading(tensors["labels"], tensors["probability"], Embeddings(**held)), was_read
    except Exception:  # half a file, or another version's: its images are read again
        return None


def _write_run(
    made: Path, source: Run, epoch: int, data: DataSet, good: Sequence[str], whole: Reading, note: dict[str, Any]
) -> None:
    """The run itself, whose rows are those of `data` that could be read."""
    place = {path: row for row, path in enumerate(good)}
    records = data.records[data.records["path"].isin(place)].reset_index(drop=True)
    frames = {split: records[records["split"] == split].reset_index(drop=True) for split in TEST}
    rows = {split: frame["path"].map(place).to_numpy(np.int64) for split, frame in frames.items()}
    info = source.info.model_copy(
        update={
            "created": dt.datetime.now(dt.UTC),
            "data": DataInfo(name=data.name, fingerprint=data.fingerprint, splits=_counts(frames)),
            "parent": source.name,
            "order": {},
        }
    )
    writer = RunWriter.create(made, info, records)
    for split in TEST:
        writer.write_embeddings(split, epoch, whole.embeddings[rows[split]])
    if source.info.parts:
        maps = whole.labels[np.concatenate([rows[split] for split in TEST])]
        writer.write_maps("test", epoch, [(np.arange(len(maps)), maps)], len(maps))
    writer.write_checkpoint(epoch, read_tensor_file(_weights(source, epoch)), None)
    calibration = source.calibration(epoch)
    if calibration is not None:
        writer.write_calibration(calibration)
    writer.finish_epoch(epoch, _retrieval(whole.embeddings, rows, frames, calibration))
    writer.write_evaluation(NAME, note)
    known = noted_at(read_document(source), epoch)
    if known is not None:  # as the network's training noted it
        classes = {name: list(parts) for name, parts in known[1].items()}
        writer.write_evaluation(DOCUMENT, {str(epoch): {"rule": ONE_TO_ONE} | classes})


def _counts(frames: Mapping[Split, pd.DataFrame]) -> dict[str, SplitCount]:
    counted = {}
    for split, frame in frames.items():
        cameras = frame["camera"][frame["camera"] > 0].nunique()
        counted[str(split)] = SplitCount(
            pictures=len(frame), identities=frame["identity"].nunique(), cameras=int(cameras)
        )
    return counted


def _retrieval(
    embeddings: Embeddings,
    rows: Mapping[Split, npt.NDArray[Any]],
    frames: Mapping[Split, pd.DataFrame],
    calibration: Calibration | None,
) -> dict[str, float]:
    """Retrieval of the queries that can be found again; empty where none can, or where it would take long."""
    query, gallery = frames["query"], frames["gallery"]
    if not len(query) or len(query) * len(gallery) > RANKED_AT_ONCE:
        return {}
    others = gallery.groupby("identity").size()
    if not (query["identity"].map(others).fillna(0) > 1).any() and query["path"].isin(gallery["path"]).all():
        return {}  # each image is another person
    try:
        return retrieval_row(embeddings[rows["query"]], embeddings[rows["gallery"]], query, gallery, calibration)
    except IspError:  # no query has a true match that another camera saw
        return {}


def _put(made: Path, out: Path) -> None:
    """Moves the finished run to its place; an earlier look there is removed once the new one stands."""
    out.parent.mkdir(parents=True, exist_ok=True)
    old = out.absolute().with_name(f".{out.absolute().name}.old.tmp")
    try:
        remove(old)
        if out.exists():
            out.rename(old)
        made.rename(out)
        remove(old)
    except OSError as error:
        raise RunError(f"{out} could not be written ({error.strerror or error}): choose another --out") from error
