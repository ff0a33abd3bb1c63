"""Data: one table of records from any layout, images and label maps.

Out of scope: batches and augmentation (batches.py, transforms.py), which load torchvision: to read a data set takes
none.
"""

from isp_core.data.label_files import find_label_maps
from isp_core.data.pictures import (
    BrokenPicture,
    Picture,
    PictureCache,
    as_image,
    check_pictures,
    read_picture,
    require_pictures,
    resize_picture,
)
from isp_core.data.readers import load
from isp_core.data.records import SPLITS, VALIDATION, DataError, DataSet, Split
from isp_core.data.report import DataReport, describe
from isp_core.data.sampling import IdentityBatches, SamplingError
from isp_core.images import PictureError, read_label_map

__all__ = [
    "SPLITS",
    "VALIDATION",
    "BrokenPicture",
    "DataError",
    "DataReport",
    "DataSet",
    "IdentityBatches",
    "Picture",
    "PictureCache",
    "PictureError",
    "SamplingError",
    "Split",
    "as_image",
    "check_pictures",
    "describe",
    "find_label_maps",
    "load",
    "read_label_map",
    "read_picture",
    "require_pictures",
    "resize_picture",
]
