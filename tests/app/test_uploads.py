"""One's own images: kept over pages, cropped, under several networks, and what is downloaded of them."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
import streamlit as st
from PIL import Image

from isp_app.components.crop_box import WHOLE, read_box
from isp_app.drawing import exports, upload_files
from isp_app.drawing.exports import Provenance
from isp_app.drawing.upload_files import Parsed
from isp_app.safety import uploads
from isp_app.state import given
from isp_app.state.given import MOST, Given
from isp_core.matching import Embeddings
from isp_core.palette import alike, assign, class_palette, union
from tests.app.conftest import Open, words

SOURCE = Provenance("k6", 3, 4, "upload", "", "isp-run/2", "f")


def _png(colour: tuple[int, int, int], size: tuple[int, int] = (64, 128)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def _parsed(image: Given, run: str = "k6") -> Parsed:
    labels = np.arange(8, dtype=np.uint8).reshape(4, 2) % 4
    vectors = Embeddings(
        np.zeros((1, 4), np.float16),
        np.zeros((1, 4), np.float16),
        np.zeros((1, 3, 4), np.float16),
        np.array([[True, False, True]]),
        np.array([[0.2, 0.0, 0.3]], np.float16),
    )
    source = Provenance(run, 3, 4, "upload", "", "isp-run/2", "f")
    return Parsed(image, labels, vectors, assign([0.1, 0.4, 0.8], {1: "head"}), source, "a rule", (2, "why"))


@pytest.fixture
def empty_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(st, "session_state", {})


@pytest.mark.usefixtures("empty_session")
def test_images_of_one_name_and_content_are_all_kept_and_told_apart() -> None:
    given.add([("image.jpg", _png((9, 9, 9)))] * 2 + [("image.jpg", _png((1, 2, 3)))], 3)
    assert [one.name for one in given.images()] == ["image.jpg", "image.jpg (2)", "image.jpg (3)"]
    given.remove(given.images()[1].id)
    given.add([("image.jpg", _png((9, 9, 9)))], 1)
    assert len({one.id for one in given.images()}) == 3


@pytest.mark.usefixtures("empty_session")
def test_more_than_fit_and_what_is_no_image_are_refused_in_words() -> None:
    given.add([(f"{i}.png", _png((i, 0, 0))) for i in range(MOST - 1)], MOST - 1)
    given.add([("a.txt", b"hello"), ("b.png", _png((0, 1, 0)))], 2)
    assert len(given.images()) == MOST - 1
    said = given.said()
    assert any("a.txt is not a PNG" in text for text in said)
    assert any("the first 1 are parsed" in text for text in said)
    assert given.said() == []


@pytest.mark.usefixtures("empty_session")
def test_a_crop_is_what_the_network_sees_and_belongs_to_its_image() -> None:
    given.add([("wide.png", _png((5, 5, 5), (200, 100))), ("other.png", _png((5, 5, 6)))], 2)
    first = given.images()[0]
    given.crop(first.id, (0.25, 0.0, 0.5, 1.0))
    first, other = given.images()
    assert first.cropped.size == (50, 100)
    assert first.pixels == (50, 0, 100, 100)
    assert other.box == WHOLE
    given.crop(first.id, (0.5, 0.5, 0.51, 0.51))  # a sliver
    assert given.images()[0].pixels == (0, 0, 200, 100)


@pytest.mark.parametrize(
    "value", [None, "x", [0, 0, 1], [0, 0, 0, 1], [-1, 0, 1, 1], [0, 0, 1, float("nan")], [0, 0, 2, 1]]
)
def test_boxes_from_the_browser_are_checked(value: object) -> None:
    assert read_box(value) is None


def test_a_mask_has_the_parts_colours_and_its_values_are_the_labels() -> None:
    one = _parsed(Given("a", "a.png", Image.new("RGB", (64, 128))))
    opened = Image.open(io.BytesIO(one.mask()))
    assert opened.mode == "P"
    assert np.array_equal(np.asarray(opened), one.labels)
    colours = np.asarray(opened.convert("RGB"))
    assert np.array_equal(colours, one.palette.table()[one.labels])
    assert opened.info["run"] == "k6"


def test_files_are_named_after_image_run_and_epoch_and_say_which_crop() -> None:
    image = Given("a", "../my photo?.jpg", Image.new("RGB", (100, 80)), (0.1, 0.0, 0.5, 1.0))
    one = _parsed(image)
    assert one.stem == "my_photo__k6_epoch3"
    document = json.loads(one.results())
    assert document["image"] == "../my photo?.jpg"
    assert document["crop"] == {"left": 10, "top": 0, "right": 50, "bottom": 80, "unit": "pixels of image_size"}
    assert document["source"]["epoch"] == 3


def test_one_archive_holds_all_images_under_all_networks_none_hiding_another() -> None:
    picture = Image.new("RGB", (64, 128))
    everything = [
        _parsed(Given(i, name, picture), run) for i, name in (("1", "a.jpg"), ("2", "a.png")) for run in ("x", "y")
    ]
    names = zipfile.ZipFile(io.BytesIO(upload_files.archive(everything))).namelist()
    assert len(names) == len(set(names)) == 12
    assert all("/" not in name for name in names)


def test_no_colour_means_a_class_and_something_else() -> None:
    evaluated = assign([0.1, 0.24, 0.7], {1: "head", 3: "legs"})
    without_head = assign([0.12, 0.7], {2: "legs"})
    never_evaluated = assign([0.1, 0.5, 0.72])
    truth = class_palette({1: "head", 2: "legs"})
    palettes = alike([evaluated, without_head, never_evaluated, truth])
    by_code: dict[int, set[str | None]] = {}
    for palette in palettes:
        for part in palette.parts:
            by_code.setdefault(part.code, set()).add(part.body_part)
    assert all(len(meanings) == 1 for meanings in by_code.values())
    assert not any(" / " in part.name for part in union(palettes).parts)
    rgb = [part.rgb for part in union(palettes).parts]
    assert len(set(rgb)) == len(rgb)


def test_runs_without_classes_keep_the_full_colours() -> None:
    palettes = [assign([0.1, 0.4]), assign([0.12, 0.8])]
    assert alike(palettes) == palettes


def test_several_networks_are_shown_on_one_image_and_say_what_they_were_trained_on(open_page: Open) -> None:
    test = open_page("upload", run="k6", ckpt="k6 epoch 3")
    assert not test.exception
    assert "trained on drawn, 30 images of 6 people from 4 cameras" in words(test).replace("\\", "")
    shown = test.selectbox(key="which").options[0]
    assert shown in [heading.value.replace("\\", "") for heading in test.subheader]  # whose numbers follow
    unknown = open_page("upload", run="k6", ckpt="nope epoch 1")
    assert any("nope epoch 1" in warning.value.replace("\\", "") for warning in unknown.warning)
    assert exports.mask(np.zeros((2, 2), np.uint8), np.zeros((256, 3), np.uint8), SOURCE, "x")[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"hello", "not a PNG"),
        (_png((1, 2, 3), (4, 4)), "too small to show a person"),
        (_png((1, 2, 3))[:80], "broken"),
        (b"\0" * (uploads.MAX_BYTES + 1), "larger than"),
    ],
)
def test_every_refusal_names_the_file_the_reason_and_the_way_out(data: bytes, reason: str) -> None:
    with pytest.raises(uploads.UploadError) as refused:
        uploads.decode(data, "mine.png")
    assert str(refused.value).startswith("mine.png ")
    assert reason in str(refused.value)
    assert str(refused.value).endswith("upload it again.")


def test_the_default_network_is_named_and_runs_without_weights_are_counted(open_page: Open) -> None:
    said = words(open_page("upload", run="k6")).replace("\\", "")
    assert "Default network, k6 epoch 3" in said
    assert "2 runs have no stored weights and cannot parse new images." in said
    assert "Default network" not in words(open_page("upload", run="k6", ckpt="k6 epoch 3"))
