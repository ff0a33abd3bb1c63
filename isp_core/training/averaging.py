"""A moving average of the weights, which wanders less than they do from step to step (Polyak and Juditsky, 1992)."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch

from isp_core.models import ISPNet

_WARM_UP = 10
"""The average follows quickly at first: its decay after n steps is at most (1 + n) / (10 + n), as in TensorFlow."""


class WeightAverage:
    """A network of averaged weights, next to the one that is trained.

    After each step every weight and running statistic of the average moves by 1 - decay of the way to the trained
    network's. Counters, which are whole numbers, are copied.

    Args:
        network: the network that is trained; `self.network` is a copy of it.
        decay: from 0 (the average is the network itself) to below 1; 0.99 looks back over some 100 steps.
    """

    def __init__(self, network: ISPNet, decay: float) -> None:
        self.network = deepcopy(network).requires_grad_(False).eval()
        self.trained, self.decay, self.steps = network, decay, 0

    @torch.no_grad()
    def follow(self) -> None:
        """One step of training has been made."""
        share = 1 - min(self.decay, (1 + self.steps) / (_WARM_UP + self.steps))
        self.steps += 1
        current = self.trained.state_dict()
        averaged, targets = [], []
        for name, tensor in self.network.state_dict().items():
            if tensor.is_floating_point():
                averaged.append(tensor)
                targets.append(current[name])
            else:
                tensor.copy_(current[name])
        torch._foreach_lerp_(averaged, targets, share)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs in addition to the averaged weights, which are the epoch's checkpoint."""
        return {"steps": self.steps, "trained": self.trained.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse, once `self.network` holds the checkpoint's weights."""
        self.steps = int(state["steps"])
        self.trained.load_state_dict(state["trained"])
