"""Training, evaluation, the app and uploads see the same pixels of a file, whatever camera or tool wrote it."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isp_app.reading import pictures as app_pictures
from isp_app.safety.uploads import decode
from isp_core.data import as_image, read_picture
from isp_core.images import (
    DecodeBudget,
    ImageHeader,
    NotAnImageError,
    TooLargeError,
    fit_to_image,
    images_below,
    images_in,
    open_image,
    read_header,
    read_label_map,
)
from isp_core.metrics.ground_truth import read_truth
from isp_core.metrics.spaces import load_space

UPRIGHT = np.zeros((96, 64, 3), np.uint8)
UPRIGHT[:32] = (200, 40, 40)
UPRIGHT[32:, :32] = (40, 200, 40)
UPRIGHT[32:, 32:] = (40, 40, 200)
MAP = np.zeros((96, 64), np.uint8)
MAP[:32], MAP[32:80, 8:30] = 13, 5
STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # EXIF orientation -> the stored array of an upright one
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


def save(path: Path, pixels: np.ndarray, orientation: int = 1, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, exif=exif, **options)
    return path


def by_training(path: Path) -> np.ndarray:
    return np.asarray(read_picture(path))


def by_the_parser(path: Path) -> np.ndarray:
    return np.asarray(as_image(Image.open(path)))


def by_an_upload(path: Path) -> np.ndarray:
    return np.asarray(decode(path.read_bytes(), path.name))


def by_the_app(path: Path) -> np.ndarray:
    height, width = by_training(path).shape[:2]
    found = app_pictures.read(app_pictures.ImageFolder(path.parent, ()), path.name, width, height)
    assert found is not None
    return found


DOORS = [by_training, by_the_parser, by_an_upload, by_the_app]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("form", ["jpg", "png", "webp"])
@pytest.mark.parametrize("orientation", STORED)
def test_every_door_shows_an_image_upright(
    door: Callable[[Path], np.ndarray], form: str, orientation: int, tmp_path: Path
) -> None:
    path = save(tmp_path / f"{orientation}.{form}", STORED[orientation](UPRIGHT), orientation)
    found = door(path)
    assert found.shape == UPRIGHT.shape
    assert np.abs(found.astype(int) - UPRIGHT).mean() < 3


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("form", ["jpg", "png", "webp", "tif"])
def test_a_header_tells_the_upright_size(form: str, orientation: int, tmp_path: Path) -> None:
    path = save(tmp_path / f"a.{form}", STORED[orientation](UPRIGHT), orientation)
    header = read_header(path)
    assert (header.height, header.width) == (96, 64)
    assert header.stored_size == STORED[orientation](UPRIGHT).shape[:2]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("what", "top"),
    [("8 bits in a 16-bit file", 250), ("a 12-bit sensor", 4095), ("16 bits", 65535)],
    ids=lambda value: str(value),
)
def test_deep_grey_is_neither_white_nor_black_at_any_door(
    door: Callable[[Path], np.ndarray], what: str, top: int, tmp_path: Path
) -> None:
    ramp = np.repeat(np.linspace(0, top, 96).astype(np.uint16)[:, None], 64, 1)
    path = tmp_path / "thermal.png"
    Image.fromarray(ramp).save(path)
    found = door(path)[:, 32, 0].astype(int)
    assert (np.diff(found) >= 0).all()
    assert found[0] < 5
    assert found[-1] >= 245
    assert 110 < found[48] < 140


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_lies_on_white_at_every_door(
    door: Callable[[Path], np.ndarray], mode: str, tmp_path: Path
) -> None:
    path = tmp_path / "clear.png"
    Image.new("RGBA", (64, 96), (9, 9, 9, 0)).convert(mode).save(path, **({"transparency": 0} if mode == "P" else {}))
    assert door(path).min() >= 250


def test_a_large_image_made_small_is_the_same_image(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = np.asarray(Image.fromarray(rng.integers(0, 255, (12, 8, 3), np.uint8)).resize((1600, 2400)))
    path = save(tmp_path / "large.png", np.rot90(pixels, 1), 6)
    small = np.asarray(open_image(path, longest_side=120))
    assert small.shape == (120, 80, 3)
    expected = np.asarray(Image.fromarray(pixels).resize((80, 120), Image.Resampling.LANCZOS))
    assert np.abs(small.astype(int) - expected).mean() < 2


def test_only_formats_of_images_are_opened(tmp_path: Path) -> None:
    """EPS would start a program; its ending says nothing."""
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 96\n")
    with pytest.raises(NotAnImageError, match=r"a\.png"):
        open_image(tmp_path / "a.png")


def test_size_is_checked_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (4000, 3000)).save(path)
    with pytest.raises(TooLargeError, match="4000 x 3000 pixels"):
        open_image(path, max_pixels=10_000_000)


def test_companions_of_macos_and_hidden_folders_are_no_images(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.TIF", "._a.jpg", ".hidden.png", "deep/c.webp", "__MACOSX/a.jpg", ".trash/d.png", "t.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in images_below(tmp_path)] == [
        "a.jpg",
        "b.TIF",
        "deep/c.webp",
    ]
    assert [path.name for path in images_in(tmp_path)] == ["a.jpg", "b.TIF"]


class TestLabelMaps:
    @pytest.mark.parametrize("orientation", STORED)
    def test_upright_maps_fit_turned_images(self, orientation: int, tmp_path: Path) -> None:
        save(tmp_path / "q" / "a.jpg", STORED[orientation](UPRIGHT), orientation)
        save(tmp_path / "q_parsing_pgt" / "a.png", MAP)
        truth = read_truth(tmp_path, ["q/a.jpg"], load_space("lip"), (48, 32))
        assert truth.n == 1
        np.testing.assert_array_equal(truth.targets[0] > 0, MAP[1::2, 1::2] > 0)
        assert bool(truth.unsure) == (orientation in (2, 3, 4))

    @pytest.mark.parametrize("orientation", [5, 6, 7, 8])
    def test_maps_of_the_stored_pixels_are_turned_and_said(self, orientation: int, tmp_path: Path) -> None:
        save(tmp_path / "q" / "a.jpg", STORED[orientation](UPRIGHT), orientation)
        save(tmp_path / "q_parsing_pgt" / "a.png", STORED[orientation](MAP))
        truth = read_truth(tmp_path, ["q/a.jpg"], load_space("lip"), (48, 32))
        assert truth.turned == ("q/a.jpg",)
        assert "EXIF" in " ".join(truth.notes())
        np.testing.assert_array_equal(truth.targets[0] > 0, MAP[1::2, 1::2] > 0)

    def test_maps_of_another_crop_fit_no_image(self) -> None:
        assert fit_to_image(np.zeros((40, 40), np.uint8), ImageHeader(96, 64, "RGB", Image.Transpose.ROTATE_90)) is None

    def test_an_orientation_in_a_maps_own_file_is_not_applied(self, tmp_path: Path) -> None:
        np.testing.assert_array_equal(read_label_map(save(tmp_path / "a.png", MAP, 6)), MAP)


def test_a_budget_lets_no_more_be_decoded_than_fits() -> None:
    budget, most, release = DecodeBudget(100), [0], threading.Event()
    started = threading.Barrier(3, timeout=20)

    def work() -> None:
        with budget.take(50):
            most[0] = max(most[0], budget.in_use)
            if not release.is_set():
                started.wait()
                release.wait(20)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    started.wait()  # two hold the whole budget, four wait
    assert budget.in_use == 100
    release.set()
    for thread in threads:
        thread.join(20)
    assert (most[0], budget.in_use) == (100, 0)


def test_an_image_beyond_the_budget_is_decoded_alone() -> None:
    pixels = io.BytesIO()
    Image.new("RGB", (64, 96)).save(pixels, "PNG")
    budget = DecodeBudget(10)
    assert open_image(pixels.getvalue(), budget=budget).size == (64, 96)
    assert budget.in_use == 0
