"""Any encoder of segmentation-models-pytorch or timm, from pictures to stages of feature maps."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import cast

import segmentation_models_pytorch as smp
import timm
import torch
from torch import nn
from torch.nn import functional as F

from isp_core.errors import IspError
from isp_core.models.weights import load_weights

DEPTH = 5


@dataclass(frozen=True)
class Normalisation:
    """Channel means and deviations that the initial weights were trained with, for pictures in [0, 1]."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class Backbone(nn.Module):
    """f_θ of Eq. 1, up to stages: pictures (B, 3, H, W) -> five maps (B, C_i, H / s_i, W / s_i).

    `name` is a timm name ("mobilenetv2_100") or a name of segmentation-models-pytorch ("resnet50", "mit_b0").
    `output_stride` 8 or 16 dilates the last stages where the encoder allows it; with `dilated` off they only lose their
    stride (the "last stride 1" of re-ID). `layers`: modules by timm's names ("blocks.5"), whose maps follow the stages.
    """

    def __init__(
        self,
        name: str,
        output_stride: int = 32,
        weights: str = "package",
        *,
        layers: Sequence[str] = (),
        dilated: bool = True,
    ) -> None:
        super().__init__()
        self.name = name
        self.encoder = _encoder(name, output_stride)
        for module in self.encoder.modules():
            if not dilated:
                _undilate(module)
            if DilatedDepthwise.replaces(module):
                module.__class__ = DilatedDepthwise
        load_weights(self.encoder, name, weights)
        self.layers = tuple(layers)
        stages = tuple(cast("list[int]", self.encoder.out_channels)[1:])
        self.channels: tuple[int, ...] = stages + self._layer_channels()

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        passed: dict[str, torch.Tensor] = {}
        with ExitStack() as hooks:  # for this pass alone, so that copies of the network listen to their own layers
            for layer in self.layers:
                hooks.enter_context(self._module(layer).register_forward_hook(partial(_keep, passed, layer)))
            stages = cast("list[torch.Tensor]", self.encoder(pictures)[1:])  # the first is the image itself
        return [*stages, *(passed[layer] for layer in self.layers if layer in passed)]

    def _module(self, layer: str) -> nn.Module:
        model = self.encoder.get_submodule("model") if hasattr(self.encoder, "model") else self.encoder
        modules: dict[str, nn.Module] = {name: module for name, module in model.named_modules() if name}
        found = modules.get(layer, modules.get(layer.replace(".", "_", 1)))
        if found is None:
            near = difflib.get_close_matches(layer, modules, n=5, cutoff=0.3)
            raise IspError(f"model.layers: {self.name} has no layer {layer!r}; near to it are {', '.join(near)}")
        return found

    def _layer_channels(self) -> tuple[int, ...]:
        """Channels of the layers' maps, from a pass over an empty image."""
        if not self.layers:
            return ()
        training = self.encoder.training
        with torch.no_grad():
            self.encoder.eval()
            passed = self(torch.zeros(1, 3, 64, 64))[DEPTH:]
        self.encoder.train(training)
        maps = [each for each in passed if isinstance(each, torch.Tensor) and each.ndim == 4]
        if len(maps) < len(self.layers):
            raise IspError(
                f"model.layers: of {', '.join(self.layers)} of {self.name} not all give a feature map (B, C, h, w): "
                "name others"
            )
        return tuple(each.shape[1] for each in maps)


def _keep(into: dict[str, torch.Tensor], layer: str, _module: nn.Module, _given: object, passed: torch.Tensor) -> None:
    into[layer] = passed


def _undilate(module: nn.Module) -> None:
    """A convolution dilated in place of its stride, without the dilation."""
    if isinstance(module, nn.Conv2d) and module.dilation != (1, 1):
        module.dilation = (1, 1)
        module.padding = (module.kernel_size[0] // 2, module.kernel_size[1] // 2)


class DilatedDepthwise(nn.Conv2d):
    """A dilated depthwise convolution as one without dilation on every d-th row and column: the same sums.

    CPUs have fast kernels for the latter only; the gradients of MobileNetV2's three dilated layers would otherwise be a
    quarter of its training step at stride 16.
    """

    @staticmethod
    def replaces(module: nn.Module) -> bool:
        """Whether the module is a convolution that this class computes."""
        if not isinstance(module, nn.Conv2d) or type(module).forward is not nn.Conv2d.forward:
            return False
        (rows, columns), d = module.kernel_size, module.dilation[0]
        return (
            module.groups == module.in_channels == module.out_channels
            and module.dilation == (d, d)
            and d > 1
            and module.stride == (1, 1)
            and rows % 2 == columns % 2 == 1
            and module.padding == (d * (rows // 2), d * (columns // 2))
            and module.padding_mode == "zeros"
        )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        if maps.is_cuda:
            return super().forward(maps)
        (n, c, h, w), d = maps.shape, self.dilation[0]
        maps = F.pad(maps, (0, -w % d, 0, -h % d))
        grid = (-(-h // d), -(-w // d))
        # in channels-last order, in which the pixels' channels stay together: (N, H, W, C)
        split = maps.permute(0, 2, 3, 1).reshape(n, grid[0], d, grid[1], d, c).permute(2, 4, 0, 1, 3, 5)
        phases = split.reshape(d * d * n, *grid, c).permute(0, 3, 1, 2)  # (d d N, C, H / d, W / d)
        padding = (self.kernel_size[0] // 2, self.kernel_size[1] // 2)
        out = F.conv2d(phases, self.weight, self.bias, padding=padding, groups=self.groups)
        joined = out.permute(0, 2, 3, 1).reshape(d, d, n, *grid, c).permute(2, 3, 0, 4, 1, 5)
        whole = joined.reshape(n, grid[0] * d, grid[1] * d, c).permute(0, 3, 1, 2)
        return whole[:, :, :h, :w]


def _encoder(name: str, output_stride: int) -> nn.Module:
    known = _known(name)
    try:
        return cast(
            nn.Module,
            smp.encoders.get_encoder(known, in_channels=3, depth=DEPTH, weights=None, output_stride=output_stride),
        )
    except (KeyError, ValueError, NotImplementedError, TypeError, RuntimeError) as error:
        raise IspError(f"backbone {name} does not allow output stride {output_stride}: {error}") from error


def _known(name: str) -> str:
    """The name under which segmentation-models-pytorch builds the encoder.

    Only what the installed libraries list: timm also takes addresses (hf-hub:..., local-dir:...), with which a run's
    configuration would ask the network or read another folder.
    """
    bare = name.removeprefix("tu-")
    if ":" not in name and "/" not in name:
        if timm.is_model(bare):
            return f"tu-{bare}"
        if name in smp.encoders.get_encoder_names():
            return name
    raise IspError(
        f"no backbone is called {name[:80]!r}: give a timm name (mobilenetv2_100, resnet50, hrnet_w32, ...) "
        "or one of segmentation-models-pytorch (mit_b0, ...). Addresses such as hf-hub:... are not followed; "
        "model.weights takes a file"
    )


def normalisation(name: str) -> Normalisation:
    """How pictures are to be normalised for the weights of backbone `name` (ImageNet's figures where unknown)."""
    if timm.is_model(name):
        known = timm.get_pretrained_cfg(name)
        if known is not None:
            return Normalisation(tuple(known.mean), tuple(known.std))
    return Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def count_parameters(module: nn.Module) -> int:
    """The number of trainable and frozen parameters."""
    return sum(parameter.numel() for parameter in module.parameters())
