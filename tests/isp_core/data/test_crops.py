"""Any folder of person crops: who is on them, and which images may be searched for and found."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isp_core.data import DataError, DataSet
from isp_core.data.crops import read_crops
from isp_core.metrics.ranking import evaluate_ranking


def image(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 16)).save(file)


def folder(root: Path, *names: str) -> Path:
    for name in names:
        image(root / name)
    return root


def removed(data: DataSet) -> list[list[str]]:
    """The gallery images that the protocol keeps from each query."""
    query, gallery = data.split("query"), data.split("gallery")
    same = (gallery.identity.to_numpy() == query.identity.to_numpy()[:, None]) & (
        gallery.camera.to_numpy() == query.camera.to_numpy()[:, None]
    )
    return [gallery.path[row].tolist() for row in same]


def test_names_without_identities_make_each_image_another_person(tmp_path: Path) -> None:
    data = read_crops(folder(tmp_path / "crops", "a.jpg", "b.png", "deep/er/c.webp"))
    assert data.split("query").path.tolist() == ["a.jpg", "b.png", "deep/er/c.webp"]
    assert data.split("gallery").path.tolist() == data.split("query").path.tolist()
    assert data.split("query").identity.tolist() == [1, 2, 3]
    assert removed(data) == [["a.jpg"], ["b.png"], ["deep/er/c.webp"]]
    assert "each image counts as another person" in data.notes[0]


def test_identities_and_cameras_come_from_names(tmp_path: Path) -> None:
    data = read_crops(folder(tmp_path / "x", "0001_c1_1.jpg", "0001_c2_1.jpg", "0002_c1_1.jpg"))
    assert data.split("query").identity.tolist() == [1, 1, 2]
    assert data.split("query").camera.tolist() == [1, 2, 1]
    assert "2 people" in data.notes[0]
    assert "2 cameras" in data.notes[0]


def test_the_names_can_be_ignored(tmp_path: Path) -> None:
    data = read_crops(folder(tmp_path / "x", "2023_a.jpg", "2023_b.jpg"), names=False)
    assert data.split("query").identity.nunique() == 2


def test_one_name_without_an_identity_makes_the_others_chance(tmp_path: Path) -> None:
    data = read_crops(folder(tmp_path / "x", "0001_c1_1.jpg", "0001_c2_1.jpg", "holiday.jpg"))
    assert data.split("query").identity.nunique() == 3


def test_a_folder_per_person_without_cameras_leaves_out_the_image_itself_alone(tmp_path: Path) -> None:
    data = read_crops(folder(tmp_path / "x", "anna/1.jpg", "anna/2.jpg", "ben/1.jpg"))
    assert data.split("query").identity.tolist() == [1, 1, 2]
    assert removed(data) == [["anna/1.jpg"], ["anna/2.jpg"], ["ben/1.jpg"]]
    query, gallery = data.split("query"), data.split("gallery")
    far = np.abs(np.arange(3)[:, None] - np.arange(3))
    found = evaluate_ranking(far, query.identity, query.camera, gallery.identity, gallery.camera)
    assert found.matches.tolist() == [1, 1, 0]


def test_junk_and_distractors_can_be_found_but_are_not_searched_for(tmp_path: Path) -> None:
    data = read_crops(folder(tmp_path / "x", "-1_c1_1.jpg", "0000_c1_1.jpg", "0001_c1_1.jpg"))
    assert data.split("query").path.tolist() == ["0001_c1_1.jpg"]
    assert len(data.split("gallery")) == 3


def test_a_data_set_with_splits_keeps_its_query_and_gallery(tmp_path: Path) -> None:
    root = folder(
        tmp_path / "market",
        "bounding_box_train/0001_c1s1_1.jpg",
        "query/0002_c1s1_1.jpg",
        "bounding_box_test/0002_c2s1_1.jpg",
    )
    data = read_crops(root)
    assert data.split("query").path.tolist() == ["query/0002_c1s1_1.jpg"]
    assert data.split("gallery").path.tolist() == ["bounding_box_test/0002_c2s1_1.jpg"]
    assert "1 training images are left out" in " ".join(data.notes)


def test_one_split_of_a_data_set_is_a_folder_like_others(tmp_path: Path) -> None:
    root = folder(tmp_path / "market", "bounding_box_train/0001_c1s1_1.jpg", "bounding_box_train/0002_c1s1_1.jpg")
    folder(root, "query/0003_c1s1_1.jpg", "bounding_box_test/0003_c2s1_1.jpg")
    assert read_crops(root / "bounding_box_train").split("query").identity.tolist() == [1, 2]


def test_label_maps_beside_images_are_no_crops(tmp_path: Path) -> None:
    root = folder(tmp_path / "x", "img/a.jpg", "img_parsing_pgt/a.png")
    assert read_crops(root).split("query").path.tolist() == ["img/a.jpg"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda root: root / "missing", "no such folder of images"),
        (lambda root: folder(root, "a.jpg") / "a.jpg", "give the folder of images"),
        (lambda root: root, "holds no images"),
    ],
)
def test_what_is_no_folder_of_images_is_refused(tmp_path: Path, make, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match=says):
        read_crops(make(tmp_path))


def test_a_run_is_no_folder_of_images(tmp_path: Path) -> None:
    folder(tmp_path, "a.jpg")
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(DataError, match="this is a run"):
        read_crops(tmp_path)
