"""A data set small enough to train on in a test: people of coloured boxes, two cameras, exact label maps."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from isp_core.runs import DataInfo, RunInfo, RunWriter, SplitCount

SIZE = (64, 32)  # height, width
TRAIN_PEOPLE, TEST_PEOPLE = 6, 4


def draw_person(identity: int, camera: int, view: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture (64, 32, 3) and its label map (64, 32) in LIP's numbers: 13 face, 5 upper, 9 pants, 18 shoe."""
    look = np.random.default_rng(identity)
    place = np.random.default_rng([identity, camera, view])
    picture = np.full((*SIZE, 3), (90, 110, 130) if camera == 1 else (150, 140, 120), np.uint8)
    labels = np.zeros(SIZE, np.uint8)
    left = 10 + int(place.integers(-4, 5))
    for label, top, bottom, margin in ((13, 4, 14, 3), (5, 14, 34, 0), (9, 34, 56, 1), (18, 56, 61, 1)):
        where = np.s_[top:bottom, left + margin : left + 12 - margin]
        picture[where] = look.integers(0, 256, 3)
        labels[where] = label
    noise = place.normal(0, 8, picture.shape)
    return (picture + noise).clip(0, 255).astype(np.uint8), labels


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in Market-1501's layout with 6 people to train on and 4 to test on, and *_parsing_pgt label maps."""
    root = tmp_path_factory.mktemp("people")
    for identity in range(1, TRAIN_PEOPLE + TEST_PEOPLE + 1):
        for camera in (1, 2):
            for view in range(3):
                if identity <= TRAIN_PEOPLE:
                    split = "bounding_box_train"
                else:
                    split = "query" if view == 0 else "bounding_box_test"
                picture, labels = draw_person(identity, camera, view)
                name = f"{identity:04d}_c{camera}s1_{view:06d}_00"
                for folder in (split, f"{split}_parsing_pgt"):
                    (root / folder).mkdir(exist_ok=True)
                Image.fromarray(picture).save(root / split / f"{name}.jpg", quality=95)
                Image.fromarray(labels).save(root / f"{split}_parsing_pgt" / f"{name}.png")
    return root


@pytest.fixture
def tiny_run(tmp_path: Path) -> Path:
    """A run of K = 4 on four pictures that has not finished an epoch yet."""
    records = pd.DataFrame(
        {"path": [f"{i}.jpg" for i in range(4)], "identity": 1, "camera": 1, "split": "train", "subset": ""}
    )
    counts = {"train": SplitCount(pictures=4, identities=1, cameras=1)}
    info = RunInfo(
        created=dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
        data=DataInfo(name="tiny", fingerprint="0" * 64, splits=counts),
        config={},
        parts=4,
        size=(32, 32),
    )
    RunWriter.create(tmp_path / "tiny", info, records)
    return tmp_path / "tiny"
