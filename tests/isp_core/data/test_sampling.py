"""What a trainer can rely on in its batches."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isp_core.data import IdentityBatches, SamplingError


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[int], int, int, int, int]:
    """Identities with 1 to 13 pictures each (some junk among them), P, K, seed, epoch."""
    counts = draw(st.lists(st.integers(1, 13), min_size=2, max_size=9))
    p = draw(st.integers(1, len(counts)))
    identities = [number for number, n in enumerate(counts, start=1) for _ in range(n)] + [0, -1]
    order = draw(st.permutations(range(len(identities))))
    return [identities[i] for i in order], p, draw(st.integers(1, 5)), draw(st.integers(0, 9)), draw(st.integers(0, 9))


@settings(max_examples=300, deadline=None)
@given(cases(), st.sampled_from(["pictures", "identities"]))
def test_every_batch_is_p_distinct_people_with_k_pictures_each(case, one_pass_over) -> None:  # type: ignore[no-untyped-def]
    identities, p, k, seed, epoch = case
    sampler = IdentityBatches(identities, p, k, seed, one_pass_over=one_pass_over)
    batches = sampler.batches(epoch)
    people = np.array(identities)
    size = Counter(identities)

    assert len(batches) == len(sampler)
    for batch in batches:
        visits = people[batch].reshape(p, k)
        assert (visits == visits[:, :1]).all(), "K pictures of one person after K of the next"
        assert len(set(visits[:, 0].tolist())) == p, "nobody twice in a batch"
        for visit in np.reshape(batch, (p, k)):
            n = size[int(people[visit[0]])]
            assert max(Counter(visit.tolist()).values()) == 1 if n >= k else True, (
                "no repetition where pictures suffice"
            )
            assert len(set(visit.tolist())) == min(n, k)
    drawn = {int(people[i]) for batch in batches for i in batch}
    assert drawn == {identity for identity in identities if identity > 0}, "everybody at least once, junk never"

    per_picture = Counter(i for batch in batches for i in batch)
    for identity in drawn:
        times = [per_picture[i] for i in np.flatnonzero(people == identity).tolist()]
        assert max(times) - min(times) <= 1, "all pictures of a person before any comes again"
    assert batches == sampler.batches(epoch)


@settings(max_examples=50, deadline=None)
@given(cases(), st.integers(1, 4))
def test_ranks_share_each_batch_by_identities(case, world_size: int) -> None:  # type: ignore[no-untyped-def]
    identities, p, k, seed, epoch = case
    if p % world_size:
        with pytest.raises(SamplingError, match="cannot be shared"):
            IdentityBatches(identities, p, k, seed, world_size=world_size)
        return
    whole = IdentityBatches(identities, p, k, seed).batches(epoch)
    shares = [
        IdentityBatches(identities, p, k, seed, rank=r, world_size=world_size).batches(epoch) for r in range(world_size)
    ]
    assert [list(chain(*parts)) for parts in zip(*shares, strict=True)] == whole


def test_an_epoch_is_about_one_pass_through_the_pictures() -> None:
    identities = [1 + i // 10 for i in range(2000)]  # 200 people with 10 pictures
    sampler = IdentityBatches(identities, 16, 4, seed=0)
    assert len(sampler) == 32  # 2000 / 64 = 31.25
    seen = {i for batch in sampler.batches(3) for i in batch}
    assert len(seen) == 112 * 10 + 88 * 8  # 32 * 16 visits: three to 112 people, two to 88
    assert len(IdentityBatches(identities, 16, 4, seed=0, one_pass_over="identities")) == 13


def test_epochs_and_seeds_differ() -> None:
    identities = [1 + i // 4 for i in range(80)]
    sampler = IdentityBatches(identities, 4, 4, seed=0)
    assert sampler.batches(1) != sampler.batches(2)
    assert sampler.batches(1) != IdentityBatches(identities, 4, 4, seed=1).batches(1)


def test_one_person_with_very_many_pictures_does_not_fill_batches() -> None:
    sampler = IdentityBatches([1] * 100 + [2, 3], 2, 2, seed=0)
    people = np.array([1] * 100 + [2, 3])
    assert all(len(set(people[batch].tolist())) == 2 for batch in sampler.batches(0))


@pytest.mark.parametrize(
    ("identities", "options", "message"),
    [
        ([1, 1, 2, 2], {"identities_per_batch": 16}, "16 identities from 2 training identities: ask for at most 2"),
        ([0, -1], {}, "2 identities from 0 training identities"),
        ([1, 2], {"pictures_per_identity": 0}, "must be at least 1"),
        ([1, 2], {"rank": 2, "world_size": 2}, "rank 2 of 2 processes"),
        ([1, 2], {"world_size": 4}, "2 identities cannot be shared by 4 processes"),
    ],
)
def test_batches_that_cannot_be_formed_say_why(identities: list[int], options: dict[str, int], message: str) -> None:
    settings_ = {"identities_per_batch": 2, "pictures_per_identity": 2, "seed": 0} | options
    with pytest.raises(SamplingError, match=message):
        IdentityBatches(identities, **settings_)  # type: ignore[arg-type]
