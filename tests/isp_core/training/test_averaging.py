"""The moving average of the weights: what it holds, and that it survives a resume to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from isp_core.models import ISPNet
from isp_core.models.build import network_spec
from isp_core.runs import Run
from isp_core.training.averaging import WeightAverage
from tests.isp_core.training.test_training import quietly, tiny, weights

SHORT: dict[str, Any] = {"run__epochs": 2, "run__eval_every": 0}
AVERAGED = SHORT | {"optim__average": 0.5}


@pytest.fixture(scope="module")
def averaged(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return quietly(tiny(**AVERAGED), people, tmp_path_factory.mktemp("runs") / "averaged")


def state(run: Run, epoch: int) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(run.path / f"checkpoints/epoch_{epoch:04d}/state.pt", weights_only=True)
    return found


def test_each_step_moves_the_average_by_its_share() -> None:
    network = ISPNet(network_spec(tiny(), 3), "none")
    average = WeightAverage(network, 0.3)
    neck, follower = network.neck_global, average.network.neck_global
    weight, mean, counter = neck.classifier.weight, neck.norm.running_mean, neck.norm.num_batches_tracked
    assert mean is not None
    assert counter is not None
    expected, expected_mean = weight.detach().clone(), mean.clone()
    for decay in (1 / 10, 2 / 11, 3 / 12, 0.3, 0.3):  # it follows quickly at first
        with torch.no_grad():
            weight += 1.0
            mean += 2.0
            counter += 1
        average.follow()
        expected = decay * expected + (1 - decay) * weight.detach()
        expected_mean = decay * expected_mean + (1 - decay) * mean
        torch.testing.assert_close(follower.classifier.weight.detach(), expected)
        torch.testing.assert_close(follower.norm.running_mean, expected_mean)
        assert follower.norm.num_batches_tracked == counter
    assert not any(parameter.requires_grad for parameter in average.network.parameters())
    assert all(parameter.requires_grad for parameter in network.neck_global.classifier.parameters())


def test_the_average_is_stored_and_the_training_is_that_without_it(averaged: Run, people: Path, tmp_path: Path) -> None:
    # the second epoch's labels are made by the averaged network, the first one's by the same initial weights
    plain = quietly(tiny(**SHORT), people, tmp_path / "plain")
    assert "average" not in state(plain, 1)
    trained, stored = state(averaged, 1)["average"]["trained"], weights(averaged, 1)
    for name, tensor in weights(plain, 1).items():
        assert torch.equal(trained[name], tensor), name
    name = "neck_global.classifier.weight"
    assert not torch.equal(stored[name], trained[name])
    assert not torch.equal(stored[name], weights(averaged, 0)[name])


def test_a_run_with_an_average_resumes_to_the_same_bits(averaged: Run, people: Path, tmp_path: Path) -> None:
    quietly(tiny(**AVERAGED | {"run__epochs": 1}), people, tmp_path / "run")
    resumed = quietly(tiny(**AVERAGED), people, tmp_path / "run", resume=True)
    for name, tensor in weights(averaged, 2).items():
        assert torch.equal(weights(resumed, 2)[name], tensor), name
    for name, tensor in state(averaged, 2)["average"]["trained"].items():
        assert torch.equal(state(resumed, 2)["average"]["trained"][name], tensor), name
    np.testing.assert_array_equal(resumed.labels("train", 2), averaged.labels("train", 2))
