"""The command line as a user types it: one story through all commands, what --json prints, and what goes wrong."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from isp_core.__main__ import main
from isp_core.runs import open_run
from tests.forked import run_isp, start_isp

TINY = {
    "model": {
        "backbone": "test_efficientnet",
        "weights": "none",
        "grid": 8,
        "stages": [3, 4],
        "channels": 16,
    },
    "data": {"size": [64, 32], "identities_per_batch": 3, "pictures_per_identity": 2},
    "labels": {"parts": 4},
    "optim": {"warmup_epochs": 1},
    "run": {"epochs": 2, "eval_every": 1},
}


@dataclass(frozen=True)
class Result:
    returncode: int
    stdout: str
    stderr: str


def isp(*arguments: str | Path, check: bool = True) -> Result:
    """The command in this process: starting Python and torch anew for each would take most of the time."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr), pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    result = Result(int(exit_.value.code or 0), stdout.getvalue(), stderr.getvalue())
    if check:
        assert result.returncode == 0, result.stderr
    return result


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("config") / "tiny.yaml"
    file.write_text(yaml.safe_dump(TINY))
    return file


@pytest.fixture(scope="module")
def run(people: Path, config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "tiny"
    result = isp("train", "--preset", "paper", "--config", config, "--data", people, "--out", out, "--json")
    document = json.loads(result.stdout)  # nothing else on standard output
    assert document["epochs"] == 2
    assert "epoch 2/2" in result.stderr
    return out


def test_the_story_of_a_run(run: Path, people: Path, tmp_path: Path) -> None:
    listed = json.loads(isp("runs", "list", run.parent, "--json").stdout)
    assert [(each["name"], each["epochs"], each["parts"], each["backbone"]) for each in listed] == [
        ("tiny", 2, 4, "test_efficientnet")
    ]
    assert json.loads(isp("runs", "show", run, "--json").stdout)["info"]["schema"] == "isp-run/2"
    assert "no problems" in isp("runs", "verify", run).stdout

    pictures = sorted((people / "query").glob("*.jpg"))
    isp("parse", "--run", run, "--out", tmp_path / "parsed", *pictures[:2])
    table = pd.read_csv(tmp_path / "parsed" / "parts.csv")
    assert list(table.columns) == ["image", *[f"visible_{k}" for k in (1, 2, 3)], *[f"share_{k}" for k in (1, 2, 3)]]
    labels = Image.open(tmp_path / "parsed" / "labels" / f"{pictures[0].stem}.png")
    assert labels.mode == "P"
    assert labels.size == Image.open(pictures[0]).size
    assert set(np.unique(np.asarray(labels))) <= {0, 1, 2, 3}
    assert len(list((tmp_path / "parsed" / "overlays").iterdir())) == 2

    isp("label", "--run", run, "--data", people, "--out", tmp_path / "maps")
    made = sorted((tmp_path / "maps").rglob("*.png"))
    assert len(made) == 36
    stored = open_run(run).labels("train", 2)
    first = open_run(run).records("train").path[0]
    np.testing.assert_array_equal(np.asarray(Image.open((tmp_path / "maps" / first).with_suffix(".png"))), stored[0])

    before = open_run(run).embeddings("query", 1)
    (run / "embeddings" / "epoch_0001" / "query.safetensors").unlink()
    assert json.loads(isp("extract", "--run", run, "--epoch", "1", "--data", people, "--json").stdout)["query"] == 8
    np.testing.assert_array_equal(open_run(run).embeddings("query", 1).global_, before.global_)


def test_help_does_not_wait_for_torch() -> None:
    code = "import sys, eval.__main__, isp_core.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_data_is_described(people: Path) -> None:
    report = json.loads(isp("data", people, "--json").stdout)
    assert report
    assert "train" in isp("data", people).stdout


def test_pictures_of_every_kind_are_parsed(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 40, 3), dtype=np.uint8))
    picture.convert("L").save(folder / "grey.jpg")
    picture.convert("CMYK").save(folder / "cmyk.jpg")
    picture.convert("RGBA").save(folder / "alpha.png")
    isp("parse", "--run", run, "--out", tmp_path / "out", folder)
    assert sorted(file.name for file in (tmp_path / "out" / "labels").iterdir()) == [
        "alpha.png",
        "cmyk.png",
        "grey.png",
    ]


def test_visibility_is_calibrated_in_training_and_every_command_says_by_which_rule(
    run: Path, people: Path, tmp_path: Path
) -> None:
    picture = next((people / "query").glob("*.jpg"))
    epoch = open_run(run).embedding_epochs()[-1]
    trained = open_run(run).calibration(epoch)
    assert trained is not None
    assert isp("parse", "--run", run, "--out", tmp_path / "a", picture).stdout.rstrip().endswith("threshold)")
    assert json.loads((tmp_path / "a" / "parts.json").read_text())["visibility"].startswith("peak (")
    told = isp("parse", "--run", run, "--out", tmp_path / "b", "--visibility", "eq8", picture).stdout
    assert told.rstrip().endswith("eq8 (Eq. 8: the part is the most likely one at some pixel)")
    (row,) = pd.read_csv(tmp_path / "b" / "parts.csv").to_dict("records")
    assert [row[f"visible_{k}"] for k in (1, 2, 3)] == [int(row[f"share_{k}"] > 0) for k in (1, 2, 3)]
    assert "visibility by soft" in isp("search", "--run", run, "--visibility", "soft", picture).stdout
    (run / "visibility" / f"epoch_{epoch:04d}.json").unlink()
    wrong("needs thresholds", 1, "parse", "--run", run, "--out", tmp_path / "c", "--visibility", "peak", picture)
    told = isp("calibrate", "--run", run, "--data", people).stdout
    assert f"visibility thresholds of epoch {epoch}" in told
    assert open_run(run).calibration(epoch) == trained  # the same images, labels and seed
    wrong("visibility 'glance' is unknown; allowed: eq8, peak, soft", 1, "parse", "--run", run, "--out", tmp_path / "c",
          "--visibility", "glance", picture)  # fmt: skip


def test_broken_pictures_do_not_keep_the_others_from_being_parsed(run: Path, people: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    good = sorted((people / "query").glob("*.jpg"))[0]
    shutil.copy(good, folder / "good.jpg")
    (folder / "cut.jpg").write_bytes(good.read_bytes()[:300])
    (folder / "empty.jpg").write_bytes(b"")
    result = isp("parse", "--run", run, "--out", tmp_path / "out", folder, "--json", check=False)
    assert (result.returncode, json.loads(result.stdout)["pictures"]) == (1, 1)
    assert "2 of 3 images could not be read" in result.stderr
    assert "cut.jpg: the image is cut off" in result.stderr
    assert "empty.jpg: an empty file" in result.stderr
    assert len(pd.read_csv(tmp_path / "out" / "parts.csv")) == 1


def test_parameters_are_shown(run: Path) -> None:
    assert "parameters: backbone 0.08 M" in isp("runs", "show", run).stdout


def wrong(message: str, status: int, *arguments: str | Path) -> None:
    result = isp(*arguments, check=False)
    assert result.returncode == status
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) <= (3 if status == 1 else 20)


def test_wrong_inputs_say_what_to_do(run: Path, people: Path, config: Path, tmp_path: Path) -> None:
    new = ("train", "--preset", "paper", "--config", config, "--out", tmp_path / "new", "--data")
    wrong("no such folder", 1, *new, tmp_path / "nowhere")
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("x")
    wrong("no known layout", 1, *new, tmp_path / "letters")
    wrong("unknown key loss.parsin: did you mean parsing", 1, *new, people, "--set", "loss.parsin=1")
    wrong("multiples of 32", 1, *new, people, "--size", "60x30")
    wrong("--size takes height x width", 1, *new, people, "--size", "big")
    wrong("labels.parts", 1, *new, people, "--parts", "99")
    wrong(
        "clustering, position-words, prototypes, maps, none, or a folder of label maps",
        1,
        *new,
        people,
        "--labels",
        "magic",
    )
    other = ("--labels", "none", "--set", "labels.sharpen=true")
    wrong("labels.sharpen belongs to source clustering; this run's source is none", 1, *new, people, *other)
    wrong("No such option", 2, *new, people, "--epoch", "3")
    wrong("holds a run already", 1, *new[:-3], "--out", run, "--data", people)
    resumed = ("train", "--resume", "--data", people, "--out")
    wrong("only --epochs, --truth, --space may change", 1, *resumed, run, "--seed", "4")
    wrong("holds no run to resume: leave out --resume", 1, *resumed, tmp_path / "nothing")
    wrong("is not a run", 1, "runs", "show", people)
    wrong("has no weights of epoch 9", 1, "parse", "--run", run, "--epoch", "9", "--out", tmp_path / "p", people)
    wrong("no such image or folder", 1, "parse", "--run", run, "--out", tmp_path / "p", tmp_path / "x.jpg")


def test_a_truncated_picture_is_named_before_training(people: Path, config: Path, tmp_path: Path) -> None:
    copy = tmp_path / "people"
    shutil.copytree(people, copy)
    broken = sorted((copy / "bounding_box_train").glob("*.jpg"))[3]
    broken.write_bytes(broken.read_bytes()[:300])
    result = isp("train", "--config", config, "--preset", "paper", "--data", copy, "--out", tmp_path / "r", check=False)
    assert result.returncode == 1
    assert broken.name in result.stderr
    assert "cut off" in result.stderr
    assert not (tmp_path / "r").exists()


@pytest.mark.slow
def test_killed_at_three_moments_it_ends_in_the_same_weights(people: Path, config: Path, tmp_path: Path) -> None:
    train = ("train", "--preset", "paper", "--config", config, "--epochs", "3", "--data", people)
    assert run_isp(("data", people), tmp_path).status == 0  # later ones start at once
    start = time.monotonic()
    assert run_isp((*train, "--out", "undisturbed"), tmp_path).status == 0
    length = time.monotonic() - start
    moments = np.random.default_rng(0).uniform(0.1, 1.0, 3) * length
    expected = load_file(tmp_path / "undisturbed/checkpoints/epoch_0003/model.safetensors")
    for number, moment in enumerate(moments):
        out = tmp_path / f"killed_{number}"
        process = start_isp((*train, "--out", out), tmp_path, tmp_path / "output")
        time.sleep(moment)
        process.kill()
        process.join()
        finished = open_run(out).epochs if (out / "run.json").exists() else []
        if (out / "run.json").exists():
            isp("train", "--resume", "--out", out, "--data", people)
        else:  # killed before there was a run: nothing but temporary files can lie there
            shutil.rmtree(out, ignore_errors=True)
            isp(*train, "--out", out)
        run = open_run(out)
        assert run.epochs == [0, 1, 2, 3]
        assert set(finished) <= set(run.epochs)
        ended = load_file(out / "checkpoints/epoch_0003/model.safetensors")
        assert all(torch.equal(ended[name], tensor) for name, tensor in expected.items()), (
            f"killed after {moment:.2f} s"
        )
