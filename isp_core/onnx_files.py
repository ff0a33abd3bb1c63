"""The one reader of ONNX files: exports of ours and part parsers of any origin, opened in onnxruntime.

A model may keep its weights in files next to it. Such a file must lie in the model's folder, links followed: a model of
unknown origin cannot make a program read others. Out of scope: what inputs and outputs mean (isp_core.exported,
eval.parsers).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from isp_core import extras
from isp_core.errors import IspError
from isp_core.text_files import shown

_LARGEST = 2**31
"""Bytes that a model in memory has less than: protobuf's limit."""


def require(*modules: str) -> None:
    """IspError where a library of the extra `onnx` is missing."""
    extras.require("onnx", *modules)


def open_session(path: Path, threads: int = 0, inner: Sequence[str] = ()) -> Any:
    """An ONNX file as an onnxruntime.InferenceSession on the CPU.

    Args:
        path: the file; its weights may lie next to it.
        threads: of onnxruntime; 0 for all cores.
        inner: names of tensors inside the network that become outputs too, after its own.

    Raises:
        IspError: no such file, not an ONNX model, its weights are missing or lie outside its folder, or the extra
            `onnx` is not installed.
    """
    require("onnx", "onnxruntime")
    import onnxruntime

    if not path.is_file():
        raise IspError(f"{shown(path)}: no such ONNX file")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # threads that spin while they wait are slow beside another busy process, as PyTorch's are (isp_core.__main__)
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        _require_weights(path)
        model = _with_outputs(path, inner) if inner else str(path)
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except IspError:
        raise
    except Exception as error:  # onnxruntime's and protobuf's errors have no common public root
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise IspError(f"{shown(path)} is not an ONNX file that can be opened: {reason}") from error


def inner_names(path: Path) -> list[str]:
    """The names of the tensors that the nodes of a model make, in their order, its outputs included.

    IspError as `open_session`.
    """
    require("onnx")
    import onnx

    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:
        raise IspError(f"{shown(path)} is not an ONNX file that can be opened: {error}") from error
    return [name for node in model.graph.node for name in node.output if name]


def _with_outputs(path: Path, names: Sequence[str]) -> bytes:
    """The model with tensors inside it as outputs too."""
    import onnx

    model = onnx.load(str(path))
    if model.ByteSize() >= _LARGEST:
        raise IspError(
            f"{shown(path)} has 2 GB or more with its weights, so {', '.join(names)} cannot be made an output here: "
            "export the network again with that tensor as an output"
        )
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    content: bytes = model.SerializeToString()
    return content


def _require_weights(path: Path) -> None:
    """IspError where a file that the model keeps weights in is missing, no regular file, or outside its folder."""
    import onnx

    folder = path.parent.resolve()  # of the name that is opened: onnxruntime looks for weights there
    for location in sorted(set(_locations(onnx.load(str(path), load_external_data=False)))):
        weights = (folder / location).resolve()
        if folder not in weights.parents:
            raise IspError(
                f"{shown(path)} asks for weights outside its folder ({location!r}), which are not read: save the model "
                "with its weights in one file, or next to it"
            )
        if not weights.is_file():
            raise IspError(
                f"{shown(path)} keeps weights in {location!r}, which is missing from its folder: copy that file there "
                "too, or save the model as one file"
            )


def _locations(message: Any) -> Iterator[str]:
    """The files that any tensor of a model, or of a graph or function within it, names for its values."""
    import onnx

    if isinstance(message, onnx.TensorProto):
        if message.data_location == onnx.TensorProto.EXTERNAL:
            yield next((entry.value for entry in message.external_data if entry.key == "location"), "")
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for each in (value,) if hasattr(value, "ListFields") else value:  # one message, or several
                yield from _locations(each)
