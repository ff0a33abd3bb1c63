"""Weights that people have fill a network: timm's, our own runs', torchreid's, fast-reid's; others say what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from isp_core.models import ISPNet
from isp_core.models.network import NetworkSpec
from isp_core.models.weights import WeightsError, read_tensors

SPEC = NetworkSpec("mobilenetv2_050", 32, (5,), 32, 16, False, False, "linear", "map", 4, 3)


@pytest.fixture(scope="module")
def trained() -> ISPNet:
    torch.manual_seed(1)
    return ISPNet(SPEC, weights="none")


def bare(network: ISPNet) -> dict[str, torch.Tensor]:
    """The backbone's tensors under timm's names."""
    return {name.removeprefix("model."): value for name, value in network.backbone.encoder.state_dict().items()}


def same_backbone(one: ISPNet, other: ISPNet) -> bool:
    return all(torch.equal(a, b) for a, b in zip(bare(one).values(), bare(other).values(), strict=True))


@pytest.mark.parametrize(
    "prefix", ["", "module.", "backbone.", "module.backbone.", "base.", "model.", "encoder.model."]
)
@pytest.mark.parametrize("nest", ["", "state_dict", "model"])
def test_whatever_stands_before_the_names_is_understood(
    prefix: str, nest: str, trained: ISPNet, tmp_path: Path
) -> None:
    tensors = {f"{prefix}{name}": value for name, value in bare(trained).items()}
    tensors[f"{prefix}classifier.weight"] = torch.zeros(751, 1280)
    torch.save({nest: tensors, "epoch": 3} if nest else tensors, tmp_path / "w.pth")
    assert same_backbone(ISPNet(SPEC, weights=str(tmp_path / "w.pth")), trained)


def test_checkpoints_with_numbers_of_numpy_are_read(trained: ISPNet, tmp_path: Path) -> None:
    """torchreid stores the best R-1 so."""
    extra = {"rank1": np.float64(0.9), "epoch": np.int64(60), "optimizer": {"lr": np.float32(1e-3)}}
    torch.save({"state_dict": bare(trained), **extra}, tmp_path / "w.pth.tar")
    assert same_backbone(ISPNet(SPEC, weights=str(tmp_path / "w.pth.tar")), trained)


class Config:
    """Stands for what tools pickle beside their weights."""


def test_other_objects_are_refused_with_a_command_that_helps(trained: ISPNet, tmp_path: Path) -> None:
    torch.save({"state_dict": bare(trained), "cfg": Config()}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"w\.pth holds more than tensors.*Config.*python -c"):
        read_tensors(tmp_path / "w.pth")


@pytest.mark.parametrize("place", ["run", "run/checkpoints/epoch_0002", "run/checkpoints/epoch_0002/model.safetensors"])
def test_a_run_of_ones_own_starts_another_data_set(place: str, trained: ISPNet, tmp_path: Path) -> None:
    for epoch in (1, 2):
        folder = tmp_path / "run" / "checkpoints" / f"epoch_{epoch:04d}"
        folder.mkdir(parents=True)
        weights = {name: value * (1 if epoch == 2 else 0) for name, value in trained.state_dict().items()}
        save_file(weights, folder / "model.safetensors")
    torch.manual_seed(2)
    fresh = ISPNet(replace(SPEC, identities=5), weights="none")
    torch.manual_seed(2)
    tuned = ISPNet(replace(SPEC, identities=5), weights=str(tmp_path / place))
    assert same_backbone(tuned, trained)
    before, after, own = fresh.state_dict(), tuned.state_dict(), trained.state_dict()
    assert torch.equal(after["classifier.weight"], own["classifier.weight"])
    assert torch.equal(after["neck_global.norm.running_var"], own["neck_global.norm.running_var"])
    assert after["neck_global.classifier.weight"].shape == (5, 16)
    assert torch.equal(after["neck_global.classifier.weight"], before["neck_global.classifier.weight"])


def test_identity_classifiers_are_left_out_even_where_the_number_of_people_is_the_same(
    trained: ISPNet, tmp_path: Path
) -> None:
    save_file(trained.state_dict(), tmp_path / "model.safetensors")
    tuned = ISPNet(SPEC, weights=str(tmp_path / "model.safetensors"))
    for name, value in tuned.state_dict().items():
        if ".classifier." in name and name.startswith("neck_"):
            assert not torch.equal(value, trained.state_dict()[name])


def test_another_number_of_parts_keeps_all_that_fits(trained: ISPNet, tmp_path: Path) -> None:
    save_file(trained.state_dict(), tmp_path / "model.safetensors")
    tuned = ISPNet(replace(SPEC, parts=7), weights=str(tmp_path / "model.safetensors"))
    assert same_backbone(tuned, trained)
    assert tuned.state_dict()["classifier.weight"].shape[0] == 7


def test_weights_that_do_not_fit_are_named(trained: ISPNet, tmp_path: Path) -> None:
    torch.save(bare(trained), tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"w\.pth holds another backbone's weights: it (lacks|has another shape)"):
        ISPNet(replace(SPEC, backbone="resnet18"), weights=str(tmp_path / "w.pth"))
    broken = {name: value.clone() for name, value in bare(trained).items()}
    broken["conv_stem.weight"][0] = float("nan")
    torch.save(broken, tmp_path / "nan.pth")
    for name, message in (("nan.pth", "not finite"), ("none.pth", "does not exist"), (".", "folder without weights")):
        with pytest.raises(WeightsError, match=message):
            ISPNet(SPEC, weights=str(tmp_path / name))
