"""Files that `isp export` wrote into a run are networks of the Upload page."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from isp_app.reading.parse_upload import Network, networks_of
from isp_core.errors import IspError
from isp_core.exported import FOLDER
from isp_core.runs import open_run
from tests.app import synthetic
from tests.app.conftest import Open, words

pytest.importorskip("onnxscript", reason="the extra `onnx` is not installed")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn run of a very small network with an export of its last epoch; shared: do not write to it."""
    from isp_core.export import export_onnx
    from isp_core.parser import HumanParser

    runs = tmp_path_factory.mktemp("exported")
    path = synthetic.write_run(runs / "k6", parts=6, epochs=3, weights=True, backbone="test_efficientnet")
    run = open_run(path)
    export_onnx(HumanParser.load(run, 3, device="cpu"), path / FOLDER / "epoch_0003.onnx", run=run, epoch=3)
    return runs


@pytest.mark.slow
def test_an_export_sees_what_the_weights_see_and_finds_neighbours(exported: Path, open_page: Open) -> None:
    weights, export = (networks_of("k6", open_run(exported / "k6"))[place] for place in (0, -1))
    assert (weights.name, export.name) == ("k6 epoch 3", "k6 epoch 3 (ONNX)")
    image = Image.effect_noise((32, 64), 90).convert("RGB")
    assert (weights.read(image).labels == export.read(image).labels).mean() > 0.99
    test = open_page("upload", runs=exported, run="k6", ckpt=export.name)
    assert not test.exception
    assert not test.warning
    said = words(test).replace("\\", "")
    assert "k6 epoch 3 (ONNX): trained on drawn" in said
    assert "by k6 epoch 3 (ONNX)" in said


@pytest.mark.slow
def test_a_run_without_weights_parses_by_its_export(exported: Path, tmp_path: Path, open_page: Open) -> None:
    shutil.copytree(exported / "k6", tmp_path / "k6", ignore=shutil.ignore_patterns("checkpoints"))
    test = open_page("upload", runs=tmp_path, run="k6")
    assert not test.exception
    assert "k6 epoch 3 (ONNX): trained on drawn" in words(test).replace("\\", "")


def test_a_file_that_is_no_export_is_named_and_the_other_networks_stay(own_runs: Path, open_page: Open) -> None:
    (own_runs / "k6" / FOLDER).mkdir()
    file = own_runs / "k6" / FOLDER / "epoch_0003-int8.onnx"
    file.write_bytes(b"no model")
    with pytest.raises(IspError, match="not an ONNX file"):
        Network("k6", open_run(own_runs / "k6"), 3, file).require()
    test = open_page("upload", runs=own_runs, run="k6", ckpt="k6 epoch 3 (ONNX int8)")
    assert not test.exception
    assert "k6 epoch 3 (ONNX int8) cannot be opened" in test.warning[0].value.replace("\\", "")
    assert "is not an ONNX file that can be opened" in words(test)
