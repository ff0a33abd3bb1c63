"""The learning rate (section 4.2): linear warm-up, then steps down. A pure function: resuming needs no state."""

from __future__ import annotations

from isp_core.config import OptimConfig


def learning_rate(config: OptimConfig, epoch: int, step: int, steps: int) -> float:
    """The rate of step `step` (0..steps-1) of epoch `epoch` (1..): a ramp over warmup_epochs from warmup_lr to lr, then
    lr times gamma for each milestone reached. With warmup_by "epoch" the rate rises at the start of each epoch alone.

    >>> config = OptimConfig(lr=1.0, warmup_lr=0.1, warmup_epochs=2, milestones=(3,), gamma=0.5)
    >>> [round(learning_rate(config, epoch, step, 2), 3) for epoch in (1, 2, 3, 4) for step in (0, 1)]
    [0.1, 0.325, 0.55, 0.775, 0.5, 0.5, 0.5, 0.5]
    """
    progress = epoch - 1 + (step / steps if config.warmup_by == "step" else 0)
    if progress < config.warmup_epochs:
        return config.warmup_lr + (config.lr - config.warmup_lr) * progress / config.warmup_epochs
    passed = sum(epoch >= milestone for milestone in config.milestones)
    return float(config.lr * config.gamma**passed)
