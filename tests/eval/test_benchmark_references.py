"""The slow references that benchmarks compare with are right: by hand, and equal to the fast paths."""

import mmap
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.ranking import mask_by_mask, one_query_at_a_time, peak_bytes, random_embeddings
from isp_core.matching import Embeddings, distances
from isp_core.metrics.part_scores import Assignment, class_iou, confusion


def test_matching_by_hand() -> None:
    """d_g = 0, d_f = 1, the first part (distance 2) hidden in the gallery, the second (1) shared: 2 / 3."""
    flags = np.array([[True, True]])
    q = Embeddings(np.array([[1.0, 0]]), np.array([[1.0, 0]]), np.array([[[1.0, 0], [1, 0]]]), flags, flags * 1.0)
    hidden = np.array([[False, True]])
    g = Embeddings(np.array([[2.0, 0]]), np.array([[0, 1.0]]), np.array([[[-1.0, 0], [0, 3]]]), hidden, hidden * 1.0)
    assert float(one_query_at_a_time(q, g)[0, 0]) == pytest.approx(2 / 3)


def test_matching_equals_the_fast_path() -> None:
    q, g = random_embeddings(5, 0), random_embeddings(40, 1)
    np.testing.assert_allclose(one_query_at_a_time(q, g).numpy(), distances(q, g), atol=1e-5)


def test_iou_equals_the_fast_path() -> None:
    rng = np.random.default_rng(0)
    truth, found = (rng.integers(0, n, (9, 8, 4)).astype(np.uint8) for n in (6, 7))
    assignment = Assignment("by hand", head=(1,), upper=(2, 3), legs=(4,), shoes=(5,), belongings=(6,))
    assert mask_by_mask(found, truth, assignment) == pytest.approx(
        class_iou(confusion(found, truth, 7).sum(0), assignment)
    )


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell a process's memory")
def test_peak_memory_sees_what_is_held() -> None:
    def hold() -> None:
        with mmap.mmap(-1, 80_000_000) as held:  # of the system: what an allocator has kept would not count as more
            held.write(b"1" * len(held))
            time.sleep(0.05)

    assert 7e7 < peak_bytes(hold) < 4e8
