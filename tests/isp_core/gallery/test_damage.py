"""What a gallery store survives, and what it says where it cannot be used."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("milvus_lite", reason="the extra `gallery` is not installed")

from isp_core.errors import IspError
from isp_core.gallery.errors import GalleryError
from isp_core.gallery.milvus import open_store
from isp_core.gallery.searching import search_store
from tests.isp_core.gallery.made_up import NETWORK, filled, images, people
from tests.unprivileged import unprivileged

ROOT = Path(__file__).resolve().parents[3]
WRITER = """
import sys
from isp_core.gallery.milvus import open_store
from tests.isp_core.gallery.made_up import NETWORK, images, people

gallery = people(600, 10)
with open_store(sys.argv[1], network=NETWORK) as store:
    for start in range(0, len(gallery), 20):
        store.add(images(20, start), gallery[start : start + 20])
        print(start + 20, flush=True)  # acknowledged
"""


def writer(place: Path) -> subprocess.Popen[str]:
    """A process that adds entries, twenty at a time, and prints how many were acknowledged."""
    return subprocess.Popen([sys.executable, "-c", WRITER, str(place)], stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_a_kill_during_an_insert_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    place, acknowledged = tmp_path / "killed.db", 0
    for enough in (100, 400):  # killed, started again (which writes the first entries again), and killed again
        process = writer(place)
        assert process.stdout is not None
        for line in process.stdout:
            acknowledged = max(acknowledged, int(line))
            if int(line) >= enough:
                process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        gallery = people(600, 10)
        with open_store(str(place)) as store:
            count = store.count()
            assert acknowledged <= count < len(gallery)
            there = store.present([image.fingerprint for image in images(acknowledged)])
            assert len(there) == acknowledged
            first = search_store(store, gallery[:5], top=1, candidates=16_384)
            assert [near[0].image.path for near in first] == [image.path for image in images(5)]


def test_a_second_process_is_told_that_the_store_is_open(tmp_path: Path) -> None:
    with filled(tmp_path / "open.db") as store:
        asked = subprocess.run(
            [sys.executable, "-m", "isp_core", "gallery", "info", "--store", str(tmp_path / "open.db")],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=ROOT,
        )
        assert store.count() == 60
    assert asked.returncode == 1
    assert "is open in another process, and milvus-lite serves one at a time" in asked.stderr
    assert len(asked.stderr.splitlines()) == 1


def collection(place: Path) -> Path:
    return place / "collections" / "gallery"


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A store of 60 entries that no one has open."""
    with filled(tmp_path / "store.db") as store:
        store.finish()
    return tmp_path / "store.db"


@pytest.mark.parametrize("content", [b"", b"nonsense", None], ids=["emptied", "overwritten", "removed"])
def test_a_damaged_description_is_said_and_nothing_is_cleared_away(closed: Path, content: bytes | None) -> None:
    """milvus-lite would go back to an older list of files, and remove those that it does not name."""
    files = sorted(closed.rglob("*.parquet"))
    broken = ["schema.json"] if content is None else ["schema.json", "manifest.json"]
    for name in broken:
        file = collection(closed) / name
        kept = file.read_bytes()
        file.unlink() if content is None else file.write_bytes(content)
        for network in (None, NETWORK):
            with pytest.raises(GalleryError, match=rf"is damaged: .*{name} cannot be read"):
                open_store(str(closed), network=network)
        file.write_bytes(kept)
    assert sorted(closed.rglob("*.parquet")) == files
    with open_store(str(closed)) as store:
        assert store.count() == 60


@pytest.mark.parametrize("content", [b"", b"PAR1nonsense", None], ids=["emptied", "overwritten", "removed"])
def test_damaged_entries_are_said(closed: Path, content: bytes | None) -> None:
    (data,) = collection(closed).rglob("data_*.parquet")
    data.unlink() if content is None else data.write_bytes(content)
    with pytest.raises(GalleryError, match=r"store\.db"):
        open_store(str(closed))


def test_a_write_that_was_cut_off_is_said_and_the_rest_is_there(tmp_path: Path) -> None:
    process = writer(tmp_path / "cut.db")
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 60:
            process.kill()
    process.wait()
    (log,) = (tmp_path / "cut.db").rglob("wal_data_*.arrow")
    os.truncate(log, log.stat().st_size - 100)
    with open_store(str(tmp_path / "cut.db")) as store:
        assert store.count() >= 40
        assert len(store.notes) == 1
        assert "the end of its log is not whole" in store.notes[0]


def test_places_that_are_no_store_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    (tmp_path / "folder.db" / "note.txt").write_text("mine")
    (tmp_path / "file.db").write_text("mine")
    for place, network, said in [
        ("missing.db", None, "no such store"),
        ("nowhere/missing.db", None, "no such store"),
        ("folder.db", NETWORK, "is a folder, but no gallery store"),
        ("file.db", NETWORK, "is a file"),
        (".", NETWORK, "is a folder: a local store's name ends with .db"),
        ("gallery.sqlite", NETWORK, "its name must end with .db"),
        ("file.db/inner.db", NETWORK, "is not a folder"),
    ]:
        with pytest.raises(IspError, match=said):
            open_store(str(tmp_path / place), network=network)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file.db", "folder.db"]
    with open_store(str(tmp_path / "made" / "too" / "new.db"), network=NETWORK) as store:
        assert store.count() == 0


def test_addresses_that_lead_nowhere_are_said_at_once_without_their_password() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for address, said in [
        (f"http://root:secret@127.0.0.1:{port}", f"http://127.0.0.1:{port} cannot be reached within 5 s"),
        ("ftp://host:1", "an address begins with http, https, tcp or unix, not 'ftp'"),
        ("http://", "names no host"),
        ("http://host:port", "is no address"),
        ("http://host/people.db", "cannot be called"),
    ]:
        with pytest.raises(GalleryError) as refused:
            open_store(address, network=NETWORK)
        assert said in str(refused.value)
        assert "secret" not in str(refused.value)


def test_a_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isp_core.gallery.milvus.CONNECT_SECONDS", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(GalleryError, match=r"cannot be reached within 0.5 s .*is the server running"):
            open_store(address)


def test_a_gallery_whose_maker_was_stopped_before_its_index_gets_one(closed: Path) -> None:
    with open_store(str(closed)) as store:
        store._client.release_collection("gallery")
        store._client.drop_index("gallery", "features")
    with open_store(str(closed)) as store:
        assert store._client.list_indexes("gallery") == ["features"]
        assert len(search_store(store, people(1, 1), top=5, candidates=20)[0]) == 5


def test_a_store_that_may_not_be_written_to_is_refused_with_the_reason(closed: Path) -> None:
    for file in (closed, *closed.rglob("*")):
        file.chmod(0o555 if file.is_dir() else 0o444)
    with unprivileged(closed.parent), pytest.raises(GalleryError, match="may not be written to"):
        open_store(str(closed))
    copy = closed.with_name("copy.db")
    shutil.copytree(closed, copy)
    for file in (copy, *copy.rglob("*"), closed, *closed.rglob("*")):
        file.chmod(0o755 if file.is_dir() else 0o644)
    with open_store(str(copy)) as store:
        assert store.count() == 60
