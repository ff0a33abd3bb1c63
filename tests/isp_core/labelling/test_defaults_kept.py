"""Defaults give the labels they always gave. Who changes them raises the source's `algorithm`: studies tell by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isp_core.labelling.rounds import Labels, TrainingPictures, collect
from isp_core.labelling.sources import SOURCES, options_of
from isp_core.models import ISPNet

KEPT = Path(__file__).parent / "default_labels.npz"
SMALL = {
    "prototypes": {"rows": 128, "stages": [1, 2], "sample": 24},
    "position-words": {"words": {"rows": 128, "fine": 40, "coarse": 30}},
}
"""Sizes for the small crowd; all else is the default."""
Crowd = tuple[TrainingPictures, Labels]


def labels_of(name: str, network: ISPNet, data: TrainingPictures, **changed: object) -> Labels:
    """The first round's labels of the crowd, two cameras in turn."""
    cameras = np.arange(len(data.paths)) % 2 + 1
    options = options_of({"source": name} | SMALL[name] | changed)
    labeller = SOURCES[name].make(options, replace(data, cameras=cameras), 0)
    assert labeller is not None
    return collect(labeller.round(network, 0), len(data.paths), data.map_size).labels


@pytest.fixture(scope="module")
def usual(network: ISPNet, crowd: Crowd) -> dict[str, Labels]:
    """The labels of all defaults, by source."""
    return {name: labels_of(name, network, crowd[0]) for name in SMALL}


@pytest.mark.parametrize("name", SMALL)
def test_default_labels_change_only_with_the_number_of_their_algorithm(name: str, usual: dict[str, Labels]) -> None:
    kept = np.load(KEPT)
    same = (usual[name] == kept[name]).mean()
    # another processor's arithmetic may move single pixels; another method moves many
    assert same > 0.995, f"{1 - same:.1%} of the pixels differ: raise the algorithm number of {name}"
    assert SOURCES[name].algorithm == kept[f"{name} algorithm"]


@pytest.mark.parametrize(
    ("name", "constant", "value"),
    [
        ("prototypes", "steep", 1.0),
        ("prototypes", "blur", 0.3),
        ("prototypes", "rare", 1.0),
        ("prototypes", "ridge", 100.0),
        ("prototypes", "legs_from", 0.9),
        ("prototypes", "bottom", 0.5),
        ("position-words", "bottom", 0.5),
        ("position-words", "least_rows", 60),
        ("position-words", "enlarged", 4.0),
    ],
)
def test_constants_behind_the_labels_are_options(
    name: str, constant: str, value: float, usual: dict[str, Labels], network: ISPNet, crowd: Crowd
) -> None:
    assert (usual[name] != labels_of(name, network, crowd[0], advanced={constant: value})).any()
