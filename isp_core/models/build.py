"""From a configuration to a network, fresh or with the weights of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from isp_core.config import Config
from isp_core.errors import IspError
from isp_core.models.network import ISPNet, NetworkSpec
from isp_core.models.weights import WeightsError


def network_spec(config: Config, identities: int) -> NetworkSpec:
    """The shape of the network that `config` asks for, with `identities` people to tell apart in training."""
    model = config.model
    return NetworkSpec(
        backbone=model.backbone,
        output_stride=model.output_stride,
        stages=model.stages,
        grid=model.grid,
        channels=model.channels,
        level_stages=model.level_stages,
        attention=model.attention,
        classifier=model.classifier,
        global_from=model.global_from,
        parts=config.parts,
        identities=identities,
        layers=model.layers,
        dilated=model.dilated,
        bias=model.bias,
        align_corners=model.align_corners,
    )


def trained_identities(file: Path) -> int:
    """How many people a checkpoint's network was trained to tell apart, from the file's header.

    WeightsError where it is damaged or no network of ours.
    """
    name = "neck_global.classifier.weight"
    try:
        with safe_open(file, framework="pt") as handle:
            if name not in handle.keys():  # noqa: SIM118
                raise WeightsError(f"{file} holds another network's weights: it has no tensor {name}")
            return int(handle.get_slice(name).get_shape()[0])
    except (OSError, SafetensorError) as error:
        raise _unreadable(file, error) from error


def load_checkpoint(network: ISPNet, file: Path) -> None:
    """Fills the network from a checkpoint's weights; WeightsError where they are another network's, damaged or not
    finite."""
    own = network.state_dict()
    _compare(network.spec, {name: tuple(tensor.shape) for name, tensor in own.items()}, file)
    try:
        tensors = load_file(file)
    except (OSError, SafetensorError) as error:
        raise _unreadable(file, error) from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise WeightsError(f"{file}: {name} holds values that are not finite; choose another epoch with --epoch")
    network.load_state_dict({name: tensor.to(own[name].dtype) for name, tensor in tensors.items()})


def require_fitting(spec: NetworkSpec, file: Path) -> None:
    """WeightsError where a checkpoint's header does not list the weights of `spec`; builds it without memory."""
    try:
        with torch.device("meta"):
            bare = ISPNet(spec, weights="none")
    except (NotImplementedError, RuntimeError, IspError):  # some compute while they are built; load_checkpoint compares
        return
    _compare(spec, {name: tuple(tensor.shape) for name, tensor in bare.state_dict().items()}, file)


def _compare(spec: NetworkSpec, own: Mapping[str, tuple[int, ...]], file: Path) -> None:
    """WeightsError where the file's header lists other tensors than `own`."""
    try:
        with safe_open(file, framework="pt") as handle:
            given = {name: tuple(handle.get_slice(name).get_shape()) for name in handle.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise _unreadable(file, error) from error
    missing = sorted(set(own) - set(given))
    surplus = sorted(set(given) - set(own))
    wrong = [name for name in own if name in given and own[name] != given[name]]
    if missing or surplus or wrong:
        example = (wrong or missing or surplus)[0]
        raise WeightsError(
            f"{file} holds another network's weights than the run's configuration describes "
            f"({spec.backbone}, K = {spec.parts}): {len(missing)} tensors missing, {len(surplus)} too "
            f"many, {len(wrong)} of another shape, such as {example}"
        )


def _unreadable(file: Path, error: Exception) -> WeightsError:
    return WeightsError(f"{file} cannot be read: {error}. Choose another epoch, or see `isp runs verify`")


def weight_bytes(network: torch.nn.Module) -> int:
    """Bytes of all parameters and buffers."""
    return sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
