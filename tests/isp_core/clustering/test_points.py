"""Pixels of maps that were never upsampled, against maps that were."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from isp_core.clustering import CascadeConfig, ClusteringError, Variant, label_identity
from isp_core.clustering.cascade import cluster_parts, split_foreground
from isp_core.clustering.kernels import neighbours
from isp_core.clustering.maps import activation, norms, pixel_features, pixels
from isp_core.clustering.points import DensePoints, Points, UpsampledPoints, _neighbours, squared_norms

SIZES = [
    ((16, 8), (64, 32)),  # output stride 16 at 256 x 128
    ((8, 4), (64, 32)),  # 32
    ((12, 6), (48, 24)),  # 192 x 96
    ((7, 5), (16, 11)),  # no whole ratio
    ((5, 4), (5, 9)),  # one direction only
    ((1, 1), (4, 3)),
    ((9, 5), (10, 6)),  # hardly larger
    ((6, 5), (6, 5)),  # as large
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

    def test_neighbours_without_compiled_passes(self, grid: tuple[int, int], size: tuple[int, int]) -> None:
        maps = coarse_maps(grid).permute(0, 2, 3, 1).contiguous()
        own, beside, below, across = torch.from_numpy(neighbours(maps.numpy()))
        plain = _neighbours(maps)
        torch.testing.assert_close(own, plain[0])
        torch.testing.assert_close(beside[..., :-1], plain[1][..., :-1])
        torch.testing.assert_close(below[:, :-1], plain[2][:, :-1])
        torch.testing.assert_close(across[:, :-1, :-1], plain[3][:, :-1, :-1])

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
        points = pixels(maps, mask, config, norms(maps, size))
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
        assert_same_visit(points, centres)


def assert_same_visit(points: Points, centres: Tensor) -> None:
    """The compiled pass does what matrix products do, from no labels and from some."""
    before = torch.arange(len(points.norms2)) % len(centres)
    for labels in (None, before):
        compiled, plain = points.visit(centres, labels), points.visit_by_products(centres, labels)
        assert torch.equal(compiled.labels, plain.labels)
        assert compiled.changed == plain.changed
        assert torch.equal(compiled.sizes, plain.sizes)
        torch.testing.assert_close(compiled.scores, plain.scores, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(compiled.sums, plain.sums, rtol=1e-4, atol=1e-3)
    assert torch.equal(before, torch.arange(len(before)) % len(centres)), "a visit leaves the labels before it alone"


class TestVisit:
    @pytest.mark.parametrize("k", range(1, 10))
    @pytest.mark.parametrize("c", [1, 7, 64, 300])
    def test_compiled_is_as_products(self, k: int, c: int) -> None:
        generator = torch.Generator().manual_seed(k)
        points = DensePoints(torch.randn(5000, c, generator=generator))
        assert_same_visit(points, torch.randn(k, c, generator=generator))

    def test_two_threads_share_the_points(self, monkeypatch: pytest.MonkeyPatch) -> None:
        generator = torch.Generator().manual_seed(0)
        points, centres = DensePoints(torch.randn(5001, 16, generator=generator)), torch.eye(5, 16)
        one = points.visit(centres)
        monkeypatch.setattr("isp_core.clustering.points.THIN", 0)
        monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
        three = points.visit(centres, one.labels)
        assert three.changed == 0
        assert torch.equal(three.scores, one.scores)
        assert torch.equal(three.sizes, one.sizes)
        torch.testing.assert_close(three.sums, one.sums, rtol=1e-4, atol=1e-3)
        assert_same_visit(points, centres)

    def test_equally_near_centres_go_by_their_order(self) -> None:
        points = DensePoints(torch.tensor([[0.0, 1.0], [1.0, 0.0], [-1.0, 0.0]]))
        centres = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]])
        assert points.visit(centres).labels.tolist() == [0, 0, 1]
        assert_same_visit(points, centres)

    @pytest.mark.parametrize("size", [(16, 8), (64, 32)])
    def test_labels_without_compiled_passes(self, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
        """What a GPU does."""
        compiled = label_identity(people((16, 8)), CascadeConfig(), size=size)
        monkeypatch.setattr(Points, "visit", Points.visit_by_products)
        plain = label_identity(people((16, 8)), CascadeConfig(), size=size)
        assert (compiled.labels == plain.labels).float().mean() > 0.999
        assert compiled.inertia == pytest.approx(plain.inertia, rel=1e-4)


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
    with pytest.raises(ClusteringError, match="image 2"):
        activation(maps, (64, 32))
    with pytest.raises(ClusteringError, match="image 2"):
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
