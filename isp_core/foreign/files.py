"""ONNX and TorchScript files as functions of arrays. Nothing is unpickled.

An ONNX file holds operators alone. A TorchScript file holds a program for PyTorch's interpreter: no Python, but all of
PyTorch's operators, some of which read and write files. Open TorchScript files only from people you trust.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isp_core.errors import IspError
from isp_core.foreign.description import NetworkDescription, Output
from isp_core.network_input import Floats
from isp_core.onnx_files import inner_names, open_session
from isp_core.text_files import shown

Arrays = list[npt.NDArray[Any]]


@dataclass(frozen=True)
class NetworkFile:
    """An opened file. run: images as the network reads them -> the map, then the embedding if one is described. batch:
    the number of images that it reads at once where the file says so, else None."""

    run: Callable[[Floats], Arrays]
    batch: int | None = None


def open_network_file(file: Path, description: NetworkDescription, threads: int = 0) -> NetworkFile:
    """The network's file; IspError where it cannot be opened, or its input or outputs are not as described."""
    opener = OPENERS.get(file.suffix.lower())
    if opener is None:
        raise IspError(
            f"{shown(file)}: networks are read from {', '.join(OPENERS)} (ONNX, or TorchScript as torch.jit.trace(...)"
            ".save writes it); weights alone are no network: export it"
        )
    if not file.is_file():
        raise IspError(
            f"{shown(file)}, the network of {description.name}, does not exist: correct `file` in the description, a "
            "path from the description's folder"
        )
    return opener(file, description, threads)


def wanted_outputs(description: NetworkDescription) -> list[Output]:
    """The map, and the embedding where there is one."""
    output = description.output
    return [output.map] if output.embedding is None else [output.map, output.embedding]


def _open_onnx(file: Path, description: NetworkDescription, threads: int) -> NetworkFile:
    session = open_session(file, threads)
    own = [each.name for each in session.get_outputs()]
    names = [_onnx_output(file, each, own) for each in wanted_outputs(description)]
    inner = [name for name in dict.fromkeys(names) if name not in own]
    if inner:
        session = open_session(file, threads, inner)
    entry = _onnx_input(file, description, session)
    kind = _INPUT_TYPES.get(entry.type)
    if kind is None:
        raise IspError(
            f"{shown(file)}: input {entry.name} takes {entry.type}; images are given as {_words(_INPUT_TYPES)}"
        )
    _require_shape(file, description, entry.shape)

    def run(images: Floats) -> Arrays:
        given = np.clip(np.round(images), 0, 255).astype(kind) if kind == np.uint8 else images.astype(kind)
        try:
            found: Arrays = session.run(names, {entry.name: given})
        except Exception as error:  # onnxruntime's errors have no common public root
            raise IspError(f"{shown(file)} refused {_refused(images, str(error).splitlines()[0])}") from error
        return found

    return NetworkFile(run, entry.shape[0] if entry.shape and isinstance(entry.shape[0], int) else None)


_INPUT_TYPES: Mapping[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}


def _onnx_input(file: Path, description: NetworkDescription, session: Any) -> Any:
    inputs = {each.name: each for each in session.get_inputs()}
    name = description.input.name
    if name is None and len(inputs) == 1:
        return next(iter(inputs.values()))
    if name in inputs and len(inputs) == 1:
        return inputs[name]
    if name in inputs:
        others = _words(each for each in inputs if each != name)
        raise IspError(
            f"{shown(file)} needs more than images: it has the inputs {others} too. Export a network of one input"
        )
    asked = "none" if name is None else repr(name)
    raise IspError(f"{shown(file)} has the inputs {_words(inputs)}; the description's input.name is {asked}")


def _onnx_output(file: Path, wanted: Output, own: Sequence[str]) -> str:
    """The name of an output, or of a tensor inside the network."""
    if isinstance(wanted, int):
        return own[_place(file, wanted, own)]
    if wanted in own:
        return wanted
    inner = inner_names(file)
    if wanted in inner:
        return wanted
    near = difflib.get_close_matches(wanted, inner, n=3)
    hint = f", such as {_words(near)}" if near else ""
    raise IspError(
        f"{shown(file)} has no output {wanted!r}: it has {_words(own)}; tensors inside it may be named too{hint}"
    )


def _require_shape(file: Path, description: NetworkDescription, shape: Sequence[Any]) -> None:
    """IspError where the file fixes an input that is not the described one."""
    (height, width), layout = description.input.size, description.input.layout
    described = (3, height, width) if layout == "NCHW" else (height, width, 3)
    if len(shape) != 4 or any(isinstance(a, int) and a != b for a, b in zip(shape[1:], described, strict=True)):
        wants = " x ".join(str(each) if each is not None else "any" for each in shape)
        raise IspError(
            f"{shown(file)} reads images as {wants}; the description gives them as images x "
            f"{' x '.join(map(str, described))} (input.size [{height}, {width}], input.layout {layout}): correct it"
        )


def _open_torchscript(file: Path, description: NetworkDescription, threads: int) -> NetworkFile:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # that PyTorch will drop TorchScript one day
            module: Any = torch.jit.load(str(file), map_location="cpu").eval()  # type: ignore[no-untyped-call]
    except Exception as error:  # PyTorch's reader raises whatever the bytes lead it to
        raise IspError(
            f"{shown(file)} is not a TorchScript file, or is cut off: write one with torch.jit.trace(network, "
            "images).save(FILE). Files of torch.save hold pickled objects, which are not loaded"
        ) from error

    def run(images: Floats) -> Arrays:
        try:
            with torch.inference_mode():
                found = module(torch.from_numpy(images))
        except Exception as error:  # of the program in the file
            raise IspError(f"{shown(file)} refused {_refused(images, _last_line(error))}") from error
        outputs = _named(file, found)
        arrays = []
        for wanted in wanted_outputs(description):
            if isinstance(wanted, int):
                name = list(outputs)[_place(file, wanted, list(outputs))]
            elif wanted in outputs:
                name = wanted
            else:
                raise IspError(f"{shown(file)} has no output {wanted!r}: it has {_words(outputs)}")
            arrays.append(outputs[name].float().numpy())
        return arrays

    return NetworkFile(run)


def _named(file: Path, found: Any) -> dict[str, Any]:
    """The outputs of a TorchScript network by name; by place, "0", "1", ..., where they have none."""
    import torch

    if isinstance(found, torch.Tensor):
        return {"0": found}
    if isinstance(found, dict):
        outputs = {str(name): value for name, value in found.items()}
    else:
        items = list(found) if isinstance(found, list | tuple) else []
        names = getattr(found, "_fields", range(len(items)))
        outputs = {str(name): value for name, value in zip(names, items, strict=True)}
    tensors = {name: value for name, value in outputs.items() if isinstance(value, torch.Tensor)}
    if not tensors or len(tensors) != len(outputs):
        raise IspError(f"{shown(file)} must return a tensor, or a list, tuple or dict of tensors")
    return tensors


OPENERS: dict[str, Callable[[Path, NetworkDescription, int], NetworkFile]] = {
    ".onnx": _open_onnx,
    ".pt": _open_torchscript,
    ".pth": _open_torchscript,
    ".ts": _open_torchscript,
    ".torchscript": _open_torchscript,
}
"""What opens a network's file, by the end of its name."""


def _place(file: Path, wanted: int, outputs: Sequence[str]) -> int:
    if wanted >= len(outputs):
        raise IspError(
            f"{shown(file)} has the outputs {_words(outputs)}, counted from 0; the description asks for output {wanted}"
        )
    return wanted


def _refused(images: Floats, reason: str) -> str:
    return (
        f"images of shape {images.shape}: {reason}. Correct input.size or input.layout in the description, or "
        "export the network for this size"
    )


def _last_line(error: Exception) -> str:
    """The line of a TorchScript error that says why; the others are its stack."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if line.startswith(("RuntimeError:", "torch."))] or lines[:1]
    return (said[-1] if said else type(error).__name__).removeprefix("RuntimeError: ")[:300]


def _words(names: Any) -> str:
    listed = [str(name) for name in names]
    more = f" and {len(listed) - 12} more" if len(listed) > 12 else ""
    return ", ".join(listed[:12]) + more
