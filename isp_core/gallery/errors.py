"""What can go wrong with a gallery store."""

from __future__ import annotations

from isp_core.errors import IspError


class GalleryError(IspError):
    """A gallery store that cannot be used as it was asked for; the message names the store and the way out."""
