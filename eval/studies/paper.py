"""The paper's own numbers (Tables 1-6 and section 4.2), to stand next to ours in columns that say so. Per cent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DUKE, MARKET = "DukeMTMC-reID", "Market-1501"
LABELLED, DETECTED, OCCLUDED = "CUHK03-NP labelled", "CUHK03-NP detected", "Occluded-DukeMTMC"

Figures = Mapping[str, float]


def _figures(r1: float, r5: float | None, mean_ap: float, r10: float | None = None) -> Figures:
    named = {"R-1": r1, "R-5": r5, "R-10": r10, "mAP": mean_ap}
    return {name: value for name, value in named.items() if value is not None}


# Table 1, last row
ISP: Mapping[str, Figures] = {
    DUKE: _figures(89.6, 95.5, 80.0),
    MARKET: _figures(95.3, 98.6, 88.6),
    LABELLED: _figures(76.5, None, 74.1),
    DETECTED: _figures(75.2, None, 71.4),
    OCCLUDED: _figures(62.8, 78.1, 52.3, 82.9),
}

# Table 2, last rows: with every part taken for visible, and Eq. 10
OCCLUSION: Mapping[str, Figures] = {
    "all-parts": _figures(59.5, 73.5, 51.4, 78.0),
    "aligned": _figures(62.8, 78.1, 52.3, 82.9),
}

# Table 3, K = 6
PSEUDO_LABELS: Mapping[str, Figures] = {
    DUKE: {"foreground": 65.66, "head": 68.17, "legs": 61.83, "shoes": 58.89},
    MARKET: {"foreground": 65.45, "head": 54.74, "legs": 67.02, "shoes": 55.25},
    LABELLED: {"foreground": 51.26, "head": 68.21, "legs": 52.24, "shoes": 57.60},
}
# section 4.5, of K = 5 on DukeMTMC-reID
PSEUDO_LABELS_OF_FIVE: Figures = {"foreground": 64.25, "legs": 53.23, "shoes": 54.83}
PREDICTIONS: Mapping[str, Figures] = {
    DUKE: {"foreground": 66.94, "head": 71.35, "legs": 68.02, "shoes": 62.60},
    MARKET: {"foreground": 63.44, "head": 55.78, "legs": 69.10, "shoes": 56.32},
    LABELLED: {"foreground": 53.51, "head": 59.96, "legs": 50.14, "shoes": 59.08},
}

# Table 4
PARTS: Mapping[str, Mapping[int, Figures]] = {
    DUKE: {
        4: _figures(89.6, 95.2, 79.2),
        5: _figures(88.6, 95.0, 79.1),
        6: _figures(89.0, 95.1, 78.9),
        7: _figures(89.6, 95.5, 80.0),
        8: _figures(88.9, 94.7, 78.4),
    },
    MARKET: {
        4: _figures(95.3, 98.6, 88.6),
        5: _figures(94.4, 98.2, 87.7),
        6: _figures(95.2, 98.4, 88.4),
        7: _figures(95.0, 98.2, 88.4),
        8: _figures(94.9, 98.5, 88.6),
    },
    LABELLED: {
        4: _figures(75.9, None, 72.9),
        5: _figures(73.9, None, 72.4),
        6: _figures(75.9, None, 73.8),
        7: _figures(76.5, None, 74.1),
        8: _figures(75.9, None, 73.1),
    },
    DETECTED: {
        4: _figures(73.5, None, 71.3),
        5: _figures(73.1, None, 71.0),
        6: _figures(75.2, None, 71.4),
        7: _figures(73.6, None, 70.8),
        8: _figures(74.0, None, 71.4),
    },
}

# Table 5
SEMANTICS: Mapping[str, Mapping[str, Figures]] = {
    DUKE: {"baseline": _figures(87.7, 94.3, 77.2), "+extra info": _figures(88.6, 94.7, 79.1), "ISP": ISP[DUKE]},
    MARKET: {"baseline": _figures(94.0, 97.9, 85.9), "+extra info": _figures(94.8, 98.4, 87.7), "ISP": ISP[MARKET]},
    LABELLED: {"baseline": _figures(71.9, None, 68.5), "+extra info": _figures(73.3, None, 71.9), "ISP": ISP[LABELLED]},
    DETECTED: {"baseline": _figures(67.6, None, 64.7), "+extra info": _figures(72.2, None, 69.6), "ISP": ISP[DETECTED]},
}


@dataclass(frozen=True)
class Backbone:
    """A row of Table 6; parameters in millions."""

    parameters: float
    figures: Figures


# Table 6, DukeMTMC-reID, by timm's names
BACKBONES: Mapping[str, Backbone] = {
    "hrnet_w32": Backbone(28.5, _figures(89.6, 95.5, 80.0)),
    "resnet50": Backbone(25.6, _figures(88.7, 94.9, 78.9)),
    "seresnet50": Backbone(28.1, _figures(88.8, 95.2, 79.2)),
}

# Section 4.2: hours of clustering in a whole training, several processes and one NVIDIA TITAN X
CLUSTERING_HOURS: Mapping[str, float] = {DUKE: 6.3, MARKET: 5.4, LABELLED: 3.1}


def column_for(data: str) -> str:
    """The paper's data set to stand next to `data`: the same where the paper has it, else DukeMTMC-reID, which every
    table has."""
    return data if data in ISP else DUKE


def holds(data: str) -> str:
    """What a column of the paper's numbers is called."""
    return f"paper, {data}"
