"""Folders as other tools lay them out are read whatever lies beside them and however their names are spelled."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from isp_core.data import DataError, DataSet, load


def lay(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 16)).save(root / name)
    return root


def counts(data: DataSet) -> dict[str, int]:
    return dict(Counter(data.records["split"]))


PYTORCH = (  # what Person_reID_baseline_pytorch's prepare.py makes of Market-1501
    *(f"train_all/000{i}/000{i}_c{c}s1_00000{c}_00.jpg" for i in (2, 7) for c in (1, 2, 3)),
    *(f"train/000{i}/000{i}_c{c}s1_00000{c}_00.jpg" for i in (2, 7) for c in (2, 3)),
    *(f"val/000{i}/000{i}_c1s1_000001_00.jpg" for i in (2, 7)),
    *(f"query/000{i}/000{i}_c1s1_000001_00.jpg" for i in (1, 5)),
    *(f"gallery/000{i}/000{i}_c2s1_000002_00.jpg" for i in (1, 5)),
    "gallery/0000/0000_c1s1_000151_01.jpg",
    "gallery/-1/-1_c3s2_000401_03.jpg",
    "multi-query/0001/0001_c1s1_000009_00.jpg",
)


def test_person_reid_baseline_pytorch(tmp_path: Path) -> None:
    data = load(lay(tmp_path / "pytorch", *PYTORCH))
    assert counts(data) == {"train": 6, "query": 2, "gallery": 4}
    assert sorted(data.split("gallery")["identity"]) == [-1, 0, 1, 5]
    assert set(data.split("train")["identity"]) == {2, 7}
    assert "multi-query" in " ".join(data.notes)
    assert "train_all" in " ".join(data.notes)


def test_its_train_and_val_are_all_training_images_where_train_all_is_missing(tmp_path: Path) -> None:
    data = load(lay(tmp_path, *(name for name in PYTORCH if not name.startswith("train_all"))))
    assert counts(data) == {"train": 6, "query": 2, "gallery": 4}


TRAIN, VAL, TEST = (
    tuple(f"{split}/{who}/c{c}_{i}.jpg" for who in people for c in (1, 2) for i in (1, 2))
    for split, people in (("train", ("anna", "ben")), ("val", ("cem", "dora")), ("test", ("eva", "fritz")))
)


def test_train_val_test(tmp_path: Path) -> None:
    data = load(lay(tmp_path, *TRAIN, *VAL, *TEST))
    assert counts(data) == {"train": 16, "query": 4, "gallery": 4}
    assert "val is read for training." in data.notes


def test_val_of_other_people_is_the_test_set_where_there_is_no_other(tmp_path: Path) -> None:
    assert counts(load(lay(tmp_path, *TRAIN, *VAL))) == {"train": 8, "query": 4, "gallery": 4}


def test_val_of_the_same_people_is_for_training(tmp_path: Path) -> None:
    data = load(lay(tmp_path, *TRAIN, "val/anna/c1_9.jpg", "val/ben/c1_9.jpg"))
    assert counts(data) == {"train": 10}


@pytest.mark.parametrize("spell", [str.title, str.upper])
def test_letter_case_does_not_matter(spell, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    names = [f"{spell(name.partition('/')[0])}/{name.partition('/')[2]}" for name in (*TRAIN, *TEST)]
    assert counts(load(lay(tmp_path / "folders", *names))) == {"train": 8, "query": 4, "gallery": 4}
    market = ("Bounding_Box_Train", "QUERY", "bounding_box_TEST")
    root = lay(
        tmp_path / "market", *(f"{spell(folder)}/0001_c{c}s1_000001_00.jpg" for c, folder in enumerate(market, 1))
    )
    assert counts(load(root)) == {"train": 1, "query": 1, "gallery": 1}


@pytest.mark.parametrize(
    "beside", ["readme/notes.jpg", "train_parsing/1.png", "extra/deep/er/1.jpg", "attribute/1.jpg"]
)
def test_what_lies_beside_the_splits_is_a_note_and_no_refusal(beside: str, tmp_path: Path) -> None:
    data = load(lay(tmp_path, *TRAIN, *TEST, beside))
    assert counts(data) == {"train": 8, "query": 4, "gallery": 4}
    assert beside.partition("/")[0] in " ".join(data.notes)


def test_splits_of_flat_folders_with_market_names(tmp_path: Path) -> None:
    names = (f"{split}/000{i}_c{c}s1_000001_00.jpg" for c, (i, split) in enumerate(
        [(1, "train"), (1, "train"), (2, "query"), (2, "gallery")], 1))  # fmt: skip
    data = load(lay(tmp_path, *names))
    assert counts(data) == {"train": 2, "query": 1, "gallery": 1}
    assert sorted(data.records["camera"]) == [1, 2, 3, 4]


def test_a_folder_of_something_else_is_still_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no known layout"):
        load(lay(tmp_path, "images/1.jpg", "labels/1.png"))
