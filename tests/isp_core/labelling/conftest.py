"""A small network with random weights, and seven noisy pictures of three people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from isp_core.data.pictures import PictureCache
from isp_core.labelling.rounds import TrainingPictures
from isp_core.models import ISPNet, NetworkSpec, normalisation

SIZE = (64, 32)
OWNERS = np.array([0, 0, 1, 2, 1, 0, 2])
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
