"""Part ground truth of a list of images: a folder of label maps in one label space, brought to the size that is
evaluated.

Out of scope: how files are found and read (isp_core.data), making truth (eval.parser_truth), evaluation by it
(isp_core.metrics.part_scores).
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

from isp_core.data.label_files import find_label_maps
from isp_core.errors import IspError
from isp_core.images import FittedMap, fit_to_image, read_header, read_label_map, resize_nearest
from isp_core.metrics.spaces import IGNORE, LabelSpace

_NAMED = 3


@dataclass(frozen=True)
class Truth:
    """Truth at the label maps' resolution, in the order asked for.

    targets (N, h, w): codes of isp_core.metrics.spaces; all 255 where there is no usable ground truth. found (N,).
    missing, misshapen: the images without a file, and those whose file has another shape than the image.
    turned: the images whose map was stored like their pixels, before the EXIF orientation, and was turned with them.
    unsure: those whose orientation keeps the shape, so that their maps are taken as upright.
    """

    targets: npt.NDArray[np.uint8]
    found: npt.NDArray[np.bool_]
    missing: tuple[str, ...]
    misshapen: tuple[str, ...]
    turned: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Images that can be evaluated."""
        return int(self.found.sum())

    def notes(self) -> tuple[str, ...]:
        """A sentence for each way in which ground truth is short of complete; empty when it is complete."""
        notes = []
        total = len(self.found)
        if self.missing:
            notes.append(f"{len(self.missing)} of {total} images have no ground truth ({_name_some(self.missing)})")
        if self.misshapen:
            notes.append(
                f"{len(self.misshapen)} of {total} ground-truth maps have another shape than their image and were left "
                f"out ({_name_some(self.misshapen)}): made from another crop?"
            )
        if self.turned:
            notes.append(
                f"{len(self.turned)} of {total} maps are of the image as stored, before its EXIF orientation, "
                f"and were turned upright ({_name_some(self.turned)})"
            )
        if self.unsure:
            notes.append(
                f"{len(self.unsure)} of {total} images have an EXIF orientation that keeps their shape; their maps are "
                f"taken as upright ({_name_some(self.unsure)})"
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

    Where an image is found below `picture_root` (default: `folder`), its ground truth must have the aspect ratio of the
    upright image; maps of another are left out and reported, maps of its stored pixels are turned (`fit_to_image`).
    Images without ground truth are reported, not refused. IspError where the folder holds ground truth for none of
    them, where a file cannot be read, or where it holds classes that the space does not have.
    """
    picture_root = folder if picture_root is None else picture_root
    files = find_label_maps(folder, pd.DataFrame({"path": list(pictures)}))
    targets = np.full((len(pictures), *size), IGNORE, np.uint8)
    problem: list[str] = [""] * len(pictures)
    turned, unsure = np.zeros(len(pictures), np.bool_), np.zeros(len(pictures), np.bool_)

    def read(index: int) -> None:
        picture, file = pictures[index], files[index]
        if file is None:
            problem[index] = "missing"
            return
        fitted = _fitted(read_label_map(file), size, picture_root / picture)
        if fitted is None:
            problem[index] = "misshapen"
            return
        turned[index], unsure[index] = fitted.turned, fitted.unsure
        targets[index] = space.to_targets(resize_nearest(fitted.labels, size), str(file))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(read, range(len(pictures))))
    missing, misshapen = (
        tuple(picture for picture, what in zip(pictures, problem, strict=True) if what == kind)
        for kind in ("missing", "misshapen")
    )
    found = np.array([what == "" for what in problem], np.bool_)
    every = np.asarray(pictures, dtype=object)
    truth = Truth(targets, found, missing, misshapen, tuple(every[turned]), tuple(every[unsure]))
    if len(pictures) and not found.any():
        raise IspError(
            f"{folder} holds no usable ground truth: {'; '.join(truth.notes())}. Names must be those of the images"
        )
    return truth


def _fitted(labels: npt.NDArray[np.uint8], size: tuple[int, int], picture: Path) -> FittedMap | None:
    """The map as the upright image, None where it is of another crop; at the evaluated size it always fits."""
    if labels.shape == size or not picture.is_file():
        return FittedMap(labels)
    return fit_to_image(labels, read_header(picture))


def _name_some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
