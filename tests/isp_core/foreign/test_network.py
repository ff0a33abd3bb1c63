"""Networks of other people are read as their description says, and what is wrong with either is named."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import TensorProto

from isp_core.errors import IspError
from isp_core.foreign.network import ForeignNetwork
from tests.isp_core.foreign.made import (
    CHANNELS,
    MEAN,
    SIZE,
    STD,
    Averages,
    describe,
    expected,
    save_onnx,
    save_torchscript,
)

IMAGES = torch.from_numpy(np.random.default_rng(1).random((5, 3, *SIZE), np.float32))
REVERSED = {"input__mean": MEAN[::-1], "input__std": STD[::-1], "input__channels": "BGR"}


@pytest.mark.parametrize("batch", ["n", 1, 4])
@pytest.mark.parametrize("last", [False, True])
def test_maps_are_those_of_the_file_whatever_batch_and_layout_it_takes(
    tmp_path: Path, batch: int | str, last: bool
) -> None:
    save_onnx(tmp_path / "n.onnx", batch=batch, last=last)
    layout = "NHWC" if last else "NCHW"
    network = ForeignNetwork(
        describe(tmp_path, "n.onnx", input__layout=layout, output__layout=layout, output__embedding="flat")
    )
    maps, own = network.read(IMAGES)
    np.testing.assert_allclose(maps.numpy(), expected(IMAGES.numpy()), rtol=1e-3)
    assert own is not None
    np.testing.assert_allclose(own.numpy(), maps.mean((2, 3)).numpy(), rtol=1e-4)
    assert (network.channels, network.grid, network.embedding_width) == (CHANNELS, (8, 4), CHANNELS)


def test_scale_and_shift_say_the_same_as_mean_and_deviation(tmp_path: Path) -> None:
    save_onnx(tmp_path / "n.onnx")
    scale, shift = [1 / 255 / std for std in STD], [-mean / std for mean, std in zip(MEAN, STD, strict=True)]
    changes = {"input__mean": None, "input__std": None, "input__scale": scale, "input__shift": shift}
    network = ForeignNetwork(describe(tmp_path, "n.onnx", **changes))
    np.testing.assert_allclose(network.clustered_maps(IMAGES).numpy(), expected(IMAGES.numpy()), rtol=1e-3)


def test_blue_comes_first_where_the_description_says_so(tmp_path: Path) -> None:
    save_onnx(tmp_path / "n.onnx")
    network = ForeignNetwork(describe(tmp_path, "n.onnx", **{k: v for k, v in REVERSED.items() if k.endswith("els")}))
    maps = network.clustered_maps(IMAGES.flip(1)).numpy()
    np.testing.assert_allclose(maps, expected(IMAGES.numpy()), rtol=1e-3)


@pytest.mark.parametrize(("form", "wanted"), [("dict", "map"), ("tensor", 0), ("tuple", 0)])
def test_torchscript_gives_the_same_as_onnx(tmp_path: Path, form: str, wanted: str | int) -> None:
    save_torchscript(tmp_path / "n.pt", Averages(form))
    network = ForeignNetwork(describe(tmp_path, "n.pt", output__map=wanted))
    np.testing.assert_allclose(network.clustered_maps(IMAGES).numpy(), expected(IMAGES.numpy()), rtol=1e-3)


def test_a_tensor_inside_an_onnx_file_may_be_the_map(tmp_path: Path) -> None:
    save_onnx(tmp_path / "n.onnx", weights=tmp_path / "n.weights")
    network = ForeignNetwork(describe(tmp_path, "n.onnx", output__map="inner", output__embedding="pooled"))
    np.testing.assert_allclose(network.clustered_maps(IMAGES).exp().numpy(), expected(IMAGES.numpy()), rtol=1e-3)
    assert network.embedding_width == CHANNELS


def test_an_output_may_be_named_by_its_place(tmp_path: Path) -> None:
    save_onnx(tmp_path / "n.onnx")
    network = ForeignNetwork(describe(tmp_path, "n.onnx", output__map=0, output__embedding=2))
    assert (network.channels, network.embedding_width) == (CHANNELS, CHANNELS)


def test_pixels_are_given_as_numbers_from_0_to_255_to_a_network_of_bytes(tmp_path: Path) -> None:
    save_onnx(tmp_path / "n.onnx", kind=TensorProto.UINT8, factor=1 / 255)
    same = {"input__mean": None, "input__std": None, "input__scale": [1, 1, 1], "input__shift": [0, 0, 0]}
    bytes_ = (IMAGES * 255).round() / 255
    found = ForeignNetwork(describe(tmp_path, "n.onnx", **same)).clustered_maps(bytes_).numpy()
    save_onnx(tmp_path / "n.onnx", factor=1 / 255)
    floats = ForeignNetwork(describe(tmp_path, "n.onnx", **same)).clustered_maps(bytes_).numpy()
    np.testing.assert_allclose(found, floats, rtol=1e-4)


class OfTheBatch(torch.nn.Module):
    """As a network that was exported while it trained: what it says of an image depends on the others."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(images - images.mean(0, keepdim=True), 8) + 1


class OneImage(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(images.reshape(1, 3, *SIZE), 8)


@pytest.mark.parametrize("network", [OfTheBatch(), OneImage()])
def test_a_network_that_suits_one_image_only_is_given_one_at_a_time(tmp_path: Path, network: torch.nn.Module) -> None:
    save_torchscript(tmp_path / "n.pt", network)
    opened = ForeignNetwork(describe(tmp_path, "n.pt", output__map=0))
    assert opened.batch == 1
    assert "one image at a time" in opened.summary()
    maps = opened.clustered_maps(IMAGES)
    alone = torch.cat([opened.clustered_maps(image[None]) for image in IMAGES])
    assert torch.equal(maps, alone)


def test_maps_finer_than_label_maps_are_averaged_and_other_sizes_of_images_resized(tmp_path: Path) -> None:
    save_torchscript(tmp_path / "n.pt", torch.nn.Identity())
    network = ForeignNetwork(describe(tmp_path, "n.pt", output__map=0))
    assert network.grid == (16, 8)
    large = torch.nn.functional.interpolate(IMAGES, scale_factor=2.0)
    assert network.clustered_maps(large).shape == (5, 3, 16, 8)


class Says(torch.nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(images, 8) * self.value


class Lists(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> list[list[torch.Tensor]]:
        return [[images]]


def _scripted(file: Path, network: torch.nn.Module) -> None:
    torch.jit.script(network).save(str(file))


Make = Callable[[Path], object]
WRONG: dict[str, tuple[Make, dict[str, object], str]] = {
    "an output that is not there": (lambda p: save_onnx(p / "n.onnx"), {"output__map": "mapp"}, "such as map"),
    "an output beyond the last": (lambda p: save_onnx(p / "n.onnx"), {"output__map": 3}, "asks for output 3"),
    "channels last, not described": (
        lambda p: save_onnx(p / "n.onnx", last=True),
        {"input__layout": "NHWC"},
        "output.layout is NHWC",
    ),
    "a pooled feature": (lambda p: save_onnx(p / "n.onnx"), {"output__map": "flat"}, r"has the shape \(1, 6\)"),
    "a map of one cell": (lambda p: save_onnx(p / "n.onnx"), {"output__map": "pooled"}, "1 x 1 cells"),
    "a map as embedding": (
        lambda p: save_onnx(p / "n.onnx"),
        {"output__embedding": "map"},
        "one row of numbers",
    ),
    "another size": (lambda p: save_onnx(p / "n.onnx", size=(96, 32)), {}, "reads images as n x 3 x 96 x 32"),
    "another layout": (lambda p: save_onnx(p / "n.onnx", last=True), {}, "input.layout NCHW"),
    "another name": (lambda p: save_onnx(p / "n.onnx"), {"input__name": "x"}, "has the inputs images"),
    "two inputs": (lambda p: save_onnx(p / "n.onnx", more_inputs=["t"]), {"input__name": "images"}, "the inputs t too"),
    "two inputs, none named": (lambda p: save_onnx(p / "n.onnx", more_inputs=["t"]), {}, "input.name is none"),
    "whole numbers": (lambda p: save_onnx(p / "n.onnx", kind=TensorProto.INT32), {}, r"takes tensor\(int32\)"),
    "not a number": (lambda p: save_onnx(p / "n.onnx", factor=float("nan")), {}, "not finite.*input.scale"),
    "an infinite value": (lambda p: save_onnx(p / "n.onnx", factor=1e6), {}, "not finite"),
    "no ONNX": (lambda p: (p / "n.onnx").write_bytes(b"junk"), {}, "not an ONNX file"),
    "no file": (lambda p: None, {}, "correct `file` in the description"),
    "missing weights": (
        lambda p: (save_onnx(p / "n.onnx", weights=p / "w"), (p / "w").unlink()),
        {},
        "keeps weights in 'w', which is missing",
    ),
    "weights alone": (
        lambda p: (p / "n.safetensors").touch(),
        {"file": "n.safetensors"},
        "weights alone are no",
    ),
    "a pickle": (lambda p: torch.save({}, p / "n.pt"), {"file": "n.pt"}, "not a TorchScript file.*torch.jit.trace"),
    "a pickle of Python": (lambda p: (p / "n.pt").write_bytes(pickle.dumps({})), {"file": "n.pt"}, "not a TorchScript"),
    "a TorchScript output that is not there": (
        lambda p: save_torchscript(p / "n.pt"),
        {"file": "n.pt", "output__map": "m"},
        "has no output 'm': it has map, flat",
    ),
    "a TorchScript network of another size": (
        lambda p: save_torchscript(p / "n.pt", OneImage()),
        {"file": "n.pt", "output__map": 0, "input__size": [64, 64]},
        "refused images of shape",
    ),
    "TorchScript that gives no tensors": (
        lambda p: _scripted(p / "n.pt", Lists()),
        {"file": "n.pt", "output__map": 0},
        "must return a tensor",
    ),
    "TorchScript that is not finite": (
        lambda p: save_torchscript(p / "n.pt", Says(float("inf"))),
        {"file": "n.pt", "output__map": 0},
        "not finite",
    ),
    "an unknown key": (lambda p: None, {"input__sizes": 3}, "unknown key input.sizes: did you mean size"),
    "two ways to normalise": (lambda p: None, {"input__scale": [1, 1, 1]}, "given: scale, mean, std"),
    "no way to normalise": (lambda p: None, {"input__mean": None, "input__std": None}, "given: none of them"),
    "a deviation of 0": (lambda p: None, {"input__std": [0, 1, 1]}, "greater than 0"),
    "padding": (lambda p: None, {"input__fit": "letterbox"}, "use stretch"),
    "no size": (lambda p: None, {"input__size": None}, "input.size: Field required"),
    "a size of nothing": (lambda p: None, {"input__size": [0, 3]}, "greater than or equal to 8"),
    "a truth value as output": (lambda p: None, {"output__map": True}, "output.map"),
    "no file named": (lambda p: None, {"file": None}, "file: Input should be a valid string"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_the_way_out(tmp_path: Path, case: str) -> None:
    make, changes, message = WRONG[case]
    make(tmp_path)
    path = describe(tmp_path, **{"file": "n.onnx", **changes})  # type: ignore[arg-type]
    with pytest.raises(IspError, match=message) as said:
        ForeignNetwork(path)
    assert str(tmp_path) in str(said.value)


@pytest.mark.parametrize("content", ["[a, b]", "text", "", "{"])
def test_a_description_that_is_no_mapping_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "network.yaml"
    path.write_text(content)
    with pytest.raises(IspError, match=r"network\.yaml"):
        ForeignNetwork(path)


def test_a_description_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(IspError, match=r"network\.yaml"):
        ForeignNetwork(tmp_path / "network.yaml")
