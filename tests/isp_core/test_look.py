"""`isp look`: a run of any folder of crops by a trained network; interrupted, changed, broken and refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import isp_assets
from isp_core import look as looking
from isp_core.__main__ import main
from isp_core.data.crops import read_crops
from isp_core.errors import IspError
from isp_core.look import look
from isp_core.parser import HumanParser
from isp_core.runs import Run, open_run
from isp_core.runs.maintenance import verify

ASSETS = Path(isp_assets.__file__).resolve().parent
WALKERS = ASSETS / "walkers"


@pytest.fixture(scope="module")
def source() -> Run:
    return open_run(ASSETS / "runs" / "contrast-k6")


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    """Twelve images of four people, named as in Market-1501."""
    folder = tmp_path / "crops"
    folder.mkdir()
    chosen: dict[str, list[Path]] = {}
    for file in sorted((WALKERS / "query").glob("*.jpg")):
        chosen.setdefault(file.name[:4], []).append(file)
    for person in sorted(chosen)[:4]:
        for file in chosen[person][:3]:
            shutil.copy(file, folder)
    return folder


def test_maps_and_embeddings_are_those_of_the_network(source: Run, crops: Path, tmp_path: Path) -> None:
    found = look(source, read_crops(crops), tmp_path / "out", show=False)
    run = open_run(found.path)
    assert found.images == 12
    assert not verify(run)
    records = run.records("query")
    seen = HumanParser.load(source).read([crops / path for path in records.path])
    epoch = run.last_epoch
    assert epoch == source.last_epoch
    assert (run.labels("test", epoch)[: len(records)] == seen.labels).all()
    embeddings = run.embeddings("query", epoch)
    np.testing.assert_array_equal(embeddings.global_, seen.embeddings.global_)
    np.testing.assert_array_equal(embeddings.visibility, seen.embeddings.visibility)
    assert run.metrics().loc[epoch, "mAP"] > 0  # the names tell who is who
    assert run.info.parent == "contrast-k6"


def test_the_run_can_be_asked_like_any_other(source: Run, crops: Path, tmp_path: Path) -> None:
    look(source, read_crops(crops), tmp_path / "out", show=False)
    image = next(crops.glob("*.jpg"))
    both = [HumanParser.load(run).embed(image).global_ for run in (source, open_run(tmp_path / "out"))]
    np.testing.assert_array_equal(*both)


def test_images_without_identities_have_rankings_and_no_scores(source: Run, crops: Path, tmp_path: Path) -> None:
    look(source, read_crops(crops, names=False), tmp_path / "out", show=False)
    run = open_run(tmp_path / "out")
    assert "mAP" not in run.metrics()
    assert len(run.embeddings("query", run.last_epoch)) == 12


def test_stopped_and_started_again_it_reads_the_rest(
    source: Run, crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "BATCH", 4)
    whole = look(source, read_crops(crops), tmp_path / "whole", show=False)
    real, calls = looking._read_batch, 0

    def stopped(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(looking, "_read_batch", stopped)
    with pytest.raises(KeyboardInterrupt):
        look(source, read_crops(crops), tmp_path / "out", show=False)
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(looking, "_read_batch", real)
    found = look(source, read_crops(crops), tmp_path / "out", show=False)
    assert found.resumed == 8
    epoch = source.last_epoch
    both = [open_run(path).labels("test", epoch) for path in (whole.path, found.path)]
    np.testing.assert_array_equal(*both)
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


def test_a_second_look_keeps_what_is_there_until_an_image_changes(source: Run, crops: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    look(source, read_crops(crops), out, show=False)
    created = open_run(out).info.created
    assert look(source, read_crops(crops), out, show=False).kept
    assert open_run(out).info.created == created
    next(crops.glob("*.jpg")).unlink()
    assert not look(source, read_crops(crops), out, show=False).kept
    assert len(open_run(out).records("gallery")) == 11


def test_images_that_cannot_be_read_are_left_out_and_named(source: Run, crops: Path, tmp_path: Path) -> None:
    (crops / "0099_c1_x.jpg").write_text("no image")
    found = look(source, read_crops(crops), tmp_path / "out", show=False)
    assert found.images == 12
    assert "0099_c1_x.jpg" in found.broken[0]
    again = look(source, read_crops(crops), tmp_path / "out", show=False)
    assert again.kept
    assert again.broken == found.broken


def test_nothing_but_an_earlier_look_is_replaced(source: Run, crops: Path, tmp_path: Path) -> None:
    data = read_crops(crops)
    file = tmp_path / "file"
    file.write_text("mine")
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.txt").write_text("mine")
    trained = tmp_path / "trained"
    shutil.copytree(source.path, trained)
    for out, says in ((file, "is a file"), (full, "not a look"), (trained, "not made by `isp look`")):
        with pytest.raises(IspError, match=says):
            look(source, data, out, show=False)
    assert (full / "thesis.txt").read_text() == "mine"


def test_the_result_does_not_lie_among_the_images(
    source: Run, crops: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(IspError, match="lies in the folder of images"):
        look(source, read_crops(crops), crops / "runs" / "out", show=False)
    monkeypatch.chdir(crops)
    with pytest.raises(SystemExit) as ended:
        main(["look", ".", "--json"])
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["run"] == str(crops.parent / "look-crops")
    assert {entry.suffix for entry in crops.iterdir()} == {".jpg"}


def test_images_that_are_no_crops_are_mentioned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "scenes"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (64, 32)).save(folder / f"scene {number}.png")
    with pytest.raises(SystemExit) as ended:
        main(["look", str(folder), "--no-app", "--out", str(tmp_path / "out")])
    assert ended.value.code == 0
    assert "3 are wide: crop images to one upright person first" in capsys.readouterr().out


def test_a_folder_of_broken_images_makes_no_run(source: Run, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "a.jpg").write_text("no image")
    with pytest.raises(IspError, match="none of 1 images can be read"):
        look(source, read_crops(folder), tmp_path / "out", show=False)
    assert not (tmp_path / "out").exists()


def test_the_command_scores_maps_where_ground_truth_is_given(
    crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maps = tmp_path / "maps" / "crops_parsing_pgt"  # where `isp truth crops --out maps` puts them
    maps.mkdir(parents=True)
    for file in crops.glob("*.jpg"):
        shutil.copy(WALKERS / "query_labels" / f"{file.stem}.png", maps)
    out = tmp_path / "out"
    arguments = ["look", str(crops), "--out", str(out), "--truth", str(maps.parent), "--space", "walkers", "--json"]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["images"] == 12
    run = open_run(out)
    assert run.read_evaluation("constant")["test_pictures"] == 12
    assert run.read_evaluation("constant")["test"]["foreground"] > 0.3
    assert any(name.startswith("parsing-") for name in run.evaluation_names())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--space", "nonsense", "--truth", "."], "--space nonsense"),
        (["--truth", "missing-maps"], "missing-maps: no such folder"),
        (["--run", "missing-run"], "missing-run does not exist"),
        (["--epoch", "5"], "no weights of epoch 5"),
    ],
)
def test_wrong_options_are_said_at_once(
    crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["look", str(crops), "--no-app", "--out", str(tmp_path / "out"), *arguments])
    assert ended.value.code == 1
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_look_has_no_training_to_resume(
    source: Run, crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    look(source, read_crops(crops), out, show=False)
    with pytest.raises(SystemExit) as ended:
        main(["train", "--data", str(WALKERS), "--out", str(out), "--resume"])
    assert ended.value.code == 1
    assert "made by `isp look`" in capsys.readouterr().err
