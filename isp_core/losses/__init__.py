"""Eq. 6-7, what a batch costs; and the triplet loss over visible parts that `loss.triplet` may add to it."""

from isp_core.losses.objective import (
    IGNORED,
    CenterLoss,
    LossTerms,
    Objective,
    TripletOf,
    balancing_shift,
    parsing_loss,
)

__all__ = ["IGNORED", "CenterLoss", "LossTerms", "Objective", "TripletOf", "balancing_shift", "parsing_loss"]
