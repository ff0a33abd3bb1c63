"""Training: the loop, its schedule, and what is measured while it goes on."""

from isp_core.training.trainer import train

__all__ = ["train"]
