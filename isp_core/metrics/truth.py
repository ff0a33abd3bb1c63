"""Part truth of a list of pictures: a folder of label maps in one label space, brought to the size that is judged.

Not here: how files are found and read (isp_core.data), making truth (eval.truth), judging by it
(isp_core.metrics.parsing).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from isp_core.data.label_files import find_label_maps
from isp_core.data.pictures import read_label_map
from isp_core.errors import IspError
from isp_core.metrics.spaces import IGNORE, LabelSpace

_ASPECT_TOLERANCE = 0.03  # one pixel of rounding on the smallest pictures in use
_NAMED = 3


@dataclass(frozen=True)
class Truth:
    """Truth at the label maps' resolution, in the order asked for.

    targets (N, h, w): codes of isp_core.metrics.spaces; all 255 where there is no usable truth. found (N,).
    missing, misshapen: the pictures without a file, and those whose file has another shape than the picture.
    """

    targets: npt.NDArray[np.uint8]
    found: npt.NDArray[np.bool_]
    missing: tuple[str, ...]
    misshapen: tuple[str, ...]

    @property
    def n(self) -> int:
        """Pictures that can be judged."""
        return int(self.found.sum())

    def notes(self) -> tuple[str, ...]:
        """A sentence for each way in which truth is short of complete; empty when it is complete."""
        notes = []
        total = len(self.found)
        if self.missing:
            notes.append(f"{len(self.missing)} of {total} pictures have no truth ({_name_some(self.missing)})")
        if self.misshapen:
            notes.append(
                f"{len(self.misshapen)} of {total} truth maps have another shape than their picture and were left out "
                f"({_name_some(self.misshapen)}): made from another crop?"
            )
        return tuple(notes)


def read_truth(
    folder: Path,
    pictures: Sequence[str],
    space: LabelSpace,
    size: tuple[int, int],
    picture_root: Path | None = None,
) -> Truth:
    """Truth of `pictures` from `folder`, brought to `size` (h, w) by nearest neighbour as the authors' script does.

    Where `picture_root` is given and a picture is there, its truth must have its aspect ratio; maps of another are left
    out and reported. Pictures without truth are reported, not refused. IspError where the folder holds truth for none
    of them, where a file cannot be read, or where it holds classes that the space does not have.
    """
    files = find_label_maps(folder, pd.DataFrame({"path": list(pictures)}))
    targets = np.full((len(pictures), *size), IGNORE, np.uint8)
    problem: list[str] = [""] * len(pictures)

    def read(index: int) -> None:
        picture, file = pictures[index], files[index]
        if file is None:
            problem[index] = "missing"
            return
        labels = read_label_map(file)
        if not _fits(labels.shape, size, picture_root / picture if picture_root else None):
            problem[index] = "misshapen"
            return
        targets[index] = space.to_targets(resize_nearest(labels, size), str(file))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(read, range(len(pictures))))
    missing, misshapen = (
        tuple(picture for picture, what in zip(pictures, problem, strict=True) if what == kind)
        for kind in ("missing", "misshapen")
    )
    found = np.array([what == "" for what in problem], np.bool_)
    truth = Truth(targets, found, missing, misshapen)
    if len(pictures) and not found.any():
        raise IspError(
            f"{folder} holds no usable truth: {'; '.join(truth.notes())}. Names must be those of the pictures"
        )
    return truth


def resize_nearest(labels: npt.NDArray[np.integer], size: tuple[int, int]) -> npt.NDArray[np.integer]:
    """Each target pixel takes the class at its centre: (H, W) -> size.

    >>> resize_nearest(np.arange(16).reshape(4, 4), (2, 2))
    array([[ 5,  7],
           [13, 15]])
    """
    rows, columns = (((np.arange(n) + 0.5) * old / n).astype(int) for n, old in zip(size, labels.shape, strict=True))
    return labels[np.ix_(rows, columns)]


def _fits(shape: tuple[int, ...], size: tuple[int, int], picture: Path | None) -> bool:
    """Whether a truth map of this shape can belong to the picture; maps stored at the evaluated size always can."""
    if tuple(shape) == size or picture is None or not picture.is_file():
        return True
    try:
        with Image.open(picture) as opened:
            width, height = opened.size
    except OSError as error:
        raise IspError(f"{picture} cannot be opened: {error}") from error
    return abs(shape[0] * width / (shape[1] * height) - 1) <= _ASPECT_TOLERANCE


def _name_some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
