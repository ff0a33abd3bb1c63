"""Uploaded pictures: decoded with PIL alone, in three formats, small, or refused with a sentence.

OpenCV would decode a 109 KB bomb into gigabytes; here the size in the header is checked before a pixel is decoded.
"""

from __future__ import annotations

import io
import warnings
from typing import BinaryIO

from PIL import Image, ImageOps, UnidentifiedImageError

from isp_core.errors import IspError

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 50_000_000  # the header's claim; phones of today stay below it
KEPT_SIDE = 1024  # the decoded picture's longer side: the network sees 256 x 128


class UploadError(IspError):
    """An upload that is not a picture we open. The message is for the person who uploaded it."""


def decode(data: bytes | BinaryIO, name: str) -> Image.Image:
    """An RGB picture, upright, its longer side at most KEPT_SIDE. UploadError with a reason otherwise.

    The type is read from the bytes: a file's extension and its announced type prove nothing.
    """
    raw = data if isinstance(data, bytes) else data.read(MAX_BYTES + 1)
    label = name[:80]
    if len(raw) > MAX_BYTES:
        raise UploadError(f"{label} is larger than {MAX_BYTES // 2**20} MB. Save it smaller and try again")
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(raw), formats=FORMATS) as picture:
                width, height = picture.size
                if width * height > MAX_PIXELS:
                    raise UploadError(
                        f"{label} claims {width} × {height} pixels; at most {MAX_PIXELS // 10**6} million are opened"
                    )
                if min(width, height) < 8:
                    raise UploadError(f"{label} has {width} × {height} pixels: too small to show a person")
                picture.draft("RGB", (KEPT_SIDE, KEPT_SIDE))  # JPEG: decodes at a fraction of the size
                picture.load()
                upright = ImageOps.exif_transpose(picture)
                rgb = _on_white(upright)
        except UploadError:
            raise
        except UnidentifiedImageError:
            raise UploadError(f"{label} is not a PNG, JPEG or WebP picture, whatever its name says") from None
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise UploadError(f"{label} unpacks to far more pixels than a photo has; it is not opened") from None
        except MemoryError:
            raise UploadError(f"{label} needs more memory than there is") from None
        except Exception:  # PIL's decoders raise many kinds on broken files; none of them is the user's to read
            raise UploadError(f"{label} is broken: it could not be decoded") from None
    rgb.thumbnail((KEPT_SIDE, KEPT_SIDE), Image.Resampling.LANCZOS)
    return rgb


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layered = picture.convert("RGBA")
        ground = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(ground, layered).convert("RGB")
    return picture.convert("RGB")
