"""Training: the loop, its schedule, and what is measured while it goes on."""

from isp_core.training.resume import resumed_config
from isp_core.training.trainer import train

__all__ = ["resumed_config", "train"]
