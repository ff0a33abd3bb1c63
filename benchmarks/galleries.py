"""Galleries of up to a million made-up entries: the index against the exact ranking of all, and its memory.

An entry's features are those of its identity plus noise that grows with the place of the entry, so that some queries
are easier than others; a fifth of the parts is hidden. Embeddings lie in memory-mapped files, half precision.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.rows import Machine, Row, best_of, clock
from isp_core.gallery import CANDIDATES, GalleryIndex
from isp_core.matching import Embeddings, distances

CHANNELS, PARTS, PICTURES, LATENT = 256, 7, 20, 48
QUERIES, NEAREST = 32, 10
_CHUNK = 20_000
_FIELDS = ("global_", "foreground", "parts", "visibility", "part_share")


def galleries(_machine: Machine, quick: bool) -> Iterator[Row]:
    """An index for candidates and Eq. 10 for the best of them, against Eq. 10 for all: recall, time, memory."""
    now = clock()
    for entries in (5_000,) if quick else (100_000, 1_000_000):
        with tempfile.TemporaryDirectory() as folder:
            gallery = made_up(entries, Path(folder))
            query = queries(entries)
            start = now()
            index = GalleryIndex.build(gallery, flat_up_to=1_000)
            built = now() - start
            start = now()
            exact = exact_nearest(query, gallery)
            theirs = (now() - start) / QUERIES
            for candidates in (CANDIDATES,) if quick else (100, CANDIDATES, 4 * CANDIDATES):
                found = index.search(query, NEAREST, candidates)
                ours = best_of(2, partial(index.search, query, NEAREST, candidates))[0] / QUERIES
                first = float((found.rows[:, 0] == exact[:, 0]).mean())
                recall = np.mean([len(set(a) & set(b)) / NEAREST for a, b in zip(found.rows, exact, strict=True)])
                note = (
                    f"recall of the first {100 * first:.0f} %, of the first {NEAREST} {100 * recall:.1f} %; an entry: "
                    f"{index.index_bytes} B in memory, {index.embedding_bytes} B on the disk; built in {built:.0f} s"
                )
                size = f"{entries} entries, best {candidates}, K = {PARTS}, {CHANNELS} channels"
                yield Row("gallery, one query", size, ours, "Eq. 10 for all", theirs, note=note)


def made_up(entries: int, folder: Path, channels: int = CHANNELS) -> Embeddings:
    """`entries` embeddings, PICTURES of each identity, in memory-mapped files of the folder."""
    rng = np.random.default_rng(0)
    sample = made_up_entries(np.zeros(1, np.int64), np.random.default_rng(0), channels)
    files = {}
    for name in _FIELDS:
        one = np.asarray(getattr(sample, name))
        files[name] = np.lib.format.open_memmap(
            folder / f"{name}.npy", mode="w+", dtype=one.dtype, shape=(entries, *one.shape[1:])
        )
    for start in range(0, entries, _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, entries))
        some = made_up_entries(rows // PICTURES, rng, channels)
        for name, file in files.items():
            file[rows[0] : rows[-1] + 1] = getattr(some, name)
    return Embeddings(**files)


def queries(entries: int, channels: int = CHANNELS) -> Embeddings:
    """QUERIES new images of people who are in a gallery of `entries`."""
    who = np.arange(QUERIES) * (entries // PICTURES // QUERIES)
    return made_up_entries(who, np.random.default_rng(99), channels)


def made_up_entries(identities: npt.NDArray[np.int64], rng: np.random.Generator, channels: int) -> Embeddings:
    """One entry for each identity number: features of K + 1 groups, half precision."""
    people, place = np.unique(identities, return_inverse=True)
    looks = np.stack([np.random.default_rng([3, int(person)]).standard_normal(LATENT) for person in people])
    mixing = np.random.default_rng(4).standard_normal((LATENT, (PARTS + 1) * channels), dtype=np.float32) / LATENT**0.5
    noise = rng.uniform(0.6, 1.4, (len(place), 1)).astype(np.float32)
    hidden = looks.astype(np.float32)[place] + noise * rng.standard_normal((len(place), LATENT), dtype=np.float32)
    features = (hidden @ mixing).reshape(-1, PARTS + 1, channels)
    features += 0.5 * rng.standard_normal(features.shape, dtype=np.float32)
    features = features.astype(np.float16)
    share = rng.random((len(place), PARTS - 1)).astype(np.float16)
    return Embeddings(features[:, 0], features[:, 1], features[:, 2:], share > 0.2, share)


def exact_nearest(query: Embeddings, gallery: Embeddings) -> npt.NDArray[np.int64]:
    """(Q, NEAREST): the nearest rows of all, a part of the gallery at a time."""
    best: npt.NDArray[np.float32] = np.zeros((len(query), 0), np.float32)
    rows: npt.NDArray[np.int64] = np.zeros((len(query), 0), np.int64)
    for start in range(0, len(gallery), _CHUNK):
        part = distances(query, gallery[start : start + _CHUNK])
        best = np.concatenate([best, part], axis=1)
        there = np.broadcast_to(start + np.arange(part.shape[1]), part.shape)
        rows = np.concatenate([rows, there], axis=1)
        order = np.argsort(best, axis=1, kind="stable")[:, :NEAREST]
        best, rows = np.take_along_axis(best, order, axis=1), np.take_along_axis(rows, order, axis=1)
    return rows
