"""The triplet loss of visible parts, on cases small enough to check by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from isp_core.losses import Objective
from isp_core.losses.part_triplet import (
    hardest_triplets,
    part_distances,
    part_means,
    part_triplet_loss,
    visible_parts,
)
from isp_core.models import Output, Representations
from isp_core.models.network import weighted_pooling

IDENTITIES = torch.tensor([0, 0, 1, 1])


def scene() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Maps (4, 6, 4, 2) and logits (4, 4, 4, 2) of two people that need gradients, and F_k of Eq. 2."""
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(4, 6, 4, 2, generator=generator, requires_grad=True)
    logits = torch.randn(4, 4, 4, 2, generator=generator, requires_grad=True)
    return maps, logits, weighted_pooling(maps, logits.softmax(1))[1]


def test_a_part_is_averaged_over_its_own_pixels_however_few_they_are() -> None:
    maps = torch.zeros(1, 1, 4, 2)
    maps[0, 0, 3] = 5.0
    logits = torch.full((1, 3, 4, 2), -20.0)
    logits[0, 1, :3], logits[0, 2, 3] = 20.0, 20.0  # part 1 above, part 2 the lowest row, where the map holds 5
    parts = weighted_pooling(maps, logits.softmax(1))[1]
    torch.testing.assert_close(part_means(parts, logits)[0, :, 0], torch.tensor([0.0, 5.0]))
    assert visible_parts(logits).tolist() == [[True, True]]
    assert visible_parts(logits[:, :, :3]).tolist() == [[True, False]]


def test_gradients_reach_the_feature_maps_and_the_part_classifier() -> None:
    maps, logits, parts = scene()
    part_triplet_loss(parts, logits, IDENTITIES, 0.3).backward()
    assert maps.grad is not None
    assert logits.grad is not None
    for gradient in (maps.grad, logits.grad):
        assert gradient.isfinite().all()
        assert (gradient.abs().sum((1, 2, 3)) > 0).any()


def test_equal_features_have_a_finite_gradient() -> None:
    parts = torch.ones(4, 3, 6, requires_grad=True)
    distances, known = part_distances(parts, torch.ones(4, 3, dtype=torch.bool))
    hardest_triplets(distances, known, IDENTITIES, 0.3).backward()
    assert parts.grad is not None
    assert parts.grad.isfinite().all()


def test_what_a_hidden_part_holds_changes_nothing() -> None:
    parts = torch.randn(4, 3, 6, generator=torch.Generator().manual_seed(1))
    visible = torch.tensor([[True, True, False]] * 4)
    other = parts.clone()
    other[:, 2] = 1000.0 * torch.arange(4)[:, None]
    for one, two in zip(part_distances(parts, visible), part_distances(other, visible), strict=True):
        assert torch.equal(one, two)


def test_images_that_share_no_part_are_no_pair() -> None:
    parts = torch.tensor([[[0.0], [0.0]], [[9.0], [1.0]], [[5.0], [2.0]], [[4.0], [3.0]]])
    visible = torch.tensor([[True, False], [False, True], [True, True], [True, True]])
    distances, known = part_distances(parts, visible)
    assert not known[0, 1]
    # the first two are of one person and share nothing: only the others have a friend, at a distance of 1
    nearest = [min(5.0, 1.0), min(4.0, 2.0)]
    expected = sum(max(0.0, 1.0 - stranger + 0.3) for stranger in nearest) / 2
    assert hardest_triplets(distances, known, IDENTITIES, 0.3).item() == pytest.approx(expected)


def test_without_any_triplet_the_loss_is_zero_and_can_be_descended() -> None:
    maps, logits, parts = scene()
    loss = part_triplet_loss(parts, logits, torch.arange(4), 0.3)
    loss.backward()
    assert loss.item() == 0
    assert maps.grad is not None
    assert not maps.grad.any()


def test_the_objective_takes_groups_parts_or_both() -> None:
    maps, logits, parts = scene()
    pooled = Representations(maps.mean((2, 3)), parts.sum(1), parts)
    output = Output(maps, logits, pooled, pooled, tuple(torch.zeros(4, 2) for _ in range(3)))
    groups, own, both = (
        Objective(0.1, "mean", 0.1, 0.3, triplet_of=what)(output, IDENTITIES, None).triplet.item()
        for what in ("groups", "parts", "both")
    )
    assert own == pytest.approx(part_triplet_loss(parts, logits, IDENTITIES, 0.3).item())
    assert groups != own
    assert both == pytest.approx(groups + own)
    bare = replace(output, logits=None, pooled=Representations(pooled.global_, None, None))
    alone = Objective(0.1, "mean", 0.1, 0.3, triplet_of="groups")
    assert alone(bare, IDENTITIES, None).triplet.item() == pytest.approx(
        alone.triplet(pooled.global_, IDENTITIES).item()
    )
