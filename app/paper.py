"""Figures of the paper (Zhu et al., ECCV 2020, Tables 1-6) that pages show beside measured ones, always labelled so."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

LABEL = "the paper's own figure"


@dataclass(frozen=True)
class Retrieval:
    """A row of a table of the paper, in percent; None where the paper gives no value."""

    table: str
    data: str
    what: str
    r1: float
    r5: float | None
    m_ap: float


RETRIEVAL = (
    Retrieval("Table 1", "DukeMTMC-reID", "ISP, HRNet-W32", 89.6, 95.5, 80.0),
    Retrieval("Table 1", "Market-1501", "ISP, HRNet-W32", 95.3, 98.6, 88.6),
    Retrieval("Table 1", "CUHK03-NP labeled", "ISP, HRNet-W32", 76.5, None, 74.1),
    Retrieval("Table 1", "CUHK03-NP detected", "ISP, HRNet-W32", 75.2, None, 71.4),
    Retrieval("Table 2", "Occluded-DukeMTMC", "ISP", 62.8, 78.1, 52.3),
    Retrieval("Table 2", "Occluded-DukeMTMC", "ISP w/o aligned matching", 59.5, 73.5, 51.4),
    Retrieval("Table 5", "DukeMTMC-reID", "baseline", 87.7, 94.3, 77.2),
    Retrieval("Table 5", "DukeMTMC-reID", "+extra info", 88.6, 94.7, 79.1),
    Retrieval("Table 5", "Market-1501", "baseline", 94.0, 97.9, 85.9),
    Retrieval("Table 5", "Market-1501", "+extra info", 94.8, 98.4, 87.7),
    Retrieval("Table 6", "DukeMTMC-reID", "ISP, ResNet50", 88.7, 94.9, 78.9),
    Retrieval("Table 6", "DukeMTMC-reID", "ISP, SeResNet50", 88.8, 95.2, 79.2),
)

# Table 4: K -> (R-1, mAP) by data set
TABLE_4 = pd.DataFrame(
    {
        "K": [4, 5, 6, 7, 8],
        "DukeMTMC-reID R-1": [89.6, 88.6, 89.0, 89.6, 88.9],
        "DukeMTMC-reID mAP": [79.2, 79.1, 78.9, 80.0, 78.4],
        "Market-1501 R-1": [95.3, 94.4, 95.2, 95.0, 94.9],
        "Market-1501 mAP": [88.6, 87.7, 88.4, 88.4, 88.6],
        "CUHK03-NP labeled R-1": [75.9, 73.9, 75.9, 76.5, 75.9],
        "CUHK03-NP labeled mAP": [72.9, 72.4, 73.8, 74.1, 73.1],
    }
)

# Table 3 (K = 6): the paper's "IoU", in percent
TABLE_3 = pd.DataFrame(
    [
        ("pseudo-labels (train)", "DukeMTMC-reID", 65.66, 68.17, 61.83, 58.89),
        ("pseudo-labels (train)", "Market-1501", 65.45, 54.74, 67.02, 55.25),
        ("pseudo-labels (train)", "CUHK03-NP labeled", 51.26, 68.21, 52.24, 57.60),
        ("prediction (test)", "DukeMTMC-reID", 66.94, 71.35, 68.02, 62.60),
        ("prediction (test)", "Market-1501", 63.44, 55.78, 69.10, 56.32),
        ("prediction (test)", "CUHK03-NP labeled", 53.51, 59.96, 50.14, 59.08),
    ],
    columns=["maps", "data set", "foreground", "head", "legs", "shoes"],
)


def retrieval_table() -> pd.DataFrame:
    """Tables 1, 2, 5 and 6 in one."""
    return pd.DataFrame(
        [(r.table, r.data, r.what, r.r1, r.r5, r.m_ap) for r in RETRIEVAL],
        columns=["from", "data set", "method", "R-1", "R-5", "mAP"],
    )
