"""The committed data set: complete, consistent, small. Reads names and tables; opens a sample of the pictures."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2] / "assets" / "walkers"
FOLDERS = ("bounding_box_train", "query", "query_occluded", "bounding_box_test")
CLASSES = {0, 1, 2, 5, 9, 10, 12, 13, 14, 15, 16, 17, 18, 19, 20}


@pytest.fixture(scope="module")
def records() -> pd.DataFrame:
    return pd.read_parquet(ROOT / "records.parquet")


def test_every_record_has_its_picture_and_label_and_no_file_is_left_over(records: pd.DataFrame) -> None:
    for column, suffix, folders in (
        ("path", "jpg", FOLDERS),
        ("label", "png", [f"{folder}_labels" for folder in FOLDERS]),
    ):
        files = {
            path.relative_to(ROOT).as_posix() for folder in folders for path in (ROOT / folder).glob(f"*.{suffix}")
        }
        assert set(records[column]) == files
    assert records["path"].is_unique


def test_names_say_what_the_records_say(records: pd.DataFrame) -> None:
    name = re.compile(r"(\d{4})_c(\d)s(\d)_(\d{6})_01$")
    for row in records.to_dict("records"):
        match = name.match(Path(row["path"]).stem)
        assert match is not None
        assert tuple(map(int, match.groups())) == (row["identity"], row["camera"], row["session"], row["frame"])
        assert Path(row["label"]).stem == Path(row["path"]).stem


def test_splits_lie_in_their_folders(records: pd.DataFrame) -> None:
    folder = records["path"].str.split("/").str[0]
    expected = records["split"].map({"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"})
    expected = expected.where(records["subset"] != "occluded", "query_occluded")
    assert (folder == expected).all()


def test_it_is_as_large_as_promised(records: pd.DataFrame) -> None:
    train, test = records[records["split"] == "train"], records[records["split"] != "train"]
    assert train["identity"].nunique() >= 40
    assert test["identity"].nunique() >= 40
    assert not set(train["identity"]) & set(test["identity"])
    assert records["camera"].nunique() == 6
    per_person = records.groupby("identity").agg(pictures=("path", "size"), cameras=("camera", "nunique"))
    assert per_person["pictures"].min() >= 12
    assert per_person["cameras"].min() >= 4
    hidden = records[records["subset"] == "occluded"]
    assert len(hidden) >= 300
    assert (hidden["split"] == "query").all()
    assert hidden["occluded"].all()


def test_every_query_has_a_match_in_another_camera(records: pd.DataFrame) -> None:
    gallery = records[records["split"] == "gallery"].groupby("identity")["camera"].agg(set).to_dict()
    for row in records[records["split"] == "query"].to_dict("records"):
        assert gallery[row["identity"]] - {row["camera"]}


def test_about_45_per_cent_carry_something_and_a_few_change(records: pd.DataFrame) -> None:
    owners = records.drop_duplicates("identity")
    assert 0.38 < (owners["owns"] != "").mean() < 0.55
    changing = owners[owners["habit"] != "keeps"]
    assert 2 <= len(changing) <= 20
    kinds = {"backpack", "messenger bag", "shoulder bag", "handbag", "shopping bag", "suitcase"}
    assert kinds <= set(records["belonging"])
    assert set(owners["differs_in"]) == {"", "belonging", "shoes", "person"}


def test_records_hold_no_race_or_ethnicity(records: pd.DataFrame) -> None:
    for column in records.columns:
        assert not re.search("race|ethnic|ancestry|skin", column)


def test_csv_and_parquet_are_the_same_table(records: pd.DataFrame) -> None:
    numbers = {str(column): [""] for column in records.select_dtypes("number")}
    text = pd.read_csv(ROOT / "records.csv", keep_default_na=False, na_values=numbers)
    pd.testing.assert_frame_equal(text, records, check_dtype=False)


def test_pictures_and_labels_are_whole(records: pd.DataFrame) -> None:
    sample = records.iloc[:: max(1, len(records) // 120)]
    for row in sample.to_dict("records"):
        with Image.open(ROOT / row["path"]) as picture:
            assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (128, 256))
            picture.load()
        with Image.open(ROOT / row["label"]) as label:
            assert (label.format, label.mode, label.size) == ("PNG", "P", (128, 256))
            classes = set(np.unique(np.asarray(label)).tolist())
        assert classes <= CLASSES
        assert classes & (CLASSES - {0})
        if not row["belonging"]:
            assert 20 not in classes


def test_it_fits_into_fifteen_megabytes() -> None:
    assert (
        sum(path.stat().st_size for path in ROOT.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        < 15e6
    )
