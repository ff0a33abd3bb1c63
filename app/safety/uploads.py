"""Uploaded images: three formats, decoded small under a shared memory budget, or refused in words."""

from __future__ import annotations

from PIL import Image

from isp_core.errors import IspError
from isp_core.images import UPLOAD_FORMATS, DecodeBudget, NotAnImageError, PictureError, TooLargeError, open_image

FORMATS = UPLOAD_FORMATS
MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 50_000_000  # the header's claim; phones of today stay below it
KEPT_SIDE = 1024  # the decoded image's longer side: the network sees 256 x 128
MIN_SIDE = 8
_AGAIN = "upload it again."  # every refusal: the file's name, the reason, the way out

DECODING = DecodeBudget(limit_bytes=300 * 2**20)
"""What all sessions of this server may hold of images being decoded: one of MAX_PIXELS, or many photographs."""


class UploadError(IspError):
    """An upload that is not an image we open. The message is for the person who uploaded it."""


def decode(data: bytes, name: str) -> Image.Image:
    """An RGB image, upright, its longer side at most KEPT_SIDE. UploadError with a reason otherwise.

    The type is read from the bytes: a file's extension and its announced type prove nothing.
    """
    label = name[:80]
    if len(data) > MAX_BYTES:
        raise UploadError(f"{label} is larger than {MAX_BYTES // 2**20} MB. Save it smaller and {_AGAIN}")
    try:
        image = open_image(data, label, formats=FORMATS, max_pixels=MAX_PIXELS, longest_side=KEPT_SIDE, budget=DECODING)
    except NotAnImageError:
        raise UploadError(
            f"{label} is not a PNG, JPEG or WebP image, whatever its name says. Save it as one of these and {_AGAIN}"
        ) from None
    except TooLargeError:
        raise UploadError(
            f"{label} claims more than {MAX_PIXELS // 10**6} million pixels. Make it smaller and {_AGAIN}"
        ) from None
    except PictureError as error:
        reason = str(error).removeprefix(f"{label}: ").partition(";")[0]
        raise UploadError(f"{label} is broken: {reason}. Copy it from where it came from and {_AGAIN}") from None
    if min(image.size) < MIN_SIDE:
        size = f"{image.width} × {image.height}"
        raise UploadError(f"{label} has {size} pixels: too small to show a person. Save it larger and {_AGAIN}")
    return image
