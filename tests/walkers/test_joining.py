"""One set's training people with another's test people."""

from pathlib import Path

import pandas as pd
import pytest

from isp_assets.walkers.generate.joining import JoinError, join_sets
from isp_assets.walkers.generate.records import save_table
from isp_core.data import load

ROOT = Path(__file__).resolve().parents[2] / "assets" / "walkers"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A set of two training people who look alike, and no test people; files hold their names."""
    folder = tmp_path / "small"
    rows: list[dict[str, object]] = []
    for person in (1, 2):
        name = f"{person:04d}_c1s1_000100_01"
        row = {"path": f"bounding_box_train/{name}.jpg", "label": f"bounding_box_train_labels/{name}.png"}
        for path in row.values():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(path)
        rows.append({**row, "identity": person, "camera": 1, "split": "train", "subset": "", "look_alike": 3 - person})
    save_table(pd.DataFrame(rows), folder)
    return folder


def test_training_people_are_renumbered_behind_the_test_people(small: Path, tmp_path: Path) -> None:
    table = join_sets(small, ROOT, tmp_path / "joined")
    train = table[table["split"] == "train"]
    assert train["identity"].tolist() == [89, 90]
    assert train["look_alike"].tolist() == [90, 89]
    assert train["path"].tolist() == [f"bounding_box_train/00{n}_c1s1_000100_01.jpg" for n in (89, 90)]
    assert [(tmp_path / "joined" / path).read_text() for path in train["path"]] == [
        f"bounding_box_train/000{n}_c1s1_000100_01.jpg" for n in (1, 2)
    ]
    joined, embedded = load(tmp_path / "joined"), load(ROOT)
    for split in ("query", "gallery"):
        assert joined.split(split)["path"].tolist() == embedded.split(split)["path"].tolist()


def test_a_set_without_the_split_asked_for_or_a_full_folder_is_refused(small: Path, tmp_path: Path) -> None:
    with pytest.raises(JoinError, match="small holds no test images"):
        join_sets(ROOT, small, tmp_path / "out")
    with pytest.raises(JoinError, match="not an empty folder"):
        join_sets(small, ROOT, small)
