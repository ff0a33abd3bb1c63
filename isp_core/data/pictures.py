"""From picture files to arrays: reading, checking, label maps, and a bounded cache of decoded pictures.

Not here: augmentation and normalisation (transforms.py).
"""

from __future__ import annotations

import mmap
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from isp_core.data.records import DataError
from isp_core.errors import IspError

Picture = str | Path | Image.Image | NDArray[np.uint8] | torch.Tensor
"""A path, a PIL picture, an RGB array (H, W, 3) uint8, or a tensor (3, H, W): uint8, or float in [0, 1]."""

MAX_PIXELS = 64_000_000  # a crop of a person has some 0.01 to 1 million; beyond this a file is a mistake or an attack
GIB = 2**30


class PictureError(IspError):
    """A picture or label map that cannot be used; the message begins with its path."""


@dataclass(frozen=True)
class BrokenPicture:
    """A file that could not be read, and why in a few words."""

    path: Path
    reason: str


def read_picture(path: Path) -> Image.Image:
    """A picture as RGB, turned as its EXIF orientation says.

    Grey, palette, CMYK and 16-bit pictures are converted; transparency is laid on white.

    Returns:
        A loaded PIL picture of mode "RGB", independent of the file.

    Raises:
        PictureError: missing, cut off, not a picture, or larger than MAX_PIXELS.
    """
    image = _open(path)
    try:
        turned = ImageOps.exif_transpose(image)
        return _to_rgb(turned)
    except Exception as error:  # damaged bytes lead Pillow's decoders to any exception
        raise PictureError(f"{path}: {_reason(error)}; copy it again, or leave it out") from error


def as_image(picture: Picture) -> Image.Image:
    """Whatever a caller has as a loaded RGB picture, a PIL picture in the same way as its file.

    Raises:
        PictureError: a file that cannot be read; an array or tensor of another shape, type or range.
    """
    if isinstance(picture, str | Path):
        return read_picture(Path(picture))
    if isinstance(picture, Image.Image):
        try:
            return _to_rgb(ImageOps.exif_transpose(picture))
        except Exception as error:  # as in read_picture
            raise PictureError(f"{getattr(picture, 'filename', '') or 'a picture'}: {_reason(error)}") from error
    if isinstance(picture, torch.Tensor):
        if picture.ndim != 3 or picture.shape[0] != 3:
            raise PictureError(f"a picture tensor has the shape (3, H, W); got {tuple(picture.shape)}")
        values = picture.detach().cpu()
        if values.is_floating_point():
            if not bool(((values >= 0) & (values <= 1)).all()):
                raise PictureError("a picture of floats lies in [0, 1]: do not normalise it before")
            values = (values * 255).round()
        return Image.fromarray(values.to(torch.uint8).permute(1, 2, 0).numpy())
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise PictureError(f"a picture array is RGB, (H, W, 3) uint8; got {picture.shape} {picture.dtype}")
    return Image.fromarray(picture)


def read_size(path: Path) -> tuple[int, int, str]:
    """Height, width (as displayed, EXIF applied) and colour mode from the header alone; the rest may be damaged.

    Raises:
        PictureError: as `read_picture`, as far as the header shows it.
    """
    image = _open(path)
    width, height = image.size
    mode = image.mode
    try:
        sideways = image.getexif().get(0x0112, 1) >= 5  # orientations 5 to 8 exchange the axes
    except Exception:  # as above; a damaged EXIF block is no reason to refuse
        sideways = False
    image.close()
    return (width, height, mode) if sideways else (height, width, mode)


def check_pictures(
    paths: Sequence[Path], workers: int = 2, progress: Callable[[int], object] | None = None
) -> list[BrokenPicture]:
    """Decodes every picture and returns all that fail, in the order of `paths`.

    Args:
        paths: files to read.
        workers: decoding threads (Pillow decodes outside Python's lock).
        progress: called with 1 after each picture.
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
    return str(error).removeprefix(f"{path}: ").partition(";")[0]


def require_pictures(paths: Sequence[Path], workers: int = 2, progress: Callable[[int], object] | None = None) -> None:
    """Raises one DataError that names every missing or broken picture of `paths`."""
    broken = check_pictures(paths, workers, progress)
    if broken:
        listed = "".join(f"\n  {b.path}: {b.reason}" for b in broken)
        raise DataError(f"{len(broken)} of {len(paths)} pictures cannot be read; replace or remove them:{listed}")


def read_label_map(path: Path) -> NDArray[np.uint8]:
    """Class numbers of a label map.

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
    image = _open(path)
    if image.format in ("JPEG", "MPO", "WEBP"):
        raise PictureError(f"{path}: a {image.format} picture, whose compression changes class numbers; save as PNG")
    if image.mode not in ("P", "L", "1", "I", "I;16", "I;16B"):
        raise PictureError(
            f"{path}: holds colours ({image.mode}), not class numbers; save the numbers as a palette (P) or grey (L) "
            "PNG, or as .npy"
        )
    try:
        return _label_values(path, np.asarray(image))
    except (OSError, SyntaxError) as error:
        raise PictureError(f"{path}: {_reason(error)}; make the label map again") from error


def _load_npy(path: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise PictureError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError) as error:
        raise PictureError(f"{path}: not readable as a NumPy array ({error}); save it with numpy.save") from error
    return array


def _label_values(path: Path, values: NDArray[Any]) -> NDArray[np.uint8]:
    if values.ndim != 2:
        raise PictureError(f"{path}: shape {values.shape}; a label map has two axes, rows and columns")
    if values.dtype.kind not in "biu":
        raise PictureError(f"{path}: {values.dtype} values; class numbers are integers from 0 to 255")
    if values.size and not 0 <= int(values.min()) <= int(values.max()) <= 255:
        raise PictureError(f"{path}: values from {values.min()} to {values.max()}; class numbers are 0 to 255")
    return values.astype(np.uint8)


def resize_picture(picture: Image.Image, size: tuple[int, int]) -> torch.Tensor:
    """An RGB picture at (H, W) by bilinear interpolation (with antialiasing, as the field does) -> uint8 (3, H, W)."""
    height, width = size
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(picture, dtype=np.uint8)).permute(2, 0, 1).contiguous()


class PictureCache:
    """Pictures at one size, decoded once as far as a byte limit allows.

    The first `capacity` pictures are kept as uint8 (256 x 128: 96 KiB each, Market-1501's training set 1.2 GiB); the
    others are decoded at every use. The memory is one anonymous shared mapping, filled as pictures are first asked
    for: forked loader workers and threads read and fill the same one, and /dev/shm, small in containers, is not
    touched. Where workers are spawned instead of forked, each begins an empty cache of its own: divide the limit.

    >>> cache = PictureCache([Path("a.jpg"), Path("b.jpg")], size=(256, 128), limit_bytes=100_000)
    >>> cache.capacity
    1
    """

    def __init__(self, paths: Sequence[Path], size: tuple[int, int], limit_bytes: int = 2 * GIB) -> None:
        if min(size) < 1:
            raise DataError(f"pictures of size {size[0]}x{size[1]}: height and width must be positive")
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
        # orders the writing of a picture before that of its "filled" for every thread and process
        self._lock = multiprocessing.Lock()

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        """Picture `index` as uint8 (3, H, W): a copy, the caller may change it.

        Raises:
            PictureError: see `read_picture`.
            IndexError: outside 0..len-1.
        """
        if not 0 <= index < len(self.paths):
            raise IndexError(f"picture {index} of {len(self.paths)}")
        if index >= self.capacity:
            return self._decode(index)
        with self._lock:
            filled = bool(self._filled[index])
        if not filled:
            # outside the lock: two readers may decode the same picture, and then write the same bytes
            picture = self._decode(index)
            self._pictures[index] = picture.numpy()
            with self._lock:
                self._filled[index] = 1
            return picture
        return torch.from_numpy(self._pictures[index].copy())

    @property
    def filled(self) -> int:
        """How many pictures are kept so far."""
        return int(self._filled.sum())

    def _decode(self, index: int) -> torch.Tensor:
        return resize_picture(read_picture(self.paths[index]), self.size)

    def __getstate__(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in ("paths", "size", "limit_bytes", "capacity")}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._allocate()


def _open(path: Path) -> Image.Image:
    """Opens without decoding; refuses what is missing, not a picture, or too large."""
    try:
        image: Image.Image = Image.open(path)
    except FileNotFoundError:
        raise PictureError(f"{path}: no such file") from None
    except UnidentifiedImageError:
        empty = path.stat().st_size == 0
        raise PictureError(
            f"{path}: {'an empty file' if empty else 'not a picture'}; copy it again, or leave it out"
        ) from None
    except Exception as error:  # as in read_picture
        raise PictureError(f"{path}: {_reason(error)}; copy it again, or leave it out") from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise PictureError(f"{path}: {width} x {height} pixels, more than {MAX_PIXELS:,}; make it smaller")
    return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits; Pillow's own conversion would clip at 255
        values = np.asarray(image).astype(np.int64)
        return Image.fromarray((values.clip(0, 65535) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("floating-point pixels, which have no known range")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    if image.mode == "RGB":
        image.load()
        return image
    return image.convert("RGB")


def _reason(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {MAX_PIXELS:,} pixels"
    if "truncated" in str(error).lower() or "broken data stream" in str(error).lower():
        return f"the picture is cut off ({error})"
    return f"damaged picture ({error})" if str(error) else f"damaged picture ({type(error).__name__})"
