"""Entries of a gallery that no network made, and the store that takes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isp_core.gallery.entries import Image, Labels, Layout
from isp_core.gallery.network import Network
from isp_core.matching import Embeddings

if TYPE_CHECKING:
    from isp_core.gallery.milvus import MilvusStore

PARTS, CHANNELS = 3, 24
NETWORK = Network("mine", 3, "ab" * 32, "after-bn", (64, 32), PARTS + 1, Layout(CHANNELS, CHANNELS, PARTS, CHANNELS))


def people(identities: int, pictures: int, seed: int = 0, parts: int = PARTS, noise: float = 0.7) -> Embeddings:
    """(identities x pictures) embeddings whose groups are alike within an identity; a fifth of the parts is hidden."""
    looks = np.random.default_rng(7).standard_normal((identities, 2 + parts, CHANNELS))
    rng = np.random.default_rng(seed)
    features = np.repeat(looks, pictures, axis=0)
    features = (features + noise * rng.standard_normal(features.shape)).astype(np.float16)
    share, peak = rng.random((2, len(features), parts)).astype(np.float16)
    foreground = features[:, 1] if parts else features[:, 1, :0]
    return Embeddings(features[:, 0], foreground, features[:, 2:], share > 0.2, share, peak)


def images(count: int, start: int = 0) -> list[Image]:
    """`count` images: two of each person, cameras 1 to 3 in turn, a time for all but every fifth."""
    return [
        Image(f"sha256:{i:064x}", f"people/{i:06d}.jpg", Labels(str(i // 2), str(i % 3 + 1), None if i % 5 == 0 else i))
        for i in range(start, start + count)
    ]


def filled(place: Path, identities: int = 20, pictures: int = 3) -> MilvusStore:
    """An open store of made-up people."""
    from isp_core.gallery.milvus import open_store  # the tests of FAISS need no Milvus

    store = open_store(str(place), network=NETWORK)
    embeddings = people(identities, pictures)
    store.add(images(len(embeddings)), embeddings)
    return store
