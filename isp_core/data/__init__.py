"""Data: one table of records from any layout, pictures, joint augmentation, and P x K batches."""

from isp_core.data.batches import Batch, EpochBatches
from isp_core.data.label_files import find_label_maps, read_label_maps
from isp_core.data.pictures import (
    BrokenPicture,
    Picture,
    PictureCache,
    PictureError,
    as_image,
    check_pictures,
    read_label_map,
    read_picture,
    require_pictures,
    resize_picture,
)
from isp_core.data.readers import load
from isp_core.data.records import SPLITS, DataError, DataSet, Split
from isp_core.data.report import DataReport, describe
from isp_core.data.sampling import IdentityBatches, SamplingError
from isp_core.data.transforms import IGNORE, EvalTransform, TrainTransform, normalise, picture_generator

__all__ = [
    "IGNORE",
    "SPLITS",
    "Batch",
    "BrokenPicture",
    "DataError",
    "DataReport",
    "DataSet",
    "EpochBatches",
    "EvalTransform",
    "IdentityBatches",
    "Picture",
    "PictureCache",
    "PictureError",
    "SamplingError",
    "Split",
    "TrainTransform",
    "as_image",
    "check_pictures",
    "describe",
    "find_label_maps",
    "load",
    "normalise",
    "picture_generator",
    "read_label_map",
    "read_label_maps",
    "read_picture",
    "require_pictures",
    "resize_picture",
]
