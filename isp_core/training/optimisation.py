"""What moves the weights: Adam on the network, plain descent on the authors' centres, loss scaling under fp16."""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator

from isp_core.config import Config
from isp_core.losses import CenterLoss, Objective
from isp_core.models import ISPNet

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def objective_of(config: Config, network: ISPNet, people: int, device: torch.device) -> Objective:
    """Eq. 7 with the weights of the configuration; with a centre loss, each of `people` identities has centres."""
    loss, widths = config.loss, network.group_widths if config.loss.center else ()
    return Objective(
        loss.parsing,
        loss.parsing_reduction,
        loss.label_smoothing,
        loss.margin,
        [CenterLoss(people, width).to(device) for width in widths],
        loss.center,
        loss.triplet,
    )


class Optimisation:
    """The optimisers of a run and all their state."""

    def __init__(self, network: ISPNet, objective: Objective, config: Config, accelerator: Accelerator) -> None:
        backbone = [parameter for parameter in network.backbone.parameters() if parameter.requires_grad]
        known = set(map(id, backbone))
        new = [
            parameter for parameter in network.parameters() if parameter.requires_grad and id(parameter) not in known
        ]
        self.adam = torch.optim.Adam(
            [{"params": backbone, "times": 1.0}, {"params": new, "times": config.optim.new_layers}],
            weight_decay=config.optim.weight_decay,
            fused=True,  # one pass over the weights: an eighth of the time for ResNet50 on a CPU
        )
        # The centres must keep up with features that move by far more than Adam's step, and at any weight of the loss
        self.centers = list(objective.parameters())
        self.descent = torch.optim.SGD(self.centers, lr=config.loss.center_lr) if self.centers else None
        self.center_weight = config.loss.center
        self.accelerator = accelerator
        self.dtype = _DTYPES.get(config.optim.precision)
        # without fp16 the scaler is switched off and hands everything through
        self.scaler = torch.amp.GradScaler(accelerator.device.type, enabled=self.dtype == torch.float16)

    def autocast(self) -> torch.autocast:
        """The context of a forward pass at the run's precision."""
        return torch.autocast(self.accelerator.device.type, self.dtype, enabled=self.dtype is not None)

    def step(self, loss: torch.Tensor, rate: float) -> None:
        """Moves all weights down the gradient of `loss` at the learning rate `rate`."""
        for group in self.adam.param_groups:
            group["lr"] = rate * group["times"]
        self.adam.zero_grad(set_to_none=True)
        if self.descent is not None:
            self.descent.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.step(self.adam)
        if self.descent is not None:
            for center in self.centers:
                if center.grad is not None:
                    # the network's gradients are averaged over processes by its wrapper, these are not
                    center.grad = self.accelerator.reduce(center.grad, "mean") / self.center_weight
            self.scaler.step(self.descent)
        self.scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs."""
        return {
            "optimizer": self.adam.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.adam.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state.get("scaler", {}))
