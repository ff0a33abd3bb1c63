"""The parts that label sources with named parts have, for each K."""

from __future__ import annotations

from collections.abc import Mapping

BELONGINGS = "belongings"
LAYOUTS: Mapping[int, tuple[str, ...]] = {
    4: ("head", "upper", "legs"),
    5: ("head", "upper", "legs", "shoes"),
    6: ("head", "upper", BELONGINGS, "legs", "shoes"),
    7: ("head", "upper", BELONGINGS, "legs", "shins", "shoes"),
    8: ("head", "upper", "waist", BELONGINGS, "legs", "shins", "shoes"),
}
"""The parts 1 .. K-1 of each K, from top to bottom; with K = 4 shoes go with the legs."""
HEAD = 0
"""The place of the head in every layout."""
