"""Label maps as the source of labels: what a parser sees, and what only rendered truth can tell."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from isp_core.config import ConfigError
from isp_core.labelling.maps import ORACLE, PARSER, MapOptions
from isp_core.labelling.maps.labeller import MapLabeller
from isp_core.labelling.rounds import TrainingPictures, collect
from isp_core.models import ISPNet
from tests.isp_core.labelling.conftest import NAMES, OWNERS

HAT, COAT, TROUSERS, SHOE, DRESS, BAG = 1, 7, 9, 18, 6, 20  # LIP's numbers, and Walkers' for belongings


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    (tmp_path / "train").mkdir()
    column = np.repeat(np.array([0, HAT, COAT, BAG, TROUSERS, SHOE, DRESS, 0], np.uint8), 2)
    for name in NAMES:
        Image.fromarray(np.tile(column[:, None], 8)).save((tmp_path / name).with_suffix(".png"))
    return tmp_path


@pytest.mark.parametrize(
    ("parts", "expected"), [(PARSER, [0, 1, 2, 0, 3, 4, 255, 0]), (ORACLE, [0, 1, 2, 3, 4, 5, 255, 0])]
)
def test_classes_become_parts_from_top_to_bottom(
    network: ISPNet, data: TrainingPictures, maps: Path, parts: Literal[5, 6], expected: list[int]
) -> None:
    labeller = MapLabeller(data, MapOptions(folder=str(maps), space="walkers", parts=parts))
    labels = collect(labeller.round(network, 0), len(OWNERS), (16, 8)).labels
    np.testing.assert_array_equal(labels, np.tile(np.repeat(expected, 2)[None, :, None], (len(OWNERS), 1, 8)))


def test_belongings_are_refused_where_the_space_has_none(data: TrainingPictures, maps: Path) -> None:
    with pytest.raises(ConfigError, match=r"label space lip has no belongings: set labels.parts to 5"):
        MapLabeller(data, MapOptions(folder=str(maps), space="lip", parts=ORACLE))


def test_a_folder_that_does_not_exist_is_named(data: TrainingPictures, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"labels.folder: .*nowhere is no folder"):
        MapLabeller(data, MapOptions(folder=str(tmp_path / "nowhere")))
