"""Truth from a parser: a stand-in whose answer is known, and BodyPix where it is at hand."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from isp_core.data import load, read_label_map, read_picture
from isp_core.errors import IspError
from isp_eval.parser_truth import Source, make_truth, plain_folder, read_confidence, source_of, voc_palette
from isp_eval.parsers.described import (
    DescribedParser,
    ParserDescription,
    load_description,
    open_onnx,
    parser_names,
)


def describe(**changes: object) -> ParserDescription:
    """A parser of three classes: background, face, clothes."""
    entry: dict[str, object] = {"size": (32, 16), "layout": "NCHW", "scale": (1, 1, 1), "shift": (0, 0, 0)}
    output: dict[str, object] = {"layout": "NCHW"}
    for key, value in changes.items():
        where, name = key.split("__")
        (entry if where == "input" else output)[name] = value
    return ParserDescription.model_validate(
        {"name": "toy", "input": entry, "output": output, "space": "lip", "classes": {0: 0, 1: 13, 2: 5}}
    )


def colours_are_classes(entry: np.ndarray) -> Mapping[str, np.ndarray]:
    """Red is a face, green is clothes, black is background; in NCHW at half the size."""
    rgb = entry[:, :, ::2, ::2] / 255
    return {"scores": np.concatenate([0.5 - rgb[:, :2].sum(1, keepdims=True) / 2, rgb[:, :2]], axis=1)}


def picture(width: int = 40, height: int = 80) -> Image.Image:
    """Upper half red, lower half green, a black rim on the left quarter."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, width // 4 :, 0] = 255
    pixels[height // 2 :, width // 4 :, 1] = 255
    return Image.fromarray(pixels)


def expected(width: int = 40, height: int = 80) -> np.ndarray:
    labels = np.zeros((height, width), np.uint8)
    labels[: height // 2, width // 4 :], labels[height // 2 :, width // 4 :] = 13, 5
    return labels


@pytest.mark.parametrize("fit", ["stretch", "letterbox"])
@pytest.mark.parametrize("width", [40, 70])
def test_labels_come_back_at_the_pictures_own_size_and_place(fit: str, width: int) -> None:
    found = DescribedParser(colours_are_classes, describe(input__fit=fit)).parse(picture(width)).labels
    assert found.shape == (80, width)
    assert (found == expected(width)).mean() > 0.93  # all but the edges, blurred by resizing


def test_layout_and_channel_order_are_as_described() -> None:
    def nhwc(entry: np.ndarray) -> Mapping[str, np.ndarray]:
        assert entry.shape == (1, 32, 16, 3)
        scores = colours_are_classes(entry[..., ::-1].transpose(0, 3, 1, 2))["scores"]
        return {"s": scores.transpose(0, 2, 3, 1)}

    description = describe(input__layout="NHWC", input__channels="BGR", output__layout="NHWC")
    assert (DescribedParser(nhwc, description).parse(picture()).labels == expected()).mean() > 0.93


def test_scale_and_shift_are_applied_per_channel() -> None:
    seen = []

    def session(entry: np.ndarray) -> Mapping[str, np.ndarray]:
        seen.append(entry[0, :, 0, 0])
        return {"s": np.zeros((1, 3, 8, 4), np.float32)}

    description = describe(input__scale=(1 / 127.5, 1, 2), input__shift=(-1, 0, 3))
    DescribedParser(session, description).parse(Image.new("RGB", (16, 32), (255, 10, 20)))
    np.testing.assert_allclose(seen[0], [1, 10, 43], rtol=1e-6)


def test_a_separate_person_score_decides_what_is_background() -> None:
    def session(entry: np.ndarray) -> Mapping[str, np.ndarray]:
        scores = np.full((1, 3, 8, 4), -1.0)
        scores[:, 2] = 1  # clothes everywhere
        person = np.full((1, 1, 8, 4), -9.0)
        person[:, :, :, 2:] = 9
        return {"parts": scores, "person": person}

    found = (
        DescribedParser(session, describe(output__parts="parts", output__person="person")).parse(picture(40, 80)).labels
    )
    assert (found[:, :18] == 0).all()
    assert (found[:, 22:] == 5).all()


def test_a_parser_of_another_shape_is_explained() -> None:
    def session(entry: np.ndarray) -> Mapping[str, np.ndarray]:
        return {"edge": np.zeros((1, 2, 8, 4)), "parsing": np.zeros((1, 20, 8, 4))}

    with pytest.raises(IspError, match=r"no output has 3 channels \(edge \(1, 2, 8, 4\), parsing"):
        DescribedParser(session, describe()).parse(picture())
    with pytest.raises(IspError, match="output parsing has 20 channels"):
        DescribedParser(session, describe(output__parts="parsing")).parse(picture())


def test_a_stand_in_for_schp_finds_its_output_by_its_twenty_channels() -> None:
    def schp(entry: np.ndarray) -> Mapping[str, np.ndarray]:
        assert entry.shape == (1, 3, 473, 473)
        scores = np.zeros((1, 20, 119, 119), np.float32)
        scores[:, 9] = 1
        return {"edge": np.zeros((1, 2, 119, 119)), "fused": scores}

    assert (DescribedParser(schp, load_description("schp_lip")).parse(picture()).labels == 9).all()


@pytest.mark.parametrize("name", parser_names())
def test_descriptions_that_come_along_are_whole(name: str) -> None:
    description = load_description(name)
    assert description.notes
    assert set(description.classes) == set(range(len(description.classes)))


def test_wrong_descriptions_say_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    for text, message in (
        ("name: p", "input: Field required"),
        (describe().model_dump_json().replace('"lip"', '"pascal"'), "class 13 is not one of label space 'pascal'"),
        (describe().model_dump_json().replace("NCHW", "CHW"), "layout: Input should be 'NCHW' or 'NHWC'"),
        ("{", "YAML"),
    ):
        file.write_text(text)
        with pytest.raises(IspError, match=message):
            load_description(file)
    with pytest.raises(IspError, match="known: bodypix, schp_lip"):
        load_description("densepose")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("0001_c1_01", "0001_c2_01"):
        for folder in ("bounding_box_train", "query", "bounding_box_test"):
            file = tmp_path / "data" / folder / f"{name}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            picture().save(file, quality=95)
    return tmp_path / "data"


def test_files_are_palette_pngs_in_schps_folders_and_kept_when_there(data: Path, tmp_path: Path) -> None:
    parser = DescribedParser(colours_are_classes, describe())
    out = tmp_path / "truth"
    report = make_truth(parser, source_of(load(data), ["train"]), out)
    assert (report.written, report.kept, report.empty) == (2, 0, ())
    assert report.classes["face"] == pytest.approx(0.375, abs=0.05)
    file = out / "bounding_box_train_parsing_pgt" / "0001_c1_01.png"
    with Image.open(file) as saved:
        assert (saved.mode, saved.size) == ("P", (40, 80))
        assert saved.getpalette()[:9] == voc_palette()[:9]
    assert (read_label_map(file) == expected()).mean() > 0.93
    again = make_truth(parser, source_of(load(data)), out)
    assert (again.written, again.kept) == (4, 2)


def test_pictures_without_anybody_are_named(data: Path, tmp_path: Path) -> None:
    def nobody(entry: np.ndarray) -> Mapping[str, np.ndarray]:
        scores = np.zeros((1, 3, 8, 4))
        scores[:, 0] = 1
        return {"s": scores}

    report = make_truth(DescribedParser(nobody, describe()), source_of(load(data), ["query"]), tmp_path / "t")
    assert report.empty == ("query/0001_c1_01.jpg", "query/0001_c2_01.jpg")


def test_files_that_are_no_parsers_are_refused(tmp_path: Path, command: Callable[..., tuple[int, str, str]]) -> None:
    with pytest.raises(IspError, match="no such ONNX file"):
        open_onnx(tmp_path / "none.onnx", describe())
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(IspError, match="not an ONNX file that can be opened"):
        open_onnx(tmp_path / "bad.onnx", describe())
    status, out, err = command(
        "truth",
        "--data",
        str(tmp_path),
        "--out",
        str(tmp_path),
        "--onnx",
        str(tmp_path / "bad.onnx"),
        "--parser",
        "bodypix",
    )
    assert (status, out) == (1, "")
    assert "bad.onnx" in err


def test_bodypix_agrees_with_the_maps_that_were_made_with_it(
    shared_data: Path, tmp_path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    root = shared_data / "cuhk03-np" / "labeled"
    onnx = next((shared_data / "bodypix").glob("*.onnx"))
    frame = load(root).split("query").iloc[::40]
    folder = tmp_path / "data" / "query"
    folder.mkdir(parents=True)
    for path in frame.path:
        (folder / Path(path).name).symlink_to(root / path)
    for other in ("bounding_box_train", "bounding_box_test"):
        (folder.parent / other).symlink_to(folder)
    status, _, err = command(
        *("truth", "--data", str(folder.parent), "--out", str(tmp_path / "t"), "--onnx", str(onnx)),
        *("--parser", "bodypix", "--split", "query", "--threads", "1"),
    )
    assert status == 0, err
    same, union = 0, 0
    for path in frame.path:
        ours = read_label_map(tmp_path / "t" / "query_parsing_pgt" / f"{Path(path).stem}.png") > 0
        theirs = read_label_map(root / "query_parsing_bodypix" / f"{Path(path).stem}.png") > 0
        same, union = same + (ours & theirs).sum(), union + (ours | theirs).sum()
    assert same / union > 0.75


def test_each_map_holds_its_confidence_and_gives_it_back_when_it_is_kept(data: Path, tmp_path: Path) -> None:
    parser = DescribedParser(colours_are_classes, describe())
    first = make_truth(parser, source_of(load(data)), tmp_path / "t")
    assert first.maps == {
        path: pytest.approx(parser.parse(read_picture(data / path)).confidence) for path in first.maps
    }
    assert all(0 < value < 1 for value in first.maps.values())
    again = make_truth(parser, source_of(load(data)), tmp_path / "t")
    assert again.maps == {path: pytest.approx(value, abs=1e-4) for path, value in first.maps.items()}
    foreign = tmp_path / "foreign.png"
    Image.new("L", (2, 2)).save(foreign)
    assert np.isnan(read_confidence(foreign))


def test_images_that_lie_directly_in_a_folder_get_maps_that_evaluation_finds(tmp_path: Path) -> None:
    folder = tmp_path / "crops"
    (folder / "more").mkdir(parents=True)
    picture().save(folder / "a.png")
    picture().save(folder / "more" / "b.png")
    make_truth(DescribedParser(colours_are_classes, describe()), plain_folder(folder), tmp_path / "maps")
    assert (tmp_path / "maps" / "crops_parsing_pgt" / "a.png").is_file()
    assert (tmp_path / "maps" / "more_parsing_pgt" / "b.png").is_file()


def test_two_images_never_share_a_map(tmp_path: Path) -> None:
    source = Source(tmp_path, ("a/1.jpg", "a/1.png"))
    with pytest.raises(IspError, match=r"a/1.jpg and a/1.png would share"):
        make_truth(DescribedParser(colours_are_classes, describe()), source, tmp_path / "maps")


def test_the_command_makes_maps_a_sheet_and_a_table_of_a_plain_folder(
    tmp_path: Path, command: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "crops"
    folder.mkdir()
    picture().save(folder / "a.png")
    Image.new("RGB", (40, 80)).save(folder / "empty.png")
    parser = DescribedParser(colours_are_classes, describe())
    monkeypatch.setattr("isp_eval.parsers.registry.PARSERS", {"body": lambda files: parser})
    status, out, err = command("truth", str(folder), "--out", str(tmp_path / "m"))
    assert status == 0, err
    assert "2 label maps written, 0 kept" in out
    assert "empty maps       1 of 2 (50.0%): empty.png" in out
    table = pd.read_csv(tmp_path / "m" / "confidence.csv")
    assert list(table.image) == ["empty.png", "a.png"]
    assert table.confidence.iloc[0] == 0
    with Image.open(tmp_path / "m" / "overlay.png") as sheet:
        assert sheet.width > sheet.height / 3


def test_a_broken_image_costs_its_own_map_alone(
    tmp_path: Path, command: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "crops"
    folder.mkdir()
    picture().save(folder / "a.png")
    (folder / "b.jpg").write_text("no image")
    parser = DescribedParser(colours_are_classes, describe())
    monkeypatch.setattr("isp_eval.parsers.registry.PARSERS", {"body": lambda files: parser})
    status, out, err = command("truth", str(folder), "--out", str(tmp_path / "m"))
    assert status == 1
    assert "1 label maps written" in out
    assert "1 of 2 images could not be read:" in err
    assert "b.jpg: not an image" in err
    assert (tmp_path / "m" / "crops_parsing_pgt" / "a.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--parser", "schp_lip"), "give its ONNX file with --onnx"),
        (("--parser", "densepose"), "known: body, bodypix, schp_lip, or a YAML file"),
        ((), "isp truth --get-models"),
        (("--split", "query"), "no known layout"),
    ],
    ids=[
        "an own network without its file",
        "an unknown parser",
        "a model that is missing",
        "a split of a plain folder",
    ],
)
def test_what_is_missing_is_said_with_the_way_out(
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    command: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ISP_CACHE", str(tmp_path / "cache"))
    if "--split" in arguments:
        monkeypatch.setattr("isp_eval.parsers.registry.PARSERS", {"body": lambda files: None})
    (tmp_path / "crops").mkdir()
    picture().save(tmp_path / "crops" / "a.png")
    status, _, err = command("truth", str(tmp_path / "crops"), "--out", str(tmp_path / "m"), *arguments)
    assert status == 1
    assert message in err


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0"])
def test_a_damaged_map_that_was_there_is_named(content: bytes, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "truth" / "bounding_box_train_parsing_pgt" / "0001_c1_01.png"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    parser = DescribedParser(colours_are_classes, describe())
    with pytest.raises(IspError, match=r"0001_c1_01\.png.*remove it"):
        make_truth(parser, source_of(load(data), ["train"]), tmp_path / "truth")
