"""Opens images: upright, as RGB, of known formats, bounded before a pixel is decoded."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from isp_core.images.budget import DecodeBudget
from isp_core.images.errors import NotAnImageError, PictureError, TooLargeError
from isp_core.images.rgb import reduced_rgb, to_rgb
from isp_core.text_files import shown

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "PPM")
"""Formats that are opened at all. Others, such as EPS, would run programs or have no use here."""
UPLOAD_FORMATS = ("PNG", "JPEG", "WEBP")
"""Formats of cameras and browsers: what a stranger may send."""
MAX_PIXELS = 64_000_000  # a crop of a person has some 0.01 to 1 million; beyond this a file is a mistake or an attack

_ORIENTATION = 0x0112
_TURNS = {  # EXIF orientation -> what makes the stored image upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class ImageHeader:
    """What a file's header says: upright height and width, colour mode, and how it is stored.

    turn: what makes the stored image upright, None where it is stored so.
    """

    height: int
    width: int
    mode: str
    turn: Image.Transpose | None

    @property
    def stored_size(self) -> tuple[int, int]:
        """Height and width as stored."""
        return (self.width, self.height) if self.sideways else (self.height, self.width)

    @property
    def sideways(self) -> bool:
        """Whether turning exchanges height and width."""
        return self.turn is not None and exchanges_axes(self.turn)


def exchanges_axes(turn: Image.Transpose) -> bool:
    """Whether a turn makes rows of columns."""
    return turn not in (
        Image.Transpose.FLIP_LEFT_RIGHT,
        Image.Transpose.FLIP_TOP_BOTTOM,
        Image.Transpose.ROTATE_180,
    )


def open_image(
    source: Path | bytes,
    name: str = "",
    *,
    formats: tuple[str, ...] = FORMATS,
    max_pixels: int = MAX_PIXELS,
    longest_side: int | None = None,
    budget: DecodeBudget | None = None,
) -> Image.Image:
    """An image as RGB, turned as its EXIF orientation says, independent of its file.

    Grey, palette, CMYK and 16-bit images are converted (see `to_rgb`); transparency is laid on white.

    Args:
        source: a file, or the bytes of one.
        name: what to call it in errors; by default its path.
        formats: the formats to accept, of FORMATS. The bytes decide, not the file's ending.
        max_pixels: refused beyond, before decoding.
        longest_side: makes larger images this small (a JPEG is decoded at a fraction of its size); None: as they are.
        budget: waits here until decoding fits into the memory that all may take together.

    Raises:
        PictureError: missing, cut off, not an image of `formats`, or too large; the message begins with its name.
    """
    where = name or (shown(source) if isinstance(source, Path) else "the image")
    with opened(source, where, formats, max_pixels) as image:
        if longest_side is not None:
            image.draft("RGB", (longest_side, longest_side))
        width, height = image.size
        with nullcontext() if budget is None else budget.take(width * height * 4):
            try:
                image.load()
                turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
            except Exception as error:  # damaged bytes lead Pillow's decoders to any exception
                raise PictureError(f"{where}: {reason(error)}; copy it again, or leave it out") from error
            rgb = _small_and_upright(image, longest_side, turn, where)
    rgb.info = {}  # comments and profiles belong to the file
    return rgb


def read_header(path: Path) -> ImageHeader:
    """Size, mode and orientation from the header alone; the rest may be damaged.

    Raises:
        PictureError: as `open_image`, as far as the header shows it.
    """
    with opened(path, shown(path), FORMATS, MAX_PIXELS) as image:
        width, height = image.size
        try:
            turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
        except Exception:  # as above; a damaged EXIF block is no reason to refuse
            turn = None
        if turn is not None and exchanges_axes(turn) and image.format != "TIFF":  # Pillow has a TIFF's turned size
            width, height = height, width
        return ImageHeader(height, width, image.mode, turn)


def upright(image: Image.Image) -> Image.Image:
    """A PIL image of the caller's as loaded RGB, turned as its EXIF orientation says."""
    image.load()
    turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    rgb = to_rgb(image)
    return rgb if turn is None else rgb.transpose(turn)


@contextmanager
def opened(source: Path | bytes, where: str, formats: tuple[str, ...], max_pixels: int) -> Iterator[Image.Image]:
    """Opens without decoding; refuses what is missing, not an image of the formats, or too large."""
    if isinstance(source, Path) and source.exists() and not source.is_file():
        raise PictureError(f"{where}: not a file")
    with warnings.catch_warnings():
        # `max_pixels` decides; Pillow's own warning would be printed once and mean nothing
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=formats)
        except FileNotFoundError:
            raise PictureError(f"{where}: no such file") from None
        except UnidentifiedImageError:
            empty = len(source) == 0 if isinstance(source, bytes) else source.stat().st_size == 0
            raise NotAnImageError(
                f"{where}: {'an empty file' if empty else 'not an image'}; copy it again, or leave it out"
            ) from None
        except Image.DecompressionBombError:
            raise TooLargeError(f"{where}: more than {max_pixels:,} pixels; make it smaller") from None
        except Exception as error:  # as in open_image
            raise PictureError(f"{where}: {reason(error)}; copy it again, or leave it out") from error
    with image:
        width, height = image.size
        if width * height > max_pixels:
            raise TooLargeError(f"{where}: {width} x {height} pixels, more than {max_pixels:,}; make it smaller")
        yield image


def _small_and_upright(
    image: Image.Image, longest_side: int | None, turn: Image.Transpose | None, where: str
) -> Image.Image:
    try:
        if longest_side is None:
            rgb = to_rgb(image)
        else:
            # blocks of whole pixels first, down to twice the size that is wanted; then a proper filter
            rgb = reduced_rgb(image, max(image.size) // (2 * longest_side))
            rgb.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    except (ValueError, OSError) as error:
        raise PictureError(f"{where}: {reason(error)}; copy it again, or leave it out") from error
    if turn is not None:
        rgb = rgb.transpose(turn)
    return rgb if rgb is not image else rgb.copy()


def reason(error: Exception) -> str:
    """What a decoder's exception means, in a few words."""
    if isinstance(error, MemoryError):
        return "more memory needed than there is"
    if "truncated" in str(error).lower() or "broken data stream" in str(error).lower():
        return f"the image is cut off ({error})"
    return f"damaged image ({error})" if str(error) else f"damaged image ({type(error).__name__})"
