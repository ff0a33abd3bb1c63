"""Labelling rounds: what clustering adds to the network's forward pass, and how time and memory grow with the set.

A round streams: one identity is clustered while the network is at the next one. Whole training sets are simulated, maps
made up in place of the network's, in a process of their own, so that its memory is theirs alone.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import torch

from benchmarks.maps import coarse_maps, upsample
from benchmarks.ranking import resident_bytes
from benchmarks.references import authors_labels
from benchmarks.rows import Machine, Row, best_of
from isp_core.clustering import CascadeConfig
from isp_core.labelling.clustering.labeller import Rows, beside, label_pictures
from isp_core.labelling.rounds import LabelledPictures
from isp_core.models import ISPNet, NetworkSpec
from isp_core.training.memory import keep_freed_memory

PICTURES = 17  # an image more or less, what Market-1501 has of each of its 751 training identities
SIZE, INPUT, CONFIG = (64, 32), (256, 128), CascadeConfig(parts=7)
GRIDS = {256: (16, 8), 2048: (8, 4)}  # channels: the network's own grid at 256 x 128; strides 16 and 32
MARKS = {256: (100, 400, 751, 1600), 2048: (100, 400, 1600)}

Item = tuple[Rows, torch.Tensor]


def training_set(machine: Machine, quick: bool) -> Iterator[Row]:
    """Clustering of whole training sets, streamed, on made-up maps: time and memory against identities."""
    spawn = multiprocessing.get_context("spawn")
    for channels in (256,) if quick else GRIDS:
        maps = upsample(coarse_maps(PICTURES, channels, GRIDS[channels]), SIZE).contiguous()
        (theirs,) = best_of(2, partial(authors_labels, maps.numpy(), CONFIG.parts))
        marks = (10, 40) if quick else MARKS[channels]
        with ProcessPoolExecutor(1, spawn) as process:
            found = process.submit(_simulate, channels, marks, machine.threads).result()
        for identities, (seconds, peak) in zip(marks, found, strict=True):
            yield Row(
                f"training set, {channels} channels",
                f"{identities} identities x {PICTURES} x {SIZE[0]} x {SIZE[1]}",
                seconds,
                "authors' (one identity, times their number)",
                identities * theirs,
                note=f"{1e3 * seconds / identities:.0f} ms an identity, whose maps are {maps.nbytes / 1e6:.0f} MB at "
                f"full size; peak memory +{peak / 1e6:.0f} MB",
                count=identities,
                peak_bytes=peak,
            )


def labelling_round(_machine: Machine, quick: bool) -> Iterator[Row]:
    """Network and clustering overlapped, against the network alone. Wall clock: two threads are at work."""
    for backbone, stride in (("mobilenetv2_100", 16), ("resnet50", 32))[: 1 if quick else 2]:
        identities = 3 if quick else 6
        torch.manual_seed(0)
        spec = NetworkSpec(backbone, stride, (5,), stride, None, False, "none", "linear", "map", 7, 2)
        network = ISPNet(spec, weights="none").eval().to(memory_format=torch.channels_last)
        pictures = torch.randn(PICTURES, 3, *INPUT).contiguous(memory_format=torch.channels_last)
        maps = partial(_network_maps, network, pictures, identities)
        ours, alone = [float("inf")] * 2, [float("inf")] * 2  # wall, processor
        for _ in range(2 if quick else 4):
            for best, way in ((ours, partial(_run, beside(maps(), _label))), (alone, partial(_run, maps()))):
                wall, processor = time.perf_counter(), time.process_time()
                way()
                best[0] = min(best[0], time.perf_counter() - wall)
                best[1] = min(best[1], time.process_time() - processor)
        size = f"{backbone}, {identities} identities x {PICTURES} x {INPUT[0]} x {INPUT[1]}"
        added = [100 * (ours[i] / alone[i] - 1) for i in range(2)]
        note = f"clustering adds {added[0]:.1f} % of time, {added[1]:.1f} % of work; target: under 15 %"
        yield Row("labelling round", size, ours[0], "network alone", alone[0], note=note)


@torch.inference_mode()
def _network_maps(network: ISPNet, pictures: torch.Tensor, identities: int) -> Iterator[Item]:
    for _ in range(identities):
        yield np.arange(PICTURES), network.coarse_maps(pictures)


def _made_up_maps(channels: int, identities: int) -> Iterator[Item]:
    for person in range(identities):
        yield np.arange(PICTURES), coarse_maps(PICTURES, channels, GRIDS[channels], seed=person)


def _label(item: Item) -> LabelledPictures:
    return label_pictures(*item, CONFIG, SIZE, seed=0)


def _run(items: Iterator[object]) -> None:
    for _ in items:
        pass


def _simulate(channels: int, marks: tuple[int, ...], threads: int) -> list[tuple[float, float]]:
    """(seconds, peak bytes) after so many identities; seconds without those that making maps up took."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    _run(beside(_made_up_maps(channels, 1), _label))  # libraries take their memory before it is counted
    before = peak = resident_bytes()
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, resident_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    now = time.thread_time if threads == 1 else time.perf_counter
    labels = np.zeros((marks[-1], PICTURES, *SIZE), np.uint8)
    found, spent = [], 0.0

    def label(item: Item) -> LabelledPictures:
        nonlocal spent
        start = now()
        result = _label(item)
        spent += now() - start
        return result

    for person, (result, _) in enumerate(beside(_made_up_maps(channels, marks[-1]), label)):
        labels[person] = result.labels
        if person + 1 in marks:
            found.append((spent, float(peak - before)))
    done.set()
    watcher.join()
    return found
