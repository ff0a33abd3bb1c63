"""P x K batches: P identities with K images each, as the batch-hard triplet loss needs them (Section 4.2).

Out of scope: reading the images (pictures.py) and moving them about (transforms.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isp_core.errors import IspError

Pass = Literal["pictures", "identities"]


class SamplingError(IspError):
    """Batches that cannot be formed from these identities."""


class IdentityBatches:
    """Identity-balanced batches of an epoch, a function of (identities, seed, epoch) alone.

    Nothing is remembered between epochs: a resumed run forms the batches that the undisturbed one would have formed,
    and every rank forms the same plan and takes its share of it.

    One pass over "images", which the field and the paper call an epoch, has as many places as images (at least one
    visit to all people, N / (P K) batches, rounded up): an identity with n images is visited n // K times, or once
    more by chance. One pass over "identities" visits all people once, however many images there are. Places left over
    in the last batch are given to a few identities once more. An identity occurs at most once in a batch; its images
    come in random order, all of them before any comes again, and twice in one visit only where it has fewer than K.
    Junk and distractors (identities below 1) are never drawn.

    Args:
        identities: (N,) identity of image 0..N-1.
        identities_per_batch: P, over all ranks.
        pictures_per_identity: K.
        seed: with the epoch, the only source of randomness.
        one_pass_over: what an epoch is one pass over, see above.
        rank, world_size: this process among its equals; each takes P / world_size identities of every batch, so
            that the number of steps and the batch of the paper are the same with any number of processes.

    Raises:
        SamplingError: fewer than P identities; P not divisible among the ranks; numbers out of range.

    >>> batches = IdentityBatches([7, 7, 8, 8, 9], identities_per_batch=3, pictures_per_identity=2, seed=0)
    >>> [sorted(batch) for batch in batches.batches(epoch=1)]
    [[0, 1, 2, 3, 4, 4]]
    """

    def __init__(
        self,
        identities: Sequence[int] | NDArray[np.int64],
        identities_per_batch: int,
        pictures_per_identity: int,
        seed: int,
        *,
        one_pass_over: Pass = "pictures",
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        rows = np.asarray(identities, dtype=np.int64)
        people = np.unique(rows[rows > 0])
        p, k = identities_per_batch, pictures_per_identity
        if p < 1 or k < 1:
            raise SamplingError(f"batches of {p} identities x {k} images: both numbers must be at least 1")
        if len(people) < p:
            option = f" (--set data.identities_per_batch={len(people)})" if len(people) else ""
            raise SamplingError(
                f"batches of {p} identities from {len(people)} training identities: "
                f"ask for at most {len(people)} identities a batch{option}, or train on more people"
            )
        if not 0 <= rank < world_size:
            raise SamplingError(f"rank {rank} of {world_size} processes: ranks count from 0 to {world_size - 1}")
        if p % world_size:
            raise SamplingError(
                f"batches of {p} identities cannot be shared by {world_size} processes: choose a multiple"
            )
        self.identities_per_batch, self.pictures_per_identity = p, k
        self.seed, self.rank, self.world_size = seed, rank, world_size
        # images of person i: order[starts[i] : starts[i + 1]]
        order = np.argsort(rows, kind="stable")
        self._order = order[rows[order] > 0]
        self._starts = np.searchsorted(rows[self._order], np.append(people, people[-1] + 1))
        counts = np.diff(self._starts)
        if one_pass_over == "pictures":
            visits, places = np.maximum(counts // k, 1), len(self._order) / k
        else:
            visits, places = np.ones_like(counts), 0.0
        self._n_batches = math.ceil(max(places, float(visits.sum())) / p)
        # no identity can be in more batches than there are: this bounds an identity with very many images
        self._visits = np.minimum(visits, self._n_batches)
        self._leftover = counts > self._visits * k  # has images that these visits do not show

    def __len__(self) -> int:
        """Batches per epoch, the same in every epoch and on every rank."""
        return self._n_batches

    def batches(self, epoch: int) -> list[list[int]]:
        """This rank's share of the epoch's batches: image numbers, K of one identity after K of the next."""
        # the constant keeps this stream apart from those of other users of the same seed
        rng = np.random.default_rng([self.seed, epoch, 0x5A])
        plan = self._plan(rng)  # (batches, P) people
        pictures = self._draw_pictures(plan, rng)  # (batches, P, K)
        share = self.identities_per_batch // self.world_size
        mine = pictures[:, self.rank * share : (self.rank + 1) * share]
        return [[int(i) for i in batch] for batch in mine.reshape(self._n_batches, -1)]

    def _plan(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Who is in which batch: (batches, P) people as positions 0..people-1, distinct within a batch."""
        n, p = self._n_batches, self.identities_per_batch
        visits = self._visits.copy()
        while (short := n * p - int(visits.sum())) > 0:
            free = rng.permutation(np.flatnonzero(visits < n))
            # once more, first those whose images were not all shown
            free = free[np.argsort(~self._leftover[free], kind="stable")]
            visits[free[:short]] += 1
        # Dealt out like cards: the visits of one person are neighbours in the pack and at most n, so they fall into
        # different batches.
        people = rng.permutation(len(visits))
        pack = np.repeat(people, visits[people])  # (P * batches,)
        plan: NDArray[np.int64] = rng.permuted(pack.reshape(p, n).T, axis=1)
        return plan[rng.permutation(n)]

    def _draw_pictures(self, plan: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """K images for each place of the plan, (batches, P) -> (batches, P, K)."""
        k = self.pictures_per_identity
        drawn = np.empty((*plan.shape, k), dtype=np.int64)
        flat = drawn.reshape(-1, k)
        places = np.argsort(plan, axis=None, kind="stable")
        ends = np.cumsum(np.bincount(plan.ravel(), minlength=len(self._visits)))
        for person, mine in enumerate(np.split(places, ends[:-1])):
            pictures = self._order[self._starts[person] : self._starts[person + 1]]
            order = rng.permutation(pictures)
            while len(order) < len(mine) * k:
                # where a visit takes the last images of one round and the first of the next, none comes twice
                begun = order[len(order) // k * k :]
                again = rng.permutation(pictures)
                order = np.concatenate([order, again[np.argsort(np.isin(again, begun), kind="stable")]])
            flat[mine] = order[: len(mine) * k].reshape(-1, k)
        return drawn
