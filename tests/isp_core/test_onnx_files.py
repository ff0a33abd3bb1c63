"""ONNX files are opened in one place: with weights in the file or next to it, and from nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from isp_core.errors import IspError
from isp_core.onnx_files import open_session

SUM = np.arange(4, dtype=np.float32)


def save(file: Path, location: str = "model.data") -> Path:
    """A model that adds 0, 1, 2, 3 to its input, with these numbers in a file of their own."""
    numbers = numpy_helper.from_array(SUM, "numbers")
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "numbers"], ["y"])],
        "sum",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])],
        [numbers],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], location, 0, SUM.nbytes)
    model.graph.initializer[0].ClearField("raw_data")
    file.write_bytes(model.SerializeToString())
    return file


def test_weights_next_to_the_model_are_read(tmp_path: Path) -> None:
    file = save(tmp_path / "model.onnx")
    (tmp_path / "model.data").write_bytes(SUM.tobytes())
    (found,) = open_session(file).run(None, {"x": np.ones(4, np.float32)})
    assert found.tolist() == [1, 2, 3, 4]


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(IspError, match=r"keeps weights in 'model\.data', which is missing"):
        open_session(save(tmp_path / "model.onnx"))


@pytest.mark.parametrize("way", ["parent", "absolute", "link", "nameless"])
def test_weights_outside_the_models_folder_are_not_read(tmp_path: Path, way: str) -> None:
    folder, secret = tmp_path / "model", tmp_path / "secret.data"
    folder.mkdir()
    secret.write_bytes(SUM.tobytes())
    (folder / "link.data").symlink_to(secret)
    location = {"parent": "../secret.data", "absolute": str(secret), "link": "link.data", "nameless": ""}[way]
    with pytest.raises(IspError, match="weights outside its folder"):
        open_session(save(folder / "model.onnx", location))


def test_weights_of_a_graph_within_a_node_are_checked_too(tmp_path: Path) -> None:
    outer = onnx.load(save(tmp_path / "inner.onnx", "../secret.data"), load_external_data=False)
    inner = helper.make_graph([], "branch", [], [], list(outer.graph.initializer))
    outer.graph.node.append(helper.make_node("If", ["c"], ["z"], then_branch=inner, else_branch=inner))
    del outer.graph.initializer[:]
    (tmp_path / "outer.onnx").write_bytes(outer.SerializeToString())
    with pytest.raises(IspError, match="weights outside its folder"):
        open_session(tmp_path / "outer.onnx")


def test_a_pipe_where_weights_should_be_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.data")
    with pytest.raises(IspError, match="which is missing"):
        open_session(save(tmp_path / "model.onnx"))


@pytest.mark.parametrize(("content", "message"), [(None, "no such ONNX file"), (b"no model", "not an ONNX file")])
def test_what_is_no_model_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "model.onnx"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(IspError, match=message):
        open_session(file)
