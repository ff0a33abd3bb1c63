"""The functions of `import isp_core as isp` that put several modules together; the command line does the same things.

Out of scope: HumanParser (isp_core.parser), runs (isp_core.runs), distances and visibility (isp_core.matching).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from isp_core.config import load_config
from isp_core.data import DataSet, load
from isp_core.data.pictures import Picture
from isp_core.drawing import overlay, palette_of, run_palette
from isp_core.runs import Run

if TYPE_CHECKING:  # torch takes a second to load, and to read or draw needs none
    from PIL import Image

    from isp_core.matching import Embeddings, Explanation
    from isp_core.parser import HumanParser

Labels = npt.NDArray[np.uint8]


def load_data(path: str | Path, name: str | None = None) -> DataSet:
    """The records of a re-ID data set; common layouts are detected automatically. No image is opened.

    Args:
        path: a folder (Market-1501, DukeMTMC-reID, CUHK03-NP, MSMT17, Occluded-Duke, one folder per person, ...), or a
            .csv, .tsv or .parquet file with columns path and identity (also camera, split).
        name: the data set's name, where the folder's own is not wanted.

    Raises:
        DataError: no layout was recognised, or the data set is inconsistent; the message says what was found.

    Example:
        >>> int(load_data("Market-1501").split("query").identity.nunique())   # doctest: +SKIP
        750
    """
    return load(Path(path), name)


def train(
    data: DataSet | str | Path,
    out: str | Path,
    *,
    preset: str | None = None,
    config: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    resume: bool = False,
    report: Callable[[str], None] = print,
    progress: bool = False,
) -> Run:
    """Trains a run into the folder `out`, one checkpoint per epoch, and returns it.

    Args:
        data: a data set, or where it is.
        out: the run directory. It must be new, unless `resume` continues the run in it after its last finished epoch.
        preset: a recipe's name, or several joined by "+" ("market+resnet50"); default: "cpu".
        config: a YAML file with any options, overriding the preset.
        options: single options by their dotted names, overriding both: {"run.epochs": 30, "labels.parts": 6}. With
            `resume` only run.epochs, run.truth and run.space may be given; the rest is the run's own.
        report: takes one line of text after each epoch.
        progress: show progress bars on standard error.

    Raises:
        IspError: data, options or disk do not allow it. Finished epochs are never lost.

    Example:
        >>> run = train("Market-1501", "runs/mine", preset="cpu", options={"run.epochs": 2})   # doctest: +SKIP
        >>> float(run.metrics()["mAP"].iloc[-1])                                               # doctest: +SKIP
        0.41
    """
    from isp_core.training import resumed_config
    from isp_core.training import train as train_run

    if resume:
        settings = resumed_config(Path(out), dict(options or {}), recipe=preset is not None or config is not None)
    else:
        file = None if config is None else Path(config)
        settings = load_config(preset, file, dict(options or {}), default="cpu")
    records = data if isinstance(data, DataSet) else load_data(data)
    return train_run(settings, records, Path(out), resume=resume, report=report, progress=progress)


def label(run: str | Path, data: str | Path, epoch: int | None = None) -> Iterator[tuple[str, Labels]]:
    """Pseudo-labels of a data set's training images, made as in training with the network of a run.

    Args:
        run: the run directory.
        data: the data set whose training images are labelled.
        epoch: the epoch whose network is used; default: the last that has weights.

    Yields:
        (path, label map) of every image: the path as the data set's records give it, the map (h, w) uint8 with 0 for
        background, 1..K-1 for parts and 255 for ignored pixels.

    Raises:
        IspError: the run has no weights there or is a baseline, or the data set has no training images.
    """
    from isp_core.extraction import label_data

    return label_data(Path(run), epoch, Path(data))


def match(
    first: Picture | Sequence[Picture] | Embeddings,
    second: Picture | Sequence[Picture] | Embeddings,
    *,
    run: HumanParser | Run | str | Path,
    epoch: int | None = None,
) -> Explanation:
    """The distance between images of people with all its terms (Eq. 8-10), pair by pair, or of one image to all others.

    Args:
        first: n images (paths, PIL images, arrays, tensors), or their embeddings.
        second: likewise. Either side may hold one image, which is then paired with all of the other side.
        run: the run whose network reads them, or a parser that is already loaded (faster for several calls).
        epoch: default: the last epoch that has weights.

    Returns:
        An Explanation with n rows: distance (n,) in [0, 2], its terms d_global, d_foreground, d_parts (n, K-1), and
        which parts both images show: shared (n, K-1).

    Raises:
        IspError: an image cannot be read, the run has no weights, or the two sides cannot be paired.
    """
    from isp_core.parser import HumanParser

    parser = run if isinstance(run, HumanParser) else HumanParser.load(run, epoch)
    return parser.match(first, second)


def draw(image: Picture, labels: Labels, run: Run | str | Path | None = None, *, opacity: float = 0.55) -> Image.Image:
    """The image with its parts tinted; background and ignored pixels stay as they are.

    Args:
        image: the image that the label map belongs to.
        labels: (h, w) uint8 of any size, as HumanParser gives it.
        run: take this run's colours, the same for all its images; default: colours by the parts' height here.
        opacity: of the tint, in [0, 1].

    Example:
        >>> draw(np.full((4, 2, 3), 200, np.uint8), np.array([[0, 1]], np.uint8)).size
        (2, 4)
    """
    return overlay(image, labels, palette_of(labels) if run is None else run_palette(run), opacity)
