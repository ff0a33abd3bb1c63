"""Visibility thresholds for a network, from training images and their pseudo-labels alone.

Training images show nearly every part, so few of them say what a hidden part looks like. Each is therefore also read
behind a block: every other one behind something that stands before the person, the others with one of their parts
covered, so that there are examples of each. The pseudo-label says what is hidden then. No ground truth is used.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from isp_core.data import PictureCache
from isp_core.data.occlusion import box_over, cover, standing_box
from isp_core.data.records import DataSet
from isp_core.data.transforms import picture_generator
from isp_core.errors import IspError
from isp_core.inference import chunks, picture_batches, read
from isp_core.matching import Calibration, best_threshold, part_share
from isp_core.models import ISPNet, Normalisation, normalisation
from isp_core.parser import HumanParser
from isp_core.progress import counted
from isp_core.runs import Run, RunWriter

AT_MOST = 1024
"""Training images that thresholds are calibrated on: spread evenly over the training split."""
LEAST_SHARE = 0.005
"""Share of a label map's pixels from which on a pseudo-label shows a part: fewer are as often a label's fringe."""

Labels = npt.NDArray[np.uint8]


def calibrate(
    network: ISPNet,
    images: PictureCache,
    labels: Labels,
    by: Normalisation,
    device: torch.device,
    *,
    epoch: int,
    labels_epoch: int,
    seed: int = 0,
    workers: int = 0,
    show: bool = False,
) -> Calibration:
    """Thresholds of a network's parts.

    Args:
        images: the training images, in the order of `labels`.
        labels: (N, h, w) pseudo-labels, 0 background, 255 unknown.
        seed: decides which part is covered and by what.
    """
    parts = network.spec.parts
    network.eval()
    peaks, shown = [], []
    wanted = np.unique(np.linspace(0, len(images) - 1, min(len(images), AT_MOST)).astype(np.int64))
    plan = [wanted[list(chunk)].tolist() for chunk in chunks(len(wanted))]
    batches = picture_batches(images, plan, workers)
    for rows, batch in counted(batches, f"visibility {epoch}", len(wanted), lambda item: len(item[0]), show=show):
        maps = labels[list(rows)]
        for seen, its_maps in ((batch, maps), _covered(batch, maps, rows, parts, seed)):
            reading, _ = read(network, seen.to(device), by)
            peaks.append(np.asarray(reading.embeddings.part_peak, np.float64))
            shown.append(part_share(its_maps, parts) >= LEAST_SHARE)
    all_peaks, all_shown = np.concatenate(peaks), np.concatenate(shown)
    found = [best_threshold(all_peaks[:, k], all_shown[:, k]) for k in range(parts - 1)]
    return Calibration(
        thresholds=tuple(round(threshold, 4) for threshold, _ in found),
        balanced=tuple(round(balanced, 4) for _, balanced in found),
        visible=tuple(all_shown.sum(0).tolist()),
        hidden=tuple((~all_shown).sum(0).tolist()),
        epoch=epoch,
        labels_epoch=labels_epoch,
    )


def _covered(
    batch: torch.Tensor, maps: Labels, rows: Sequence[int], parts: int, seed: int
) -> tuple[torch.Tensor, Labels]:
    """Each image behind a block, which stands on the lower edge or covers one of the image's parts; its surface comes
    from the neighbour in the batch."""
    images, its_maps = batch.clone(), maps.copy()
    for i, row in enumerate(rows):
        generator = picture_generator(seed, 0, int(row))
        there = np.flatnonzero(part_share(maps[i : i + 1], parts)[0] >= LEAST_SHARE) + 1
        label_map = torch.from_numpy(maps[i])
        if i % 2 or not len(there):
            box = standing_box(batch[i], generator)
        else:
            part = int(there[int(torch.randint(len(there), (), generator=generator))])
            box = box_over(label_map == part, batch[i], generator)
        image, its_map = cover(batch[i], label_map, box, batch[(i + 1) % len(batch)], generator)
        images[i], its_maps[i] = image, its_map.numpy()
    return images, its_maps


def calibrate_run(run: Run, data: DataSet, epoch: int | None = None, *, show: bool = True) -> Calibration:
    """Calibrates a finished epoch of a run (default: the last with weights) and stores the thresholds in it.

    IspError where the run has no parts, no weights of that epoch or no pseudo-labels, or `data` lacks its training
    images.
    """
    parser = HumanParser.load(run, epoch, visibility="eq8")
    if not parser.parts:
        raise IspError(f"{run.path} is a baseline without parts: there is no visibility to calibrate")
    epoch = run.weight_epochs()[-1] if epoch is None else epoch
    labelled = [each for each in run.label_epochs("train") if each <= epoch]
    if not labelled:
        raise IspError(f"{run.path} has no pseudo-labels up to epoch {epoch}: thresholds cannot be calibrated")
    own, given = run.records("train"), data.split("train")
    rows = pd.Index(given["path"]).get_indexer(pd.Index(own["path"]))
    if (rows < 0).any():
        raise IspError(
            f"{data.root} is not the data set of {run.path} ({run.info.data.name}): it lacks "
            f"{int((rows < 0).sum())} of {len(own)} training images, first {own['path'][int((rows < 0).argmax())]}"
        )
    found = calibrate(
        parser.network,
        PictureCache(data.paths(given.iloc[rows]), parser.size, 0),
        run.labels("train", labelled[-1]),
        normalisation(parser.network.spec.backbone),
        parser.device,
        epoch=epoch,
        labels_epoch=labelled[-1],
        seed=run.info.seed,
        show=show,
    )
    RunWriter(run.path).write_calibration(found)
    return found
