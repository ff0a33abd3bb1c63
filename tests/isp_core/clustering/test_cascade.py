"""The cascade on maps small enough to know the answer, and what it does where there is nothing to find."""

import dataclasses
import itertools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from isp_core.clustering import CascadeConfig, ClusteringError, Variant, label_identity
from isp_core.clustering.cascade import cluster_parts, split_foreground, top_to_bottom
from isp_core.clustering.maps import activation, pixel_features, sharpen

TOTEM = torch.tensor([[0, 1, 1, 0], [0, 2, 2, 0], [0, 2, 2, 0], [0, 3, 3, 0]])  # head, two rows of trunk, feet


def totem_maps(pictures: int = 3, *, noise: float = 0.0, seed: int = 0) -> Tensor:
    """(pictures, 5, 4, 4): each part of the totem points along its own channel, the background hardly at all."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.cat([0.1 * torch.eye(5)[:1], torch.eye(5)[[4, 2, 3]]])  # channels in no order of height
    maps = directions[TOTEM].permute(2, 0, 1).expand(pictures, -1, -1, -1)
    strength = 1 + torch.arange(pictures)[:, None, None, None]  # pictures of different contrast
    return maps * strength + noise * torch.rand(maps.shape, generator=generator)


def person_maps(pictures: int = 4, c: int = 24, *, seed: int = 0) -> Tensor:
    """(pictures, c, 32, 16): noisy, smooth maps with six bands in the middle."""
    generator = torch.Generator().manual_seed(seed)
    bands = torch.randn(7, c, generator=generator).relu()
    label = torch.zeros(16, 8, dtype=torch.int64)
    label[:, 2:6] = 1 + torch.arange(16)[:, None] * 6 // 16
    low = bands[label] * (0.3 + 0.7 * (label > 0)[..., None]) + 0.4 * torch.rand(
        pictures, 16, 8, c, generator=generator
    )
    return F.interpolate(low.permute(0, 3, 1, 2), (32, 16), mode="bilinear")


K4 = CascadeConfig(parts=4)


# ---------------------------------------------------------------------------------------------------- first stage


class TestActivation:
    def test_is_the_norm_over_each_pictures_largest(self) -> None:
        maps = torch.tensor([[[[3.0, 0.0]], [[4.0, 1.0]]], [[[0.0, 0.0]], [[0.0, 2.0]]]])  # (2, 2, 1, 2)
        torch.testing.assert_close(activation(maps), torch.tensor([[[1.0, 0.2]], [[0.0, 1.0]]]))

    def test_a_picture_of_zeros_is_zero(self) -> None:
        maps = torch.zeros(2, 3, 4, 4)
        maps[0, 0, 0, 0] = 1
        assert activation(maps)[1].eq(0).all()

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
    @pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
    def test_any_dtype_and_memory_format(self, dtype: torch.dtype, layout: torch.memory_format) -> None:
        maps = person_maps().to(dtype)
        expected = torch.linalg.vector_norm(maps.float(), dim=1)
        expected = expected / expected.flatten(1).amax(1)[:, None, None]
        torch.testing.assert_close(activation(maps.contiguous(memory_format=layout)), expected)

    def test_half_precision_does_not_overflow(self) -> None:
        assert activation(torch.full((1, 4, 2, 2), 6e4, dtype=torch.float16)).eq(1).all()

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
    def test_names_the_picture_that_is_not_finite(self, value: float) -> None:
        maps = torch.rand(4, 3, 4, 4)
        maps[2, 1, 3, 0] = value
        with pytest.raises(ClusteringError, match="image 2"):
            activation(maps)

    @pytest.mark.parametrize("maps", [torch.rand(3, 4, 4), torch.rand(0, 3, 4, 4), torch.ones(1, 3, 4, 4).long()])
    def test_other_shapes_and_types_are_refused(self, maps: Tensor) -> None:
        with pytest.raises(ClusteringError, match=r"\(n, c, h, w\)"):
            activation(maps)


def test_sharpening_by_hand() -> None:
    """sigmoid(10 a - 2): one half at a = 0.2."""
    torch.testing.assert_close(sharpen(torch.tensor([0.2, 0.0, 1.0])), torch.tensor([0.5, 0.1192029, 0.9996647]))


class TestForeground:
    def test_splits_all_pictures_at_once(self) -> None:
        """The second picture has no pixel that stands out in the identity, though some do within the picture."""
        scores = torch.tensor([[[0.9, 0.8, 0.1]], [[0.1, 0.15, 0.2]]])
        assert split_foreground(scores).tolist() == [[[True, True, False]], [[False, False, False]]]

    def test_works_for_any_score(self) -> None:
        scores = torch.tensor([[[-5.0, -4.9, 3.0]]])
        assert split_foreground(scores).tolist() == [[[False, False, True]]]

    def test_equal_scores_are_all_background(self) -> None:
        assert not split_foreground(torch.full((2, 3, 3), 0.7)).any()

    def test_names_the_picture_that_is_not_finite(self) -> None:
        scores = torch.zeros(3, 2, 2)
        scores[1, 0, 0] = float("nan")
        with pytest.raises(ClusteringError, match="image 1"):
            split_foreground(scores)


# --------------------------------------------------------------------------------------------------- second stage


class TestParts:
    def test_features_are_of_length_one(self) -> None:
        """Eq. 4; a pixel without activation stays 0 and is no NaN."""
        maps = torch.tensor([[[[3.0, 0.0]], [[4.0, 0.0]]]])
        features = pixel_features(maps, torch.ones(1, 1, 2, dtype=torch.bool), K4)
        torch.testing.assert_close(features, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))

    def test_variant_2_takes_features_as_they_are(self) -> None:
        maps = torch.tensor([[[[3.0, 0.0]], [[4.0, 0.0]]]])
        config = CascadeConfig(parts=4, variant=Variant.UNNORMALISED)
        features = pixel_features(maps, torch.ones(1, 1, 2, dtype=torch.bool), config)
        assert features.tolist() == [[3.0, 4.0], [0.0, 0.0]]

    def test_height_is_measured_within_each_pictures_foreground(self) -> None:
        mask = torch.zeros(2, 5, 1, dtype=torch.bool)
        mask[0, :, 0] = True
        mask[1, 2:4, 0] = True
        config = CascadeConfig(parts=3, height_weight=2.0)
        heights = pixel_features(torch.ones(2, 3, 5, 1), mask, config)[:, 3]
        torch.testing.assert_close(heights, torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 0.0, 2.0]))

    @pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
    @pytest.mark.parametrize("weight", [0.0, 1.0])
    def test_pixels_come_in_the_order_of_the_mask(self, layout: torch.memory_format, weight: float) -> None:
        maps = person_maps().contiguous(memory_format=layout)
        mask = torch.rand(maps.shape[0], *maps.shape[2:], generator=torch.Generator().manual_seed(0)) < 0.4
        features = pixel_features(maps, mask, CascadeConfig(height_weight=weight))
        torch.testing.assert_close(features[:, :24], F.normalize(maps.permute(0, 2, 3, 1)[mask], dim=1))

    @pytest.mark.parametrize(
        ("labels", "positions", "order"),
        [
            ([0, 1, 2], [[5, 0], [1, 0], [3, 0]], [1, 2, 0]),  # by mean row
            ([0, 0, 1], [[0, 0], [4, 0], [1, 0]], [1, 0]),  # the mean counts, not the topmost pixel
            ([0, 1], [[2, 7], [2, 3]], [1, 0]),  # equal rows: by mean column
            ([0, 1, 1], [[2, 3], [1, 2], [3, 4]], [1, 0]),  # equal means: the larger first
            ([0, 1], [[2, 3], [2, 3]], [0, 1]),  # all equal: by index
            ([2, 2], [[0, 0], [0, 1]], [2, 0, 1]),  # empty clusters last
        ],
    )
    def test_order_from_top_to_bottom(self, labels: list[int], positions: list[list[int]], order: list[int]) -> None:
        assert top_to_bottom(torch.tensor(labels), torch.tensor(positions), len(order)).tolist() == order

    def test_nothing_in_the_foreground(self) -> None:
        found = cluster_parts(totem_maps(), torch.zeros(3, 4, 4, dtype=torch.bool), K4)
        assert found.labels.eq(0).all()
        assert found.inertia == 0.0

    def test_fewer_pixels_than_parts(self) -> None:
        mask = torch.zeros(3, 4, 4, dtype=torch.bool)
        mask[0, 0, 1] = mask[2, 3, 2] = True  # one pixel of the head, one of the feet
        labels = cluster_parts(totem_maps(), mask, K4).labels
        assert labels[0, 0, 1] == 1
        assert labels[2, 3, 2] == 2
        assert int(labels.bool().sum()) == 2


# ------------------------------------------------------------------------------------------------------ the whole


class TestLabelIdentity:
    @pytest.mark.parametrize("pictures", [1, 3])
    @pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
    @pytest.mark.parametrize("variant", Variant)
    def test_finds_the_totem(self, pictures: int, layout: torch.memory_format, variant: Variant) -> None:
        maps = totem_maps(1).expand(pictures, -1, -1, -1).contiguous(memory_format=layout)
        result = label_identity(maps, CascadeConfig(parts=4, variant=variant))
        assert result.labels.dtype == torch.uint8
        assert torch.equal(result.labels, TOTEM.to(torch.uint8).expand(pictures, -1, -1))
        assert result.sizes.tolist() == [8 * pictures, 2 * pictures, 4 * pictures, 2 * pictures]
        assert result.foreground_share == 0.5
        assert result.inertia == pytest.approx(0.0, abs=1e-4)

    def test_contrast_of_a_picture_does_not_matter(self) -> None:
        """Eq. 3 divides by each picture's largest, Eq. 4 by each pixel's norm."""
        labels = label_identity(totem_maps(3), K4).labels
        assert torch.equal(labels, TOTEM.to(torch.uint8).expand(3, -1, -1))

    def test_an_occluded_part_is_missing_in_its_picture_only(self) -> None:
        maps = totem_maps(3)
        maps[1, :, 3] = maps[1, :, 3, :1]  # the feet stand behind something
        labels = label_identity(maps, K4).labels
        assert sorted(labels[1].unique().tolist()) == [0, 1, 2]
        assert torch.equal(labels[0], TOTEM.to(torch.uint8))

    def test_centres_stand_in_the_order_of_the_labels(self) -> None:
        centres = label_identity(totem_maps(), K4).centres
        torch.testing.assert_close(centres, torch.eye(5)[[4, 2, 3]])

    def test_variant_1_has_a_centre_for_the_background(self) -> None:
        config = CascadeConfig(parts=4, variant=Variant.ONE_STEP)
        centres = label_identity(totem_maps(1), config).centres
        torch.testing.assert_close(centres, torch.cat([0.1 * torch.eye(5)[:1], torch.eye(5)[[4, 2, 3]]]))

    def test_equal_seeds_give_equal_bits(self) -> None:
        maps = person_maps()
        a, b = (label_identity(maps, CascadeConfig(), seed=5) for _ in range(2))
        assert torch.equal(a.labels, b.labels)
        assert torch.equal(a.centres, b.centres)
        assert (a.inertia, a.iterations) == (b.inertia, b.iterations)

    @pytest.mark.parametrize("variant", Variant)
    def test_memory_format_changes_no_label(self, variant: Variant) -> None:
        maps = person_maps()
        config = CascadeConfig(variant=variant)
        a, b = (
            label_identity(maps.contiguous(memory_format=layout), config).labels
            for layout in (torch.contiguous_format, torch.channels_last)
        )
        assert (a == b).float().mean() > 0.999

    @pytest.mark.parametrize("variant", Variant)
    def test_maps_without_any_activation(self, variant: Variant) -> None:
        result = label_identity(torch.zeros(2, 3, 4, 4), CascadeConfig(variant=variant))
        assert result.labels.eq(0).all()
        assert result.sizes.tolist() == [32, 0, 0, 0, 0, 0, 0]
        assert result.foreground_share == 0.0

    def test_a_picture_of_zeros_is_background(self) -> None:
        maps = totem_maps(3).clone()
        maps[1] = 0
        result = label_identity(maps, K4)
        assert result.labels[1].eq(0).all()
        assert torch.equal(result.labels[2], TOTEM.to(torch.uint8))

    @pytest.mark.parametrize("variant", Variant)
    def test_names_the_picture_that_is_not_finite(self, variant: Variant) -> None:
        maps = totem_maps(4).clone()
        maps[3, 0, 1, 1] = float("nan")
        with pytest.raises(ClusteringError, match="image 3"):
            label_identity(maps, CascadeConfig(parts=4, variant=variant))

    def test_input_is_left_alone(self) -> None:
        maps = person_maps()
        before = maps.clone()
        label_identity(maps, CascadeConfig(height_weight=1.0))
        assert torch.equal(maps, before)

    @settings(max_examples=25, deadline=None)
    @given(
        st.integers(1, 3),
        st.integers(1, 5),
        st.integers(1, 5),
        st.integers(1, 5),
        st.integers(2, 8),
        st.sampled_from(Variant),
        st.integers(0, 99),
    )
    def test_any_shape(self, n: int, c: int, h: int, w: int, parts: int, variant: Variant, seed: int) -> None:
        """Labels are a partition: mask and label map agree, part sizes add up, mean rows do not fall."""
        maps = torch.rand(n, c, h, w, generator=torch.Generator().manual_seed(seed)).round(decimals=1)
        config = CascadeConfig(parts=parts, variant=variant)
        result = label_identity(maps, config, seed=seed)
        assert result.labels.shape == (n, h, w)
        assert result.sizes.tolist() == torch.bincount(result.labels.flatten(), minlength=parts).tolist()
        assert len(result.sizes) == parts
        if variant is not Variant.ONE_STEP:
            assert torch.equal(result.labels > 0, split_foreground(activation(maps)))
        found = [k for k in range(1, parts) if int(result.sizes[k])]
        assert found == list(range(1, len(found) + 1))  # no gap: what was not found comes last
        rows = [(result.labels == k).nonzero()[:, 1].double().mean().item() for k in found]
        assert all(upper <= lower + 1e-9 for upper, lower in itertools.pairwise(rows))


@pytest.mark.parametrize(
    "change",
    [{"parts": 1}, {"parts": 256}, {"restarts": 0}, {"iterations": 0}, {"height_weight": -1.0}],
)
def test_configuration_out_of_range_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ClusteringError):
        dataclasses.replace(CascadeConfig(), **change)
