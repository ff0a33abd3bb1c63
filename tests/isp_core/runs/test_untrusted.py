"""A run may come from anyone: one bad item is a reason, reaches no other file, and costs no memory."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file

from isp_core.__main__ import main
from isp_core.errors import IspError
from isp_core.models import ISPNet
from isp_core.models.backbone import Backbone
from isp_core.runs import RunError, RunWriter, list_runs, open_run
from isp_core.runs.listing import summarise
from isp_core.runs.maintenance import verify
from tests.isp_core.runs.made import make_run, records


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "good")


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    """A run `bad` beside a run `good`."""
    shutil.copytree(made, tmp_path / "runs" / "good")
    return Path(shutil.copytree(made, tmp_path / "runs" / "bad"))


def edit(path: Path, **changes: Any) -> None:
    """Other values in run.json; a__b means b inside a."""
    document = json.loads((path / "run.json").read_text())
    for key, value in changes.items():
        *parents, last = key.split("__")
        place = document
        for name in parents:
            place = place[name]
        place[last] = value
    (path / "run.json").write_text(json.dumps(document))


def metrics(path: Path, frame: pd.DataFrame) -> None:
    frame.to_parquet(path / "metrics.parquet")


def in_rows(n: int) -> pa.Table:
    """n rows of one value: a few kilobytes on the disk."""
    return pa.table({"epoch": pa.DictionaryArray.from_arrays(np.zeros(n, np.int8), pa.array([0])).dictionary_decode()})


def many_rows(path: Path) -> None:
    with pq.ParquetWriter(path / "metrics.parquet", in_rows(1).schema, compression="zstd") as writer:
        for _ in range(8):
            writer.write_table(in_rows(10_000_000))


def named_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def unix_socket(file: Path) -> None:
    file.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(file))  # the address of a socket has at most 108 bytes


def folder_instead(file: Path) -> None:
    file.unlink()
    file.mkdir()


def deep(path: Path) -> None:
    (path / "run.json").write_text('{"config": ' + "[" * 100_000 + "]" * 100_000 + "}")


BAD: dict[str, Callable[[Path], object]] = {
    "metrics whose index is not whole numbers": lambda p: metrics(
        p, pd.DataFrame({"mAP": [0.1, 0.2]}, index=pd.Index([0.5, 1.5], name="epoch"))
    ),
    "metrics indexed by words": lambda p: metrics(
        p, pd.DataFrame({"mAP": [0.1]}, index=pd.Index(["last"], name="epoch"))
    ),
    "metrics indexed by days": lambda p: metrics(
        p, pd.DataFrame({"mAP": [0.1]}, index=pd.DatetimeIndex(["2026-01-02"], name="epoch"))
    ),
    "metrics without epochs": lambda p: metrics(p, pd.DataFrame({"mAP": [0.1]})),
    "metrics of epochs twice": lambda p: metrics(
        p, pd.DataFrame({"mAP": [0.1, 0.2]}, index=pd.Index([1, 1], name="epoch"))
    ),
    "metrics of epochs before the first": lambda p: metrics(
        p, pd.DataFrame({"mAP": [0.1]}, index=pd.Index([-1], name="epoch"))
    ),
    "metrics of epoch 10^15": lambda p: metrics(
        p, pd.DataFrame({"mAP": [0.1]}, index=pd.Index([10**15], name="epoch"))
    ),
    "metrics with words": lambda p: metrics(p, pd.DataFrame({"mAP": ["high"]}, index=pd.Index([0], name="epoch"))),
    "metrics with lists": lambda p: metrics(p, pd.DataFrame({"mAP": [[0.1, 0.2]]}, index=pd.Index([0], name="epoch"))),
    "metrics of 8e7 rows": many_rows,
    "metrics of 5,000 columns": lambda p: metrics(
        p, pd.DataFrame(np.zeros((1, 5000)), columns=[f"c{i}" for i in range(5000)], index=pd.Index([0], name="epoch"))
    ),
    "metrics that are a named pipe": lambda p: named_pipe(p / "metrics.parquet"),
    "metrics that are a folder": lambda p: folder_instead(p / "metrics.parquet"),
    "metrics that are empty": lambda p: (p / "metrics.parquet").write_bytes(b""),
    "a description that is a named pipe": lambda p: named_pipe(p / "run.json"),
    "a description that is a folder": lambda p: folder_instead(p / "run.json"),
    "a description that is a socket": lambda p: unix_socket(p / "run.json"),
    "a description that is a device": lambda p: ((p / "run.json").unlink(), (p / "run.json").symlink_to("/dev/zero")),
    "a description out of the run": lambda p: ((p / "run.json").unlink(), (p / "run.json").symlink_to("/etc/hostname")),
    "a description that leads nowhere": lambda p: ((p / "run.json").unlink(), (p / "run.json").symlink_to("nowhere")),
    "a description of 10 MB": lambda p: (p / "run.json").write_text(" " * 10_000_000),
    "a description of 100,000 levels": deep,
    "a list for a description": lambda p: (p / "run.json").write_text("[1, 2]"),
    "bytes for a description": lambda p: (p / "run.json").write_bytes(b"\xff\xfe\x00"),
    "10^9 parts": lambda p: edit(p, parts=10**9),
    "-1 parts": lambda p: edit(p, parts=-1),
    "a size of 20000 x 1": lambda p: edit(p, size=[20000, 1]),
    "a size of 4000 x 1": lambda p: edit(p, size=[4000, 1]),
    "a size of 0 x 0": lambda p: edit(p, size=[0, 0]),
    "10^12 pictures": lambda p: edit(p, data__splits__train__pictures=10**12),
    "10^9 identities": lambda p: edit(p, data__splits__train__identities=10**9),
    "a backbone of 10^5 letters": lambda p: edit(p, backbone="x" * 10**5),
    "parameters of 10^30": lambda p: edit(p, parameters={"network": 10**30}),
    "records that are a named pipe": lambda p: named_pipe(p / "records.parquet"),
    "no records": lambda p: (p / "records.parquet").unlink(),
}


@pytest.mark.parametrize("what", BAD)
def test_one_bad_run_is_a_reason_and_the_others_are_listed(
    path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    BAD[what](path)
    bad, good = list_runs(path.parent)
    assert good.problem is None
    assert good.epochs == 2
    assert bad.problem is not None
    assert str(path) in bad.problem
    with pytest.raises(SystemExit) as ended:
        main(["runs", "list", str(path.parent)])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert re.search(rf"^{good.name} +2 +4 ", said, re.MULTILINE)
    assert f"{bad.name}: " in said
    with pytest.raises(SystemExit) as ended:
        main(["runs", "show", str(path)])
    assert ended.value.code in (0, 1)  # a run with bad records has a description to show
    assert "Traceback" not in capsys.readouterr().err


def test_a_table_is_measured_before_it_is_read(path: Path) -> None:
    """8e7 rows lie in less than a megabyte; the numbers alone would take 640 MB."""
    many_rows(path)
    assert (path / "metrics.parquet").stat().st_size < 2_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RunError, match=r"declares 80,000,000 rows; at most 100,000 are read"):
        open_run(path).metrics()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes


def test_one_long_text_in_every_row_is_measured_before_it_is_unfolded(path: Path) -> None:
    n = 1_000_000
    paths = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array(["x" * 4_000]))
    columns = {"path": paths, "identity": np.ones(n, np.int64), "camera": np.ones(n, np.int64)}
    split = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array(["train"]))
    pq.write_table(pa.table(columns | {"split": split, "subset": split}), path / "records.parquet")
    with pytest.raises(RunError, match=r"column 'path' unfolds to 4,000,000,000 bytes"):
        open_run(path).records()
    frame = records().assign(path="y" * 5_000)
    frame.to_parquet(path / "records.parquet")
    with pytest.raises(RunError, match=r"a text in column 'path' has 5,000 bytes"):
        open_run(path).records()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.assign(split="test"), "'test' is no split"),
        (lambda f: f.assign(identity="Anna"), "column identity holds .* whole numbers are needed"),
        (lambda f: f.assign(camera=0.5), "column camera holds float64"),
        (lambda f: f.assign(path=1), "column path must hold a text"),
        (lambda f: f.assign(path=None), "column path must hold a text"),
    ],
)
def test_records_of_other_types_are_refused(path: Path, change: Callable[[Any], Any], message: str) -> None:
    change(records()).to_parquet(path / "records.parquet")
    with pytest.raises(RunError, match=message):
        open_run(path).records()


@pytest.mark.parametrize(
    "file",
    [
        "labels/train/epoch_0001.h5",
        "embeddings/epoch_0001/query.safetensors",
        "checkpoints/epoch_0001/model.safetensors",
        "checkpoints/epoch_0001/state.pt",
    ],
)
@pytest.mark.parametrize("what", ["named pipe", "link out of the run", "folder"])
def test_only_regular_files_inside_the_run_are_opened(path: Path, tmp_path: Path, file: str, what: str) -> None:
    target = path / file
    if what == "named pipe":
        named_pipe(target)
    elif what == "folder":
        folder_instead(target)
    else:
        elsewhere = tmp_path / "elsewhere"
        target.rename(elsewhere)
        target.symlink_to(elsewhere)
    run = open_run(path)
    assert any(finding.file == file or "model.safetensors" in file for finding in verify(run))
    if "labels" in file:
        with pytest.raises(RunError, match=r"pipe|link out of the run|a folder"):
            run.labels("train", 1)
    if "embeddings" in file:
        with pytest.raises(RunError, match=r"pipe|link out of the run|a folder"):
            run.embeddings("query", 1)


def test_an_evaluation_that_is_a_pipe_or_has_a_strange_name_is_skipped_or_a_reason(path: Path) -> None:
    run = open_run(path)
    RunWriter(run.path).write_evaluation("parts", {"a": 1})
    (path / "evaluation" / "what is this?.json").write_text("{}")
    os.mkfifo(path / "evaluation" / "pipe.json")
    assert run.evaluation_names() == ["parts", "pipe"]
    with pytest.raises(RunError, match="is a named pipe"):
        run.read_evaluation("pipe")


@pytest.mark.parametrize(
    "name",
    [
        "hf-hub:timm/resnet18.a1_in1k",
        "tu-hf-hub:timm/resnet18.a1_in1k",
        "tu-hf_hub:timm/resnet18.a1_in1k",
        "local-dir:/etc",
        "tu-local-dir:/etc",
        "https://example.org/x",
        "../resnet18",
        "",
    ],
)
def test_a_backbone_is_a_name_and_no_address(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*arguments: object, **_: object) -> None:
        pytest.fail(f"the network was asked: {arguments}")

    monkeypatch.setattr(socket, "getaddrinfo", asked)
    monkeypatch.setattr(socket.socket, "connect", asked)
    with pytest.raises(IspError, match="no backbone is called"):
        Backbone(name, weights="none")


def test_a_network_is_compared_with_its_file_before_memory_is_spent_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from isp_core.config import Config
    from isp_core.models.build import network_spec, require_fitting
    from isp_core.models.weights import WeightsError

    config = Config.model_validate({"model": {"backbone": "mobilenetv2_100", "channels": 16}})
    file = tmp_path / "model.safetensors"
    from safetensors.torch import save_file as save

    save({k: v.contiguous() for k, v in ISPNet(network_spec(config, 3), "none").state_dict().items()}, file)
    require_fitting(network_spec(config, 3), file)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(WeightsError, match="of another shape"):
        require_fitting(network_spec(config, 5_000_000), file)  # 1.3 GB of classifier
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


def test_embeddings_are_those_of_the_run(path: Path) -> None:
    file = path / "embeddings/epoch_0001/query.safetensors"
    good, run = load_file(file), open_run(path)

    def refused(message: str, **changed: np.ndarray) -> None:
        save_file(good | changed, file)
        with pytest.raises(RunError, match=message):
            run.embeddings("query", 1)
        assert [finding.file for finding in verify(run)] == ["embeddings/epoch_0001/query.safetensors"]

    broken = good["global"].copy()
    broken[1, 2] = np.nan
    refused("global of row 1 is not finite", **{"global": broken})
    refused("parts of row 2 is not finite", parts=np.where(np.arange(3)[:, None, None] == 2, np.inf, good["parts"]))
    more = {name: np.concatenate([good[name]] * 2, axis=1) for name in ("parts", "visibility", "part_share")}
    refused("has 6 parts where the run has 3", **more)
    refused("visibility has shape", visibility=good["visibility"][:, :2])
    refused("2 rows where the run's records have 3", **{name: array[:2] for name, array in good.items()})
    refused("is I64 of shape", **{"global": good["global"].astype(np.int64)})


@pytest.mark.parametrize("name", ["epoch_²", "epoch_٣", "epoch_", "epoch_1x", "epoch_-1", "Epoch_0001"])
def test_names_that_are_no_epochs_are_left_aside(path: Path, name: str) -> None:
    before = open_run(path).label_epochs("train"), open_run(path).weight_epochs()
    (path / "labels" / "train" / f"{name}.h5").write_text("")
    (path / "checkpoints" / name).mkdir()
    run = open_run(path)
    assert (run.label_epochs("train"), run.weight_epochs()) == before
    assert summarise(path).problem is None
    assert verify(run) == []
