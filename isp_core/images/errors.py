"""The errors of an image or label map that cannot be used."""

from isp_core.errors import IspError


class PictureError(IspError):
    """An image or label map that cannot be used; the message begins with its path or name."""


class NotAnImageError(PictureError):
    """A file whose bytes are of none of the formats that are opened."""


class TooLargeError(PictureError):
    """An image of more pixels than are decoded; found in its header."""
