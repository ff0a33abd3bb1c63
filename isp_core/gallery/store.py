"""The interface of a gallery store: entries that come and go, candidates by global and foreground, exact embeddings.

An engine implements `GalleryStore`; building, adding and searching (filling.py, searching.py) know nothing else of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from isp_core.gallery.entries import Image, Labels
from isp_core.gallery.filters import Where
from isp_core.gallery.network import Network
from isp_core.matching import Embeddings

MAX_CANDIDATES = 16_384
"""Candidates of one query: Milvus's limit."""


@dataclass(frozen=True)
class Entries:
    """Some entries of a store with their embeddings, row by row; visibility is Eq. 8's."""

    images: list[Image]
    embeddings: Embeddings

    def __len__(self) -> int:
        return len(self.images)


class GalleryStore(ABC):
    """Entries of one network. Close it, or use it in a `with` block.

    place: how the store was named, without credentials. network: whose embeddings it holds, with their layout.
    notes: what the user should know of how it was found, one sentence each.
    Errors of all methods: GalleryError, naming the store.
    """

    place: str
    network: Network
    notes: tuple[str, ...] = ()

    @abstractmethod
    def count(self, where: Where | None = None) -> int:
        """Entries that are meant (default: all)."""

    @abstractmethod
    def present(self, fingerprints: Sequence[str]) -> Mapping[str, Labels]:
        """Those of the fingerprints that are in the store, with their labels."""

    @abstractmethod
    def add(self, images: Sequence[Image], embeddings: Embeddings) -> None:
        """Keeps entries; they replace those of the same fingerprint. Once it returns they outlive this process."""

    @abstractmethod
    def candidates(self, vectors: npt.NDArray[np.float32], count: int, where: Where | None = None) -> Iterator[Entries]:
        """For each row of unit global and foreground features (Q, C + C'), up to `count` entries that are meant, those
        with the highest sum of both cosines, in any order."""

    @abstractmethod
    def few(self, limit: int, where: Where | None = None) -> Entries | None:
        """The entries that are meant, in any order; None where there are more than `limit`, which is at most
        MAX_CANDIDATES."""

    @abstractmethod
    def remove(self, where: Where) -> int:
        """Removes entries; how many there were. GalleryError without any condition."""

    @abstractmethod
    def finish(self) -> None:
        """Indexes what was added, so that the next search need not."""

    @abstractmethod
    def facts(self) -> dict[str, object]:
        """What `isp gallery info` prints of the engine: its name, index, and bytes on the disk (None: not known)."""

    @abstractmethod
    def close(self) -> None:
        """Lets others open it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
