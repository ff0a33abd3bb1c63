"""K-means' inner loops for the CPU, compiled: one pass over the points finds the nearest centres and sums the clusters.

Thin matrix products, thousands of rows with half a dozen centres, leave a processor waiting for memory when products,
maxima and sums are passes of their own. Here a point is read once and stays in the nearest cache until it is dealt
with. All arrays are C-contiguous; scores are x . c - |c|^2 / 2, so the nearest centre scores highest. Of equally near
ones the lowest index wins.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from isp_core.compiled import REORDERED, compiled

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

_BLOCK = 512  # points summed in float32 before float64 takes over

fast = partial(compiled, arithmetic=REORDERED)


@fast
def rows_visit(
    matrix: Floats,  # (m, c)
    chosen: Ints,  # (n,) rows of it
    scale: Floats,  # (n,): point i is matrix[chosen[i]] * scale[i]
    centres: Floats,  # (k, c)
    labels: Ints,  # (n,) before, then after
    scores: Floats,  # (n,) out: of the nearest centre
    sums: Doubles,  # (k, c) added to: the points of each cluster
    sizes: Ints,  # (k,) added to
) -> int:
    """Every point to its nearest centre. How many changed their label."""
    n, channels, k = len(chosen), matrix.shape[1], len(centres)
    half = _half_norms2(centres)
    of_point = np.empty(k, np.float32)
    of_block = np.empty((k, channels), np.float32)
    changed = 0
    for start in range(0, n, _BLOCK):
        for j in range(k):
            for x in range(channels):
                of_block[j, x] = 0
        for i in range(start, min(start + _BLOCK, n)):
            row, size = chosen[i], scale[i]
            _products(matrix, row, centres, of_point)
            label, best = 0, of_point[0] * size - half[0]
            for j in range(1, k):
                score = of_point[j] * size - half[j]
                if score > best:
                    label, best = j, score
            changed += labels[i] != label
            labels[i], scores[i] = label, best
            sizes[label] += 1
            for x in range(channels):
                of_block[label, x] += matrix[row, x] * size
        for j in range(k):
            for x in range(channels):
                sums[j, x] += of_block[j, x]
    return changed


@fast
def settle(points: Floats, starts: Floats, moves: int, enough: float) -> Floats:
    """Lloyd's algorithm on few points (n, c) from several starts (r, k, c): the centres (k, c) of least inertia.

    Each start is moved `moves` times, at most, until no more than `enough` points change. Clusters without points stay
    where they were. Compiled as a whole, since a move of so few points takes less time than the calls around it; with
    all points in view it is kmeans.py that moves the centres, on any device.
    """
    n, channels = points.shape
    chosen, scale = np.arange(n), np.ones(n, np.float32)
    labels, scores = np.empty(n, np.int64), np.empty(n, np.float32)
    best: Floats = starts[0]
    highest = -np.inf
    for start in starts:
        centres = start.copy()
        labels[:] = -1
        for move in range(moves + 1):
            sums, sizes = np.zeros(centres.shape), np.zeros(len(centres), np.int64)
            changed = rows_visit(points, chosen, scale, centres, labels, scores, sums, sizes)
            if changed <= enough or move == moves:
                break
            for j in range(len(centres)):
                for x in range(channels if sizes[j] else 0):
                    centres[j, x] = sums[j, x] / sizes[j]
        total = 0.0
        for score in scores:
            total += float(score)
        if total > highest:
            best, highest = centres, total
    return best


@fast
def _half_norms2(centres: Floats) -> Floats:
    """(k, c) -> (k,): |c|^2 / 2."""
    half = np.empty(len(centres), np.float32)
    for j in range(len(centres)):
        norm2 = 0.0
        for x in range(centres.shape[1]):
            norm2 += np.float64(centres[j, x]) ** 2
        half[j] = norm2 / 2
    return half


@fast
def _products(matrix: Floats, row: int, centres: Floats, out: Floats) -> None:
    """Scalar products of a row with all centres, four at a time: as many as share one reading of the row."""
    k, channels = centres.shape
    zero = np.float32(0)
    j = 0
    while j + 4 <= k:
        a = b = c = d = zero
        for x in range(channels):
            value = matrix[row, x]
            a += value * centres[j, x]
            b += value * centres[j + 1, x]
            c += value * centres[j + 2, x]
            d += value * centres[j + 3, x]
        out[j], out[j + 1], out[j + 2], out[j + 3] = a, b, c, d
        j += 4
    if j + 2 <= k:
        a = b = zero
        for x in range(channels):
            value = matrix[row, x]
            a += value * centres[j, x]
            b += value * centres[j + 1, x]
        out[j], out[j + 1] = a, b
        j += 2
    if j < k:
        a = zero
        for x in range(channels):
            a += matrix[row, x] * centres[j, x]
        out[j] = a


@fast
def pixels_visit(
    products: Floats,  # (n, h0, w0, k): of the coarse maps with the centres
    mask: NDArray[np.bool_],  # (n, h, w), m of them True
    scale: Floats,  # (m,): what each upsampled pixel is multiplied with
    extra: Floats,  # (m,) one more channel of the points, or empty
    centres: Floats,  # (k, c), of that channel the last number
    rows: Ints,  # (h, 2) the coarse rows between which a row lies
    row_weights: Floats,  # (h, 2)
    columns: Ints,  # (w, 2)
    column_weights: Floats,  # (w, 2)
    labels: Ints,  # (m,) before, then after
    scores: Floats,  # (m,) out: of the nearest centre
    shares: Floats,  # (n, h0, w0, k) added to: how much of each coarse pixel each cluster's sum holds
    extra_sums: Doubles,  # (k,) added to
    sizes: Ints,  # (k,) added to
) -> int:
    """Every chosen pixel of maps upsampled bilinearly to its nearest centre. How many changed their label."""
    _, _, w0, k = products.shape
    n, h, w = mask.shape
    half = _half_norms2(centres)
    between = np.empty((w0, k), np.float32)  # a row of products between two coarse rows
    of_row = np.empty((w0, k), np.float32)  # what the pixels of one row add to the shares
    changed = i = 0
    for picture in range(n):
        for y in range(h):
            above, below = rows[y, 0], rows[y, 1]
            weight_above, weight_below = row_weights[y, 0], row_weights[y, 1]
            for x in range(w0):
                for j in range(k):
                    between[x, j] = (
                        weight_above * products[picture, above, x, j] + weight_below * products[picture, below, x, j]
                    )
                    of_row[x, j] = 0
            for x in range(w):
                if not mask[picture, y, x]:
                    continue
                left, right = columns[x, 0], columns[x, 1]
                weight_left, weight_right = column_weights[x, 0] * scale[i], column_weights[x, 1] * scale[i]
                more = extra[i] if len(extra) else np.float32(0)
                label, best = 0, np.float32(0)
                for j in range(k):
                    score = weight_left * between[left, j] + weight_right * between[right, j] - half[j]
                    score += more * centres[j, -1]
                    if j == 0 or score > best:
                        label, best = j, score
                changed += labels[i] != label
                labels[i], scores[i] = label, best
                sizes[label] += 1
                of_row[left, label] += weight_left
                of_row[right, label] += weight_right
                extra_sums[label] += more
                i += 1
            for x in range(w0):
                for j in range(k):
                    shares[picture, above, x, j] += weight_above * of_row[x, j]
                    shares[picture, below, x, j] += weight_below * of_row[x, j]
    return changed


@fast
def neighbours(maps: Floats) -> Floats:
    """(n, h, w, c) -> (4, n, h, w): scalar products of each vector with itself, its right neighbour and the one below,
    and the sum of both diagonals of the square that begins with it. Without meaning where a neighbour is missing."""
    n, h, w, channels = maps.shape
    out = np.empty((4, n, h, w), np.float32)
    for i in range(n):
        for y in range(h):
            low = min(y + 1, h - 1)
            for x in range(w):
                right = min(x + 1, w - 1)
                own = beside = below = across = np.float32(0)
                for j in range(channels):
                    a, b = maps[i, y, x, j], maps[i, y, right, j]
                    c, d = maps[i, low, x, j], maps[i, low, right, j]
                    own += a * a
                    beside += a * b
                    below += a * c
                    across += a * d + b * c
                out[0, i, y, x], out[1, i, y, x], out[2, i, y, x], out[3, i, y, x] = own, beside, below, across
    return out
