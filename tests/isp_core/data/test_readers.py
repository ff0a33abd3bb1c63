"""One test that every reader must pass, on every spelling; then what each layout says in a way of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isp_core.data import DataError, load
from isp_core.data.readers import READERS
from isp_core.data.readers.published import KNOWN, recognise
from isp_core.data.records import COLUMNS, SPLITS, make_records
from isp_core.errors import IspError
from tests.isp_core.data.examples import EXAMPLES, Example, save_all, save_picture


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.spelling)
def test_every_reader_gives_one_table_in_one_form(example: Example, tmp_path: Path) -> None:
    data = load(example.make(tmp_path))
    records = data.records

    assert (data.name, data.layout) == (example.name, example.layout)
    assert tuple(records.columns)[: len(COLUMNS)] == COLUMNS  # then what else the table says of each image
    assert records["identity"].dtype == records["camera"].dtype == np.int64
    assert list(records.index) == list(range(len(records)))
    assert list(zip(records["split"], records["path"], strict=True)) == sorted(
        zip(records["split"], records["path"], strict=True)
    )
    assert all(path.is_file() for path in data.paths(records)), "every picture is where the table says"
    assert not any("\\" in path or Path(path).is_absolute() for path in records["path"])
    assert (records.loc[records["split"] == "train", "identity"] > 0).all(), "training holds people only"
    assert ((records["camera"] > 0) | (records["camera"] == -1)).all()

    assert {split: len(data.split(split)) for split in SPLITS} == example.pictures
    people = {split: data.split(split).query("identity > 0")["identity"].nunique() for split in SPLITS}
    assert people == example.people
    assert data.split("train")["identity"].isin(data.split("gallery")["identity"]).sum() == 0
    assert records.loc[records["camera"] > 0, "camera"].nunique() == example.cameras
    assert data.has_cameras == (example.cameras > 0)
    assert (data.split("query")["subset"] == "occluded").sum() == example.occluded
    assert any("labels from position words" in note for note in data.notes) == (not data.has_cameras)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.spelling)
def test_a_copy_elsewhere_has_the_same_fingerprint(example: Example, tmp_path: Path) -> None:
    first = load(example.make(tmp_path / "one"))
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    given = example.make(tmp_path / "three").relative_to(tmp_path / "three")
    assert load(tmp_path / "two" / given).fingerprint == first.fingerprint


def test_every_layout_has_an_example() -> None:
    assert {reader.layout for reader in READERS} - {"CSV"} == {example.layout for example in EXAMPLES}


def test_a_single_csv_in_a_folder_is_found(tmp_path: Path) -> None:
    save_all(tmp_path, "x.png", "y.png")
    (tmp_path / "people.csv").write_text("path;identity;camera\nx.png;anna;north\n\ny.png;ben;south\n")
    data = load(tmp_path)
    assert data.layout == "CSV"
    assert data.records[["path", "identity", "camera"]].values.tolist() == [["x.png", 1, 1], ["y.png", 2, 2]]
    assert any("north = 1, south = 2" in note for note in data.notes)


def test_market_keeps_junk_and_distractors_as_such(tmp_path: Path) -> None:
    gallery = load(EXAMPLES[0].make(tmp_path)).split("gallery")
    assert dict(zip(gallery["path"], gallery["identity"], strict=True)) == {
        "bounding_box_test/-1_c6s3_090167_06.jpg": -1,
        "bounding_box_test/0000_c1s1_000151_01.jpg": 0,
        "bounding_box_test/0001_c2s1_001976_01.jpg": 1,
    }


def test_real_market_names_are_read_right(shared_data: Path) -> None:
    records = load(shared_data / "market_names").records.set_index("path")
    assert records.loc["0146_c6s1_031701_02.jpg", ["identity", "camera"]].tolist() == [146, 6]
    assert records.loc["1175_c2s3_083427_07.jpg", ["identity", "camera"]].tolist() == [1175, 2]


def test_names_without_an_identity_are_left_out_and_named(tmp_path: Path) -> None:
    root = EXAMPLES[0].make(tmp_path)
    save_all(root, "query/portrait.jpg")
    data = load(root)
    assert len(data.split("query")) == 1
    assert any("query/portrait.jpg" in note for note in data.notes)


def test_msmt_counts_test_people_after_training_people(tmp_path: Path) -> None:
    example = next(example for example in EXAMPLES if example.spelling == "MSMT17_V1")
    records = load(example.make(tmp_path)).records
    by_split = {split: sorted(set(rows["identity"])) for split, rows in records.groupby("split")}
    assert by_split == {"train": [1, 2], "query": [3], "gallery": [3, 4]}
    assert set(records.loc[records["split"] == "train", "camera"]) == {1, 5, 14}


def test_two_data_sets_below_must_be_chosen_between(tmp_path: Path) -> None:
    for example in EXAMPLES:
        if example.spelling in ("cuhk labeled jpg", "cuhk detected png"):
            example.make(tmp_path)
    with pytest.raises(DataError, match=r"cuhk03-np: 2 data sets .* choose one of .*detected, .*labeled"):
        load(tmp_path / "cuhk03-np")


@pytest.mark.parametrize(
    ("made", "given", "message"),
    [
        ([], "nowhere", "no such folder"),
        ([], ".", r"no known layout \(it holds nothing\)"),
        (["images/1.png", "masks/1.png"], ".", r"no known layout \(it holds images/, masks/\).* CSV"),
        (["portrait.png"], ".", "no known layout"),
        (["portrait.png"], "portrait.png", "a file, not a folder"),
        (["bounding_box_train/portrait.jpg"], ".", "no image's name begins with an identity"),
        (["query/0001_c1_1.jpg", "bounding_box_test/0001_c2_1.jpg"], "query", "one split of a data set"),
    ],
)
def test_wrong_folders_say_what_to_do(made: list[str], given: str, message: str, tmp_path: Path) -> None:
    save_all(tmp_path, *made)
    with pytest.raises(DataError, match=message) as caught:
        load(tmp_path / given)
    assert str(caught.value).startswith(str(tmp_path / given))


def test_pictures_beside_label_maps_are_pointed_at(tmp_path: Path) -> None:
    for folder in ("images", "labels"):
        save_picture(tmp_path / "set" / folder / "0001_c1s1_000000_00.png")
    with pytest.raises(DataError, match=r"names lie in \S*set/images: give that folder itself"):
        load(tmp_path / "set")
    assert len(load(tmp_path / "set" / "images").records) == 1


def test_a_run_is_not_a_data_set(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(DataError, match="this is a run"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("who,age\nx.png,1\n", r"no column path or identity \(it has who, age\)"),
        ("path,identity\n", "no rows"),
        ("path,identity\nx.png,1\n\n,2\n", "line 4: the path is empty"),
        ("path,identity\nx.png,\n", "line 2: the identity is empty"),
        ("path,identity\nx.png,-7\n", "line 2: identity -7"),
        (
            "path,identity,split\nx.png,1,training\n",
            "line 2: split 'training'; allowed are train, query, gallery and test",
        ),
        ("path,identity\nx.png,1\n./x.png,1\n", r"line 3: x.png is listed in train already \(line 2\)"),
    ],
)
def test_a_wrong_table_names_line_and_value(text: str, message: str, tmp_path: Path) -> None:
    table = tmp_path / "people.csv"
    table.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        load(table)
    assert str(caught.value).startswith(str(table))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("people.csv", "path,identity\nx.png,Jürgen\n".encode("latin-1") * 999, "not UTF-8"),
        ("people.parquet", b"not parquet", "not readable as a table"),
    ],
)
def test_a_file_that_is_no_table_is_named(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name))


def test_a_table_may_name_pictures_anywhere(tmp_path: Path) -> None:
    save_all(tmp_path / "disk", "a/x.png", "b/y.png")
    (tmp_path / "lists").mkdir()
    table = tmp_path / "lists" / "people.csv"
    table.write_text(f"path,identity\n{tmp_path}/disk/a/x.png,1\n../disk/b/y.png,1\n")
    data = load(table)
    assert data.root == tmp_path / "disk"
    assert data.records["path"].tolist() == ["a/x.png", "b/y.png"]


def test_people_counted_from_zero_are_moved_up_by_one(tmp_path: Path) -> None:
    save_all(tmp_path, "0000/a.png", "0001/a.png")
    data = load(tmp_path)
    assert data.records["identity"].tolist() == [1, 2]
    assert any("numbered from 0" in note for note in data.notes)


def test_without_splits_every_fourth_person_is_for_testing_and_can_be_found(tmp_path: Path) -> None:
    rows = ["path,identity,camera"]
    rows += [
        f"{person}_{camera}_{n}.png,{person},{camera}" for person in range(1, 9) for camera in (1, 2) for n in (1, 2)
    ]
    rows += ["9_1_1.png,12,1", "0.png,0,1", "junk.png,-1,2"]
    (tmp_path / "people.csv").write_text("\n".join(rows))
    data = load(tmp_path / "people.csv")
    assert sorted(set(data.split("query")["identity"])) == [4, 8]
    assert data.split("query")["path"].tolist() == ["4_1_1.png", "4_2_1.png", "8_1_1.png", "8_2_1.png"]
    assert sorted(set(data.split("gallery")["identity"])) == [-1, 0, 4, 8]
    assert any("every 4th identity" in note for note in data.notes)


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)
def test_published_counts_are_recognised_whatever_the_folder_is_called(known, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    splits: list[str] = []
    people: list[int] = []
    first = 1
    for split in SPLITS:
        counts = getattr(known, split)
        first = first if split == "gallery" else first + 5000
        splits += [split] * counts.pictures
        people += [first + i % max(counts.identities, 1) for i in range(counts.pictures)]
    names = [f"{i}.jpg" for i in range(len(splits))]
    table, _ = make_records(names, people, [1] * len(names), splits)
    assert recognise(tmp_path / "x", table) == known
    assert known.differences(table) == ()
    fewer = table.drop(index=table.index[0]).reset_index(drop=True)
    assert len(known.differences(fewer)) == 1
    assert recognise(tmp_path / "x", fewer) is None


def test_market_without_its_junk_counts_as_whole() -> None:
    market = KNOWN[0]
    gallery = [1 + i % 750 for i in range(19732 - 3819)]
    identities = [1 + i % 751 for i in range(12936)] + [1 + i % 750 for i in range(3368)] + gallery
    splits = ["train"] * 12936 + ["query"] * 3368 + ["gallery"] * len(gallery)
    table, _ = make_records([str(i) for i in range(len(splits))], identities, [1] * len(splits), splits)
    assert market.differences(table) == ()


def test_the_first_identities_can_be_taken(tmp_path: Path) -> None:
    data = load(EXAMPLES[0].make(tmp_path))
    one = data.take_identities(1)
    assert set(one.split("train")["identity"]) == {2}
    pd.testing.assert_frame_equal(one.split("gallery"), data.split("gallery"))
    assert one.fingerprint != data.fingerprint
    assert data.take_identities(2).fingerprint == data.fingerprint
    with pytest.raises(DataError, match="cannot take 3 training identities of 2"):
        data.take_identities(3)


def test_the_fingerprint_sees_a_changed_file_and_a_missing_one(tmp_path: Path) -> None:
    root = EXAMPLES[0].make(tmp_path)
    before, listed = load(root).fingerprint, load(root)
    changed = root / "query" / "0001_c1s1_001051_00.jpg"
    changed.write_bytes(changed.read_bytes() + b" ")
    after = load(root).fingerprint
    changed.unlink()
    assert len({before, after, listed.fingerprint}) == 3


@pytest.mark.parametrize(
    ("folder", "name", "counts"),
    [
        ("cuhk03-np", "CUHK03-NP labelled", (1935, 200, 777)),
        ("Occluded_CUHK03", "Occluded_CUHK03", (0, 117, 1066)),
    ],
)
def test_the_real_data(folder: str, name: str, counts: tuple[int, int, int], shared_data: Path) -> None:
    data = load(shared_data / folder)
    assert data.name == name
    assert tuple(len(data.split(split)) for split in SPLITS) == counts
    assert data.has_cameras


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"\xff\xfe\xb0a 0\n\n", "list_train.txt"),
        (b"/0000/0000_000_01_a.jpg 0\n", "list_train.txt, line 1.*not a path inside"),
        (b"0/a.jpg 0\n../../0000_000_01_a.jpg 1\n", "list_train.txt, line 2.*not a path inside"),
        (b"0000/0000\0.jpg 0\n", "list_train.txt, line 1"),
        (b"0000/a.jpg " + b"9" * 5000 + b"\n", "list_train.txt, line 1"),
    ],
    ids=["encoding", "absolute", "upwards", "no name", "digits"],
)
def test_lists_of_msmt17_that_lead_elsewhere_or_are_no_text_name_the_line(
    line: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    (tmp_path / "list_train.txt").write_bytes(line)
    with pytest.raises(IspError, match=message):
        load(tmp_path)
