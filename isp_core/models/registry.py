"""Backbones of your own: one file that builds the network, and one line that registers it.

A package that registers backbones when it is imported names itself in its metadata, and then every command knows them:

    [project.entry-points."isp_core.backbones"]
    anything = "my_package.my_backbones"
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points

import torch
from torch import nn

from isp_core.errors import IspError

STAGES = 5
_PLUGINS = "isp_core.backbones"
_PROBE = (64, 32)  # height and width of the image that a new backbone is tried on


@dataclass(frozen=True)
class Normalisation:
    """Channel means and deviations that the initial weights were trained with, for images in [0, 1]."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
Build = Callable[[int], nn.Module]


@dataclass(frozen=True)
class OwnBackbone:
    """What `register_backbone` was given."""

    build: Build
    normalisation: Normalisation


BACKBONES: dict[str, OwnBackbone] = {}


def register_backbone(name: str, build: Build, normalisation: Normalisation = IMAGENET) -> None:
    """Makes `model.backbone=NAME` build your network.

    Args:
        name: not the name of a backbone that is registered already; it hides one of timm's with the same name.
        build: takes the output stride (8, 16 or 32; raise ValueError for one that is not possible) and returns the
            network with its initial weights. The network takes images (B, 3, H, W), normalised, and returns five maps
            (B, C_i, H_i, W_i), the finest first; repeat one where there are fewer.
        normalisation: of the images, as the initial weights were trained (default: ImageNet's).

    Raises:
        IspError: the name is taken, or empty.

    Example:
        >>> class Pooled(nn.Module):
        ...     def forward(self, images):
        ...         return [nn.functional.avg_pool2d(images, 2**stage) for stage in (1, 2, 3, 4, 5)]
        >>> register_backbone("pooled", lambda output_stride: Pooled())
        >>> "pooled" in BACKBONES
        True
        >>> _ = BACKBONES.pop("pooled")
    """
    if not name.strip():
        raise IspError("a backbone needs a name")
    if name in BACKBONES:
        raise IspError(f"a backbone called {name!r} is registered already: choose another name")
    BACKBONES[name] = OwnBackbone(build, normalisation)


def own_backbone(name: str) -> OwnBackbone | None:
    """The registered backbone of this name; installed packages that register some are imported first."""
    _import_plugins()
    return BACKBONES.get(name)


class OwnEncoder(nn.Module):
    """A registered network in the form of segmentation-models-pytorch's encoders: the image itself, then the stages.

    It is tried once on a small image, so that what is wrong with it is said before training.
    """

    def __init__(self, name: str, own: OwnBackbone, output_stride: int) -> None:
        super().__init__()
        try:
            self.model = own.build(output_stride)
        except ValueError as error:
            raise IspError(f"backbone {name} does not allow output stride {output_stride}: {error}") from error
        self.out_channels = (3, *_channels(name, self.model))

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        return [images, *self.model(images)]


def _channels(name: str, network: nn.Module) -> tuple[int, ...]:
    training = network.training
    try:
        with torch.no_grad():
            maps = list(network.eval()(torch.zeros(1, 3, *_PROBE)))
    except Exception as error:  # a stranger's code: whatever it raises
        raise IspError(
            f"backbone {name} cannot read an image of {_PROBE[0]} x {_PROBE[1]} pixels "
            f"({type(error).__name__}: {error}): people are taller than wide, and of any size"
        ) from error
    finally:
        network.train(training)
    if len(maps) != STAGES or any(not isinstance(each, torch.Tensor) or each.ndim != 4 for each in maps):
        shapes = ", ".join(str(tuple(getattr(each, "shape", ()))) for each in maps)
        raise IspError(f"backbone {name} must return {STAGES} maps (B, C, H, W); it returned {len(maps)}: {shapes}")
    heights = [each.shape[2] for each in maps]
    if heights != sorted(heights, reverse=True):
        raise IspError(f"backbone {name} must return its finest map first; their heights are {heights}")
    return tuple(int(each.shape[1]) for each in maps)


@cache
def _import_plugins() -> None:
    for point in entry_points(group=_PLUGINS):
        point.load()
