"""Comparing images by what a network says of them: visibility and distances, Eq. 8-10 of the paper."""

from isp_core.matching.distance import Explanation, distances, explain
from isp_core.matching.embeddings import Array, Embeddings
from isp_core.matching.rules import (
    MATCHINGS,
    METRICS,
    DistanceMetric,
    Features,
    MatchingRule,
    NumberedRule,
    matching_names,
    matching_rule,
    register_matching,
    register_metric,
)
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
    "DistanceMetric",
    "Embeddings",
    "Explanation",
    "Features",
    "MatchingRule",
    "NumberedRule",
    "VisibilityRule",
    "best_threshold",
    "chosen_rule",
    "describe_rule",
    "distances",
    "explain",
    "judged",
    "matching_names",
    "matching_rule",
    "part_peak",
    "part_share",
    "register_matching",
    "register_metric",
    "visibility",
]
