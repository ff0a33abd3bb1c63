"""Comparing images by what a network says of them: visibility and distances, Eq. 8-10 of the paper."""

from isp_core.matching.distance import MATCHINGS, METRICS, Explanation, Metric, distances, explain
from isp_core.matching.embeddings import Array, Embeddings
from isp_core.matching.visibility_rules import (
    VISIBILITY_RULES,
    Calibration,
    VisibilityRule,
    best_threshold,
    chosen_rule,
    describe_rule,
    judged,
    part_peak,
    part_share,
    visibility,
)

__all__ = [
    "MATCHINGS",
    "METRICS",
    "VISIBILITY_RULES",
    "Array",
    "Calibration",
    "Embeddings",
    "Explanation",
    "Metric",
    "VisibilityRule",
    "best_threshold",
    "chosen_rule",
    "describe_rule",
    "distances",
    "explain",
    "judged",
    "part_peak",
    "part_share",
    "visibility",
]
