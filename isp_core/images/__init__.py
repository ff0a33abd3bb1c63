"""The one place where image files become pixels: for training, evaluation, the app and uploads alike."""

from isp_core.images.budget import DecodeBudget
from isp_core.images.errors import NotAnImageError, PictureError, TooLargeError
from isp_core.images.files import IMAGE_SUFFIXES, has_images, images_below, images_in, is_hidden, is_image
from isp_core.images.label_maps import FittedMap, fit_to_image, read_label_map, resize_nearest
from isp_core.images.opening import FORMATS, MAX_PIXELS, UPLOAD_FORMATS, ImageHeader, open_image, read_header
from isp_core.images.rgb import to_rgb

__all__ = [
    "FORMATS",
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "UPLOAD_FORMATS",
    "DecodeBudget",
    "FittedMap",
    "ImageHeader",
    "NotAnImageError",
    "PictureError",
    "TooLargeError",
    "fit_to_image",
    "has_images",
    "images_below",
    "images_in",
    "is_hidden",
    "is_image",
    "open_image",
    "read_header",
    "read_label_map",
    "resize_nearest",
    "to_rgb",
]
