"""BlazePose and BodyPix as functions of an image: how each network's file is opened, fed and read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from isp_core.errors import IspError
from isp_eval.parsers.body import MARGIN, Floats, Images, PartScores, Pose, PoseNetwork

_POSE_SIDE = 256
_LANDMARKS, _VALUES = 39, 5
"""BlazePose's output: 33 landmarks and 6 auxiliary points, each x, y, z, visibility, presence."""
_BODYPIX_SIZE = (385, 193)
"""Height and width; BodyPix asks for 16 k + 1."""


def open_blazepose(file: Path, threads: int = 1) -> PoseNetwork:
    """BlazePose's landmark network (pose_landmark_heavy.tflite or _full.tflite), run by LiteRT.

    Raises:
        IspError: the extra `truth` is not installed, or the file is not this network.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise IspError(
            "the parser `body` runs BlazePose with LiteRT, which is not installed: pip install 'isp-reid[truth]'"
        ) from error
    try:
        network: Any = Interpreter(str(file), num_threads=threads)
        network.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise IspError(f"{file} is not a TensorFlow Lite model: {str(error).splitlines()[0]}") from error
    entry = network.get_input_details()[0]
    outputs = {each["name"]: each["index"] for each in network.get_output_details()}
    if tuple(entry["shape"]) != (1, _POSE_SIDE, _POSE_SIDE, 3) or not {"Identity", "Identity_1", "Identity_2"} <= {
        *outputs
    }:
        raise IspError(f"{file} is not BlazePose's landmark network: expected pose_landmark_heavy.tflite")

    def pose(rgb: Images) -> Pose:
        height, width = rgb.shape[:2]
        side = round(max(height, width) * MARGIN)
        top, left = (side - height) // 2, (side - width) // 2
        border = (top, side - height - top, left, side - width - left)
        square = cv2.copyMakeBorder(rgb, *border, cv2.BORDER_REPLICATE)
        small = cv2.resize(square, (_POSE_SIDE, _POSE_SIDE)).astype(np.float32) / 255
        network.set_tensor(entry["index"], small[None])
        network.invoke()
        points = network.get_tensor(outputs["Identity"]).reshape(_LANDMARKS, _VALUES)[:33, :2]
        mask = _sigmoid(network.get_tensor(outputs["Identity_2"])[0, :, :, 0])
        mask = cv2.resize(mask, (side, side))[top : top + height, left : left + width]
        presence = float(network.get_tensor(outputs["Identity_1"])[0, 0])
        return Pose(mask, points * side / _POSE_SIDE - np.array([left, top], np.float32), presence)

    return pose


def open_bodypix(file: Path, threads: int = 1) -> PartScores:
    """BodyPix's part scores (MobileNetV1 0.50, stride 8, ONNX), at the image's own size."""
    from isp_eval.parsers.described import load_description, open_onnx

    session = open_onnx(file, load_description("bodypix"), threads)

    def scores(rgb: Images) -> Floats:
        height, width = _BODYPIX_SIZE
        entry = cv2.resize(rgb, (width, height)).astype(np.float32) / 127.5 - 1
        heat = session(entry[None])["part_heatmaps"][0]  # (h, w, 24)
        return np.asarray(cv2.resize(heat, (rgb.shape[1], rgb.shape[0])), np.float32)

    return scores


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), np.float32)
