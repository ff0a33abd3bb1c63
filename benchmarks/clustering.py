"""Clustering of one identity: the cascade, its k-means, the exact two-means.

The limit of a clustering is that of Lloyd's algorithm without any cleverness: maps read once for the activation,
foreground pixels copied once, then 20 moves of the centres, each reading the pixels once and making two matrix
products. Bounds and samples skip most of that work, so we can come out under it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from torch import Tensor

from benchmarks.maps import coarse_maps, identity_maps, upsample
from benchmarks.references import ITERATIONS, authors_labels
from benchmarks.rows import Machine, Row, best_of
from isp_core.clustering import CascadeConfig, label_identity
from isp_core.clustering.cascade import split_foreground
from isp_core.clustering.kmeans import kmeans, lloyd
from isp_core.clustering.line import two_means_1d
from isp_core.clustering.maps import activation, pixel_features

PICTURES, HEIGHT, WIDTH, PARTS = 24, 64, 32, 7
CHANNELS = (256, 320, 1920, 2048)  # after a reduction, EfficientNet-Lite0, HRNet-W32, ResNet50


def identity(machine: Machine, quick: bool) -> Iterator[Row]:
    """The whole cascade of one identity against the authors' procedure."""
    config = CascadeConfig(parts=PARTS, iterations=ITERATIONS)
    for channels in CHANNELS[:1] if quick else CHANNELS:
        coarse = coarse_maps(PICTURES, channels, (HEIGHT // 4, WIDTH // 4))
        maps = upsample(coarse, (HEIGHT, WIDTH))
        found = label_identity(maps, config)
        on_grid = partial(label_identity, coarse, config, size=(HEIGHT, WIDTH))
        equal = float((on_grid().labels == found.labels).float().mean())
        ways: dict[str, tuple[Callable[[], object], str]] = {
            "identity": (partial(label_identity, maps, config), f"4 restarts, then {found.iterations} moves"),
            "identity, 1 restart": (partial(label_identity, maps, replace(config, restarts=1)), ""),
            "identity, channels first": (partial(label_identity, maps.contiguous(), config), ""),
            "identity, own grid": (on_grid, f"from 16 x 8 maps, equal labels {100 * equal:.2f} %"),
            "upsampling alone": (partial(upsample, coarse, (HEIGHT, WIDTH)), "what 'own grid' spares besides"),
        }
        theirs = best_of(2, partial(authors_labels, maps.contiguous().numpy(), PARTS))[0]
        limit = _cascade_limit(machine, maps, int(found.sizes[1:].sum()))
        size = f"{PICTURES} x {HEIGHT} x {WIDTH} x {channels}, K = {PARTS}"
        timings = best_of(5 if channels < 1000 else 3, *(way for way, _ in ways.values()))
        for (name, (_, note)), ours in zip(ways.items(), timings, strict=True):
            if name == "upsampling alone":
                yield Row(name, size, ours, note=note)
            else:
                yield Row(name, size, ours, "authors' (1 restart)", theirs, limit, note)


def kernels(machine: Machine, quick: bool) -> Iterator[Row]:
    """K-means of the foreground pixels against scikit-learn: from equal centres, and from none."""
    k = PARTS - 1
    for channels in CHANNELS[:1] if quick else CHANNELS:
        points = _foreground(channels)
        n, array = len(points), points.numpy()
        start = points[torch.randperm(n, generator=torch.Generator().manual_seed(0))[:k]]
        size = f"{n} x {channels}, k = {k}"
        limit = _lloyd_limit(machine, n, channels, k)
        ours, theirs = best_of(3, partial(lloyd, points, start, iterations=ITERATIONS), partial(_sklearn, array, start))
        labels = lloyd(points, start, iterations=ITERATIONS).labels.numpy()
        note = f"equal labels {100 * float((labels == _sklearn(array, start).labels_).mean()):.2f} %"
        yield Row("Lloyd, equal centres", size, ours, "scikit-learn", theirs, limit, note)
        for restarts in (1, 4):
            ours, theirs = best_of(
                2,
                partial(kmeans, points, k, restarts=restarts, iterations=ITERATIONS),
                partial(_sklearn, array, None, restarts),
            )
            yield Row(f"k-means, {restarts} restart(s)", size, ours, "scikit-learn", theirs, limit)
    values = activation(identity_maps(PICTURES, 256, (HEIGHT, WIDTH))).flatten()
    iterated = KMeans(2, n_init=1, random_state=0)
    ours, theirs = best_of(5, partial(two_means_1d, values), partial(iterated.fit, values.numpy()[:, None]))
    yield Row("two-means on a line", f"{len(values)}", ours, "scikit-learn", theirs, note="exact against iterated")


def inertia(_machine: Machine, quick: bool) -> Iterator[Row]:
    """Is the fast way as good? Mean inertia over seeds, equal restarts, against scikit-learn."""
    seeds = range(5 if quick else 20)
    for channels in CHANNELS[:1] if quick else CHANNELS:
        points = _foreground(channels)
        array = points.numpy()
        for restarts in (1, 4) if channels < 1000 else (1,):
            ours = [kmeans(points, PARTS - 1, restarts=restarts, seed=seed).inertia for seed in seeds]
            theirs = [_sklearn(array, None, restarts, seed).inertia_ for seed in seeds]
            seconds, reference = best_of(
                3 if channels < 1000 else 1,
                partial(kmeans, points, PARTS - 1, restarts=restarts),
                partial(_sklearn, array, None, restarts),
            )
            size = f"{len(points)} x {channels}, {len(seeds)} seeds, {restarts} restart(s)"
            note = f"mean inertia {100 * (np.mean(ours) / np.mean(theirs) - 1):+.2f} %"
            yield Row("inertia", size, seconds, "scikit-learn", reference, note=note)


def _foreground(channels: int) -> Tensor:
    maps = identity_maps(PICTURES, channels, (HEIGHT, WIDTH))
    return pixel_features(maps, split_foreground(activation(maps)), CascadeConfig(parts=PARTS))


def _sklearn(points: NDArray[np.float32], start: Tensor | None, restarts: int = 1, seed: int = 0) -> KMeans:
    init = "k-means++" if start is None else start.numpy()
    return KMeans(
        PARTS - 1, init=init, n_init=restarts, max_iter=ITERATIONS, tol=0, algorithm="lloyd", random_state=seed
    ).fit(points)


def _lloyd_limit(machine: Machine, n: int, channels: int, k: int) -> float:
    return ITERATIONS * machine.seconds(read=4.0 * n * channels, operations=4.0 * n * channels * k)


def _cascade_limit(machine: Machine, maps: Tensor, foreground: int) -> float:
    pixels, channels = maps.numel() // maps.shape[1], maps.shape[1]
    first = machine.seconds(read=4.0 * pixels * channels, operations=2.0 * pixels * channels)
    gather = machine.seconds(copied=8.0 * foreground * channels)
    return first + gather + _lloyd_limit(machine, foreground, channels, PARTS - 1)
