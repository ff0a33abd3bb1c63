"""`isp gallery` as a user types it: a store is filled, searched and emptied, and says what it cannot do."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from PIL import Image

pytest.importorskip("milvus_lite", reason="the extra `gallery` is not installed")

from isp_core.gallery.milvus import MilvusStore
from isp_core.runs import RunWriter, open_run
from tests.isp_core.test_commands import TINY, isp


def train(people: Path, folder: Path, **labels: Any) -> Path:
    config = folder / "tiny.yaml"
    config.write_text(yaml.safe_dump(TINY | {"labels": {"parts": 4} | labels, "run": {"epochs": 1, "eval_every": 1}}))
    isp("train", "--preset", "paper", "--config", config, "--data", people, "--out", folder / "run", "--json")
    return folder / "run"


@pytest.fixture(scope="module")
def run(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(people, tmp_path_factory.mktemp("ours"))


@pytest.fixture
def store(run: Path, people: Path, tmp_path: Path) -> Path:
    """The run's gallery of 16 images, recognised by content."""
    isp("gallery", "build", run, "--store", tmp_path / "people.db", "--data", people)
    return tmp_path / "people.db"


def fails(*arguments: str | Path) -> str:
    result = isp("gallery", *arguments, check=False)
    assert result.returncode == 1
    assert result.stdout == ""
    return result.stderr


def document(*arguments: str | Path) -> Any:
    return json.loads(isp("gallery", *arguments, "--json").stdout)


def names(found: Any) -> list[list[str]]:
    return [[Path(near["path"]).name for near in each["nearest"]] for each in found["images"]]


def test_a_store_ranks_as_isp_search_does(run: Path, people: Path, store: Path, tmp_path: Path) -> None:
    asked = sorted((people / "query").glob("*.jpg"))[:3]
    theirs = json.loads(isp("search", *asked, "--run", run, "--top", "16", "--json").stdout)
    ours = document("search", *asked, "--run", run, "--store", store, "--top", "16", "--csv", tmp_path / "near.csv")
    assert names(ours) == names(theirs)
    for a, b in zip(ours["images"], theirs["images"], strict=True):
        far = [near["distance"] for near in b["nearest"]]
        assert [near["distance"] for near in a["nearest"]] == pytest.approx(far, abs=1e-6)
        assert [near["identity"] for near in a["nearest"]] == [str(near["identity"]) for near in b["nearest"]]
    assert ours["visibility"] == theirs["visibility"]
    table = pd.read_csv(tmp_path / "near.csv")
    assert list(table.columns) == ["image", "rank", "path", "identity", "camera", "time", "distance"]
    assert len(table) == 48
    for line in isp("gallery", "search", asked[0], "--run", run, "--store", store).stdout.splitlines()[1:]:
        assert "(person " in line
        assert "camera " in line


def test_people_are_called_by_the_names_that_the_run_knows(run: Path, people: Path, tmp_path: Path) -> None:
    named = Path(shutil.copytree(run, tmp_path / "named"))
    own = open_run(named).records()
    RunWriter(named).add_columns(own, own.assign(identity_name="anna-" + own["identity"].astype(str)))
    isp("gallery", "build", named, "--store", tmp_path / "names.db", "--data", people)
    asked = sorted((people / "query").glob("*.jpg"))[0]
    found = document("search", asked, "--run", named, "--store", tmp_path / "names.db", "--identity", "anna-8")
    assert {near["identity"] for near in found["images"][0]["nearest"]} == {"anna-8"}
    said = isp("search", asked, "--run", named).stdout
    assert "(person anna-" in said
    nearest = json.loads(isp("search", asked, "--run", named, "--json").stdout)["images"][0]["nearest"][0]
    assert nearest["person"] == f"anna-{nearest['identity']}"


def test_filters_choose_cameras_and_people(run: Path, people: Path, store: Path) -> None:
    asked = sorted((people / "query").glob("*.jpg"))[0]
    search = ("search", asked, "--run", run, "--store", store)
    found = document(*search, "--not-camera", "1", "--identity", "7", "--identity", "0008")
    assert found["gallery"] == 16
    assert len(found["images"][0]["nearest"]) == 4
    assert {near["camera"] for near in found["images"][0]["nearest"]} == {"2"}
    assert {near["identity"] for near in found["images"][0]["nearest"]} == {"7", "8"}
    assert "no entry that meets these conditions, of 16" in fails(*search, "--identity", 'x" or id != "')
    assert "later than until" in fails(*search, "--since", "20", "--until", "10")
    assert "give a number, or a date" in fails(*search, "--since", "yesterday")


def test_images_are_added_once_by_what_they_show(run: Path, people: Path, store: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(people / "bounding_box_test", moved)
    for place in (people / "bounding_box_test", moved):
        assert (
            "0 entries added, 16 were there already"
            in isp("gallery", "add", place, "--run", run, "--store", store).stdout
        )
    said = document("add", moved, "--run", run, "--store", store, "--identity", "somebody else")
    assert (said["added"], said["there_already"], len(said["other_labels"])) == (0, 16, 16)
    assert document("info", "--store", store)["entries"] == 16


def test_a_table_says_who_where_and_when(run: Path, people: Path, tmp_path: Path) -> None:
    store = tmp_path / "people.db"
    query = sorted((people / "query").glob("*.jpg"))
    for file in query:
        shutil.copy(file, tmp_path / file.name)
    rows = [
        (file.name, 'Mary "M" O\'Hara' if i < 4 else "Ben", "lobby", f"2026-11-30T10:0{i}")
        for i, file in enumerate(query)
    ]
    pd.DataFrame(rows, columns=["path", "identity", "camera", "time"]).to_csv(tmp_path / "labels.csv", index=False)
    assert document("add", tmp_path / "labels.csv", "--run", run, "--store", store)["added"] == 8
    search = ("search", query[0], "--run", run, "--store", store)
    found = document(
        *search, "--identity", 'Mary "M" O\'Hara', "--since", "2026-11-30T10:02", "--until", "2026-11-30T10:02"
    )
    assert names(found) == [[query[2].name]]
    assert document("remove", "--store", store, "--identity", "Ben") == {
        "store": str(store),
        "removed": 4,
        "entries": 4,
    }
    assert document("remove", "--store", store, "--image", query[0])["entries"] == 3  # another file of the same content
    assert document("remove", "--store", store, "--image", tmp_path / query[1].name)["entries"] == 2
    assert "nothing was removed" in fails("remove", "--store", store, "--image", query[0])
    assert "say which entries" in fails("remove", "--store", store)
    (tmp_path / "wrong.csv").write_text("path,identity\nnowhere.jpg,1\n")
    assert "wrong.csv, line 2: no such image 'nowhere.jpg'" in fails(
        "add", tmp_path / "wrong.csv", "--run", run, "--store", store
    )


def test_images_that_cannot_be_read_are_named_and_the_others_added(run: Path, people: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    shutil.copy(next((people / "query").glob("*.jpg")), folder / "a.jpg")
    Image.new("RGB", (20, 40), "red").save(folder / "b.png")
    (folder / "c.jpg").write_bytes(b"%!PS-Adobe no image")
    (folder / "d.png").write_bytes(b"")
    result = isp("gallery", "add", folder, "--run", run, "--store", tmp_path / "mixed.db", check=False)
    assert result.returncode == 1
    assert "2 entries added" in result.stdout
    assert "2 images could not be read" in result.stderr
    assert all(name in result.stderr for name in ("c.jpg", "d.png"))
    said = fails("add", folder / "c.jpg", "--run", run, "--store", tmp_path / "none.db")
    assert "none of 1 images can be read" in said
    assert not (tmp_path / "none.db").exists()
    assert "holds no images" in fails("add", tmp_path / "mixed.db", "--run", run, "--store", tmp_path / "none.db")


def test_another_network_is_refused_by_name(run: Path, people: Path, store: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    other = train(people, tmp_path / "theirs", parts=5)
    asked = next((people / "query").glob("*.jpg"))
    for arguments in (("search", asked, "--run"), ("add", asked, "--run"), ("build",)):
        said = fails(*arguments, other, "--store", store)
        assert "run, epoch 1 (K = 4" in said
        assert "(K = 5" in said
        assert "cannot be compared" in said
    assert document("info", "--store", store)["entries"] == 16


def test_a_build_that_was_interrupted_goes_on(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    added = MilvusStore.add
    calls: list[int] = []

    def third_is_interrupted(store: MilvusStore, images: Any, embeddings: Any) -> None:
        calls.append(len(images))
        if len(calls) == 3:
            raise KeyboardInterrupt
        added(store, images, embeddings)

    monkeypatch.setattr("isp_core.gallery.filling.BATCH", 5)
    monkeypatch.setattr(MilvusStore, "add", third_is_interrupted)
    stopped = isp("gallery", "build", run, "--store", tmp_path / "s.db", check=False)
    assert (stopped.returncode, calls) == (130, [5, 5, 5])
    assert "start again" in stopped.stderr
    again = document("build", run, "--store", tmp_path / "s.db")
    assert (again["added"], again["there_already"]) == (6, 10)
    assert document("info", "--store", tmp_path / "s.db")["entries"] == 16


def test_an_empty_gallery_is_said(run: Path, people: Path, store: Path) -> None:
    assert document("remove", "--store", store, "--camera", "1", "--camera", "2")["entries"] == 0
    asked = next((people / "query").glob("*.jpg"))
    assert "is empty: add images" in fails("search", asked, "--run", run, "--store", store)
    assert document("add", asked, "--run", run, "--store", store)["added"] == 1


def test_without_the_extra_the_one_command_that_installs_it_is_said(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isp_core.extras.find_spec", lambda name: None if name == "pymilvus" else find_spec(name))
    said = fails("info", "--store", store)
    assert said == 'isp: pymilvus is not installed: pip install "isp-reid[gallery]"\n'


def test_what_a_run_lacks_is_said(run: Path, people: Path, tmp_path: Path) -> None:
    place = tmp_path / "s.db"
    assert "--split 'test': there are query, gallery, validation" in fails(
        "build", run, "--store", place, "--split", "test"
    )
    assert "validation embeddings" in fails("build", run, "--store", place, "--split", "validation")
    assert "no weights of epoch 7" in fails("build", run, "--store", place, "--epoch", "7")
    assert "no such image" in fails("search", people / "missing.jpg", "--run", run, "--store", place)
    assert "has no image bounding_box_test/" in fails("build", run, "--store", place, "--data", tmp_path)
    assert not place.exists()
