"""Every backbone gives M_g at a quarter of the input; pooling is the paper's, however it is computed."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from isp_core.errors import IspError
from isp_core.models import ISPNet, NetworkSpec, count_parameters, map_size, normalisation, weighted_pooling
from isp_core.models.backbone import Backbone, DilatedDepthwise
from isp_core.models.feature_map import SpatialAttention, adjoint_upsample, upsample
from isp_core.models.weights import WeightsError, packaged_weights

PRESETS = [
    # backbone, output stride, stages, grid, channels of M_g
    ("mobilenetv2_100", 16, (5,), 16, 320),
    ("tf_efficientnet_lite0", 16, (3, 4, 5), 8, 472),
    ("resnet50", 32, (5,), 32, 2048),
    ("seresnet50", 16, (5,), 16, 2048),
    ("hrnet_w32", 32, (2, 3, 4, 5), 4, 1920),
]


def spec(**changes: object) -> NetworkSpec:
    fields: dict[str, object] = {
        "backbone": "test_efficientnet",
        "output_stride": 32,
        "stages": (3, 4, 5),
        "grid": 8,
        "channels": 16,
        "level_stages": False,
        "attention": "none",
        "classifier": "linear",
        "global_from": "map",
        "parts": 4,
        "identities": 5,
    }
    return NetworkSpec(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "stride", "stages", "grid", "channels"), PRESETS)
def test_a_preset_backbone_gives_maps_at_a_quarter(
    name: str, stride: int, stages: tuple[int, ...], grid: int, channels: int
) -> None:
    given = spec(backbone=name, output_stride=stride, stages=stages, grid=grid, channels=None)
    network = ISPNet(given, weights="none").eval()
    pictures = torch.rand(2, 3, 64, 32)
    with torch.inference_mode():
        maps, output = network.feature_maps(pictures), network(pictures)
    assert maps.shape == (2, channels, 16, 8)
    assert output.logits.shape == (2, 4, 16, 8)
    assert output.pooled.parts.shape == (2, 3, channels)
    assert [logits.shape for logits in output.identity_logits] == [(2, 5)] * 3
    assert count_parameters(network) > count_parameters(network.backbone) > 0


def test_pooling_is_that_of_the_large_map() -> None:
    """Eq. 2 and GAP written out on M_g upsampled, against the product on its own grid."""
    generator = torch.Generator().manual_seed(0)
    small = torch.rand(2, 5, 4, 2, generator=generator, dtype=torch.float64)
    confidence = torch.rand(2, 3, 16, 8, generator=generator, dtype=torch.float64).softmax(1)
    large = upsample(small, (16, 8))
    expected = torch.stack([(confidence[:, k, None] * large).mean((2, 3)) for k in (1, 2)], dim=1)
    foreground, parts = weighted_pooling(small, confidence)
    torch.testing.assert_close(parts, expected)
    torch.testing.assert_close(foreground, expected.sum(1))


@pytest.mark.parametrize("aligned", [False, True])
def test_the_adjoint_is_the_transpose(aligned: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(1, 1, 3, 5, generator=generator, dtype=torch.float64)
    y = torch.rand(1, 1, 12, 20, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(
        (upsample(x, (12, 20), aligned) * y).sum(), (x * adjoint_upsample(y, (3, 5), aligned)).sum()
    )


def test_a_linear_classifier_may_come_before_the_upsampling() -> None:
    network = ISPNet(spec(), weights="none").eval()
    pictures = torch.rand(1, 3, 64, 32)
    with torch.inference_mode():
        torch.testing.assert_close(network.classifier(network.feature_maps(pictures)), network(pictures).logits)


@pytest.mark.parametrize(
    "changes",
    [
        {"attention": "spatial"},
        {"attention": "pixel"},
        {"align_corners": True, "attention": "spatial"},
        {"bias": False},
        {"layers": ("blocks.2", "blocks.3")},
        {"output_stride": 16, "dilated": False},
        {"classifier": "deep"},
        {"global_from": "stages"},
        {"level_stages": True},
        {"channels": None},
        {"parts": 0},
    ],
    ids=str,
)
def test_every_option_trains(changes: dict[str, object]) -> None:
    network = ISPNet(spec(**changes), weights="none").train()
    output = network(torch.rand(4, 3, 64, 32))
    sum(logits.square().mean() for logits in output.identity_logits).backward()
    assert all(p.grad is not None for p in network.neck_global.classifier.parameters())
    assert (output.logits is None) == (changes.get("parts") == 0)


def test_a_layer_by_name_is_the_stage_that_it_ends() -> None:
    """MobileNetV2's block 6 ends stage 5; block 5 is none of smp's stages."""
    torch.manual_seed(0)
    by_name = ISPNet(spec(backbone="mobilenetv2_100", layers=("blocks.6",), channels=None), weights="none").eval()
    by_stage = ISPNet(spec(backbone="mobilenetv2_100", stages=(5,), channels=None), weights="none").eval()
    by_stage.load_state_dict(by_name.state_dict())
    images = torch.rand(2, 3, 64, 32)
    with torch.inference_mode():
        torch.testing.assert_close(by_name.coarse_maps(images), by_stage.coarse_maps(images))
        between = ISPNet(spec(backbone="mobilenetv2_100", layers=("blocks.5",), channels=None), weights="none").eval()
        assert between.coarse_maps(images).shape == (2, 160, 8, 4)
        again = copy.deepcopy(between)
        for weight in again.parameters():
            weight.zero_()
        assert not torch.equal(again.coarse_maps(images), between.coarse_maps(images))  # a copy has its own layers


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("blocks.77", "has no layer 'blocks.77'; near to it are blocks"),
        ("layer", "test_efficientnet has no layer"),
    ],
)
def test_layers_that_do_not_exist_or_give_no_map_are_named(layer: str, message: str) -> None:
    with pytest.raises(IspError, match=message):
        ISPNet(spec(layers=(layer,)), weights="none")


def test_last_stride_one_keeps_the_weights_and_the_size_but_not_the_dilation() -> None:
    changes = {"backbone": "resnet18", "output_stride": 16, "stages": (5,), "grid": 16, "channels": None}
    dilated, plain = (ISPNet(spec(**changes, dilated=each), weights="none").eval() for each in (True, False))
    for module in dilated.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)  # timm starts the last of a block at 0, which hides the block
    plain.load_state_dict(dilated.state_dict())
    images = torch.rand(1, 3, 64, 32)
    with torch.inference_mode():
        first, second = dilated.coarse_maps(images), plain.coarse_maps(images)
    assert first.shape == second.shape == (1, 512, 4, 2)
    assert not torch.allclose(first, second)
    convolutions = [module for module in plain.backbone.modules() if isinstance(module, torch.nn.Conv2d)]
    assert {module.dilation for module in convolutions} == {(1, 1)}


def test_the_authors_attention_is_a_map_of_one_channel() -> None:
    """3x3 stride 2 to one channel, BN, ReLU, bilinear, 1x1, BN; written out by hand on its own weights."""
    attention = SpatialAttention(6, align_corners=True).eval()
    maps = torch.rand(2, 6, 8, 4)
    narrow, weigh = attention.narrow, attention.weigh
    by_hand = torch.nn.functional.conv2d(maps, narrow[0].weight, stride=2, padding=1) / (1 + narrow[1].eps) ** 0.5
    by_hand = torch.nn.functional.interpolate(by_hand.relu(), size=(8, 4), mode="bilinear", align_corners=True)
    by_hand = by_hand * weigh[0].weight.view(()) / (1 + weigh[1].eps) ** 0.5
    torch.testing.assert_close(attention(maps), by_hand)
    assert sum(weight.numel() for weight in attention.parameters()) == 9 * 6 + 2 + 1 + 2


def test_map_size_is_a_quarter() -> None:
    assert map_size((256, 128)) == (64, 32)


@pytest.mark.parametrize("name", ["mobilenetv2_100", "tf_efficientnet_lite0"])
def test_packaged_weights_are_image_nets(name: str) -> None:
    try:
        tensors = packaged_weights(name)
    except WeightsError as error:
        pytest.skip(str(error))
    loaded = Backbone(name, weights="package").state_dict()
    assert torch.equal(loaded["encoder.model.conv_stem.weight"], tensors["conv_stem.weight"])
    # running variances of a trained network are not all one
    assert tensors["bn1.running_var"].std() > 0.01


def test_efficientnet_lite_is_normalised_as_it_was_trained() -> None:
    assert normalisation("tf_efficientnet_lite0").mean == (0.5, 0.5, 0.5)
    assert normalisation("resnet50").mean == (0.485, 0.456, 0.406)


@pytest.mark.parametrize("kind", ["safetensors", "pt", "nested pth"])
def test_weights_from_a_file(tmp_path: Path, kind: str) -> None:
    tensors = timm.create_model("test_efficientnet", num_classes=7).state_dict()
    file = tmp_path / f"weights.{kind.split()[-1]}"
    if kind == "safetensors":
        save_file(tensors, file)
    else:
        torch.save(
            {"state_dict": {f"module.{k}": v for k, v in tensors.items()}} if "nested" in kind else tensors, file
        )
    loaded = Backbone("test_efficientnet", weights=str(file)).state_dict()
    assert torch.equal(loaded["encoder.model.conv_stem.weight"], tensors["conv_stem.weight"])


def test_wrong_weights_are_explained(tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_file(timm.create_model("test_resnet").state_dict(), other)
    (tmp_path / "text.pt").write_text("no tensors")
    torch.save({"a": [1, 2]}, tmp_path / "list.pt")
    for source, message in [
        (str(other), "another backbone's weights: it lacks"),
        (str(tmp_path / "none.pt"), "does not exist"),
        (str(tmp_path / "text.pt"), "no tensors that can be read safely"),
        (str(tmp_path / "list.pt"), "not a table of tensors"),
        ("package", "no installed package ships weights of test_efficientnet"),
    ]:
        with pytest.raises(WeightsError, match=message):
            Backbone("test_efficientnet", weights=source)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "resnet9000"}, "no backbone is called 'resnet9000'"),
        ({"backbone": "resnet50.nope"}, "backbone resnet50 has no weights called 'nope'; it has a1_in1k, "),
        ({"backbone": "test_mambaout", "output_stride": 16}, "does not allow output stride 16"),
        ({"stages": (6,)}, "has the stages 1 to 5"),
    ],
)
def test_impossible_networks_are_explained(changes: dict[str, object], message: str) -> None:
    with pytest.raises(IspError, match=message):
        ISPNet(spec(**changes), weights="none")


@pytest.mark.parametrize(("dilation", "kernel", "size"), [(2, 3, (8, 4)), (2, 5, (7, 5)), (4, 3, (6, 9))])
def test_a_dilated_depthwise_convolution_is_the_same_without_dilation(
    dilation: int, kernel: int, size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    plain = torch.nn.Conv2d(6, 6, kernel, padding=dilation * (kernel // 2), dilation=dilation, groups=6)
    split = copy.deepcopy(plain)
    assert DilatedDepthwise.replaces(split)
    split.__class__ = DilatedDepthwise
    first = torch.randn(2, 6, *size, requires_grad=True)
    second = first.detach().clone().requires_grad_()
    expected, found = plain(first), split(second)
    torch.testing.assert_close(found, expected)
    expected.square().sum().backward()
    found.square().sum().backward()
    torch.testing.assert_close(second.grad, first.grad)
    torch.testing.assert_close(split.weight.grad, plain.weight.grad)


def test_only_what_it_computes_is_replaced() -> None:
    assert not DilatedDepthwise.replaces(torch.nn.Conv2d(6, 6, 3, padding=2, dilation=2))  # not depthwise
    assert not DilatedDepthwise.replaces(torch.nn.Conv2d(6, 6, 3, padding=1, groups=6))  # not dilated
    found = [module for module in Backbone("mobilenetv2_100", 16, "none").modules() if type(module) is DilatedDepthwise]
    assert len(found) == 3
