"""`isp doctor --device`: does a GPU compute what the CPU computes, and how fast? A prepared check of a few minutes.

Two child processes train the same small runs on the same drawn images: one sees no GPU, the other has one. What they
wrote is compared here. Out of scope: what a child does (worker.py), what can be said without a GPU (simulated.py).
"""

from isp_core.device_check.check import PLAN, TOLERANCES, check_device, compare
from isp_core.device_check.simulated import simulated

__all__ = ["PLAN", "TOLERANCES", "check_device", "compare", "simulated"]
