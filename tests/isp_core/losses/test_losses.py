"""Eq. 6-7 on cases small enough to check by hand."""

from __future__ import annotations

import math

import pytest
import torch

from isp_core.losses import CenterLoss, Objective, balancing_shift, parsing_loss
from isp_core.models import Output, Representations


def test_sum_and_mean_differ_by_the_pixels_of_a_picture() -> None:
    logits = torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(2, 64, 32, dtype=torch.long)
    ratio = parsing_loss(logits, labels, "sum") / parsing_loss(logits, labels, "mean")
    assert ratio.item() == pytest.approx(2048, rel=1e-5)


def test_ignored_pixels_count_nowhere() -> None:
    logits = torch.randn(1, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[[0, 255], [255, 2]]])
    expected = -(logits.log_softmax(1)[0, 0, 0, 0] + logits.log_softmax(1)[0, 2, 1, 1])
    assert parsing_loss(logits, labels, "sum").item() == pytest.approx(expected.item(), rel=1e-6)
    assert parsing_loss(logits, torch.full((1, 2, 2), 255)).item() == 0


def test_batch_hard_triplet_takes_the_farthest_friend_and_the_nearest_stranger() -> None:
    # identity 0 at 0 and 2, identity 1 at 3 and 3.5 on a line; margin 0.3
    features = torch.tensor([[0.0], [2.0], [3.0], [3.5]])
    identities = torch.tensor([0, 0, 1, 1])
    hardest = [(2.0, 3.0), (2.0, 1.0), (0.5, 1.0), (0.5, 1.5)]  # (positive, negative) distance of each anchor
    expected = sum(max(0, p - n + 0.3) for p, n in hardest) / 4
    objective = Objective(0.1, "mean", 0.1, 0.3)
    assert objective.triplet(features, identities).item() == pytest.approx(expected, abs=1e-5)


def output(parts: bool) -> Output:
    generator = torch.Generator().manual_seed(0)

    def some(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    pooled = Representations(some(4, 6), some(4, 6) if parts else None, some(4, 3, 6) if parts else None)
    logits = some(4, 4, 8, 4) if parts else None
    return Output(some(4, 6, 2, 1), logits, pooled, pooled, tuple(some(4, 5) for _ in range(3 if parts else 1)))


def test_the_total_is_equation_7() -> None:
    identities, labels = torch.tensor([0, 0, 1, 1]), torch.ones(4, 8, 4, dtype=torch.long)
    terms = Objective(0.5, "mean", 0.1, 0.3)(output(True), identities, labels)
    assert terms.total.item() == pytest.approx((terms.identity + terms.triplet + 0.5 * terms.parsing).item())
    assert set(terms.detached()) == {"loss_total", "loss_identity", "loss_triplet", "loss_parsing", "loss_center"}


def test_the_baseline_has_no_parsing_term() -> None:
    terms = Objective(0.5, "mean", 0.1, 0.3)(output(False), torch.tensor([0, 0, 1, 1]), None)
    assert terms.parsing.item() == 0
    assert terms.total.item() == pytest.approx((terms.identity + terms.triplet).item())


def test_label_smoothing_of_a_flat_guess() -> None:
    flat = Output(
        torch.zeros(1),
        None,
        Representations(torch.eye(2), None, None),
        Representations(torch.eye(2), None, None),
        (torch.zeros(2, 5),),
    )
    terms = Objective(0.1, "mean", 0.1, 0.3)(flat, torch.tensor([0, 1]), None)
    assert terms.identity.item() == pytest.approx(math.log(5), rel=1e-6)  # whatever the smoothing


def test_center_loss_is_the_mean_squared_distance() -> None:
    center = CenterLoss(2, 3)
    assert center.centers.std() > 0.1  # drawn from a normal distribution
    center.centers.data.zero_()
    features = torch.tensor([[1.0, 2.0, 2.0], [0.0, 0.0, 0.0]])
    assert center(features, torch.tensor([0, 1])).item() == pytest.approx(9 / 2)


def test_centres_are_of_all_three_groups() -> None:
    given = output(True)
    groups = [given.pooled.global_, given.pooled.foreground, given.pooled.parts.flatten(1)]
    centers = [CenterLoss(5, group.shape[1]) for group in groups]
    identities = torch.tensor([0, 0, 1, 1])
    terms = Objective(0.1, "mean", 0.1, 0.3, centers, 0.5)(given, identities, None)
    expected = sum(loss(group, identities) for loss, group in zip(centers, groups, strict=True))
    torch.testing.assert_close(terms.center, expected)
    torch.testing.assert_close(terms.total, terms.identity + terms.triplet + 0.5 * expected)


def test_a_balanced_loss_ties_the_parts_and_leaves_the_person_its_share() -> None:
    labels = torch.zeros(1, 10, 10, dtype=torch.int64)
    labels[0, 0], labels[0, 1, :4] = 1, 2  # ten and four pixels of a hundred
    sizes = torch.tensor([0.86, 0.10, 0.04])
    logits = torch.zeros(1, 3, 1, 1, requires_grad=True)
    for balance, small in ((0.0, 0.04), (1.0, 0.07)):
        logits.data.zero_()
        optimizer = torch.optim.SGD([logits], lr=4.0)
        for _ in range(1000):
            optimizer.zero_grad()
            shift = balancing_shift(sizes, balance)[:, None, None]
            parsing_loss(logits.expand(1, 3, 10, 10) + shift, labels).backward()
            optimizer.step()
        likely = logits.softmax(1).flatten()  # of pixels that look alike
        assert likely[0].item() == pytest.approx(0.86, abs=0.02)
        assert likely[2].item() == pytest.approx(small, abs=0.01)
