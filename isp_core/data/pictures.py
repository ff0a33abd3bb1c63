"""The images of a data set as arrays: checking them, and a bounded cache of decoded ones.

Out of scope: opening an image (isp_core.images), augmentation and normalisation (transforms.py).
"""

from __future__ import annotations

import mmap
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from isp_core.data.records import DataError
from isp_core.images.errors import PictureError
from isp_core.images.opening import open_image, read_header, reason, upright
from isp_core.text_files import shown

Picture = str | Path | Image.Image | NDArray[np.uint8] | torch.Tensor
"""A path, a PIL image, an RGB array (H, W, 3) uint8, or a tensor (3, H, W): uint8, or float in [0, 1]."""

GIB = 2**30


@dataclass(frozen=True)
class BrokenPicture:
    """A file that could not be read, and why in a few words."""

    path: Path
    reason: str


def read_picture(path: Path) -> Image.Image:
    """An image file as RGB, see `open_image`; PictureError where it cannot be read."""
    return open_image(path)


def as_image(picture: Picture) -> Image.Image:
    """Whatever a caller has as a loaded RGB image, a PIL image in the same way as its file.

    Raises:
        PictureError: a file that cannot be read; an array or tensor of another shape, type or range.
    """
    if isinstance(picture, str | Path):
        return read_picture(Path(picture))
    if isinstance(picture, Image.Image):
        try:
            return upright(picture)
        except Exception as error:  # damaged bytes lead Pillow's decoders to any exception
            name = getattr(picture, "filename", "") or "an image"
            raise PictureError(f"{name}: {reason(error)}") from error
    if isinstance(picture, torch.Tensor):
        if picture.ndim != 3 or picture.shape[0] != 3:
            raise PictureError(f"an image tensor has the shape (3, H, W); got {tuple(picture.shape)}")
        values = picture.detach().cpu()
        if values.is_floating_point():
            if not bool(((values >= 0) & (values <= 1)).all()):
                raise PictureError("an image of floats lies in [0, 1]: do not normalise it before")
            values = (values * 255).round()
        return Image.fromarray(values.to(torch.uint8).permute(1, 2, 0).numpy())
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise PictureError(f"an image array is RGB, (H, W, 3) uint8; got {picture.shape} {picture.dtype}")
    return Image.fromarray(picture)


def read_size(path: Path) -> tuple[int, int, str]:
    """Height, width (as displayed, EXIF applied) and colour mode from the header alone; the rest may be damaged.

    Raises:
        PictureError: as `read_picture`, as far as the header shows it.
    """
    header = read_header(path)
    return header.height, header.width, header.mode


def check_pictures(
    paths: Sequence[Path], workers: int = 2, progress: Callable[[int], object] | None = None
) -> list[BrokenPicture]:
    """Decodes every image and returns all that fail, in the order of `paths`.

    Args:
        paths: files to read.
        workers: decoding threads (Pillow decodes outside Python's lock).
        progress: called with 1 after each image.
    """

    def problem(path: Path) -> BrokenPicture | None:
        try:
            read_picture(path)
        except PictureError as error:
            return BrokenPicture(path, why_broken(path, error))
        finally:
            if progress is not None:
                progress(1)
        return None

    with ThreadPoolExecutor(workers) as pool:
        return [broken for broken in pool.map(problem, paths) if broken is not None]


def why_broken(path: Path, error: PictureError) -> str:
    """The reason in an error of `read_picture`, without the path before it and the advice after it."""
    return str(error).removeprefix(f"{shown(path)}: ").partition(";")[0]


def require_pictures(paths: Sequence[Path], workers: int = 2, progress: Callable[[int], object] | None = None) -> None:
    """Raises one DataError that names every missing or broken image of `paths`."""
    broken = check_pictures(paths, workers, progress)
    if broken:
        listed = "".join(f"\n  {shown(b.path)}: {b.reason}" for b in broken)
        raise DataError(f"{len(broken)} of {len(paths)} images cannot be read; replace or remove them:{listed}")


def resize_picture(picture: Image.Image, size: tuple[int, int]) -> torch.Tensor:
    """An RGB image at (H, W) by bilinear interpolation (with antialiasing, as the field does) -> uint8 (3, H, W)."""
    height, width = size
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(picture, dtype=np.uint8)).permute(2, 0, 1).contiguous()


class PictureCache:
    """Images at one size, decoded once as far as a byte limit allows.

    The first `capacity` images are kept as uint8 (256 x 128: 96 KiB each, Market-1501's training set 1.2 GiB); the
    others are decoded at every use. The memory is one anonymous shared mapping, filled as images are first asked
    for: forked loader workers and threads read and fill the same one, and /dev/shm, small in containers, is not
    touched. Where workers are spawned instead of forked, each begins an empty cache of its own: divide the limit.

    >>> cache = PictureCache([Path("a.jpg"), Path("b.jpg")], size=(256, 128), limit_bytes=100_000)
    >>> cache.capacity
    1
    """

    def __init__(self, paths: Sequence[Path], size: tuple[int, int], limit_bytes: int = 2 * GIB) -> None:
        if min(size) < 1:
            raise DataError(f"images of size {size[0]}x{size[1]}: height and width must be positive")
        if limit_bytes < 0:
            raise DataError(f"cache limit of {limit_bytes} bytes; 0 keeps nothing")
        self.paths = tuple(paths)
        self.size = size
        self.limit_bytes = limit_bytes
        bytes_each = 3 * size[0] * size[1] + 1  # and one byte that says "filled"
        self.capacity = min(len(self.paths), limit_bytes // bytes_each)
        self._allocate()

    def _allocate(self) -> None:
        n, (height, width) = self.capacity, self.size
        memory = mmap.mmap(-1, max(1, n * (3 * height * width + 1)))
        self._pictures = np.frombuffer(memory, np.uint8, n * 3 * height * width).reshape(n, 3, height, width)
        self._filled = np.frombuffer(memory, np.uint8, n, offset=n * 3 * height * width)
        # orders the writing of an image before that of its "filled" for every thread and process
        self._lock = multiprocessing.Lock()

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        """Image `index` as uint8 (3, H, W): a copy, the caller may change it.

        Raises:
            PictureError: see `read_picture`.
            IndexError: outside 0..len-1.
        """
        if not 0 <= index < len(self.paths):
            raise IndexError(f"image {index} of {len(self.paths)}")
        if index >= self.capacity:
            return self._decode(index)
        with self._lock:
            filled = bool(self._filled[index])
        if not filled:
            # outside the lock: two readers may decode the same image, and then write the same bytes
            picture = self._decode(index)
            self._pictures[index] = picture.numpy()
            with self._lock:
                self._filled[index] = 1
            return picture
        return torch.from_numpy(self._pictures[index].copy())

    @property
    def filled(self) -> int:
        """How many images are kept so far."""
        return int(self._filled.sum())

    def _decode(self, index: int) -> torch.Tensor:
        return resize_picture(read_picture(self.paths[index]), self.size)

    def __getstate__(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in ("paths", "size", "limit_bytes", "capacity")}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._allocate()
