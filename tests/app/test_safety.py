"""Each line of the safety list, tried: bombs, lying names, path tricks, formulas, markup, fifty uploads at once."""

from __future__ import annotations

import io
import pickle
import shutil
import struct
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile

from isp_app.safety.names import UnsafeNameError, escape, inside, picture_path, plain, valid_name
from isp_app.safety.uploads import KEPT_SIDE, MAX_BYTES, UploadError, decode
from isp_app.server import options
from isp_app.settings import is_trusted, read_settings
from isp_core.runs import open_run
from isp_core.tables import quote, to_csv
from tests.app.conftest import Open, words


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header claims width x height and whose pixels are one repeated byte: small to send, huge to open."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (height * (1 + (width + 7) // 8)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.fixture
def unpacked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The sizes of the images whose pixels were decoded from a file during the test."""
    sizes: list[tuple[int, int]] = []
    load = ImageFile.ImageFile.load

    def spy(image: ImageFile.ImageFile) -> object:
        if image.tile:  # pixels are still in the file
            sizes.append(image.size)
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", spy)
    return sizes


class TestUploads:
    def test_a_bomb_is_refused_before_it_is_unpacked(self, unpacked: list[tuple[int, int]]) -> None:
        data = bomb(30_000, 30_000)
        assert len(data) < 300_000
        with pytest.raises(UploadError, match="pixels"):
            decode(data, "small.png")
        assert unpacked == []

    @pytest.mark.parametrize(
        ("data", "name"),
        [
            (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "picture.png"),
            (b"%PDF-1.7 ...", "picture.jpg"),
            (b"GIF89a" + b"\0" * 60, "picture.png"),
            (b"", "empty.png"),
            (b"PK\x03\x04" + b"\0" * 60, "zip.webp"),
        ],
    )
    def test_types_are_read_from_the_bytes(self, data: bytes, name: str) -> None:
        with pytest.raises(UploadError, match=r"not a PNG|broken|too small"):
            decode(data, name)

    @pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF"])
    def test_other_formats_are_refused_under_any_name(self, form: str) -> None:
        with pytest.raises(UploadError, match="not a PNG, JPEG or WebP"):
            decode(encoded(Image.new("RGB", (64, 128)), form), "photo.jpg")

    def test_a_polyglot_yields_pixels_and_nothing_else(self) -> None:
        data = encoded(Image.new("RGB", (64, 128), "red"), "JPEG") + b"<script>alert(1)</script><?php phpinfo() ?>"
        picture = decode(data, "<img src=x onerror=alert(1)>.jpg")
        assert picture.mode == "RGB"
        assert picture.info.get("comment") is None

    def test_a_truncated_picture_is_a_sentence(self) -> None:
        data = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 255, (256, 128, 3), np.uint8)), "JPEG")
        with pytest.raises(UploadError, match="broken"):
            decode(data[: len(data) // 3], "half.jpg")

    def test_more_bytes_than_allowed(self) -> None:
        with pytest.raises(UploadError, match="larger than 10 MB"):
            decode(b"\0" * (MAX_BYTES + 1), "large.jpg")

    def test_a_photo_of_twelve_megapixels_opens_small_and_upright(self, unpacked: list[tuple[int, int]]) -> None:
        photo = Image.new("RGB", (4000, 3000), (200, 30, 30))
        photo.paste((30, 30, 200), (0, 0, 4000, 1500))  # the camera's upper half is blue
        exif = Image.Exif()
        exif[0x0112] = 6  # turn by 90 degrees to see it upright
        data = encoded(photo, "JPEG", exif=exif)
        unpacked.clear()
        picture = decode(data, "phone.jpg")
        assert (
            sum(width * height for width, height in unpacked) < 4000 * 3000 / 3
        )  # the decoder scales while it unpacks
        assert max(picture.size) <= KEPT_SIDE
        assert picture.height > picture.width
        right, left = picture.getpixel((picture.width - 5, 300)), picture.getpixel((5, 300))
        assert right[2] > 150
        assert left[0] > 150

    @pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "I;16"])
    def test_every_mode_becomes_rgb(self, mode: str) -> None:
        form = "JPEG" if mode == "CMYK" else "PNG"
        picture = decode(encoded(Image.new(mode, (64, 128)), form), "x")
        assert picture.mode == "RGB"

    def test_transparent_pixels_are_white(self) -> None:
        assert decode(encoded(Image.new("RGBA", (64, 128)), "PNG"), "x").getpixel((3, 3)) == (255, 255, 255)

    def test_fifty_at_once(self) -> None:
        data = encoded(Image.new("RGB", (256, 512)), "PNG")
        assert len([decode(data, f"{i}.png") for i in range(50)]) == 50

    @given(st.binary(max_size=300))
    def test_no_bytes_raise_anything_else(self, data: bytes) -> None:
        for head in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF\x20\0\0\0WEBPVP8 "):
            with pytest.raises(UploadError):
                decode(head + data, "x")


class ReachedError(Exception):
    """A pickle was run."""


class Trap:
    """Unpickled, it raises: nothing of ours may ever unpickle a file."""

    def __reduce__(self) -> tuple[type, tuple[str, ...]]:
        return ReachedError, ("a pickle was run",)


class TestFilesOfRuns:
    """Runs come from anywhere: nothing in them is executed."""

    @pytest.mark.parametrize("page", ["upload", "ranking", "embeddings"])
    def test_pickles_under_other_names_are_not_run(self, own_runs: Path, open_page: Open, page: str) -> None:
        folder = own_runs / "k6"
        for file in [*folder.glob("checkpoints/*/model.safetensors"), *folder.glob("embeddings/*/*.safetensors")]:
            file.write_bytes(pickle.dumps(Trap()))
        test = open_page(page, runs=own_runs, run="k6")
        assert not test.exception
        assert "broken" in words(test) or "cannot be read" in words(test)

    def test_truth_maps_are_read_without_pickle(self, drawn: Path, tmp_path: Path, open_page: Open) -> None:
        data = Path(shutil.copytree(drawn / "data", tmp_path / "data"))
        for file in data.glob("*_parsing_pgt/*.png"):
            np.save(file.with_suffix(".npy"), np.array([Trap()], object), allow_pickle=True)
            file.unlink()
        test = open_page("iou", data=data, run="k6")
        assert not test.exception

    def test_only_pictures_can_be_uploaded(self, open_page: Open) -> None:
        test = open_page("upload", run="k6", sample="false")
        uploaders = test.get("file_uploader")
        assert len(uploaders) == 1
        assert set(uploaders[0].proto.type) <= {".png", ".jpg", ".jpeg", ".webp"}

    @pytest.mark.parametrize("name", ["../../etc", "/etc/passwd", "..", "k6/../../x", "k6\0", "%2e%2e%2fk6", "~"])
    def test_run_names_in_the_address_choose_listed_runs_only(self, open_page: Open, name: str) -> None:
        test = open_page("evolution", run=name)
        assert not test.exception
        assert test.selectbox(key="run").value in ("k4", "k6", "baseline")

    def test_a_run_that_is_a_link_out_of_the_folder_shows_no_pictures_of_it(
        self, own_runs: Path, tmp_path: Path, open_page: Open
    ) -> None:
        data = tmp_path / "data"
        (data / "bounding_box_train").mkdir(parents=True)
        secret = tmp_path / "secret.jpg"
        Image.new("RGB", (64, 128)).save(secret)
        for path in open_run(own_runs / "k6").records()["path"]:
            link = data / path
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(secret)
        test = open_page("identity", runs=own_runs, data=data, run="k6")
        assert "maps are shown alone" in words(test)


class TestPrivacy:
    def test_uploads_are_neither_logged_nor_written(
        self,
        drawn: Path,
        open_page: Open,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        from isp_app.reading import parse_upload

        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
        (tmp_path / "temporary").mkdir()
        with caplog.at_level("DEBUG"):
            test = open_page("upload", run="k6")  # the samples take the same way as uploads
        assert not test.exception
        name = Path(str(open_run(drawn / "runs" / "k6").records("query")["path"].iloc[0])).name
        assert name in test.selectbox(key="which").options
        assert name not in caplog.text
        assert not list((tmp_path / "temporary").iterdir())
        assert parse_upload._see._info.scope == "session"  # type: ignore[attr-defined]

    def test_the_address_never_names_an_upload(self, open_page: Open) -> None:
        test = open_page("upload", run="k6")
        assert not any(".jpg" in str(value) for value in dict(test.query_params).values())


class TestNames:
    @pytest.mark.parametrize(
        "name", ["..", ".", "", "a/b", "a\\b", "a\0b", "%2e%2e", "a b", "run\n", "ü", "-" * 65, "~"]
    )
    def test_names_that_are_none(self, name: str, tmp_path: Path) -> None:
        assert not valid_name(name)
        with pytest.raises(UnsafeNameError):
            inside(tmp_path, name)

    @pytest.mark.parametrize(
        "path", ["/etc/passwd", "../x.jpg", "a/../../x.jpg", "a\\..\\x.jpg", "a\0.jpg", "query/../../../etc/passwd"]
    )
    def test_pictures_stay_inside_their_data_set(self, path: str, tmp_path: Path) -> None:
        with pytest.raises(UnsafeNameError):
            picture_path(tmp_path, path)

    def test_links_that_lead_out_are_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "secret").mkdir()
        (tmp_path / "secret" / "key").write_text("x")
        root = tmp_path / "root"
        root.mkdir()
        (root / "link").symlink_to(tmp_path / "secret")
        with pytest.raises(UnsafeNameError):
            inside(root, "link")
        with pytest.raises(UnsafeNameError):
            picture_path(root, "link/key")

    def test_links_into_another_data_folder_of_the_server_are_followed(self, tmp_path: Path) -> None:
        store, root = tmp_path / "store", tmp_path / "root"
        store.mkdir()
        root.mkdir()
        (store / "1.jpg").write_text("x")
        (root / "1.jpg").symlink_to(store / "1.jpg")
        (root / "gone.jpg").symlink_to(tmp_path / "secret.jpg")
        assert picture_path(root, "1.jpg", (root, store)) == (store / "1.jpg").resolve()
        with pytest.raises(UnsafeNameError, match="in no data folder of this server"):
            picture_path(root, "1.jpg", (root,))
        with pytest.raises(UnsafeNameError):
            picture_path(root, "gone.jpg", (root, store))
        with pytest.raises(UnsafeNameError):
            picture_path(root, "../store/1.jpg", (root, store))  # a record may not leave its data set by itself

    @given(st.text(max_size=80))
    def test_nothing_leaves_the_folder(self, name: str) -> None:
        root = Path("/nonexistent/runs")
        try:
            found = inside(root, name)
        except UnsafeNameError:
            return
        assert found.parent == root.resolve()


class TestCells:
    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r=1", '=HYPERLINK("http://x")'])
    def test_formulas_in_text_are_quoted(self, text: str) -> None:
        assert quote(text) == f"'{text}"

    def test_numbers_are_not_touched_and_missing_is_empty(self) -> None:
        table = pd.DataFrame({"n": [-1.5, np.nan], "path": ["=cmd|' /C calc'!A0", "0002.jpg"]})
        lines = to_csv(table).decode("utf-8-sig").split("\r\n")
        assert lines[:3] == ["n,path", "-1.5,'=cmd|' /C calc'!A0", ",0002.jpg"]

    def test_column_names_are_cells_too(self) -> None:
        assert to_csv(pd.DataFrame({"=x": [1]})).decode("utf-8-sig").startswith("'=x")

    def test_spreadsheets_find_the_encoding(self) -> None:
        assert to_csv(pd.DataFrame({"a": ["é"]})).startswith(b"\xef\xbb\xbf")


class TestMarkup:
    def test_html_does_not_survive(self) -> None:
        assert escape("<img src=x onerror='alert(1)'>") == "&lt;img src=x onerror=&#x27;alert(1)&#x27;&gt;"

    def test_markdown_does_not_survive(self) -> None:
        assert plain("![x](http://evil)") == "\\!\\[x\\]\\(http\\://evil\\)"
        assert plain("a\nb") == "a b"

    def test_components_write_no_markup_from_data(self) -> None:
        folder = Path(__file__).parents[2] / "app" / "components"
        for file in folder.glob("*.js"):
            code = file.read_text(encoding="utf-8")
            for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "fetch(", "http:"):
                found = code.replace("http://www.w3.org/2000/svg", "")  # a namespace, not an address
                assert word not in found, f"{file.name} uses {word}"


class TestServer:
    @pytest.mark.parametrize("address", [None, "0.0.0.0", "192.168.1.5", "::", "example.org", "127.0.0.1.evil.org"])
    def test_servers_that_others_reach_are_not_trusted(self, address: str | None) -> None:
        assert not is_trusted({}, address)
        assert is_trusted({"ISP_ALLOW_TRAINING": "1"}, address)

    @pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost", "127.0.0.2"])
    def test_loopback_is_trusted(self, address: str) -> None:
        assert is_trusted({}, address)

    def test_only_embedded_pictures_are_shown_to_others(self, tmp_path: Path) -> None:
        environment = {"ISP_DATA": str(tmp_path)}
        assert tmp_path in read_settings(environment, "127.0.0.1").picture_roots
        assert tmp_path not in read_settings(environment, "0.0.0.0").picture_roots

    def test_training_is_off_for_others(self, open_page: Open) -> None:
        test = open_page("train", address="0.0.0.0")
        assert "Training is off" in words(test)
        assert not test.button

    def test_others_see_no_pictures_that_are_not_embedded(self, open_page: Open) -> None:
        assert "maps are shown alone" not in words(open_page("identity", run="k6"))
        assert "maps are shown alone" in words(open_page("identity", run="k6", address="0.0.0.0"))

    def test_others_get_no_sample_people(self, open_page: Open) -> None:
        test = open_page("upload", run="k6", address="0.0.0.0")
        assert not test.exception
        assert "Nearest people" not in words(test)

    def test_configuration_says_little_and_sends_nothing(self) -> None:
        given = options()
        assert given["client.showErrorDetails"] == "type"
        assert given["client.showErrorLinks"] is False
        assert given["client.toolbarMode"] == "minimal"
        assert given["browser.gatherUsageStats"] is False
        assert given["server.address"] == "127.0.0.1"
        assert given["server.fileWatcherType"] == "none"
        assert given["server.maxUploadSize"] * 2**20 == MAX_BYTES
        assert given["server.enableXsrfProtection"]
        assert given["server.enableCORS"]
        assert not given["server.enableAgentApi"]

    def test_procfile_is_the_documented_command(self) -> None:
        said = (Path(__file__).parents[2] / "Procfile").read_text().strip()
        assert said == (
            "web: streamlit run app/main.py --server.port=$PORT --server.address=0.0.0.0 --server.headless=true"
        )
