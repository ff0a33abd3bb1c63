"""A small network with random weights, seven noisy images of three people, and a crowd of drawn people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from isp_core.data.pictures import PictureCache
from isp_core.labelling.rounds import Labels, TrainingPictures
from isp_core.models import ISPNet, NetworkSpec, normalisation

SIZE = (64, 32)
OWNERS = np.array([0, 0, 1, 2, 1, 0, 2])
CROWD_SIZE = (128, 64)
PEOPLE, EACH = 6, 4
HALF = 3
"""The image of every drawn person that shows no legs: a wall hides them."""
NAMES = [f"train/{row}.jpg" for row in range(len(OWNERS))]


@pytest.fixture(scope="module")
def network() -> ISPNet:
    torch.manual_seed(0)
    spec = NetworkSpec("mobilenetv2_100", 32, (3, 4, 5), 8, 16, False, "none", "linear", "map", 4, 3)
    return ISPNet(spec, weights="none").eval()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingPictures:
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    paths: list[Path] = []
    for i in range(len(OWNERS)):
        paths.append(folder / f"{i}.png")
        Image.fromarray(rng.integers(0, 256, (*SIZE, 3), np.uint8)).save(paths[-1])
    cameras = np.ones(len(OWNERS), np.int64)
    by = normalisation("mobilenetv2_100")
    return TrainingPictures(PictureCache(paths, SIZE), NAMES, OWNERS, cameras, by, torch.device("cpu"))


@pytest.fixture(scope="session")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingPictures, Labels]:
    """Drawn people in blue and red before speckled walls, and their true parts: head 1, upper 2, legs 4, shoes 5."""
    folder, rng = tmp_path_factory.mktemp("crowd"), np.random.default_rng(0)
    paths, truths, owners = [], [], []
    for owner in range(PEOPLE):
        upper, legs = (rng.integers(-25, 26, 3) + base for base in ((60, 90, 200), (200, 70, 60)))
        for number in range(EACH):
            image = np.repeat(np.repeat(rng.integers(90, 150, (32, 16, 3)), 4, 0), 4, 1)
            truth = np.zeros(CROWD_SIZE, np.uint8)
            left = 22 + int(rng.integers(-3, 4))
            for top, end, part, colour in (
                (6, 22, 1, (225, 180, 150)),
                (22, 66, 2, upper),
                (66, 116, 4, legs),
                (116, 124, 5, (20, 20, 20)),
            ):
                sides = (left + 5, left + 15) if part == 1 else (left, left + 20)
                if number == HALF and part >= 4:
                    continue
                image[top:end, slice(*sides)] = colour
                truth[top:end, slice(*sides)] = part
            noisy = np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)
            paths.append(folder / f"{owner}_{number}.png")
            Image.fromarray(noisy).save(paths[-1])
            truths.append(truth[2::4, 2::4])
            owners.append(owner)
    names, cameras = [path.name for path in paths], np.full(len(paths), -1)
    by = normalisation("mobilenetv2_100")
    data = TrainingPictures(PictureCache(paths, CROWD_SIZE), names, np.array(owners), cameras, by, torch.device("cpu"))
    return data, np.stack(truths)
