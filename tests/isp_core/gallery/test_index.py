"""The gallery index against the exact ranking that it stands for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isp_core.errors import IspError
from isp_core.gallery import GalleryIndex, candidate_features
from isp_core.matching import Embeddings, distances
from tests.isp_core.gallery.made_up import PARTS, people


@pytest.fixture(scope="module")
def gallery() -> Embeddings:
    return people(100, 10)


@pytest.fixture(scope="module")
def query() -> Embeddings:
    return people(100, 1, seed=1)


def exact(query: Embeddings, gallery: Embeddings, k: int) -> tuple[np.ndarray, np.ndarray]:
    table = distances(query, gallery)
    order = np.argsort(table, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(table, order, axis=1)


@pytest.mark.parametrize("parts", [PARTS, 0], ids=["with parts", "baseline"])
def test_with_all_entries_for_candidates_it_is_the_exact_ranking(parts: int) -> None:
    gallery, query = people(30, 5, parts=parts), people(30, 1, seed=1, parts=parts)
    found = GalleryIndex.build(gallery).search(query, k=8, candidates=len(gallery))
    rows, far = exact(query, gallery, 8)
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_allclose(found.distances, far, atol=1e-6)


def test_few_candidates_find_nearly_all(gallery: Embeddings, query: Embeddings) -> None:
    """By codes of four bits, too; and what is found has its exact distance."""
    rows, _ = exact(query, gallery, 5)
    table = distances(query, gallery)
    for flat_up_to in (2000, 0):
        found = GalleryIndex.build(gallery, flat_up_to=flat_up_to).search(query, k=5, candidates=60)
        recall = np.mean([len(set(a) & set(b)) / 5 for a, b in zip(found.rows, rows, strict=True)])
        assert recall > 0.95
        np.testing.assert_allclose(found.distances, np.take_along_axis(table, found.rows, axis=1), atol=1e-6)
        assert (np.diff(found.distances, axis=1) >= 0).all()


def test_one_candidate_is_the_best_of_global_and_foreground(gallery: Embeddings, query: Embeddings) -> None:
    found = GalleryIndex.build(gallery).search(query, k=1, candidates=1)
    score = candidate_features(query) @ candidate_features(gallery).T
    np.testing.assert_array_equal(found.rows[:, 0], score.argmax(1))


def test_more_are_asked_for_than_there_are() -> None:
    few = people(2, 1)
    found = GalleryIndex.build(few).search(few[:1], k=5)
    assert found.rows[0].tolist()[:1] == [0]
    assert found.rows[0, 2:].tolist() == [-1, -1, -1]
    assert np.isinf(found.distances[0, 2:]).all()


@pytest.mark.parametrize("flat_up_to", [2000, 0], ids=["flat", "codes"])
def test_saved_and_loaded(flat_up_to: int, gallery: Embeddings, query: Embeddings, tmp_path: Path) -> None:
    index = GalleryIndex.build(gallery, flat_up_to=flat_up_to)
    index.save(tmp_path / "gallery.faiss")
    again = GalleryIndex.load(tmp_path / "gallery.faiss", gallery)
    np.testing.assert_array_equal(again.search(query, k=3).rows, index.search(query, k=3).rows)
    with pytest.raises(IspError, match="other embeddings"):
        GalleryIndex.load(tmp_path / "gallery.faiss", people(100, 10, seed=5))
    with pytest.raises(IspError, match=r"1000 entries .* has 100 of"):
        GalleryIndex.load(tmp_path / "gallery.faiss", query)
    (tmp_path / "gallery.faiss").write_bytes(b"nonsense")
    with pytest.raises(IspError, match="not an index"):
        GalleryIndex.load(tmp_path / "gallery.faiss", gallery)


def test_embeddings_may_lie_on_the_disk(gallery: Embeddings, query: Embeddings, tmp_path: Path) -> None:
    fields = {}
    for name in ("global_", "foreground", "parts", "visibility", "part_share"):
        np.save(tmp_path / f"{name}.npy", getattr(gallery, name))
        fields[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    index = GalleryIndex.build(Embeddings(**fields))
    np.testing.assert_array_equal(index.search(query, k=3).rows, GalleryIndex.build(gallery).search(query, k=3).rows)


def test_memory_of_an_entry(gallery: Embeddings) -> None:
    """By hand: 48 channels of candidates; four bits for four of them; 5 groups of 24 halves, 3 flags and 3 shares."""
    assert GalleryIndex.build(gallery).index_bytes == 48 * 2
    codes = GalleryIndex.build(gallery, flat_up_to=0)
    assert codes.index_bytes == 48 / 4 / 2
    assert codes.embedding_bytes == 5 * 24 * 2 + 3 + 3 * 2


def test_impossible_wishes_are_refused(gallery: Embeddings, query: Embeddings) -> None:
    index = GalleryIndex.build(gallery)
    with pytest.raises(IspError, match="at least 1"):
        index.search(query, k=0)
    with pytest.raises(IspError, match="two networks"):
        index.search(people(2, 1, parts=0))
    with pytest.raises(IspError, match="empty"):
        GalleryIndex.build(gallery[:0])
