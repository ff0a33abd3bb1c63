"""Label spaces and truth files: which class is which part, and what happens when files are not as they should be."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isp_core.errors import IspError
from isp_core.images import read_label_map, resize_nearest
from isp_core.metrics import spaces
from isp_core.metrics.ground_truth import read_truth
from isp_core.metrics.spaces import PARTS, load_space, space_names
from isp_core.yaml_files import read_yaml


@pytest.mark.parametrize("name", space_names())
def test_every_space_maps_zero_to_background_and_says_what_it_chose(name: str) -> None:
    space = load_space(name)
    assert space.name == name
    assert space.to_targets(np.array([0, 255])).tolist() == [0, 255]
    assert space.notes
    assert set(space.parts) <= set(PARTS)


def test_lip_follows_the_papers_footnote() -> None:
    names = {each.name: each.part for each in load_space("lip").classes}
    assert [n for n, part in names.items() if part == "head"] == ["hat", "hair", "sunglasses", "face"]
    assert {"left leg", "right leg", "socks", "pants"} <= {n for n, part in names.items() if part == "legs"}
    assert [n for n, part in names.items() if part == "shoes"] == ["left shoe", "right shoe"]


def test_walkers_is_lip_with_belongings() -> None:
    lip, walkers = load_space("lip"), load_space("walkers")
    assert [c for c in walkers.classes if c.index != 20] == list(lip.classes)
    assert walkers.to_targets(np.array([20])).tolist() == [PARTS.index("belongings") + 1]


def test_spaces_know_which_parts_they_cannot_tell() -> None:
    assert load_space("pascal").parts == ("head", "upper", "legs")
    assert load_space("atr").parts == PARTS
    assert "belongings" not in load_space("cihp").parts


def test_ones_own_space(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\nclasses:\n  0: background\n  1: {name: everything, part: foreground}\n  9: shoes\n")
    space = load_space(file)
    assert space.to_targets(np.array([[0, 1, 9]])).tolist() == [[0, 6, 4]]
    with pytest.raises(IspError, match=r"classes 2, 7, which label space 'mine' does not have \(0 to 9\)"):
        space.to_targets(np.array([2, 7, 9]), "0001.png")


def test_a_space_is_parsed_once_and_again_when_its_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = []
    monkeypatch.setattr(spaces, "read_yaml", lambda path: parsed.append(path) or read_yaml(path))
    file = tmp_path / "mine.yaml"
    file.write_text("classes: {0: background, 1: head}")
    assert load_space(file) is load_space(file)
    assert len(parsed) == 1
    with pytest.raises(ValueError, match="read-only"):
        load_space(file)._table[1] = 0  # shared by all who load it
    file.write_text("classes: {0: background, 1: shoes, 2: legs}")
    assert load_space(file).parts == ("legs", "shoes")
    file.unlink()
    with pytest.raises(IspError, match=r"mine\.yaml"):
        load_space(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("classes: {0: feet}", "class 0 has part 'feet'; allowed: background"),
        ("classes: {400: head}", "between 0 and 255"),
        ("- head", "is not a label space"),
        ("{", "YAML"),
    ],
)
def test_a_broken_space_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(IspError, match=message):
        load_space(tmp_path / "s.yaml")


def test_an_unknown_space_names_the_known_ones() -> None:
    with pytest.raises(IspError, match="known: atr, ccp, cihp, lip, pascal, walkers"):
        load_space("pascal-part")


LABELS = np.repeat(np.repeat(np.array([[0, 13], [5, 9]], np.uint8), 8, 0), 4, 1)  # 16 x 8
TARGETS = np.array([[0, 1], [2, 3]], np.uint8)


def write_palette(file: Path, labels: np.ndarray) -> None:
    picture = Image.fromarray(labels)
    picture.putpalette([i for i in range(256) for _ in range(3)][::-1])
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file)
    with Image.open(file) as saved:
        assert saved.mode == "P"


def test_palette_grey_and_npy_files_are_read_from_every_layout(tmp_path: Path) -> None:
    write_palette(tmp_path / "query_parsing_pgt" / "a.png", LABELS)
    Image.fromarray(LABELS).save(tmp_path / "b.png")
    (tmp_path / "query").mkdir()
    np.save(tmp_path / "query" / "c.npy", LABELS.astype(np.int64))
    truth = read_truth(tmp_path, ["query/a.jpg", "query/b.jpg", "query/c.jpg"], load_space("lip"), (2, 2))
    for targets in truth.targets:
        np.testing.assert_array_equal(targets, TARGETS)
    assert truth.n == 3
    assert truth.notes() == ()


def test_missing_truth_is_named_and_counted_and_the_rest_is_kept(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", LABELS)
    truth = read_truth(tmp_path, ["q/x.jpg", "q/a.jpg", "q/y.jpg"], load_space("lip"), (2, 2))
    assert truth.found.tolist() == [False, True, False]
    assert truth.missing == ("q/x.jpg", "q/y.jpg")
    assert (truth.targets[0] == 255).all()
    assert truth.notes() == ("2 of 3 images have no ground truth (q/x.jpg, q/y.jpg)",)


def test_truth_of_another_shape_than_its_picture_is_left_out_and_explained(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name, size in (("a", (8, 16)), ("b", (16, 16)), ("c", (80, 160))):  # width, height
        Image.new("RGB", size).save(pictures / f"{name}.jpg")
        np.save(tmp_path / f"{name}.npy", LABELS)
    truth = read_truth(tmp_path, ["a.jpg", "b.jpg", "c.jpg"], load_space("lip"), (4, 2), pictures)
    assert truth.found.tolist() == [True, False, True]
    assert "1 of 3 ground-truth maps have another shape than their image" in truth.notes()[0]


def test_a_folder_without_any_truth_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IspError, match="no label map for any of 1 images"):
        read_truth(tmp_path, ["a.jpg"], load_space("lip"), (2, 2))
    with pytest.raises(IspError, match="no such folder"):
        read_truth(tmp_path / "nowhere", ["a.jpg"], load_space("lip"), (2, 2))


def test_classes_of_another_space_name_the_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", LABELS)
    with pytest.raises(IspError, match=r"a.npy holds classes 9, 13, which label space 'pascal'"):
        read_truth(tmp_path, ["a.jpg"], load_space("pascal"), (2, 2))


def test_nearest_neighbour_agrees_with_pillow() -> None:
    labels = np.random.default_rng(0).integers(0, 20, (286, 97)).astype(np.uint8)
    expected = np.asarray(Image.fromarray(labels).resize((32, 64), Image.Resampling.NEAREST))
    np.testing.assert_array_equal(resize_nearest(labels, (64, 32)), expected)


def test_schp_outputs_of_all_three_models_are_read_right(shared_data: Path) -> None:
    """One photo, SCHP's real LIP, ATR and PASCAL maps: they agree about where the person, head and upper body are."""
    found = {
        name: load_space(name).to_targets(read_label_map(shared_data / "schp_demo" / f"demo_{name}.png"))
        for name in ("lip", "atr", "pascal")
    }
    for name in ("atr", "pascal"):
        for code in (1, 2):
            a, b = found["lip"] == code, found[name] == code
            assert (a & b).sum() / (a | b).sum() > 0.8, (name, code)
        assert ((found["lip"] > 0) == (found[name] > 0)).mean() > 0.97
    assert (found["atr"] == 5).any()  # ATR alone sees the bag
    assert not (found["lip"] == 5).any()
