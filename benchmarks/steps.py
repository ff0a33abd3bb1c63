"""The training step and what parsing adds to a forward pass, on random images.

Reference of the step: Eq. 2, 5 and 6 as they are written. M_g is upsampled to a quarter of the input, the classifier
runs there, and K - 1 copies of M_g, each weighted by one part's probability, are averaged; maps in PyTorch's own memory
format, Adam parameter by parameter. Each side runs in a process of its own, for the way the process keeps its memory is
a part of ours; their steps take turns.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.ranking import random_embeddings
from benchmarks.rows import Machine, Row, best_of, clock
from isp_core.inference import read
from isp_core.losses import Objective
from isp_core.matching import distances
from isp_core.models import ISPNet, NetworkSpec, Output, Representations, map_size, normalisation
from isp_core.training.memory import keep_freed_memory

SIZE, PARTS, PEOPLE, PICTURES = (256, 128), 7, 4, 4
STEPS = 3  # whose losses are compared
RATE = 3.5e-5  # of the warm-up
BACKBONES = {"mobilenetv2_100": 16, "resnet50": 32}  # with their output strides
GALLERY = 4096


def training_step(machine: Machine, quick: bool) -> Iterator[Row]:
    """Our step against the straightforward one: equal losses, another order of work."""
    spawn = multiprocessing.get_context("spawn")
    for backbone in list(BACKBONES)[: 1 if quick else None]:
        sides = [
            ProcessPoolExecutor(1, spawn, initializer=_begin, initargs=(backbone, plain, machine.threads))
            for plain in (False, True)
        ]
        try:
            losses = [[side.submit(_step).result()[1] for _ in range(STEPS)] for side in sides]
            apart = [abs(ours - theirs) for ours, theirs in zip(*losses, strict=True)]
            best = [float("inf")] * 2
            for _ in range(2 if quick else 4):
                for i, side in enumerate(sides):
                    best[i] = min(best[i], side.submit(_step).result()[0])
        finally:
            for side in sides:
                side.shutdown()
        size = f"{backbone}, {PEOPLE * PICTURES} x {SIZE[0]} x {SIZE[1]}, K = {PARTS}"
        # Adam makes full steps of the smallest gradients, so rounding grows from step to step
        note = f"losses of {losses[1][0]:.1f} apart by {apart[0]:.0e} at equal weights, {apart[-1]:.0e} at step {STEPS}"
        yield Row("training step", size, best[0], "straightforward", best[1], note=note)


def parsing(_machine: Machine, quick: bool) -> Iterator[Row]:
    """What parsing, part features and matching add to the backbone's forward pass; images a second."""
    for backbone in list(BACKBONES)[: 1 if quick else None]:
        network = _network(backbone).eval()
        by, count = normalisation(backbone), PEOPLE * PICTURES
        pictures = torch.randint(0, 256, (count, 3, *SIZE), dtype=torch.uint8, generator=_generator())
        ready = normalised(pictures).contiguous(memory_format=torch.channels_last)
        queries, gallery = random_embeddings(256, 0), random_embeddings(GALLERY, 1)

        ours, bare, everything = best_of(
            2 if quick else 4,
            partial(_whole, network, ready),
            partial(_backbone, network, ready),
            partial(read, network, pictures, by),
        )
        matched = best_of(1, partial(distances, queries, gallery))[0] * count / len(queries)
        size = f"{backbone}, {count} x {SIZE[0]} x {SIZE[1]}, K = {PARTS}"
        added = 100 * (ours / bare - 1), 100 * matched / bare
        note = f"parsing adds {added[0]:.1f} %, Eq. 10 against {GALLERY} entries {added[1]:.1f} %"
        yield Row("parse and match", size, ours + matched, "backbone alone", bare, note=note)
        note = f"{count / everything:.0f} pictures a second, label maps and embeddings in half precision"
        yield Row("parse and embed", size, everything, "backbone alone", bare, note=note)


@torch.inference_mode()
def _backbone(network: ISPNet, pictures: Tensor) -> None:
    network.backbone(pictures)


@torch.inference_mode()
def _whole(network: ISPNet, pictures: Tensor) -> None:
    """Features, label maps and visibility (Eq. 8)."""
    logits = network(pictures).logits
    (logits.argmax(1).flatten(1)[..., None] == torch.arange(1, PARTS)).any(1)


@dataclass
class _Side:
    network: ISPNet
    objective: Objective
    optimizer: torch.optim.Adam
    plain: bool
    pictures: Tensor
    targets: Tensor
    labels: Tensor


_side: _Side


def _begin(backbone: str, plain: bool, threads: int) -> None:
    """One side, in a process of its own."""
    global _side
    torch.set_num_threads(threads)
    network = _network(backbone).train()
    pictures = torch.randn(PEOPLE * PICTURES, 3, *SIZE, generator=_generator())
    if not plain:
        keep_freed_memory()
        network = network.to(memory_format=torch.channels_last)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE, weight_decay=5e-4, fused=not plain)
    targets = torch.arange(PEOPLE).repeat_interleave(PICTURES)
    labels = torch.randint(0, PARTS, (PEOPLE * PICTURES, *map_size(SIZE)), generator=_generator())
    _side = _Side(network, Objective(0.1, "mean", 0.1, 0.3), optimizer, plain, pictures, targets, labels)


def _step() -> tuple[float, float]:
    """One step: (seconds, loss)."""
    side, now = _side, clock()
    start = now()
    output = straightforward(side.network, side.pictures) if side.plain else side.network(side.pictures)
    total = side.objective(output, side.targets, side.labels).total
    side.optimizer.zero_grad(set_to_none=True)
    total.backward()
    side.optimizer.step()
    return now() - start, float(total.detach())


def straightforward(network: ISPNet, pictures: Tensor) -> Output:
    """ISPNet's forward pass as the paper writes it, for M_g of one or more stages without reduction."""
    size = (pictures.shape[2], pictures.shape[3])
    stages = network.backbone(pictures)
    upsampled = [
        F.interpolate(stages[stage - 1], map_size(size), mode="bilinear", align_corners=False)
        for stage in network.spec.stages
    ]
    maps = torch.cat(upsampled, dim=1)  # M_g (B, C, h, w)
    logits = network.classifier(maps)
    probability = logits.softmax(1)
    global_ = maps.mean((2, 3))
    parts = torch.stack([(probability[:, k : k + 1] * maps).mean((2, 3)) for k in range(1, PARTS)], dim=1)
    foreground = parts.sum(1)
    normal_global, logits_global = network.neck_global(global_)
    normal_foreground, logits_foreground = network.neck_foreground(foreground)
    normal_parts, logits_parts = network.neck_parts(parts.flatten(1))
    return Output(
        maps,
        logits,
        Representations(global_, foreground, parts),
        Representations(normal_global, normal_foreground, normal_parts.view_as(parts)),
        (logits_global, logits_foreground, logits_parts),
    )


def normalised(pictures: Tensor) -> Tensor:
    return pictures.float() / 127.5 - 1


def _network(backbone: str) -> ISPNet:
    torch.manual_seed(0)
    stride = BACKBONES[backbone]
    spec = NetworkSpec(backbone, stride, (5,), stride, None, False, "none", "linear", "map", PARTS, 100)
    network = ISPNet(spec, weights="none")
    return network


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)
