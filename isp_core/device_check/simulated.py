"""What can be tried of a GPU where there is none: the forward pass on tensors that have a device, but no data."""

from __future__ import annotations

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from isp_core.config import load_config
from isp_core.device_check.setup import FULL_SIZE, PRESETS, overrides
from isp_core.models import ISPNet, map_size
from isp_core.models.build import network_spec


def simulated(preset: str) -> str:
    """Runs a preset's forward pass on a simulated CUDA device: it raises where the network mixes devices.

    Neither kernels nor numbers are tried, and no backward pass: PyTorch simulates them no further.
    """
    if preset not in PRESETS:
        raise ValueError(preset)
    config = load_config(preset, overrides=overrides("fp32", 1))
    with FakeTensorMode(allow_non_fake_inputs=False), torch.device("cuda"):
        network = ISPNet(network_spec(config, identities=8), weights="none").eval()
        output = network(torch.empty(2, 3, *FULL_SIZE))
    tensors = [output.maps, output.logits, output.pooled.global_, output.normalised.parts, *output.identity_logits]
    elsewhere = {str(each.device) for each in tensors if each is not None and each.device.type != "cuda"}
    if elsewhere:
        raise RuntimeError(f"outputs lie on {', '.join(sorted(elsewhere))}")
    if output.logits is None or tuple(output.logits.shape[2:]) != map_size(FULL_SIZE):
        raise RuntimeError("the part maps have another size than on the CPU")
    return f"{len(list(network.parameters()))} weights and all outputs stay on the simulated device"
