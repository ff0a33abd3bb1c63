"""How many threads cluster."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from threadpoolctl import threadpool_info

from isp_core.clustering.threads import THIN, threads_for


def openmp_threads() -> int:
    return max(int(library["num_threads"]) for library in threadpool_info() if library["user_api"] == "openmp")


def of_another_thread() -> int:
    with ThreadPoolExecutor(1) as other:
        return other.submit(openmp_threads).result()


def test_only_this_thread_and_only_for_thin_matrices() -> None:
    own, others = openmp_threads(), of_another_thread()
    with threads_for(THIN):
        assert openmp_threads() == own
    with threads_for(THIN - 1):
        assert openmp_threads() == 1
        assert of_another_thread() == others
    assert openmp_threads() == own
