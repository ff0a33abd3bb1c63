"""The app on a look at one's own images, and uploads read by an exported network."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import isp_assets
from isp_app.look import score_maps
from isp_app.views import train_form
from isp_core.data.crops import read_crops
from isp_core.look import look
from isp_core.runs import open_run
from tests.app.conftest import PAGES, Open, words

WALKERS = Path(isp_assets.__file__).resolve().parent / "walkers"
NOT_OF_TRAINING = [page for page in PAGES if page not in ("train", "help")]


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `crops`, label maps elsewhere, and `runs`: a look that knows who is who, and one that does not."""
    root = tmp_path_factory.mktemp("looked")
    (root / "crops").mkdir()
    (root / "maps" / "crops_parsing_pgt").mkdir(parents=True)
    for file in sorted((WALKERS / "query").glob("*.jpg"))[:24]:
        shutil.copy(file, root / "crops")
        shutil.copy(WALKERS / "query_labels" / f"{file.stem}.png", root / "maps" / "crops_parsing_pgt")
    source = open_run(WALKERS.parent / "runs" / "contrast-k6")
    known, unknown = (read_crops(root / "crops", names=names) for names in (True, False))
    look(source, known, root / "runs" / "known", show=False)
    look(source, unknown, root / "runs" / "unknown", show=False)
    score_maps(open_run(root / "runs" / "known"), root / "maps", "walkers", known)
    return root


def opened(open_page: Open, looked: Path, page: str, **query: str) -> AppTest:
    return open_page(page, runs=looked / "runs", data=looked / "crops", **query)


@pytest.mark.parametrize("run", ["known", "unknown"])
@pytest.mark.parametrize("page", NOT_OF_TRAINING)
def test_every_page_shows_a_look_or_says_why_it_cannot(open_page: Open, looked: Path, page: str, run: str) -> None:
    test = opened(open_page, looked, page, run=run, split="query")
    assert not test.exception
    assert "could not be shown" not in words(test)
    assert "is not as expected" not in words(test)


def test_iou_appears_with_ground_truth_that_lies_elsewhere(
    open_page: Open, looked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = opened(open_page, looked, "iou", run="known", split="query")
    assert "No truth was found" in words(test) or "No ground truth" in words(test)
    monkeypatch.setenv("ISP_TRUTH", str(looked / "maps"))
    test = opened(open_page, looked, "iou", run="known", split="query")
    assert not test.exception
    assert "these images' own maps, which favours it" in words(test)
    table = test.dataframe[0].value
    assert {"known", "constant mask"} <= set(table["maps"])
    assert (table.loc[table["maps"] == "constant mask", "foreground"] > 30).all()


def test_evolution_of_training_images_says_that_there_are_none(open_page: Open, looked: Path) -> None:
    said = words(opened(open_page, looked, "evolution", run="known", split="train"))
    assert "nothing was trained on its images" in said


def test_a_look_opens_on_its_images_and_not_on_the_empty_training_split(open_page: Open, looked: Path) -> None:
    test = opened(open_page, looked, "identity", run="known")
    assert test.selectbox(key="split").value == "query"


def test_look_alikes_are_not_called_wrong_where_nobody_says_who_is_who(open_page: Open, looked: Path) -> None:
    said = words(opened(open_page, looked, "ranking", run="unknown", split="query"))
    assert "look-alikes, nearest first; 23 ranked" in said
    assert "show the same person" not in said
    assert "two people" not in said
    assert "queries, in the order of the records" in said
    assert "show the same person" in words(opened(open_page, looked, "ranking", run="known", split="query"))


def test_a_look_is_no_training_in_cards_and_tables_of_the_paper(open_page: Open, looked: Path) -> None:
    said = words(opened(open_page, looked, "overview"))
    assert "Own images, parsed without training" in said
    assert "parsed by contrast" in said.replace("\\", "")
    assert "labels: position" not in said.replace("\\", "")
    assert "no run here belongs in it" in said


def test_runs_are_not_offered_as_data_sets_to_train_on(looked: Path) -> None:
    runs = WALKERS.parent
    assert list(train_form._data_sets((runs,)).values()) == [WALKERS]
    assert looked / "runs" not in train_form._data_sets((looked,)).values()


def test_others_on_the_network_do_not_see_the_ground_truth(
    open_page: Open, looked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISP_TRUTH", str(looked / "maps"))
    test = open_page("iou", runs=looked / "runs", data=looked / "crops", address="0.0.0.0", run="known", split="query")
    assert not test.dataframe
