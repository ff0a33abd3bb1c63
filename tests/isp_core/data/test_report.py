"""What `isp data` says of a data set."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from isp_core.data import describe, load
from tests.isp_core.data.examples import EXAMPLES, save_all, save_picture


def odd(report) -> dict[str, int]:  # type: ignore[no-untyped-def]
    """Oddities by the words before any explanation."""
    return {oddity.what.split(":")[0].split(" (")[0]: oddity.count for oddity in report.oddities}


def test_a_market_copy_is_counted_split_by_split(tmp_path: Path) -> None:
    report = describe(load(EXAMPLES[0].make(tmp_path)))
    train, query, gallery = report.splits
    assert (train.pictures, train.identities, train.cameras) == (3, 2, (1, 2, 3))
    assert (query.pictures, query.identities) == (1, 1)
    assert (gallery.pictures, gallery.identities, gallery.distractors, gallery.junk) == (3, 1, 1, 1)
    assert report.published == "Market-1501"
    assert report.differences[0] == "train: 3 images of 2 people, published 12936 of 751"
    text = report.to_text()
    assert "Not the published counts of Market-1501: a part of it, or a variant." in text
    assert "All images are there (headers read, not decoded)." in text


def test_json_says_the_same_as_the_report(tmp_path: Path) -> None:
    report = describe(load(EXAMPLES[0].make(tmp_path)))
    document = json.loads(json.dumps(report.to_json()))
    assert document["splits"][0]["pictures"] == 3
    assert document["splits"][0]["cameras"] == [1, 2, 3]
    assert document["published"] == {
        "name": "Market-1501",
        "matches": False,
        "differences": list(report.differences),
    }
    assert document["fingerprint"] == report.fingerprint
    assert document["sizes"]["median"] == [16, 8]
    assert document["broken"] == []


def test_broken_and_missing_pictures_are_named_all_at_once(tmp_path: Path) -> None:
    root = EXAMPLES[0].make(tmp_path)
    data = load(root)
    (root / "query/0001_c1s1_001051_00.jpg").unlink()
    cut = root / "bounding_box_train/0002_c1s1_000451_03.jpg"
    Image.effect_noise((64, 128), 90).save(cut, quality=95)
    cut.write_bytes(cut.read_bytes()[:2000])
    assert [broken.path.name for broken in describe(data).broken] == ["0001_c1s1_001051_00.jpg"]
    report = describe(data, check_pictures=True)
    assert [broken.path.name for broken in report.broken] == ["0001_c1s1_001051_00.jpg", "0002_c1s1_000451_03.jpg"]
    assert "Broken or missing: 2 images" in report.to_text()


def test_what_is_odd_about_the_people(tmp_path: Path) -> None:
    root = save_all(
        tmp_path,
        "bounding_box_train/0001_c1_1.png",
        "bounding_box_train/0002_c1_1.png",
        "bounding_box_train/0002_c1_2.png",
        "bounding_box_train/0003_c1_1.png",
        "bounding_box_train/0003_c2_2.png",
        "query/0003_c1_9.png",
        "query/0004_c1_1.png",
        "query/0000_c1_1.png",
        "bounding_box_test/0003_c2_8.png",
        "bounding_box_test/0004_c1_2.png",
        "bounding_box_test/0001_c1_1.png",
    )
    report = describe(load(root))
    assert odd(report) == {
        "training identities with one image": 1,
        "training identities seen by one camera only": 2,
        "test identities that are also trained on": 2,
        "queries that are junk or distractors": 1,
        "queries without a true match in the gallery": 1,  # 0004 is in the gallery, but in the query's own camera
        "file names that occur in several folders": 1,
        "images smaller than 64 x 32 pixels": 11,
    }
    matchless = next(oddity for oddity in report.oddities if oddity.what.startswith("queries without"))
    assert matchless.examples == ("query/0004_c1_1.png",)


def test_what_is_odd_about_the_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "bounding_box_train"
    save_picture(folder / "0001_c1_1.jpg", mode="CMYK")
    save_picture(folder / "0001_c2_1.jpg", mode="L")
    save_picture(folder / "0001_c2_2.jpg", size=(128, 64))
    save_picture(folder / "0001_c2_3.jpg", size=(40, 300))
    report = describe(load(tmp_path))
    found = odd(report)
    assert found["images of unusual shape"] == 2
    assert found["images of colour mode CMYK, read as RGB"] == 1
    assert found["images of colour mode L, read as RGB"] == 1
    assert found["no queries or no gallery"] == 0


def test_without_cameras_a_match_is_another_picture(tmp_path: Path) -> None:
    occluded = next(example for example in EXAMPLES if example.spelling == "Occluded_REID")
    report = describe(load(occluded.make(tmp_path)))
    assert "queries without a true match in the gallery" not in odd(report)
    assert odd(report)["no training images"] == 0
    assert "labels from position words" in report.to_text()
    assert report.splits[1].subsets == {"occluded": 4}


def test_one_camera_is_said(tmp_path: Path) -> None:
    save_all(tmp_path, "bounding_box_train/0001_c1_1.png", "bounding_box_train/0001_c1_2.png")
    assert odd(describe(load(tmp_path)))["one camera in all"] == 0


def test_the_real_data_is_whole(shared_data: Path) -> None:
    report = describe(load(shared_data / "Occluded_CUHK03"))
    assert report.broken == ()
    assert report.splits[1].subsets == {"occluded": 117}
    assert report.published is None
