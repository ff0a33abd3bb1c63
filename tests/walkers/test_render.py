"""From packed meshes to files: the same bytes however often, with however many processes, whatever interrupts."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("numba")
from isp_assets.walkers.generate.dataset import Cast, Recipe, framed, people_of, photograph, plan
from isp_assets.walkers.generate.library import Library
from isp_assets.walkers.generate.records import read_table
from isp_assets.walkers.generate.rendering import RenderError, render
from isp_assets.walkers.generate.shots import Quota
from isp_assets.walkers.generate.streets import PLACES
from isp_core.__main__ import main

ROOT = Path(__file__).resolve().parents[2] / "assets" / "walkers"
TINY = Recipe(seed=3, train=1, test=2, quota=Quota(train=1, gallery=1, occluded=1), extras=1)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_the_embedded_images_are_rendered_again_byte_for_byte() -> None:
    recipe = Recipe()
    train, test, extras = people_of(recipe)
    cast = Cast(Library(), [*train, *test], extras)
    street = framed(PLACES[0], 1, recipe.seed, cast.extras)
    shots = [shot for shot in plan(recipe) if (shot.camera, shot.session) == (1, 1)]
    records = read_table(ROOT).set_index("path")
    for shot in shots[:: len(shots) // 6]:
        taken = photograph(shot, street, cast)
        assert taken.jpeg == (ROOT / taken.record.path).read_bytes(), taken.record.path
        assert taken.label == (ROOT / taken.record.label).read_bytes(), taken.record.label
        assert records.loc[taken.record.path, "visible"] == taken.record.visible


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered") / "whole"
    render(TINY, folder)
    return folder


@pytest.mark.slow
def test_an_interrupted_rendering_continues_with_more_processes_to_the_same_bytes(
    rendered: Path, tmp_path: Path
) -> None:
    def interrupt(done: int, of: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(TINY, tmp_path, watch=interrupt)
    assert len(list((tmp_path / ".rendering" / "people").glob("*.json"))) == 1
    continued = render(TINY, tmp_path, jobs=2)
    assert 0 < continued.rendered < len(continued.table)
    assert files(tmp_path) == files(rendered)


@pytest.mark.slow
def test_label_maps_fit_the_people_and_the_card_counts_them(rendered: Path) -> None:
    table = read_table(rendered)
    assert table["split"].tolist() == table["path"].map(_split_of).tolist()
    for row in table[table["occlusion"] == ""].to_dict("records"):
        label = np.asarray(Image.open(rendered / row["label"]))
        rows, _ = np.nonzero(label)
        heads, shoes = np.nonzero(np.isin(label, (1, 2, 13)))[0], np.nonzero(np.isin(label, (18, 19)))[0]
        assert 0.1 < (label > 0).mean() < 0.6
        assert heads.mean() < rows.mean() < shoes.mean()  # heads up, shoes down
    card = (rendered / "README.md").read_text()
    assert f"{len(table)} images" in card
    assert "isp walkers OUT --train 1 --test 2 --seed 3" in card


def _split_of(path: str) -> str:
    return {"bounding_box_train": "train", "bounding_box_test": "gallery"}.get(path.split("/")[0], "query")


@pytest.mark.slow
def test_a_finished_set_is_left_alone_and_never_replaced_by_another(rendered: Path) -> None:
    before = files(rendered)
    assert render(TINY, rendered).rendered == 0
    with pytest.raises(RenderError, match=r"finished with seed 3; choose another folder"):
        render(Recipe(seed=4, train=1, test=2, quota=TINY.quota, extras=1), rendered)
    assert files(rendered) == before


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(RenderError, match="is not an empty folder"):
        render(TINY, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_disk_that_is_too_small_is_named_before_anything_is_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10**6})())
    with pytest.raises(SystemExit) as exit_:
        main(["walkers", str(tmp_path / "out"), "--train", "1000000"])
    assert exit_.value.code == 1
    assert "needs about 120,008 MB and the disk has 1 MB free" in capsys.readouterr().err
