"""Opens label maps: class numbers, never colours; as stored, and fitted to the upright image they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isp_core.images.errors import PictureError
from isp_core.images.opening import MAX_PIXELS, ImageHeader, opened, reason
from isp_core.text_files import shown

_ASPECT_TOLERANCE = 0.03  # one pixel of rounding on the smallest images in use
_MAP_FORMATS = ("PNG", "BMP", "TIFF", "GIF", "PPM")
_BLURRING = ("JPEG", "MPO", "WEBP")  # MPO: a JPEG of several images


@dataclass(frozen=True)
class FittedMap:
    """A label map of an image. labels (H, W): as the upright image; turned: whether it was stored like the image's
    pixels, before its EXIF orientation, and was turned with it; unsure: whether this is unknown, since the orientation
    (a mirror or half a turn) keeps the shape."""

    labels: NDArray[np.uint8]
    turned: bool = False
    unsure: bool = False


def read_label_map(path: Path) -> NDArray[np.uint8]:
    """Class numbers of a label map, as stored: an orientation in its EXIF block is not applied.

    Takes palette PNGs (the palette's indices, not its colours: the form of SCHP's output), grey PNGs of 8 or 16 bits,
    and .npy files of integers.

    Returns:
        (H, W) uint8 class numbers.

    Raises:
        PictureError: missing or damaged; colours instead of numbers; JPEG, which blurs numbers; more than 2 axes;
            values outside 0..255.
    """
    if path.suffix.lower() == ".npy":
        return _label_values(path, _load_npy(path))
    with opened(path, shown(path), (*_MAP_FORMATS, "JPEG", "WEBP"), MAX_PIXELS) as image:
        if image.format in _BLURRING:
            raise PictureError(
                f"{shown(path)}: a {image.format} image, whose compression changes class numbers; save as PNG"
            )
        if image.mode not in ("P", "L", "1", "I", "I;16", "I;16B"):
            raise PictureError(
                f"{shown(path)}: holds colours ({image.mode}), not class numbers; save the numbers as a palette (P) or "
                "grey (L) PNG, or as .npy"
            )
        try:
            return _label_values(path, np.asarray(image))
        except (OSError, SyntaxError) as error:
            raise PictureError(f"{shown(path)}: {reason(error)}; make the label map again") from error


def fit_to_image(labels: NDArray[np.uint8], image: ImageHeader) -> FittedMap | None:
    """The label map of an upright image, or None where its aspect ratio is neither the image's nor that of its stored
    pixels (a map of another crop).

    Parsers that ignore EXIF write maps of the stored pixels. Where the orientation exchanges height and width, their
    shape gives them away, and they are turned with the image.
    """
    if _same_aspect(labels.shape, (image.height, image.width)):
        # a square says nothing about how it was turned
        unsure = image.turn is not None and _same_aspect(labels.shape, image.stored_size)
        return FittedMap(labels, unsure=unsure)
    if image.turn is not None and _same_aspect(labels.shape, image.stored_size):
        return FittedMap(np.asarray(Image.fromarray(labels).transpose(image.turn)), turned=True)
    return None


def resize_nearest(labels: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Each target cell takes the class at its centre: (H, W) -> size.

    >>> resize_nearest(np.arange(16).reshape(4, 4), (2, 2))
    array([[ 5,  7],
           [13, 15]])
    """
    rows, columns = (((np.arange(n) + 0.5) * old / n).astype(int) for n, old in zip(size, labels.shape, strict=True))
    return labels[np.ix_(rows, columns)]


def _same_aspect(shape: tuple[int, ...], size: tuple[int, int]) -> bool:
    return abs(shape[0] * size[1] / (shape[1] * size[0]) - 1) <= _ASPECT_TOLERANCE


def _load_npy(path: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False, mmap_mode="r")
    except FileNotFoundError:
        raise PictureError(f"{shown(path)}: no such file") from None
    except Exception as error:  # NumPy parses the header as Python, and raises what its tokenizer does
        raise PictureError(
            f"{shown(path)}: not readable as a NumPy array ({error}); save it with numpy.save"
        ) from error
    return array


def _label_values(path: Path, values: NDArray[Any]) -> NDArray[np.uint8]:
    if values.ndim != 2:
        raise PictureError(f"{shown(path)}: shape {values.shape}; a label map has two axes, rows and columns")
    if values.size == 0:
        raise PictureError(f"{shown(path)}: an empty label map, shape {values.shape}")
    if values.size > MAX_PIXELS:
        raise PictureError(f"{shown(path)}: shape {values.shape}, more than {MAX_PIXELS:,} pixels")
    if values.dtype.kind not in "biu":
        raise PictureError(f"{shown(path)}: {values.dtype} values; class numbers are integers from 0 to 255")
    if not 0 <= int(values.min()) <= int(values.max()) <= 255:
        raise PictureError(f"{shown(path)}: values from {values.min()} to {values.max()}; class numbers are 0 to 255")
    return values.astype(np.uint8)
