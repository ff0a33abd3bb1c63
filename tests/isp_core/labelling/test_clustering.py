"""The labelling round by clustering: overlapped with the network, and equal to one identity after the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from isp_core.clustering import label_identity
from isp_core.clustering.maps import activation
from isp_core.inference import prepare
from isp_core.labelling.clustering import ClusteringOptions
from isp_core.labelling.clustering.labeller import ClusteringLabeller, beside, cascade_config
from isp_core.labelling.rounds import TrainingPictures, collect
from isp_core.models import ISPNet
from tests.isp_core.labelling.conftest import OWNERS


def test_round_is_the_cascade_of_each_identity(network: ISPNet, data: TrainingPictures) -> None:
    """What the stream brings is what clustering each identity's upsampled maps would have brought."""
    options = ClusteringOptions(parts=4)
    config = cascade_config(options)
    found = collect(ClusteringLabeller(data, options, seed=3).round(network, 2), len(OWNERS), (16, 8))
    for person in range(3):
        rows = np.flatnonzero(person == OWNERS)
        with torch.inference_mode():
            maps = network.feature_maps(
                prepare(torch.stack([data.pictures[int(row)] for row in rows]), data.normalisation)
            )
        seed = int(np.random.SeedSequence([3, 2, person]).generate_state(1)[0])
        expected = label_identity(maps, config, seed=seed).labels.numpy()
        assert (found.labels[rows] == expected).mean() > 0.99  # sums in another order may move a pixel on the border
        assert found.activation is not None
        np.testing.assert_allclose(found.activation[rows] / 255, activation(maps).numpy(), atol=0.5 / 255 + 1e-4)


def test_rounds_are_equal_bit_for_bit(network: ISPNet, data: TrainingPictures) -> None:
    labeller = ClusteringLabeller(data, ClusteringOptions(parts=4), seed=3)
    first, second = (collect(labeller.round(network, 0), len(OWNERS), (16, 8)) for _ in range(2))
    np.testing.assert_array_equal(first.labels, second.labels)


class TestBeside:
    def test_work_runs_while_the_next_item_is_made(self) -> None:
        """Item 1 is made only once the work on item 0 has begun, and that work ends only once item 1 is made."""
        begun, made = threading.Event(), threading.Event()

        def items() -> Iterator[int]:
            yield 0
            assert begun.wait(10)
            made.set()
            yield 1

        def work(item: int) -> int:
            begun.set()
            assert made.wait(10)
            return 10 * item

        assert [result for result, _ in beside(items(), work)] == [0, 10]

    def test_few_items_are_held(self) -> None:
        """However many there are, the maker is never more than two items ahead of what was handed over."""
        made = 0

        def items() -> Iterator[int]:
            nonlocal made
            for item in range(50):
                made += 1
                yield item

        for handed, (result, waited) in enumerate(beside(items(), lambda item: item)):
            assert result == handed
            assert waited >= 0
            assert made <= handed + 2

    @pytest.mark.parametrize("where", ["maker", "work"])
    def test_errors_arrive(self, where: str) -> None:
        def items() -> Iterator[int]:
            yield 1
            if where == "maker":
                raise ValueError("maker")
            yield 2

        def work(item: int) -> int:
            if where == "work" and item == 2:
                raise ValueError("work")
            return item

        with pytest.raises(ValueError, match=where):
            list(beside(items(), work))
