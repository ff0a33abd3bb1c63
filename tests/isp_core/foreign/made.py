"""Tiny networks of other people: files that average cells of 8 x 8 pixels, as ONNX and as TorchScript."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import yaml
from onnx import TensorProto, helper, numpy_helper

SIZE = (64, 32)
STRIDE = 8
MEAN, STD = [0.5, 0.4, 0.3], [0.2, 0.25, 0.3]
CHANNELS = 6
WEIGHT = np.random.default_rng(3).normal(size=(CHANNELS, 3, 1, 1)).astype(np.float32)


def describe(folder: Path, file: str, **changes: object) -> Path:
    """A description of a network in `folder`; changes such as input__layout="NHWC". None leaves an entry out."""
    document: dict[str, Any] = {
        "name": "averages",
        "file": file,
        "input": {"size": list(SIZE), "mean": MEAN, "std": STD},
        "output": {"map": "map"},
    }
    for key, value in changes.items():
        *sections, name = key.split("__")
        place = document
        for section in sections:
            place = place[section]
        place[name] = value
        if value is None:
            del place[name]
    path = folder / "network.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def save_onnx(
    file: Path,
    *,
    batch: int | str = "n",
    size: Sequence[int | str] = SIZE,
    last: bool = False,
    kind: int = TensorProto.FLOAT,
    more_inputs: Sequence[str] = (),
    weights: Path | None = None,
    factor: float = 1.0,
) -> Path:
    """A network that mixes colours and averages: outputs `map` (n, 6, h / 8, w / 8), `pooled` (n, 6, 1, 1) and `flat`
    (n, 6); `inner` is a tensor before `map`. last: channels last, in and out. weights: a file to keep them in."""
    shape = [batch, *size, 3] if last else [batch, 3, *size]
    nodes = [
        helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
        *([helper.make_node("Transpose", ["float"], ["first"], perm=[0, 3, 1, 2])] if last else []),
        helper.make_node("Conv", ["first" if last else "float", "weight"], ["mixed"]),
        helper.make_node("AveragePool", ["mixed"], ["inner"], kernel_shape=[STRIDE, STRIDE], strides=[STRIDE, STRIDE]),
        helper.make_node("Exp", ["inner"], ["positive"]),
        helper.make_node("Transpose", ["positive"], ["map"], perm=[0, 2, 3, 1] if last else [0, 1, 2, 3]),
        helper.make_node("GlobalAveragePool", ["positive"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
    ]
    graph = helper.make_graph(
        nodes,
        "averages",
        [
            helper.make_tensor_value_info("images", kind, shape),
            *(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in more_inputs),
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("map", "pooled", "flat")],
        [numpy_helper.from_array(WEIGHT * np.float32(factor), "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if weights is not None:
        tensor = model.graph.initializer[0]
        weights.write_bytes(tensor.raw_data)
        onnx.external_data_helper.set_external_data(tensor, weights.name, 0, len(tensor.raw_data))
        tensor.ClearField("raw_data")
    file.write_bytes(model.SerializeToString())
    return file


class Averages(torch.nn.Module):
    """The same in PyTorch. form: what it returns."""

    def __init__(self, form: str = "dict") -> None:
        super().__init__()
        self.form = form
        self.weight = torch.nn.Parameter(torch.from_numpy(WEIGHT))

    def forward(self, images: torch.Tensor) -> Any:
        mixed = torch.nn.functional.conv2d(images, self.weight)
        maps = torch.nn.functional.avg_pool2d(mixed, STRIDE).exp()
        if self.form == "dict":
            return {"map": maps, "flat": maps.mean((2, 3))}
        return maps if self.form == "tensor" else (maps, maps.mean((2, 3)))


def save_torchscript(file: Path, network: torch.nn.Module | None = None) -> Path:
    """A traced network, of one image as people trace them."""
    traced: Any = torch.jit.trace(network or Averages(), torch.zeros(1, 3, *SIZE), strict=False)  # type: ignore[no-untyped-call]
    traced.save(str(file))
    return file


def expected(images: np.ndarray) -> np.ndarray:
    """The map of images (n, 3, H, W) in [0, 1], by loops."""
    n, _, height, width = images.shape
    found = np.zeros((n, CHANNELS, height // STRIDE, width // STRIDE))
    for i in range(n):
        for y in range(found.shape[2]):
            for x in range(found.shape[3]):
                cell = images[i, :, y * STRIDE : (y + 1) * STRIDE, x * STRIDE : (x + 1) * STRIDE].mean((1, 2))
                found[i, :, y, x] = np.exp(WEIGHT[:, :, 0, 0] @ ((cell - MEAN) / STD))
    return found
