"""Any encoder of segmentation-models-pytorch or timm, from images to stages of feature maps."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, cast

import segmentation_models_pytorch as smp
import timm
import torch
from torch import nn
from torch.nn import functional as F

from isp_core.errors import IspError
from isp_core.models.registry import IMAGENET, Normalisation, OwnEncoder, own_backbone
from isp_core.models.weights import WeightsError, load_weights

DEPTH = 5


class Backbone(nn.Module):
    """f_θ of Eq. 1, up to stages: images (B, 3, H, W) -> five maps (B, C_i, H / s_i, W / s_i).

    `name` is one given to `register_backbone`, a timm name ("mobilenetv2_100"; also hierarchical transformers such as
    "swin_tiny_patch4_window7_224") or a name of segmentation-models-pytorch ("resnet50", "mit_b0").
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
        if isinstance(self.encoder, OwnEncoder) and weights == "hub":
            raise WeightsError(
                f"backbone {name} is registered here, not on the hub: model.weights takes package or a file"
            )
        if not (isinstance(self.encoder, OwnEncoder) and weights == "package"):  # that comes with its weights
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
    own = own_backbone(name)
    if own is not None:
        return OwnEncoder(name, own, output_stride)
    known = _known(name)
    # a model of one input size (Swin, among others) reads other sizes where it is told not to insist
    fixed = known.startswith("tu-") and bool(getattr(timm.get_pretrained_cfg(known[3:]), "fixed_input_size", False))
    more = {"strict_img_size": False} if fixed else {}
    try:
        encoder = cast(
            nn.Module,
            smp.encoders.get_encoder(
                known, in_channels=3, depth=DEPTH, weights=None, output_stride=output_stride, **more
            ),
        )
        if fixed:
            _try(encoder)
        return encoder
    except (KeyError, ValueError, NotImplementedError, TypeError, RuntimeError, AssertionError) as error:
        raise IspError(_why_refused(name, output_stride, fixed, error)) from error


def _try(encoder: nn.Module) -> None:
    """Runs an image of another shape than the encoder's own through it."""
    training = encoder.training
    with torch.no_grad():
        encoder.eval()(torch.zeros(1, 3, 128, 64))
    encoder.train(training)


def _why_refused(name: str, output_stride: int, fixed: bool, error: Exception) -> str:
    """The true reason why an encoder cannot be used here."""
    if "downsampling pattern" in str(error) or _has_one_resolution(name):
        return (
            f"backbone {name} has maps of one resolution, as plain vision transformers do; M_g needs stages from fine "
            "to coarse. Use a hierarchical one (swin_tiny_patch4_window7_224, mit_b0, pvt_v2_b0), or wrap it with "
            "isp_core.models.register_backbone"
        )
    if fixed and output_stride == 32:
        return f"backbone {name} reads images of one size only, not ones that are taller than wide: {error}"
    return f"backbone {name} does not allow output stride {output_stride}: {error}"


def _has_one_resolution(name: str) -> bool:
    try:
        info = timm.create_model(name, pretrained=False, features_only=True).feature_info
    except Exception:  # not even that: the caller's own error says more
        return False
    return len(set(info.reduction())) == 1


def _known(name: str) -> str:
    """The name under which segmentation-models-pytorch builds the encoder.

    Only what the installed libraries list: timm also takes addresses (hf-hub:..., local-dir:...), with which a run's
    configuration would ask the network or read another folder.
    """
    bare = name.removeprefix("tu-")
    if ":" not in name and "/" not in name:
        if timm.is_model(bare):
            _pretrained(bare)
            return f"tu-{bare}"
        if name in smp.encoders.get_encoder_names():
            return name
    raise IspError(
        f"no backbone is called {name[:80]!r}: give a timm name (mobilenetv2_100, resnet50, hrnet_w32, ...) "
        "or one of segmentation-models-pytorch (mit_b0, ...). Addresses such as hf-hub:... are not followed; "
        "model.weights takes a file"
    )


def _pretrained(name: str) -> Any:
    """What timm knows of the weights of model `name`, which may end in their tag; None where it has none."""
    try:
        return timm.get_pretrained_cfg(name)
    except RuntimeError:  # timm's for a tag that it does not have
        model, _, tag = name.partition(".")
        tags = ", ".join(each.partition(".")[2] for each in timm.list_pretrained(f"{model}.*")[:8])
        raise IspError(f"backbone {model} has no weights called {tag[:80]!r}; it has {tags or 'none'}") from None


def normalisation(name: str) -> Normalisation:
    """How images are to be normalised for the weights of backbone `name` (as for ImageNet where that is unknown)."""
    own = own_backbone(name)
    if own is not None:
        return own.normalisation
    if timm.is_model(name):
        known = _pretrained(name)
        if known is not None:
            return Normalisation(tuple(known.mean), tuple(known.std))
    return IMAGENET


def count_parameters(module: nn.Module) -> int:
    """The number of trainable and frozen parameters."""
    return sum(parameter.numel() for parameter in module.parameters())
