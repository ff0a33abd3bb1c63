"""Label maps as the source of labels: what a parser sees, and what only rendered truth can tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isp_core.config import ConfigError
from isp_core.labelling.folder import ORACLE, PARSER, FolderLabeller
from isp_core.labelling.source import TrainingPictures, collect
from isp_core.models import ISPNet
from tests.isp_core.labelling.conftest import OWNERS

HAT, COAT, TROUSERS, SHOE, DRESS, BAG = 1, 7, 9, 18, 6, 20  # LIP's numbers, and Walkers' for belongings
NAMES = [f"train/{row}.jpg" for row in range(len(OWNERS))]


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    (tmp_path / "train").mkdir()
    column = np.array([0, HAT, COAT, BAG, TROUSERS, SHOE, DRESS, 0], np.uint8)
    for name in NAMES:
        Image.fromarray(np.tile(column[:, None], 4)).save((tmp_path / name).with_suffix(".png"))
    return tmp_path


@pytest.mark.parametrize(
    ("parts", "expected"), [(PARSER, [0, 1, 2, 0, 3, 4, 255, 0]), (ORACLE, [0, 1, 2, 3, 4, 5, 255, 0])]
)
def test_classes_become_parts_from_top_to_bottom(
    network: ISPNet, data: TrainingPictures, maps: Path, parts: int, expected: list[int]
) -> None:
    labeller = FolderLabeller(data, maps, "walkers", NAMES, (8, 4), parts)
    labels = collect(labeller.round(network, 0), len(OWNERS), (8, 4)).labels
    np.testing.assert_array_equal(labels, np.tile(np.array(expected)[None, :, None], (len(OWNERS), 1, 4)))


@pytest.mark.parametrize(("parts", "space", "words"), [(4, "walkers", "set --parts 5"), (6, "lip", "no belongings")])
def test_other_parts_are_refused(data: TrainingPictures, maps: Path, parts: int, space: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        FolderLabeller(data, maps, space, NAMES, (8, 4), parts)
