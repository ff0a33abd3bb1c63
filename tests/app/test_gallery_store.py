"""Upload next to a gallery store (`isp app --gallery`): its nearest entries, and why it cannot be searched."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("milvus_lite", reason="the extra `gallery` is not installed")

from isp_app import server
from isp_app.settings import GALLERY, read_settings
from isp_core.gallery.filling import build
from isp_core.gallery.milvus import open_store
from isp_core.runs import open_run
from tests.app.conftest import Open, words

HEADING = "Nearest entries of the gallery store"


@pytest.fixture
def store(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The gallery of the drawn run k6."""
    place = tmp_path / "people.db"
    run = open_run(drawn / "runs" / "k6")
    epoch, data = run.weight_epochs()[-1], drawn / "data"
    build(lambda network: open_store(str(place), network=network), run, epoch, "gallery", data=data, show=False)
    monkeypatch.setenv(GALLERY, str(place))
    return place


def test_the_nearest_entries_are_shown_with_their_labels(open_page: Open, store: Path) -> None:
    test = open_page("upload", run="k6")
    assert not test.exception
    assert HEADING in words(test)
    (table,) = (each.value for each in test.dataframe if "distance" in each.value)
    assert list(table.columns) == ["rank", "image", "distance", "identity", "camera", "path"]  # no times
    assert table["image"].str.startswith("data:image/jpeg").all()
    assert list(table["rank"]) == list(range(1, 13))
    assert table["distance"].is_monotonic_increasing
    with open_store(str(store)) as opened:  # the page has let go of it
        assert f"12 of {opened.count()} entries" in words(test)


def test_a_store_that_cannot_be_searched_is_said_without_its_password(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(GALLERY, "http://root:secret@127.0.0.1:9")
    said = words(open_page("upload", run="k6"))
    assert "cannot be reached" in said
    assert "secret" not in said


def test_strangers_do_not_see_the_store(open_page: Open, store: Path) -> None:
    assert HEADING not in words(open_page("upload", run="k6", address="0.0.0.0"))
    assert read_settings({GALLERY: str(store)}, "0.0.0.0").gallery_store == ""


def test_the_command_names_the_store() -> None:
    made = server.environment({}, [], [], store="people.db")
    assert read_settings(made, "127.0.0.1").gallery_store == "people.db"
    assert GALLERY not in server.environment({}, [], [])
