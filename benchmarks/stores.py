"""A gallery store (Milvus, embedded) next to a FAISS index of the same entries and next to the exact ranking."""

from __future__ import annotations

import statistics
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.galleries import CHANNELS, NEAREST, PARTS, QUERIES, exact_nearest, made_up, queries
from benchmarks.rows import Machine, Row, best_of, clock
from isp_core.gallery import CANDIDATES, GalleryIndex
from isp_core.gallery.entries import Image, Labels, Layout
from isp_core.gallery.milvus import MilvusStore, open_store
from isp_core.gallery.network import Network
from isp_core.gallery.places import size_on_disk
from isp_core.gallery.searching import search_store
from isp_core.matching import Embeddings

_BATCH = 1000
_ADDED = 2000  # entries that are added while others search


def store(_machine: Machine, quick: bool) -> Iterator[Row]:
    """A Milvus store of 10^5 entries next to FAISS and to Eq. 10 for all: recall, time, memory, adding."""
    for entries, channels in ((2_000, 32),) if quick else ((100_000, 32), (10_000, CHANNELS)):
        yield from _compared(entries, channels)


def _compared(entries: int, channels: int) -> Iterator[Row]:
    now = clock()
    with tempfile.TemporaryDirectory() as folder:
        gallery, query = made_up(entries, Path(folder), channels), queries(entries, channels)
        start = now()
        exact = exact_nearest(query, gallery)
        all_seconds = (now() - start) / QUERIES
        start = now()
        index = GalleryIndex.build(gallery, flat_up_to=1_000)
        index_built = now() - start
        place, before = Path(folder) / "made-up.db", _resident()
        network = Network("made-up", 1, "00" * 32, "after-bn", (256, 128), PARTS, Layout.of(gallery[:1]))
        with open_store(str(place), network=network) as opened:
            start = now()
            _fill(opened, gallery)
            opened.finish()
            built = now() - start
        with open_store(str(place)) as opened:
            for candidates in (100, CANDIDATES):
                ask = partial(search_store, opened, query, top=NEAREST, candidates=candidates)
                found = [[int(match.image.path) for match in near] for near in ask()]
                ours = best_of(2, ask)[0] / QUERIES
                faiss = best_of(2, partial(index.search, query, NEAREST, candidates))[0] / QUERIES
                theirs = index.search(query, NEAREST, candidates).rows
                yield Row(
                    "gallery store, one of 32 queries",
                    f"{entries} entries, best {candidates}, K = {PARTS}, {channels} channels",
                    ours,
                    "FAISS index",
                    faiss,
                    note=f"recall of the first {NEAREST}: {_recall(found, exact):.1f} %, FAISS "
                    f"{_recall(theirs.tolist(), exact):.1f} %; Eq. 10 for all {1e3 * all_seconds:.0f} ms",
                )
            single = partial(search_store, opened, query[:1], top=NEAREST, candidates=CANDIDATES)
            memory = _resident() - before
            alone, busy = _while_adding(opened, single, made_up_more(gallery))
            yield Row(
                "gallery store, a single query",
                f"{entries} entries, best {CANDIDATES}, K = {PARTS}, {channels} channels",
                alone,
                f"while {_ADDED} entries are added",
                busy,
                note=f"filled in {built:.0f} s (FAISS {index_built:.0f} s); {size_on_disk(place) / entries:.0f} B an "
                f"entry on the disk, {memory / entries:.0f} B in memory (FAISS {index.index_bytes} B)",
                peak_bytes=memory,
            )


def made_up_more(gallery: Embeddings) -> Embeddings:
    """Entries to add: the first ones again, which other fingerprints make new."""
    return gallery[:_ADDED]


def _fill(opened: MilvusStore, gallery: Embeddings, first: int = 0) -> None:
    for start in range(0, len(gallery), _BATCH):
        some = gallery[start : start + _BATCH]
        opened.add([_image(first + start + row) for row in range(len(some))], some)


def _image(row: int) -> Image:
    return Image(f"sha256:{row:064x}", str(row), Labels(str(row // 20), str(row % 6 + 1), row))


def _while_adding(opened: MilvusStore, ask: Callable[[], object], more: Embeddings) -> tuple[float, float]:
    """Median seconds of a query alone, and of those that were answered while entries were added."""
    alone = [best_of(1, ask)[0] for _ in range(5)]
    adding = threading.Thread(target=_fill, args=(opened, more, 10**9))
    adding.start()
    busy: list[float] = []
    while adding.is_alive() or not busy:
        busy.append(best_of(1, ask)[0])
    adding.join()
    return statistics.median(alone), statistics.median(busy)


def _recall(found: list[list[int]], exact: npt.NDArray[np.int64]) -> float:
    pairs = zip(found, exact, strict=True)
    return 100 * float(np.mean([len(set(near) & set(true.tolist())) / NEAREST for near, true in pairs]))


def _resident() -> int:
    """Bytes of this process in memory."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
