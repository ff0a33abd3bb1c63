"""A data set that other tools' results are imported for."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from isp_core.data import DataSet, load


@pytest.fixture
def data(tmp_path: Path) -> DataSet:
    """Market-1501's layout: three people, two of them searched for; pictures of one grey each."""
    for folder, names in {
        "bounding_box_train": ["0001_c1s1_000001_01", "0001_c2s1_000001_01"],
        "query": ["0002_c1s1_000001_01", "0003_c1s1_000001_01"],
        "bounding_box_test": ["0002_c2s1_000001_01", "0003_c2s1_000001_01", "0003_c3s1_000001_01"],
    }.items():
        (tmp_path / "market" / folder).mkdir(parents=True)
        for name in names:
            Image.new("L", (8, 16), 100).save(tmp_path / "market" / folder / f"{name}.jpg")
    return load(tmp_path / "market")
