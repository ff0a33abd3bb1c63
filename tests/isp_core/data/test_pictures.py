"""Reading pictures and label maps of every kind, refusing what cannot be used, and the cache."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from isp_core.data import PictureCache, PictureError, check_pictures, read_label_map, read_picture, require_pictures
from isp_core.data.pictures import read_size, resize_picture
from isp_core.data.records import DataError
from isp_core.images import MAX_PIXELS
from tests.isp_core.data.examples import save_picture

RED = (200, 20, 30)


def save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)  # type: ignore[arg-type]
    return path


def truncated_jpeg(path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 255, (128, 64, 3), dtype=np.uint8)
    save(path, Image.fromarray(pixels), quality=95)
    path.write_bytes(path.read_bytes()[:2000])
    return path


@pytest.mark.parametrize(
    ("name", "image", "expected"),
    [
        ("plain.png", Image.new("RGB", (2, 3), RED), RED),
        ("grey.jpg", Image.new("L", (2, 3), 77), (77, 77, 77)),
        ("bilevel.png", Image.new("1", (2, 3), 1), (255, 255, 255)),
        ("cmyk.tif", Image.new("CMYK", (2, 3), (0, 255, 255, 0)), (255, 0, 0)),
        ("palette.gif", Image.new("RGB", (2, 3), RED).quantize(2), RED),
        ("transparent.png", Image.new("RGBA", (2, 3), (0, 0, 0, 0)), (255, 255, 255)),
        ("half.png", Image.new("LA", (2, 3), (0, 128)), (127, 127, 127)),
        ("deep.png", Image.fromarray(np.full((3, 2), 0x80FF, np.uint16)), (128, 128, 128)),
    ],
)
def test_every_colour_mode_is_read_as_rgb(
    name: str, image: Image.Image, expected: tuple[int, ...], tmp_path: Path
) -> None:
    picture = read_picture(save(tmp_path / name, image))
    assert (picture.mode, picture.size) == ("RGB", (2, 3))
    assert np.abs(np.asarray(picture, dtype=int) - expected).max() <= 1


def test_exif_turns_the_picture(tmp_path: Path) -> None:
    pixels = np.zeros((2, 4, 3), np.uint8)
    pixels[:, 0] = 255  # white at the left of the stored picture, at the top once turned clockwise
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "turned.png", Image.fromarray(pixels), exif=exif)
    picture = np.asarray(read_picture(path))
    assert picture.shape == (4, 2, 3)
    assert picture[0].min() == 255
    assert picture[1:].max() == 0
    assert read_size(path)[:2] == (4, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path, "no such file"),
        (lambda path: path.write_bytes(b""), "an empty file"),
        (lambda path: path.write_bytes(b"hello"), "not an image"),
        (truncated_jpeg, "cut off"),
        (lambda path: save(path, Image.new("1", (20_000, 4_000)), format="PNG"), "more than 64,000,000"),
        (lambda path: path.mkdir(), "not a file"),
    ],
    ids=["missing", "empty", "text", "truncated", "bomb", "folder"],
)
def test_what_cannot_be_read_is_named(make, message: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "0001_c1_1.jpg"
    make(path)
    with pytest.raises(PictureError, match=message) as caught:
        read_picture(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = save(tmp_path / "bomb.png", Image.new("1", (20_000, 10_000)))
    assert MAX_PIXELS < 20_000 * 10_000
    with pytest.raises(PictureError, match="more than"):
        read_size(path)


def test_all_broken_pictures_are_named_at_once(tmp_path: Path) -> None:
    good = save_picture(tmp_path / "good.png")
    cut, missing = truncated_jpeg(tmp_path / "cut.jpg"), tmp_path / "missing.jpg"
    ticks: list[int] = []
    broken = check_pictures([cut, good, missing], progress=ticks.append)
    assert [b.path for b in broken] == [cut, missing]
    assert [b.reason for b in broken] == [broken[0].reason, "no such file"]
    assert "cut off" in broken[0].reason
    assert ticks == [1, 1, 1]
    with pytest.raises(DataError, match="2 of 3 images cannot be read") as caught:
        require_pictures([cut, good, missing])
    assert str(cut) in str(caught.value)
    assert str(missing) in str(caught.value)
    require_pictures([good])


def test_label_maps_are_read_as_numbers_whatever_their_colours(tmp_path: Path) -> None:
    numbers = np.array([[0, 5, 19], [255, 16, 18]], np.uint8)
    palette = Image.fromarray(numbers, mode="P")
    palette.putpalette([value for i in range(256) for value in (255 - i, i, 7)])
    for path in (
        save(tmp_path / "palette.png", palette),
        save(tmp_path / "grey.png", Image.fromarray(numbers)),
        save(tmp_path / "deep.png", Image.fromarray(numbers.astype(np.uint16))),
    ):
        np.testing.assert_array_equal(read_label_map(path), numbers)
    np.save(tmp_path / "array.npy", numbers.astype(np.int64))
    np.testing.assert_array_equal(read_label_map(tmp_path / "array.npy"), numbers)
    assert read_label_map(tmp_path / "array.npy").dtype == np.uint8


def test_real_parser_output_holds_lip_numbers(shared_data: Path) -> None:
    labels = read_label_map(shared_data / "schp_demo" / "demo_lip.png")
    assert labels.shape == (1333, 2000)
    assert {0, 13, 5} <= set(np.unique(labels)) <= set(range(20))


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("colour.png", np.zeros((4, 4, 3), np.uint8), r"holds colours \(RGB\), not class numbers"),
        ("lossy.jpg", np.zeros((4, 4), np.uint8), "compression changes class numbers"),
        ("deep.png", np.full((4, 4), 300, np.uint16), "values from 300 to 300"),
        ("volume.npy", np.zeros((2, 4, 4), np.uint8), r"shape \(2, 4, 4\)"),
        ("soft.npy", np.zeros((4, 4), np.float32), "float32 values"),
        ("negative.npy", np.full((4, 4), -1), "values from -1"),
    ],
)
def test_wrong_label_maps_say_why(name: str, array: np.ndarray, message: str, tmp_path: Path) -> None:  # type: ignore[type-arg]
    path = tmp_path / name
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        Image.fromarray(array).save(path)
    with pytest.raises(PictureError, match=message) as caught:
        read_label_map(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("name", ["missing.npy", "missing.png"])
def test_a_missing_label_map_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=f"{name}: no such file"):
        read_label_map(tmp_path / name)


def test_an_array_of_python_objects_is_not_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([[object()]]), allow_pickle=True)
    with pytest.raises(PictureError, match="not readable as a NumPy array"):
        read_label_map(tmp_path / "objects.npy")


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{i}.png" for i in range(6)]
    for path in paths:
        Image.fromarray(rng.integers(0, 255, (40, 20, 3), dtype=np.uint8)).save(path)
    return paths


@pytest.mark.parametrize("kept", [0, 2, 6])
def test_the_cache_changes_nothing_but_keeps_to_its_limit(kept: int, pictures: list[Path]) -> None:
    cache = PictureCache(pictures, (16, 8), limit_bytes=kept * (3 * 16 * 8 + 1))
    plain = torch.stack([resize_picture(read_picture(path), (16, 8)) for path in pictures])
    for _ in range(2):
        assert torch.equal(torch.stack([cache[i] for i in range(len(cache))]), plain)
    assert cache.capacity == cache.filled == kept


def test_kept_pictures_need_no_file_and_cannot_be_spoilt(pictures: list[Path]) -> None:
    cache = PictureCache(pictures, (16, 8), limit_bytes=3 * (3 * 16 * 8 + 1))
    first = cache[0].clone()
    cache[0].zero_()
    for path in pictures:
        path.unlink()
    assert torch.equal(cache[0], first)
    with pytest.raises(PictureError, match=r"5\.png: no such file"):
        cache[5]
    with pytest.raises(IndexError):
        cache[6]


def test_many_threads_share_the_cache(pictures: list[Path]) -> None:
    cache = PictureCache(pictures, (16, 8))
    plain = [resize_picture(read_picture(path), (16, 8)) for path in pictures]
    order = np.random.default_rng(1).integers(0, 6, 300).tolist()
    with ThreadPoolExecutor(4) as pool:
        assert all(
            torch.equal(picture, plain[i]) for i, picture in zip(order, pool.map(cache.__getitem__, order), strict=True)
        )
    assert cache.filled == 6


def test_forked_workers_fill_the_cache_of_the_parent(pictures: list[Path]) -> None:
    cache = PictureCache(pictures, (16, 8))
    loader: torch.utils.data.DataLoader[torch.Tensor] = torch.utils.data.DataLoader(
        cache, batch_size=2, num_workers=1, multiprocessing_context="fork"
    )  # type: ignore[arg-type]
    assert sum(len(batch) for batch in loader) == 6
    assert cache.filled == 6


def test_a_pickled_cache_begins_empty(pictures: list[Path]) -> None:
    cache = PictureCache(pictures, (16, 8))
    cache[0]
    copy = pickle.loads(pickle.dumps(cache))
    assert copy.filled == 0
    assert torch.equal(copy[0], cache[0])
