"""From a configuration to a network, fresh or with the weights of a checkpoint."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from isp_core.config import Config
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
    )


def load_checkpoint(network: ISPNet, file: Path) -> None:
    """Fills the network from a checkpoint's weights; WeightsError where they are another network's or damaged."""
    try:
        tensors = load_file(file)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{file} cannot be read: {error}. Choose another epoch, or see `isp runs verify`") from error
    own = network.state_dict()
    missing = sorted(set(own) - set(tensors))
    surplus = sorted(set(tensors) - set(own))
    wrong = [name for name in own if name in tensors and own[name].shape != tensors[name].shape]
    if missing or surplus or wrong:
        example = (wrong or missing or surplus)[0]
        raise WeightsError(
            f"{file} holds another network's weights than the run's configuration describes "
            f"({network.spec.backbone}, K = {network.spec.parts}): {len(missing)} tensors missing, {len(surplus)} too "
            f"many, {len(wrong)} of another shape, such as {example}"
        )
    network.load_state_dict({name: tensor.to(own[name].dtype) for name, tensor in tensors.items()})


def weight_bytes(network: torch.nn.Module) -> int:
    """Bytes of all parameters and buffers."""
    return sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
