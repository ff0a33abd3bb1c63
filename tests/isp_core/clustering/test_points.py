"""Pixels of maps that were never upsampled, against maps that were."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from isp_core.clustering import CascadeConfig, ClusteringError, Variant, label_identity
from isp_core.clustering.cascade import cluster_parts, split_foreground
from isp_core.clustering.maps import activation, pixel_features, pixels
from isp_core.clustering.points import UpsampledPoints, squared_norms

SIZES = [
    ((16, 8), (64, 32)),  # output stride 16 at 256 x 128
    ((8, 4), (64, 32)),  # 32
    ((12, 6), (48, 24)),  # 192 x 96
    ((7, 5), (16, 11)),  # no whole ratio
    ((5, 4), (5, 9)),  # one direction only
    ((1, 1), (4, 3)),
    ((9, 5), (10, 6)),  # hardly larger
]


def coarse_maps(grid: tuple[int, int], *, pictures: int = 3, c: int = 12, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(pictures, c, *grid, generator=generator)


def upsampled(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


@pytest.mark.parametrize(("grid", "size"), SIZES)
class TestAgainstUpsampledMaps:
    def test_norms(self, grid: tuple[int, int], size: tuple[int, int]) -> None:
        maps = coarse_maps(grid)
        expected = upsampled(maps, size).square().sum(1)
        torch.testing.assert_close(squared_norms(maps, size), expected, rtol=1e-4, atol=1e-4)

    def test_activation(self, grid: tuple[int, int], size: tuple[int, int]) -> None:
        maps = coarse_maps(grid).relu()
        torch.testing.assert_close(activation(maps, size), activation(upsampled(maps, size)), rtol=1e-4, atol=1e-4)

    @pytest.mark.parametrize("variant", [Variant.CASCADE, Variant.UNNORMALISED])
    @pytest.mark.parametrize("weight", [0.0, 0.7])
    def test_all_that_kmeans_asks(
        self, grid: tuple[int, int], size: tuple[int, int], variant: Variant, weight: float
    ) -> None:
        maps = coarse_maps(grid)
        config = CascadeConfig(variant=variant, height_weight=weight)
        generator = torch.Generator().manual_seed(1)
        mask = torch.rand(len(maps), *size, generator=generator) < 0.6
        points = pixels(maps, mask, config)
        assert isinstance(points, UpsampledPoints) == (grid != size)
        truth = pixel_features(upsampled(maps, size), mask, config)  # (m, c)
        close = {"rtol": 1e-4, "atol": 1e-4}
        some = torch.arange(0, len(truth), 3)
        torch.testing.assert_close(points.rows(some), truth[some], **close)
        torch.testing.assert_close(points.norms2, truth.square().sum(1), **close)
        centres = torch.randn(4, points.channels, generator=generator)
        torch.testing.assert_close(points.products(centres), centres @ truth.t(), **close)
        members = torch.rand(4, len(truth), generator=generator)
        torch.testing.assert_close(points.sums(members).float(), members @ truth, rtol=1e-4, atol=1e-3)


def people(grid: tuple[int, int], *, c: int = 24, seed: int = 0) -> Tensor:
    """(4, c, *grid): noisy bands from head to feet."""
    generator = torch.Generator().manual_seed(seed)
    bands = torch.randn(7, c, generator=generator).relu()
    label = torch.zeros(grid, dtype=torch.int64)
    label[:, grid[1] // 4 : -(grid[1] // 4)] = 1 + torch.arange(grid[0])[:, None] * 6 // grid[0]
    noise = 0.4 * torch.rand(4, *grid, c, generator=generator)
    return (bands[label] * (0.3 + 0.7 * (label > 0)[..., None]) + noise).permute(0, 3, 1, 2)


@pytest.mark.parametrize("variant", Variant)
@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_labels_are_those_of_upsampled_maps(variant: Variant, weight: float) -> None:
    maps, size = people((16, 8)), (64, 32)
    config = CascadeConfig(variant=variant, height_weight=weight)
    coarse = label_identity(maps, config, size=size, seed=1)
    fine = label_identity(upsampled(maps, size), config, seed=1)
    assert (coarse.labels == fine.labels).float().mean() > 0.999
    assert coarse.inertia == pytest.approx(fine.inertia, rel=1e-3)
    torch.testing.assert_close(coarse.centres, fine.centres, rtol=1e-2, atol=1e-2)


def test_equal_seeds_give_equal_bits() -> None:
    a, b = (label_identity(people((16, 8)), CascadeConfig(), size=(64, 32)) for _ in range(2))
    assert torch.equal(a.labels, b.labels)
    assert torch.equal(a.centres, b.centres)


def test_any_dtype_and_memory_format() -> None:
    maps = people((16, 8)).half()
    a, b = (
        label_identity(m, CascadeConfig(), size=(64, 32)).labels
        for m in (maps, maps.float().contiguous(memory_format=torch.channels_last))
    )
    assert (a == b).float().mean() > 0.999


def test_maps_without_any_activation() -> None:
    assert label_identity(torch.zeros(2, 3, 4, 4), CascadeConfig(), size=(8, 8)).labels.eq(0).all()


def test_names_the_picture_that_is_not_finite() -> None:
    maps = people((16, 8))
    mask = split_foreground(activation(maps, (64, 32)))
    maps[2, 0, 3, 3] = float("nan")
    with pytest.raises(ClusteringError, match="picture 2"):
        activation(maps, (64, 32))
    with pytest.raises(ClusteringError, match="picture 2"):
        cluster_parts(maps, mask, CascadeConfig())


@pytest.mark.parametrize(
    "mask",
    [
        torch.ones(4, 8, 8, dtype=torch.bool),  # smaller than the maps
        torch.ones(3, 16, 8, dtype=torch.bool),  # other pictures
        torch.ones(4, 16, 8),  # not bool
    ],
)
def test_masks_that_do_not_fit_are_refused(mask: Tensor) -> None:
    with pytest.raises(ClusteringError, match="mask"):
        cluster_parts(people((16, 8)), mask, CascadeConfig())
