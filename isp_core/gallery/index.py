"""Galleries too large to compare with one by one: a FAISS index finds candidates, Eq. 10 ranks them exactly.

A candidate's score is the cosine of the global features plus that of the foreground, which Eq. 10 shares between all
pairs; parts, which may be hidden, only count among the candidates. The index lies in memory; the embeddings themselves
may be memory-mapped arrays, of which a search reads the candidates' rows only.

>>> gallery = run.embeddings("gallery", epoch)                       # doctest: +SKIP
>>> index = GalleryIndex.build(gallery)                              # doctest: +SKIP
>>> found = index.search(parser.embed("a.jpg"), k=12)                # doctest: +SKIP
>>> found.rows[0], found.distances[0]    # rows of the gallery's records, nearest first  # doctest: +SKIP
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from isp_core.errors import IspError
from isp_core.matching import Embeddings, distances
from isp_core.runs.files import atomic

FLAT_UP_TO = 20_000
"""Galleries up to this size are scanned whole, in half precision: that takes milliseconds a query."""
CANDIDATES = 400
"""Entries whose exact distance is computed for each query."""
CHANNELS_A_CODE = 4
"""Neighbouring channels that larger galleries keep as one code of four bits."""
_TRAINED_ON = 20_000  # entries from which the codes are learned
_CHUNK = 16_384  # entries handled at once while an index is built


@dataclass(frozen=True)
class Found:
    """The nearest entries of Q queries: rows (Q, k) int64 of the gallery, nearest first, and Eq. 10 (Q, k) float32.

    Where the index holds fewer than k entries within reach, rows are -1 and distances infinite at the end.
    """

    rows: npt.NDArray[np.int64]
    distances: npt.NDArray[np.float32]


class GalleryIndex:
    """A gallery that can be searched; see `build`, `load` and `search`."""

    def __init__(self, index: Any, gallery: Embeddings) -> None:
        self._index, self.gallery = index, gallery

    @classmethod
    def build(cls, gallery: Embeddings, *, flat_up_to: int = FLAT_UP_TO) -> GalleryIndex:
        """Indexes a gallery of N >= 1 images.

        Up to `flat_up_to` entries are kept in half precision. Beyond, four channels share a code of four bits, and all
        codes are scanned by vector instructions: 2 to 3 ms a query for 10^5 entries at 512 channels. Equal galleries
        give equal indexes. IspError for an empty gallery.
        """
        n = len(gallery)
        if n == 0:
            raise IspError("the gallery is empty: there is nothing to index")
        width = gallery.global_.shape[1] + gallery.foreground.shape[1]
        index: Any
        if n <= flat_up_to:
            index = faiss.IndexScalarQuantizer(width, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        else:
            codes = width // math.gcd(width, CHANNELS_A_CODE)
            index = faiss.IndexPQFastScan(width, codes, 4, faiss.METRIC_INNER_PRODUCT)
            index.pq.cp.min_points_per_centroid = 1
            some = np.linspace(0, n - 1, min(n, _TRAINED_ON)).astype(np.int64)
            index.train(candidate_features(gallery[some]))
        for start in range(0, n, _CHUNK):
            index.add(candidate_features(gallery[start : start + _CHUNK]))
        return cls(index, gallery)

    @classmethod
    def load(cls, file: Path, gallery: Embeddings) -> GalleryIndex:
        """An index that `save` wrote, for the same gallery. IspError where it is damaged or another gallery's.

        Load only files of your own: FAISS does not defend itself against files made to do harm.
        """
        try:
            index = faiss.read_index(str(file))
        except RuntimeError as error:
            reason = str(error).splitlines()[0][:120]
            raise IspError(
                f"{file} is not an index that can be read ({reason}): give another name, or remove it if it was one"
            ) from error
        width = gallery.global_.shape[1] + gallery.foreground.shape[1]
        if (index.ntotal, index.d) != (len(gallery), width):
            raise IspError(
                f"{file} indexes {index.ntotal} entries of {index.d} channels; the gallery has {len(gallery)} of "
                f"{width}: it belongs to another gallery or epoch, remove it to build it again"
            )
        some = np.unique(np.linspace(0, len(gallery) - 1, 16).astype(np.int64))
        stored = np.stack([index.reconstruct(int(row)) for row in some])
        wanted = candidate_features(gallery[some])
        if isinstance(index, faiss.IndexPQFastScan):
            codes: Any = index.pq
            wanted = codes.decode(codes.compute_codes(wanted))
        if np.isclose(stored, wanted, atol=1e-3).mean() < 0.99:
            raise IspError(
                f"{file} indexes other embeddings than this gallery's: it belongs to another gallery or epoch, remove "
                "it to build it again"
            )
        return cls(index, gallery)

    def save(self, file: Path) -> None:
        """Writes the index (not the embeddings) to a file of FAISS's format."""
        with atomic(file) as temporary:
            faiss.write_index(self._index, str(temporary))

    @property
    def index_bytes(self) -> int:
        """Memory an entry takes in the index; its embeddings take `embedding_bytes` more, in memory or on the disk."""
        return int(self._index.code_size)

    @property
    def embedding_bytes(self) -> int:
        """Bytes an entry takes in the embeddings: what exact matching reads of each candidate."""
        fields = ("global_", "foreground", "parts", "visibility", "part_share")
        return sum(int(getattr(self.gallery[:1], name).nbytes) for name in fields)

    def search(self, query: Embeddings, k: int = 10, candidates: int = CANDIDATES) -> Found:
        """The k nearest of `candidates` entries by Eq. 10 (cosine) for each query.

        Without parts (a baseline) the distance is that of the global features. Nothing is left out: images of the
        query's own camera are the caller's to remove. IspError for k or candidates below 1, or another network's query.
        """
        if k < 1 or candidates < k:
            raise IspError(f"k must be at least 1 and candidates at least k; got k = {k}, candidates = {candidates}")
        if query.global_.shape[1] + query.foreground.shape[1] != self._index.d:
            raise IspError(
                f"the queries have {query.global_.shape[1]} + {query.foreground.shape[1]} channels, the index "
                f"{self._index.d}: embeddings of two networks cannot be compared"
            )
        wanted = min(candidates, len(self.gallery))
        _, near = self._index.search(candidate_features(query), wanted)  # (Q, candidates), -1 where there were no more
        rows = np.full((len(query), k), -1, np.int64)
        far = np.full((len(query), k), np.inf, np.float32)
        for i, row in enumerate(near):
            there = np.sort(row[row >= 0])  # sorted: memory-mapped rows are read in their order, ties by row
            if len(there):
                exact = distances(query[i : i + 1], self.gallery[there])[0]
                order = np.argsort(exact, kind="stable")[:k]
                rows[i, : len(order)], far[i, : len(order)] = there[order], exact[order]
        return Found(rows, far)


def candidate_features(embeddings: Embeddings) -> npt.NDArray[np.float32]:
    """(N, C + C') float32: unit global and foreground features side by side, so that a product adds their cosines."""
    whole = [np.asarray(array, np.float32) for array in (embeddings.global_, embeddings.foreground)]
    lengths = [np.linalg.norm(array, axis=1, keepdims=True) for array in whole]
    units = [array / np.where(length > 0, length, 1) for array, length in zip(whole, lengths, strict=True)]
    return np.ascontiguousarray(np.concatenate(units, axis=1))
