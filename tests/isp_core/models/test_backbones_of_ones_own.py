"""A backbone from outside the project: one file, one line; and which of timm's transformers are taken."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from isp_core.config import check_config
from isp_core.errors import IspError
from isp_core.models import Backbone, ISPNet, Normalisation, WeightsError, normalisation, register_backbone
from isp_core.models.build import load_checkpoint, network_spec, require_fitting
from isp_core.models.registry import BACKBONES
from isp_core.parser import HumanParser


class Small(nn.Module):
    """Five strided convolutions."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 4, 6, 8, 10, 12)
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=2, padding=1) for before, after in itertools.pairwise(widths)
        )

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        maps = [images]
        for layer in self.layers:
            maps.append(layer(maps[-1]).relu())
        return maps[1:]


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    """Leaves the registry as it was."""
    before = dict(BACKBONES)
    yield
    BACKBONES.clear()
    BACKBONES.update(before)


def test_a_registered_backbone_makes_a_network_that_reads_images() -> None:
    register_backbone("small", lambda output_stride: Small(), Normalisation((0.5, 0.5, 0.5), (0.2, 0.2, 0.2)))
    assert normalisation("small").std == (0.2, 0.2, 0.2)
    config = check_config(
        {"model": {"backbone": "small", "stages": [3, 4, 5], "grid": 8, "channels": 16}, "labels": {"parts": 4}}
    )
    network = ISPNet(network_spec(config, identities=2))
    assert network.backbone.channels == (4, 6, 8, 10, 12)
    seen = HumanParser(network, (64, 32)).read(np.zeros((64, 32, 3), np.uint8))
    assert seen.probabilities.shape[1] == 4


def test_its_weights_are_its_own_or_come_from_a_file(tmp_path: Path) -> None:
    register_backbone("small", lambda output_stride: Small())
    given = Small().state_dict()
    torch.save(given, tmp_path / "small.pt")
    filled = Backbone("small", weights=str(tmp_path / "small.pt"))
    torch.testing.assert_close(filled.encoder.model.state_dict(), given)
    with pytest.raises(WeightsError, match="not on the hub"):
        Backbone("small", weights="hub")


def refuses(output_stride: int) -> nn.Module:
    raise ValueError("only 32")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda stride: nn.Conv2d(3, 3, 1), "must return 5 maps"),
        (lambda stride: nn.Conv2d(7, 3, 1), "cannot read an image"),
        (refuses, "does not allow output stride 16: only 32"),
    ],
    ids=["one map instead of five", "breaks on an image", "another stride"],
)
def test_a_backbone_that_does_not_fit_is_refused_before_training(build: object, message: str) -> None:
    register_backbone("wrong", build)  # type: ignore[arg-type]
    with pytest.raises(IspError, match=message):
        Backbone("wrong", output_stride=16)


def test_a_name_is_given_once() -> None:
    register_backbone("small", lambda output_stride: Small())
    with pytest.raises(IspError, match="registered already"):
        register_backbone("small", lambda output_stride: Small())


def test_an_installed_package_makes_its_backbones_known_to_every_command(tmp_path: Path) -> None:
    (tmp_path / "their_backbones.py").write_text(
        "import torch\n"
        "from isp_core.models import register_backbone\n"
        "class Net(torch.nn.Module):\n"
        "    def forward(self, images):\n"
        "        return [torch.nn.functional.avg_pool2d(images, 2**stage) for stage in range(1, 6)]\n"
        "register_backbone('theirs', lambda output_stride: Net())\n"
    )
    metadata = tmp_path / "theirs-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[isp_core.backbones]\ntheirs = their_backbones\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    code += "from isp_core.models import Backbone; print(Backbone('theirs').channels)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "(3, 3, 3, 3, 3)\n"


def test_a_swin_transformer_reads_images_of_any_shape() -> None:
    backbone = Backbone("swin_tiny_patch4_window7_224", weights="none").eval()
    with torch.no_grad():
        maps = backbone(torch.zeros(1, 3, 96, 48))
    assert [tuple(each.shape[2:]) for each in maps[1:]] == [(24, 12), (12, 6), (6, 3), (3, 2)]


@pytest.mark.parametrize("name", ["small", "swin_tiny_patch4_window7_224"])
def test_its_checkpoint_is_loaded_again(name: str, tmp_path: Path) -> None:
    register_backbone("small", lambda output_stride: Small())
    config = check_config({"model": {"backbone": name, "stages": [5], "channels": 16}, "labels": {"parts": 4}})
    spec = network_spec(config, identities=2)
    saved = ISPNet(spec, weights="none")
    save_file(saved.state_dict(), tmp_path / "model.safetensors")
    require_fitting(spec, tmp_path / "model.safetensors")
    loaded = ISPNet(spec, weights="none")
    load_checkpoint(loaded, tmp_path / "model.safetensors")
    torch.testing.assert_close(loaded.state_dict(), saved.state_dict())


def test_a_plain_vision_transformer_is_refused_with_the_true_reason() -> None:
    with pytest.raises(IspError, match=r"maps of one resolution.*swin_tiny.*register_backbone"):
        Backbone("vit_tiny_patch16_224", weights="none")
