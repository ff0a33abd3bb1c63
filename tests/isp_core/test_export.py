"""ONNX export: the file against PyTorch, a consumer without PyTorch, int8, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import isp_assets
from isp_core.__main__ import main
from isp_core.errors import IspError
from isp_core.export import export_onnx, quantise
from isp_core.exported import OnnxParser, output_names
from isp_core.models import ISPNet
from isp_core.models.network import NetworkSpec
from isp_core.parser import HumanParser
from isp_core.runs import open_run

pytest.importorskip("onnxscript", reason="the extra `onnx` is not installed")

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "export.md"


def network(parts: int, backbone: str = "resnet10t") -> HumanParser:
    torch.manual_seed(1)
    spec = NetworkSpec(backbone, 16, (3, 4, 5), 8, 16, True, "none", "deep", "map", parts, 3)
    return HumanParser(ISPNet(spec, "none"), (64, 32))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[HumanParser, Path]:
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    parser = network(4)
    export_onnx(parser, path, epoch=7)
    return parser, path


def images(count: int) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (64, 32, 3)).astype(np.uint8)) for _ in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 5])
def test_any_batch_gives_what_pytorch_gives(exported: tuple[HumanParser, Path], count: int) -> None:
    parser, path = exported
    ours, theirs = parser.read(images(count)), OnnxParser(path).arrays(images(count))
    np.testing.assert_allclose(theirs["probabilities"], ours.probabilities, atol=1e-4)
    assert (theirs["labels"] == ours.labels).mean() > 0.999
    assert (theirs["visibility"] == ours.embeddings.visibility).all()
    np.testing.assert_allclose(theirs["global"], ours.embeddings.global_, atol=5e-3)  # ours in half precision
    np.testing.assert_allclose(theirs["parts"], ours.embeddings.parts, atol=5e-3)


@pytest.mark.slow
def test_the_documents_consumer_gets_the_distance_of_eq_10_without_torch(
    exported: tuple[HumanParser, Path], tmp_path: Path
) -> None:
    parser, path = exported
    files = []
    for number, image in enumerate(images(2)):
        files.append(tmp_path / f"{number}.png")
        image.save(files[-1])
    script = tmp_path / "consumer.py"
    script.write_text(DOCUMENT.read_text("utf-8").split("```python\n")[1].split("```")[0])
    command = [sys.executable, str(script), str(path), *map(str, files)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "torch" not in script.read_text()
    assert float(printed) == pytest.approx(float(parser.match(files[0], files[1]).distance[0]), abs=2e-3)


@pytest.mark.slow
def test_the_file_says_what_it_is(exported: tuple[HumanParser, Path]) -> None:
    import onnx

    model = onnx.load(exported[1])
    about = json.loads({entry.key: entry.value for entry in model.metadata_props}["isp"])
    assert about.pop("outputs") == list(output_names(4))
    assert about == {"epoch": 7, "parts": 4, "size": [64, 32], "features": "after-bn"}
    assert next(entry.version for entry in model.opset_import if entry.domain == "") == 18


@pytest.fixture(scope="module")
def run_exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The embedded run, and its network as an ONNX file."""
    run = Path(isp_assets.__file__).resolve().parent / "runs" / "contrast-k6"
    file = tmp_path_factory.mktemp("exported") / "contrast.onnx"
    export_onnx(HumanParser.load(run, device="cpu"), file, run=open_run(run), epoch=32)
    return run, file


def crops(count: int) -> list[str]:
    folder = Path(isp_assets.__file__).resolve().parent / "walkers" / "query"
    return [str(file) for file in sorted(folder.glob("*.jpg"))[:count]]


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--json"])
    assert ended.value.code == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.slow
def test_an_export_stands_for_its_run_in_match_parse_and_search(
    run_exported: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, file = run_exported
    sheet = str(tmp_path / "sheet.png")
    by_run, by_file = (printed(capsys, "match", "--run", str(each), *crops(2), "--out", sheet) for each in (run, file))
    assert by_file["distance"] == pytest.approx(by_run["distance"], abs=1e-3)
    assert [term["name"] for term in by_file["terms"]] == [term["name"] for term in by_run["terms"]]
    assert [term["counts"] for term in by_file["terms"]] == [term["counts"] for term in by_run["terms"]]
    found = printed(capsys, "search", "--run", str(run), "--onnx", str(file), *crops(1))
    wanted = printed(capsys, "search", "--run", str(run), *crops(1))
    names = [[near["path"] for near in each["images"][0]["nearest"]] for each in (found, wanted)]
    assert names[0] == names[1]
    parsed = printed(capsys, "parse", "--run", str(file), "--out", str(tmp_path / "parsed"), *crops(2))
    assert parsed["pictures"] == 2
    assert len(list((tmp_path / "parsed" / "labels").glob("*.png"))) == 2


@pytest.mark.slow
def test_matching_by_an_export_loads_no_network_code(run_exported: tuple[Path, Path], tmp_path: Path) -> None:
    arguments = ["match", "--run", str(run_exported[1]), *crops(2), "--out", str(tmp_path / "a.png")]
    script = (
        "import sys; from isp_core.__main__ import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit: pass\n"
        "print(sorted({'timm', 'segmentation_models_pytorch', 'isp_core.models'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["match", "--epoch", "5"], "holds epoch 32, not 5"),
        (["match", "--visibility", "peak"], "peak"),
        (["search", "--epoch", "5"], "holds epoch 32, not 5"),
        (["search", "--run", "baseline"], "whose weights are not those of"),
        (["search", "--run", "contrast-k4"], "not of contrast-k4"),
    ],
)
def test_an_export_of_something_else_is_refused(
    run_exported: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    says: str,
) -> None:
    run, file = run_exported
    monkeypatch.chdir(run.parent)
    name, *more = arguments
    network = ["--run", str(file)] if name == "match" else ["--onnx", str(file), "--run", str(run)]
    with pytest.raises(SystemExit) as ended:
        main([name, *network, *more, *crops(2 if name == "match" else 1)])
    assert ended.value.code == 1
    assert says in capsys.readouterr().err


@pytest.mark.slow
def test_a_baseline_gives_its_global_feature(tmp_path: Path) -> None:
    written = export_onnx(network(0, "test_efficientnet"), tmp_path / "b.onnx")
    assert written.outputs == ("global",)
    assert OnnxParser(tmp_path / "b.onnx").arrays(images(2))["global"].shape == (2, 16)


@pytest.mark.slow
def test_int8_is_smaller_and_its_loss_is_measured_on_images_it_has_not_seen(
    exported: tuple[HumanParser, Path], tmp_path: Path
) -> None:
    small = quantise(exported[1], tmp_path / "int8.onnx", images(8))
    assert small.megabytes < 0.5 * exported[1].stat().st_size / 1e6
    assert (small.calibrated_on, small.compared_on) == (4, 4)
    assert small.pixels_agree is not None
    assert 0.5 < small.pixels_agree <= 1
    assert 0.8 < small.cosine["global"] < 1


def test_what_is_not_an_export_is_refused(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    with pytest.raises(IspError, match="no such ONNX file"):
        OnnxParser(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(IspError, match="not an ONNX file that can be opened"):
        OnnxParser(tmp_path / "bad.onnx")
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    other = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "g",
        [value],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    onnx.save(
        helper.make_model(other, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "other.onnx"
    )
    with pytest.raises(IspError, match="was not written by `isp export`"):
        OnnxParser(tmp_path / "other.onnx")
    with pytest.raises(IspError, match="at least 4 images"):
        quantise(tmp_path / "bad.onnx", tmp_path / "int8.onnx", images(3))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("size", [100_000, 100_000], "its network reads 64 x 32"),
        ("size", [1e999, 32], "not one that `isp export` writes"),
        ("parts", 10**9, r"visibility of \[3\] parts"),
        ("calibration", {"thresholds": 1}, "not a calibration"),
    ],
)
def test_what_an_exports_metadata_claims_is_checked_against_its_network(
    tmp_path: Path, name: str, value: object, message: str
) -> None:
    import onnx
    from onnx import TensorProto, helper

    outputs = {each: [1, 3, 64, 32] for each in output_names(4)} | {"visibility": [1, 3]}
    nodes = [helper.make_node("Identity", ["images"], [each]) for each in outputs if each != "visibility"]
    nodes.append(helper.make_node("ReduceMean", ["images"], ["visibility"], axes=[2, 3], keepdims=0))
    infos = [helper.make_tensor_value_info(each, TensorProto.FLOAT, shape) for each, shape in outputs.items()]
    images_ = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 32])
    model = helper.make_model(
        helper.make_graph(nodes, "export", [images_], infos), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    claims = {"size": [64, 32], "parts": 4}
    helper.set_model_props(model, {"isp": json.dumps(claims).replace("Infinity", "1e999")})
    onnx.save(model, str(tmp_path / "claims.onnx"))
    assert OnnxParser(tmp_path / "claims.onnx").parts == 4, "as it is without the wrong value"

    helper.set_model_props(model, {"isp": json.dumps(claims | {name: value}).replace("Infinity", "1e999")})
    onnx.save(model, str(tmp_path / "claims.onnx"))
    with pytest.raises(IspError, match=rf"claims\.onnx.*{message}"):
        OnnxParser(tmp_path / "claims.onnx")
