"""A run's network as one ONNX file that needs neither PyTorch nor this project: images in, all terms of Eq. 10 out.

The file holds normalisation, network, softmax, visibility and BNNecks. The caller resizes images: RGB, bilinear, to
the size in the file's metadata. Batches may have any length. The metadata entry `isp` is a JSON object with the run's
name, epoch, parts, size and outputs.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from isp_core.data.pictures import Picture, as_image, resize_picture
from isp_core.drawing import part_facts
from isp_core.errors import IspError
from isp_core.exported import FEATURES, INPUT, METADATA, Arrays, OnnxParser, output_names
from isp_core.json_text import json_text
from isp_core.onnx_files import require
from isp_core.parser import HumanParser
from isp_core.runs import Run
from isp_core.runs.checksums import sha256
from isp_core.runs.files import atomic
from isp_core.runs.schema import WEIGHTS_FILE

OPSET = 18
"""ONNX operator set; onnxruntime reads it from version 1.14 on."""
TOLERANCE = 1e-4
"""Largest difference from PyTorch that an export may show; of features, relative to their largest value."""
_CHECKED = 3  # images of noise that an export is compared on
_CALIBRATION = 64  # images that int8 takes its ranges from, at most


@dataclass(frozen=True)
class Exported:
    """What was written. differences: the largest from PyTorch, output by output, as TOLERANCE measures them."""

    path: Path
    opset: int
    size: tuple[int, int]
    parts: int
    outputs: tuple[str, ...]
    megabytes: float
    differences: dict[str, float]


@dataclass(frozen=True)
class Quantised:
    """What int8 costs, on images that its calibration did not see.

    pixels_agree: share of pixels with the same label, None for a baseline. cosine: mean cosine between the features of
    both networks, by output.
    """

    path: Path
    megabytes: float
    calibrated_on: int
    compared_on: int
    pixels_agree: float | None
    cosine: dict[str, float]


class _Graph(nn.Module):
    """The network from images in 0 .. 255 to what `output_names` lists."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, parser: HumanParser) -> None:
        super().__init__()
        self.network, self.after_necks = parser.network, parser.features == "after-bn"
        by = parser.normalisation
        self.register_buffer("mean", 255 * torch.tensor(by.mean)[None, :, None, None])
        self.register_buffer("std", 255 * torch.tensor(by.std)[None, :, None, None])

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        output = self.network((images - self.mean) / self.std)
        features = output.normalised if self.after_necks else output.pooled
        if output.logits is None:
            return (features.global_,)
        probabilities = output.logits.softmax(1)
        labels = probabilities.argmax(1)
        numbers = torch.arange(1, probabilities.shape[1], device=labels.device)[None, :, None, None]
        share = (labels[:, None] == numbers).float().mean((2, 3))
        peak = probabilities[:, 1:].amax((2, 3))
        told = (probabilities, labels.to(torch.uint8), share > 0, share, peak)
        return (features.global_, features.foreground, features.parts, *told)


def export_onnx(parser: HumanParser, path: Path, *, run: Run | None = None, epoch: int | None = None) -> Exported:
    """Writes the network as ONNX and compares the file with PyTorch in onnxruntime.

    Args:
        parser: the network.
        path: the file to write; an existing one is replaced.
        run: where the network comes from; the file then names run and epoch, the weights' checksum, the parts, and the
            thresholds of visibility, so that it can stand for the run.
        epoch: of the weights.

    Raises:
        IspError: the extra `onnx` is not installed, the file cannot be written, or it differs from PyTorch by more than
            TOLERANCE (the file is not left behind then).
    """
    require("onnx", "onnxscript", "onnxruntime")
    graph, names = _Graph(parser).eval().to("cpu"), output_names(parser.parts)
    example = torch.rand(_CHECKED, 3, *parser.size, generator=torch.Generator().manual_seed(0)) * 255
    with _quiet():
        program = torch.onnx.export(
            graph,
            (example,),
            dynamo=True,
            input_names=[INPUT],
            output_names=list(names),
            dynamic_shapes={INPUT: {0: torch.export.Dim("batch")}},
            opset_version=OPSET,
        )
    if program is None:
        raise IspError("PyTorch gave no ONNX program")
    model = program.model_proto
    about = {"epoch": epoch, "parts": parser.parts, "size": list(parser.size), "features": parser.features}
    about |= {} if run is None else _origin(run, epoch, parser)
    model.metadata_props.add(key=METADATA, value=json.dumps(about | {"outputs": list(names)}))
    with atomic(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
        with torch.inference_mode():
            ours = dict(zip(names, (value.numpy() for value in graph(example)), strict=True))
        differences = _differences(ours, OnnxParser(temporary).run(example.numpy()))
        worst = max(differences, key=lambda name: differences[name])
        if not differences[worst] <= TOLERANCE:
            raise IspError(
                f"{path}: the export's {worst} differs from PyTorch by {differences[worst]:.1e}, more than "
                f"{TOLERANCE:.0e}; nothing was written"
            )
    size = path.stat().st_size / 1e6
    return Exported(path, OPSET, parser.size, parser.parts, names, size, differences)


def _origin(run: Run, epoch: int | None, parser: HumanParser) -> dict[str, Any]:
    """What the file says of its run: all that reading images by it needs beyond the network."""
    weights = None if epoch is None else run.checkpoint(epoch)
    heights, classes = part_facts(run)
    calibration = parser.calibration
    return {
        "run": run.name,
        "weights": "" if weights is None else sha256(weights / WEIGHTS_FILE),
        "palette": {"heights": [None if each != each else each for each in heights], "classes": classes},
        "calibration": None if calibration is None else json.loads(json_text(calibration.document())),
    }


def quantise(path: Path, target: Path, images: Sequence[Picture]) -> Quantised:
    """int8 from an export: weights and activations in 8 bits (QDQ, per channel), ranges from one half of the images.

    Both files are then compared on the other half.

    Raises:
        IspError: fewer than four images, or the extra `onnx` is not installed.
    """
    require("onnx", "onnxruntime")
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    if len(images) < 4:
        raise IspError(f"int8 needs at least 4 images to calibrate and compare on; got {len(images)}")
    exact = OnnxParser(path)
    half = len(images) // 2
    known = images[: min(half, _CALIBRATION)]

    class Calibration(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter([{INPUT: each} for each in _batches(known, exact.size, 8)])

        def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
            return next(self.left, None)

    with tempfile.TemporaryDirectory() as folder, atomic(target) as temporary, _quiet():
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(temporary),
            Calibration(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Gemm"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            reduce_range=True,  # 7-bit weights: 8 bits overflow on processors without VNNI
        )
    small = OnnxParser(target)
    others = images[half:]
    one, other = exact.arrays(others), small.arrays(others)
    cosine = {name: _cosine(one[name], other[name]) for name in FEATURES if name in one}
    agree = float((one["labels"] == other["labels"]).mean()) if "labels" in one else None
    return Quantised(target, target.stat().st_size / 1e6, len(known), len(others), agree, cosine)


def _batches(images: Sequence[Picture], size: tuple[int, int], batch: int) -> Iterator[npt.NDArray[np.float32]]:
    for start in range(0, len(images), batch):
        tensors = [resize_picture(as_image(each), size) for each in images[start : start + batch]]
        yield torch.stack(tensors).float().numpy()


def _differences(ours: Arrays, theirs: Arrays) -> dict[str, float]:
    found = {}
    for name, array in ours.items():
        a, b = array.astype(np.float64), theirs[name].astype(np.float64)
        scale = max(1.0, float(np.abs(a).max())) if name in FEATURES else 1.0
        found[name] = float((a != b).mean()) if name in ("labels", "visibility") else float(np.abs(a - b).max()) / scale
    return found


def _cosine(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """Mean over vectors along the last axis."""
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return float(((a * b).sum(-1) / np.maximum(norms, 1e-12)).mean())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """PyTorch's exporter and onnxruntime's quantiser report their steps on standard output: nothing for --json."""
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield
