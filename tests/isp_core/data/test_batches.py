"""An epoch's batches are the same tensors however they are loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from isp_core.data import IdentityBatches, PictureCache
from isp_core.data.batches import Batch, EpochBatches
from isp_core.data.transforms import TrainTransform

IDENTITIES = np.array([3, 3, 5, 5, 9, 9])
LABELS = np.random.default_rng(0).integers(0, 6, (6, 16, 8), dtype=np.uint8)


@pytest.fixture
def cache(tmp_path: Path) -> PictureCache:
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{i}.png" for i in range(6)]
    for path in paths:
        Image.fromarray(rng.integers(0, 255, (64, 32, 3), dtype=np.uint8)).save(path)
    return PictureCache(paths, (64, 32))


def epoch_batches(cache: PictureCache, epoch: int, labels: np.ndarray | None = LABELS, **ranks: int) -> EpochBatches:  # type: ignore[type-arg]
    transform = TrainTransform((64, 32), (16, 8), (0.5,) * 3, (0.5,) * 3)  # type: ignore[arg-type]
    targets = np.unique(IDENTITIES, return_inverse=True)[1].astype(np.int64)
    batches = IdentityBatches(IDENTITIES, 2, 2, seed=4, **ranks).batches(epoch)
    return EpochBatches(cache, targets, labels, batches, transform, seed=4, epoch=epoch)


def tensors(batches: EpochBatches, workers: int) -> list[Batch]:
    return list(DataLoader(batches, batch_size=None, num_workers=workers))


def test_the_number_of_workers_changes_nothing(cache: PictureCache) -> None:
    alone, helped = tensors(epoch_batches(cache, 1), 0), tensors(epoch_batches(cache, 1), 2)
    assert len(alone) == len(helped) == 2
    for a, b in zip(alone, helped, strict=True):
        assert torch.equal(a.pictures, b.pictures)
        assert a.label_maps is not None
        assert b.label_maps is not None
        assert torch.equal(a.label_maps, b.label_maps)
        assert torch.equal(a.rows, b.rows)


def test_a_batch_holds_what_its_rows_say(cache: PictureCache) -> None:
    batch = tensors(epoch_batches(cache, 1), 0)[0].to("cpu")
    assert batch.pictures.shape == (4, 3, 64, 32)
    assert batch.pictures.dtype == torch.float32
    assert batch.targets.tolist() == [[0, 0, 1, 1, 2, 2][row] for row in batch.rows.tolist()]
    assert batch.label_maps is not None
    assert batch.label_maps.shape == (4, 16, 8)
    assert batch.label_maps.dtype == torch.uint8


def test_without_label_maps_the_pictures_are_the_same(cache: PictureCache) -> None:
    with_maps, without = tensors(epoch_batches(cache, 1), 0), tensors(epoch_batches(cache, 1, labels=None), 0)
    assert all(torch.equal(a.pictures, b.pictures) for a, b in zip(with_maps, without, strict=True))
    assert all(batch.label_maps is None for batch in without)


def test_every_epoch_augments_anew_and_can_be_made_again(cache: PictureCache) -> None:
    first, second, again = (tensors(epoch_batches(cache, epoch), 0)[0] for epoch in (1, 2, 1))
    assert not torch.equal(first.pictures, second.pictures)
    assert torch.equal(first.pictures, again.pictures)
