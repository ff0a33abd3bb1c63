"""What is trained in the check of a device: networks, sizes, and the images, which are drawn here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

PRESETS = ("mobilenetv2", "resnet50", "hrnet-w32")
"""The networks that are tried, without initial weights: nothing is downloaded."""
PRECISIONS = ("fp32", "bf16", "fp16")
EPOCHS, STEPS = 4, 5
"""Steps are reported by the epoch: 4 means of 5 losses make the 20 steps."""
SIZE = (128, 64)
FULL_SIZE = (256, 128)
"""Height and width while results are compared, and while speed is measured."""
PEOPLE, CAMERAS, VIEWS = 10, 2, 4
PARTS = 4
_BOXES = ((8, 28, 6), (28, 66, 0), (66, 112, 3), (112, 122, 3))  # top, bottom, margin of head, torso, legs, shoes
PEOPLE_A_BATCH, IMAGES_A_PERSON = 4, 4


@dataclass(frozen=True)
class Job:
    """What a child process does. device: "cpu" or "cuda". presets, precisions: what is trained, in epochs of `STEPS`
    steps. speed: whether speed and memory are measured. group: whether it is a process group of one, as torchrun
    starts it."""

    device: str
    presets: tuple[str, ...]
    precisions: tuple[str, ...]
    speed: bool
    epochs: int = EPOCHS
    group: bool = False


def overrides(precision: str, epochs: int) -> dict[str, object]:
    """What the check changes in a preset's configuration."""
    return {
        "data.size": list(SIZE),
        "data.identities_per_batch": PEOPLE_A_BATCH,
        "data.pictures_per_identity": IMAGES_A_PERSON,
        "model.weights": "none",
        "labels.parts": PARTS,
        "labels.every": epochs,
        "optim.precision": precision,
        "optim.warmup_epochs": 0,
        "run.epochs": epochs,
        "run.eval_every": 0,
        "run.keep": "last",
        "run.activation": False,
    }


def draw_people(root: Path) -> None:
    """Writes a data set in Market-1501's layout for training alone: figures of coloured boxes before noise."""
    folder = root / "bounding_box_train"
    folder.mkdir(parents=True)
    for person in range(1, PEOPLE + 1):
        look = np.random.default_rng(person).integers(0, 256, (4, 3))
        for camera in range(1, CAMERAS + 1):
            for view in range(VIEWS):
                place = np.random.default_rng([person, camera, view])
                image = place.normal(100 + 20 * camera, 25, (128, 64, 3))
                left = 20 + int(place.integers(-5, 6))
                for colour, (top, bottom, margin) in zip(look, _BOXES, strict=True):
                    image[top:bottom, left + margin : left + 24 - margin] = colour
                file = folder / f"{person:04d}_c{camera}s1_{view:06d}_00.png"
                Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(file)
