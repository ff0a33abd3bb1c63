"""Paths mean what a person wrote, and a run goes on where its files were moved or the working directory is another."""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from isp_core.data import load
from isp_core.errors import IspError
from isp_core.labelling.sources import parse_labels
from isp_core.metrics.spaces import load_space
from isp_core.models.weights import NAMED_SOURCES
from isp_core.paths import (
    PathError,
    absolute,
    as_path,
    find_moved,
    place_of_run,
    writable_file,
    writable_folder,
    written,
)
from isp_core.runs import open_run
from tests.isp_core.test_commands import TINY, isp


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


def test_a_tilde_is_the_home_folder(home: Path) -> None:
    assert as_path("~/runs/a") == home / "runs" / "a"
    assert as_path("a~b/~") == Path("a~b/~")
    with pytest.raises(PathError, match="~nobody-of-this-name"):
        as_path("~nobody-of-this-name/runs")


def test_every_command_expands_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    commands = [
        ("data", "~/x"),
        ("train", "--data=~/x", "--out=~/y"),
        ("label", "--run=~/x", "--data=~/x", "--out=~/y"),
        ("parse", "--run=~/x", "--out=~/y", "~/x"),
        ("extract", "--run=~/x", "--data=~/x"),
        ("search", "--run=~/r", "~/x"),
        ("runs", "list", "~/x"),
        ("runs", "verify", "~/x"),
        ("runs", "import", "--out=~/y", "--embeddings=~/x"),
        ("eval", "retrieval", "--run=~/x"),
        ("eval", "parsing", "--run=~/x", "--truth=~/t", "--space=lip"),
    ]
    for command in commands:
        result = isp(*command, check=False)
        assert result.returncode == 1
        assert str(home) in result.stderr, command
    assert list(home.iterdir()) == []  # no folder is called "~"


def test_a_recorded_path_means_the_same_everywhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    assert absolute("maps") == home / "maps"
    assert absolute("~/maps") == home / "maps"


def test_what_was_moved_together_is_found_again(tmp_path: Path) -> None:
    (tmp_path / "new" / "set" / "maps").mkdir(parents=True)
    old = Path("/no-such-place/set/maps")
    assert find_moved(old, [tmp_path / "new" / "set" / "images"]) == tmp_path / "new" / "set" / "maps"
    assert find_moved(old, [tmp_path]) == old
    assert find_moved(tmp_path, []) == tmp_path


@pytest.fixture
def begun(people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with images, maps and a run of one epoch on those maps, begun with relative paths from there."""
    root = tmp_path / "begun"
    shutil.copytree(people, root / "images", ignore=shutil.ignore_patterns("*_parsing_pgt"))
    shutil.copytree(people, root / "parsed", ignore=lambda folder, names: [
        name for name in names if Path(folder) == people and not name.endswith("_parsing_pgt")])  # fmt: skip
    (root / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    monkeypatch.chdir(root)
    isp("train", "--data", "images", "--out", "run", "--config", "tiny.yaml", "--labels", "parsed", "--parts", "5",
        "--epochs", "1", "--truth", "parsed")  # fmt: skip
    return root


def test_a_run_is_resumed_from_another_working_directory(
    begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    isp("train", "--data", begun / "images", "--out", begun / "run", "--resume", "--epochs", "2")
    assert open_run(begun / "run").last_epoch == 2


def test_a_run_is_resumed_after_everything_was_moved(
    begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    moved = tmp_path / "elsewhere" / "begun"
    moved.parent.mkdir()
    begun.rename(moved)
    isp("train", "--data", moved / "images", "--out", moved / "run", "--resume", "--epochs", "2")
    assert open_run(moved / "run").last_epoch == 2


def test_maps_that_were_renamed_may_be_given_again(begun: Path) -> None:
    (begun / "parsed").rename(begun / "renamed")
    again = ("train", "--data", "images", "--out", "run", "--resume", "--epochs", "2")
    refused = isp(*again, check=False)
    assert refused.returncode == 1
    assert "no longer there: give it again with --labels FOLDER" in refused.stderr
    isp(*again, "--labels", "renamed", "--truth", "renamed")
    assert open_run(begun / "run").last_epoch == 2


def test_other_maps_are_refused(begun: Path) -> None:
    first = sorted((begun / "parsed" / "bounding_box_train_parsing_pgt").iterdir())[0]
    Image.fromarray(np.roll(np.asarray(Image.open(first)), 20, 0)).save(first)
    result = isp("train", "--data", "images", "--out", "run", "--resume", "--epochs", "2", check=False)
    assert result.returncode == 1
    assert "begun with other label maps: those of 1 of 36 training images differ" in result.stderr


def test_a_run_begun_from_weights_in_a_file_is_resumed_without_them(
    begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(begun)
    common = ("train", "--data", "images", "--config", "tiny.yaml", "--labels", "parsed", "--parts=5", "--epochs=1")
    shutil.copytree("run", "first")
    isp(*common, "--out", "tuned", "--set", "model.weights=first")
    recorded = open_run(begun / "tuned").info.config["model"]["weights"]
    assert recorded == str(begun / "first")
    assert recorded not in NAMED_SOURCES
    shutil.rmtree("first")
    isp("train", "--data", "images", "--out", "tuned", "--resume", "--epochs", "2")
    assert open_run(begun / "tuned").last_epoch == 2


def test_weights_that_are_not_there_leave_no_run_behind(begun: Path) -> None:
    result = isp("train", "--data", "images", "--out", "new", "--config", "tiny.yaml", "--set", "model.weights=~/no.pt",
                 check=False)  # fmt: skip
    assert result.returncode == 1
    assert "no.pt does not exist" in result.stderr
    assert not (begun / "new").exists()


def test_errors_of_paths_are_errors_of_ours() -> None:
    assert issubclass(PathError, IspError)


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """Places of every kind that something may be asked to be written to."""
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    return tmp_path


@pytest.mark.parametrize("place", ["folder", "folder/new", "new", "new/deep/er"])
def test_a_folder_that_can_be_made_or_filled_is_taken(places: Path, place: str) -> None:
    assert writable_folder(places / place) == places / place
    assert not (places / "new").exists()


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("file", "exists and is not a folder"),
        ("pipe", "exists and is not a folder"),
        ("loop", "exists and is not a folder"),
        ("dangling", "exists and is not a folder"),
        ("run", "is a run"),
        ("file/new", "file is not a folder"),
        ("file/new/deep", "file is not a folder"),
        ("loop/new", "symbolic links"),
        ("n" * 300, "name too long"),
    ],
)
def test_a_folder_that_nothing_can_be_written_to_is_named_before(places: Path, place: str, reason: str) -> None:
    with pytest.raises(PathError, match=f"(?i)--out .*{reason}"):
        writable_folder(places / place)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("a.onnx.txt", "must end with .onnx"),
        ("a", "must end with .onnx"),
        ("folder.onnx", "not a file"),
        ("pipe.onnx", "not a file"),
        ("loop.onnx", "not a file"),
        ("file/a.onnx", "file is not a folder"),
        ("n" * 300 + ".onnx", "name too long"),
    ],
)
def test_a_file_that_cannot_be_written_is_named_before(places: Path, place: str, reason: str) -> None:
    for kind in ("folder", "pipe", "loop"):
        (places / kind).rename(places / f"{kind}.onnx")
    with pytest.raises(PathError, match=f"(?i)--out .*{reason}"):
        writable_file(places / place, ".onnx")


def test_a_file_may_be_new_or_replaced(places: Path) -> None:
    (places / "old.ONNX").touch()
    for name in ("old.ONNX", "new.onnx", "new/folder/a.onnx"):
        assert writable_file(places / name, ".onnx") == places / name


@pytest.mark.parametrize(
    "command",
    [
        "parse IMAGE --out FILE/x",
        "parse IMAGE --out RUN",
        "label --data DATA --out FILE/x",
        "label --data DATA --out RUN",
        "export --out FILE/x.onnx",
        "export --out x.pt",
        "match IMAGE IMAGE --out FILE/x.png",
        "search IMAGE --index FILE/x",
        "eval retrieval --out FILE/x",
        "eval parsing --truth DATA --space lip --out RUN",
    ],
)
def test_every_command_asks_where_it_writes_before_it_reads_the_run(places: Path, command: str) -> None:
    """The run cannot be read, which each command would say as soon as it opened it."""
    (places / "a.png").touch()
    named = {"FILE": "file", "RUN": "run", "DATA": "folder", "IMAGE": "a.png"}
    words = [str(places / named[word]) if word in named else word for word in command.split()]
    words = [word.replace("FILE", str(places / "file")) for word in words]
    result = isp(*words, "--run", places / "run", check=False)
    assert result.returncode == 1
    assert re.search(r"--(out|index) .*(folder|end with)", result.stderr), result.stderr


def tiny(folder: Path) -> Path:
    """A configuration that trains in seconds."""
    file = folder / "tiny.yaml"
    file.write_text(yaml.safe_dump(TINY))
    return file


def test_a_folder_of_images_whose_name_is_not_utf8_is_trained_on(people: Path, tmp_path: Path) -> None:
    data = tmp_path / os.fsdecode(b"\xd5\xc6")
    shutil.copytree(people, data)
    isp(
        "train",
        "--data",
        data,
        "--out",
        tmp_path / "run",
        "--config",
        tiny(tmp_path),
        "--labels",
        "none",
        "--epochs",
        1,
    )
    assert open_run(tmp_path / "run").info.data.name == "\\xd5\\xc6"


@pytest.mark.parametrize("command", ["show", "verify", "list"])
def test_a_run_whose_path_is_not_utf8_is_named(command: str, tmp_path: Path) -> None:
    """Libraries of weights and tables cannot open its files."""
    run = tmp_path / os.fsdecode(b"\xd5\xc6")
    shutil.copytree(Path(__file__).parents[2] / "assets" / "runs" / "baseline", run)
    said = isp("runs", command, tmp_path if command == "list" else run, check=False)
    assert said.returncode == (0 if command == "list" else 1)
    assert "the path of a run must be UTF-8; rename the folder" in said.stdout + said.stderr


def test_no_run_is_made_at_a_path_that_is_not_utf8(people: Path, tmp_path: Path) -> None:
    out = tmp_path / os.fsdecode(b"\xd5\xc6")
    said = isp("train", "--data", people, "--out", out, "--config", tiny(tmp_path), "--labels", "none", check=False)
    assert said.returncode == 1
    assert "must be UTF-8" in said.stderr
    assert not out.exists()


@pytest.mark.parametrize("below", ["x", "checkpoints/x", "labels/train/deep/x"])
def test_no_run_is_made_inside_another_one(below: str, tmp_path: Path) -> None:
    run, link = tmp_path / "run", tmp_path / "link"
    run.mkdir()
    (run / "run.json").write_text("{}")
    link.symlink_to(run)
    for place in (run / below, link / below):
        with pytest.raises(PathError, match="lies inside another run"):
            place_of_run(place)
    place = run / below
    for command in (
        ("train", "--data", tmp_path, "--out", place),
        ("look", tmp_path, "--out", place, "--no-app"),
        ("runs", "import", "--out", place, "--embeddings", tmp_path / "none.npz"),
        ("eval", "study", "K", "--data", tmp_path, "--out", place),
    ):
        refused = isp(*command, check=False)
        assert refused.returncode == 1
        assert "lies inside another run" in refused.stderr, command
    assert [each.name for each in run.iterdir()] == ["run.json"]


def test_names_that_are_not_utf8_are_printed_one_way(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/run-\xd5"))
    folder.mkdir()
    (folder / "run.json").write_text("{}")
    for done in (
        isp("runs", "list", tmp_path),
        isp("runs", "show", folder, check=False),
        isp("data", folder / "none", check=False),
    ):
        said = done.stdout + done.stderr
        assert r"run-\xd5" in said
        assert "udcd5" not in said


def test_a_tilde_is_expanded_in_text_that_may_name_a_file(home: Path) -> None:
    (home / "maps").mkdir()
    assert parse_labels("~/maps") == {"source": "maps", "folder": "~/maps"}
    (home / "mine.yaml").write_text("name: mine\nclasses: {0: background, 1: head}\n")
    assert load_space("~/mine.yaml").name == "mine"
    with pytest.raises(IspError, match=re.escape(str(home / "none.yaml"))):
        load_space("~/none.yaml")
    with pytest.raises(IspError, match="~nobody-of-this-name"):
        load("~nobody-of-this-name/people")  # type: ignore[arg-type]


def test_a_result_on_a_full_disk_is_named_and_no_half_of_it_stays(tmp_path: Path) -> None:
    def fill_the_disk(file: Path) -> None:
        file.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    target = tmp_path / "deep" / "sheet.png"
    with pytest.raises(PathError, match=r"sheet\.png could not be written \(No space .*: make room"), written(target):
        fill_the_disk(target)
    assert list(target.parent.iterdir()) == []


def test_a_file_that_may_not_be_written_stays(tmp_path: Path) -> None:
    (tmp_path / "sheet.png").write_bytes(b"mine")
    with pytest.raises(PathError, match="Permission denied"), written(tmp_path / "sheet.png"):
        raise OSError(errno.EACCES, "Permission denied")
    assert (tmp_path / "sheet.png").read_bytes() == b"mine"
