"""The one reader of ONNX files: exports of ours and part parsers of any origin, opened in onnxruntime.

A model may keep its weights in files next to it. Such a file must lie in the model's folder, links followed: a model of
unknown origin cannot make a program read others. Out of scope: what inputs and outputs mean (isp_core.exported,
eval.parsers).
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from isp_core.errors import IspError
from isp_core.text_files import shown


def require(*modules: str) -> None:
    """IspError where a library of the extra `onnx` is missing."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise IspError(f'{missing[0]} is not installed: pip install "isp-reid[onnx]"')


def open_session(path: Path, threads: int = 0) -> Any:
    """An ONNX file as an onnxruntime.InferenceSession on the CPU.

    Args:
        path: the file; its weights may lie next to it.
        threads: of onnxruntime; 0 for all cores.

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
    try:
        _require_weights(path)
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except IspError:
        raise
    except Exception as error:  # onnxruntime's and protobuf's errors have no common public root
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise IspError(f"{shown(path)} is not an ONNX file that can be opened: {reason}") from error


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
