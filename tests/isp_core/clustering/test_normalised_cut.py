"""A normalised cut finds planted people from the direction of features; slow references with all entries of W."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch

from isp_core.clustering import ClusteringError
from isp_core.clustering.normalised_cut import best_split, normalised_cut, second_vector


def planted(seed: int = 0, loud: float = 1.2) -> tuple[torch.Tensor, torch.Tensor]:
    """Maps (4, 16, 12, 6) with a blob of its own direction in each; activation differs little and is noisy."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.zeros(4, 12, 6, dtype=torch.bool)
    for i in range(4):
        mask[i, 2 + i % 2 : 10, 1 + i % 2 : 5] = True
    person, background = torch.eye(16)[0], torch.eye(16)[1]
    looks = torch.where(mask[..., None], loud * person, background)
    looks = looks + 0.15 * torch.randn(4, 12, 6, 16, generator=generator)
    looks = looks * (0.6 + 0.8 * torch.rand(4, 12, 6, 1, generator=generator))  # activation alone would be lost
    return looks.permute(0, 3, 1, 2).contiguous(), mask


@pytest.mark.parametrize("seed", range(3))
def test_planted_people_are_found_where_activation_is_noise(seed: int) -> None:
    maps, mask = planted(seed)
    assert (normalised_cut(maps, (12, 6)) == mask).float().mean() > 0.99


def test_the_cut_is_that_of_the_whole_affinity_matrix() -> None:
    features = torch.nn.functional.normalize(torch.randn(40, 8, generator=torch.Generator().manual_seed(1)).double())
    affinity = (1 + features @ features.T).numpy() / 2
    degrees = np.diag(affinity.sum(1))
    values, vectors = scipy.linalg.eigh(degrees - affinity, degrees)
    found = second_vector(features)
    assert found is not None
    cosine = found.numpy() @ vectors[:, 1] / np.linalg.norm(found.numpy()) / np.linalg.norm(vectors[:, 1])
    assert abs(cosine) == pytest.approx(1, abs=1e-9)
    assert values[0] == pytest.approx(0, abs=1e-9)

    def cost(threshold: float) -> float:
        side = found.numpy() > threshold
        across = affinity[side][:, ~side].sum()
        return float(across / affinity[side].sum() + across / affinity[~side].sum())

    ordered = np.sort(found.numpy())
    best = min(cost(threshold) for threshold in (ordered[1:] + ordered[:-1]) / 2)
    assert cost(best_split(found, features)) == pytest.approx(best, abs=1e-12)


def test_the_louder_side_is_the_foreground_and_labels_may_be_finer_than_maps() -> None:
    maps, mask = planted(loud=3.0)
    large = normalised_cut(maps, (24, 12))
    assert large.shape == (4, 24, 12)
    assert (large == mask.repeat_interleave(2, 1).repeat_interleave(2, 2)).float().mean() > 0.9
    quiet, mask = planted(loud=0.3)
    assert (normalised_cut(quiet, (12, 6)) == ~mask).float().mean() > 0.95


def test_nothing_is_cut_where_all_features_are_alike() -> None:
    assert not normalised_cut(torch.ones(2, 5, 4, 3), (8, 6)).any()
    assert not normalised_cut(torch.zeros(2, 5, 4, 3), (8, 6)).any()


def test_wrong_maps_are_named() -> None:
    broken = torch.ones(2, 3, 4, 3)
    broken[1, 0, 0, 0] = torch.nan
    with pytest.raises(ClusteringError, match="1"):
        normalised_cut(broken, (4, 3))
    with pytest.raises(ClusteringError, match="cannot be cut at the smaller size 2 x 3"):
        normalised_cut(torch.ones(1, 3, 4, 3), (2, 3))
