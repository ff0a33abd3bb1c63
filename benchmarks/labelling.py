"""Clustering a whole training set, identity by identity, on made-up maps: how time and memory grow with its size.

What the network needs for the maps is not in it.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from functools import partial

from benchmarks.maps import coarse_maps, upsample
from benchmarks.references import authors_labels
from benchmarks.rows import Machine, Row, best_of, clock
from isp_core.clustering import CascadeConfig, label_identity

PICTURES = 17  # a picture more or less, what Market-1501 has of each of its 751 training identities
SIZE, GRID, PARTS = (64, 32), (16, 8), 7


def training_set(_machine: Machine, quick: bool) -> Iterator[Row]:
    """Clustering of whole training sets, one identity at a time, from maps on the network's own grid."""
    config, now = CascadeConfig(parts=PARTS), clock()
    for channels in (256,) if quick else (256, 2048):
        sample = upsample(coarse_maps(PICTURES, channels, GRID), SIZE).contiguous().numpy()
        (theirs,) = best_of(2, partial(authors_labels, sample, PARTS))
        for identities in (20,) if quick else (100, 400, 751, 1600) if channels < 1000 else (100, 400):
            before, spent = _peak_megabytes(), 0.0
            for seed in range(identities):
                maps = coarse_maps(PICTURES, channels, GRID, seed=seed)
                start = now()
                label_identity(maps, config, size=SIZE, seed=seed)
                spent += now() - start
            yield Row(
                "training set",
                f"{identities} identities x {PICTURES} x 64 x 32 x {channels}",
                spent,
                "authors' (one identity, times their number)",
                identities * theirs,
                note=f"{1e3 * spent / identities:.0f} ms an identity; peak memory +{_peak_megabytes() - before:.0f} MB",
            )


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
