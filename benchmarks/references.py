"""Slow references, written afresh: what others do today. Correct, not slowed down, and not for use.

The authors' clustering of one identity after its description: k-means by faiss on the CPU (20 iterations, one
restart, all pixels), once for the foreground and once for the parts, with Python lists of pixels between and after.
"""

from __future__ import annotations

import faiss
import numpy as np
from numpy.typing import NDArray

ITERATIONS = 20


def authors_labels(maps: NDArray[np.float32], parts: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """(n, c, h, w) -> (n, h, w): labels 0 .. parts-1, 0 = background, parts from top to bottom."""
    n, c, h, w = maps.shape
    pixels = np.ascontiguousarray(maps.transpose(0, 2, 3, 1).reshape(-1, c))  # all pixels of the identity
    norms = np.linalg.norm(pixels, axis=1).reshape(n, h * w)
    activations = (norms / norms.max(1, keepdims=True)).reshape(-1, 1)
    activations = (1 / (1 + np.exp(-(5 * (2 * activations - 1) + 3)))).astype(np.float32)

    clusters = _lists(_faiss_kmeans(activations, 2, seed), 2)
    means = [activations[pixel_list].mean() if pixel_list else 0.0 for pixel_list in clusters]
    foreground = clusters[int(np.argmax(means))]

    features = pixels[foreground]
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    clusters = _lists(_faiss_kmeans(features, parts - 1, seed), parts - 1)
    heights = []
    for members in clusters:
        rows = [foreground[member] % (h * w) // w for member in members]
        heights.append(sum(rows) / len(rows) if rows else float(h))
    labels = np.zeros(n * h * w, np.uint8)
    for label, cluster in enumerate(np.argsort(heights), start=1):
        for member in clusters[cluster]:
            labels[foreground[member]] = label
    return labels.reshape(n, h, w)


def _faiss_kmeans(points: NDArray[np.float32], k: int, seed: int) -> list[int]:
    kmeans = faiss.Kmeans(
        points.shape[1], k, niter=ITERATIONS, nredo=1, seed=seed + 1, max_points_per_centroid=len(points), verbose=False
    )
    kmeans.train(points)
    assignments: list[int] = kmeans.index.search(points, 1)[1][:, 0].tolist()
    return assignments


def _lists(assignments: list[int], k: int) -> list[list[int]]:
    """The pixels of each cluster, one by one."""
    clusters: list[list[int]] = [[] for _ in range(k)]
    for pixel, cluster in enumerate(assignments):
        clusters[cluster].append(pixel)
    return clusters
