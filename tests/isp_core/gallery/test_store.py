"""A gallery store against the exact ranking that it stands for, and what becomes of entries that come and go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("milvus_lite", reason="the extra `gallery` is not installed")

from milvus_lite.adapter.grpc.server import start_server_in_thread

from isp_core.gallery.entries import Image, Labels, Layout, decode, encode
from isp_core.gallery.errors import GalleryError
from isp_core.gallery.filters import Where
from isp_core.gallery.milvus import MilvusStore, exists, open_store
from isp_core.gallery.network import require_same
from isp_core.gallery.searching import search_store
from isp_core.matching import Calibration, distances, judged
from tests.isp_core.gallery.made_up import NETWORK, PARTS, filled, images, people

HALVES = Calibration((0.5,) * PARTS, (0.9,) * PARTS, (1,) * PARTS, (1,) * PARTS, 3, 3)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusStore]:
    with filled(tmp_path_factory.mktemp("stores") / "people.db", 200, 5) as opened:
        opened.finish()
        yield opened


@pytest.fixture
def small(tmp_path: Path) -> Iterator[MilvusStore]:
    with filled(tmp_path / "small.db") as opened:
        yield opened


@pytest.mark.parametrize("rule", ["eq8", "peak", "soft"])
def test_with_all_entries_for_candidates_it_is_the_exact_ranking(store: MilvusStore, rule: str) -> None:
    gallery, query = people(200, 5), people(20, 1, seed=1)
    seen = judged(query, rule, HALVES)
    table = distances(seen, judged(gallery, rule, HALVES))
    found = search_store(store, seen, top=1000, candidates=1000, rule=rule, calibration=HALVES)
    for row, near in zip(table, found, strict=True):
        order = np.argsort(row, kind="stable")
        assert [match.image.path for match in near] == [f"people/{i:06d}.jpg" for i in order]
        assert np.array_equal(np.float32([match.distance for match in near]), row[order])


def test_few_candidates_find_nearly_all_and_have_their_exact_distance(store: MilvusStore) -> None:
    gallery, query = people(200, 5), people(200, 1, seed=1)
    table = distances(query, gallery)
    found = search_store(store, query, top=5, candidates=60)
    best = np.argsort(table, axis=1, kind="stable")[:, :5]
    paths = [{match.image.path for match in near} for near in found]
    recall = np.mean(
        [len(near & {f"people/{i:06d}.jpg" for i in row}) / 5 for near, row in zip(paths, best, strict=True)]
    )
    assert recall > 0.95
    for row, near in zip(table, found, strict=True):
        wanted = [row[int(match.image.path[7:13])] for match in near]
        assert [match.distance for match in near] == pytest.approx(wanted, abs=1e-6)


def test_more_candidates_than_an_answer_holds_are_read_in_pieces(
    store: MilvusStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = people(3, 1, seed=1)
    whole = search_store(store, query, top=50, candidates=120)
    monkeypatch.setattr("isp_core.gallery.milvus._AT_ONCE", 50)
    assert search_store(store, query, top=50, candidates=120) == whole


@pytest.mark.parametrize("candidates", [30, 1000], ids=["by the index", "all that are meant"])
@pytest.mark.parametrize(
    ("where", "meant"),
    [
        (Where(cameras=["2"]), lambda image: image.labels.camera == "2"),
        (Where(cameras=["02", "3"]), lambda image: image.labels.camera in "23"),
        (
            Where(not_cameras=["1"], identities=["7", "8"]),
            lambda image: image.labels.camera != "1" and image.labels.identity in ("7", "8"),
        ),
        (Where(since=10, until=20.5), lambda image: image.labels.time is not None and 10 <= image.labels.time <= 20),
        (Where(since=990), lambda image: image.labels.time is not None and image.labels.time >= 990),
    ],
    ids=["a camera", "two cameras", "not a camera", "a time", "since"],
)
def test_filters_leave_what_is_meant(
    store: MilvusStore, where: Where, meant: Callable[[Image], bool], candidates: int
) -> None:
    wanted = {image.path for image in images(1000) if meant(image)}
    assert store.count(where) == len(wanted)
    (near,) = search_store(store, people(1, 1, seed=1), top=candidates, candidates=candidates, where=where)
    found = {match.image.path for match in near}
    assert found == wanted if candidates >= len(wanted) else found < wanted
    assert len(found) == min(candidates, len(wanted))


def test_an_entry_is_in_a_store_once(small: MilvusStore) -> None:
    assert small.count() == 60
    small.add(images(2), people(1, 2))
    assert small.count() == 60
    there = small.present([image.fingerprint for image in images(3, start=58)])
    assert sorted(there) == [images(1, start=i)[0].fingerprint for i in (58, 59)]


@pytest.mark.parametrize(
    "name", ["O'Brien", 'x" or identity != "', "back\\slash", 'both\\"', "日本", "' or 1 == 1 --", "{name}", "%"]
)
def test_an_identity_is_a_text_whatever_it_holds(small: MilvusStore, name: str) -> None:
    image = Image("sha256:" + "f" * 64, f"a '{name}'.jpg", Labels(identity=name))
    small.add([image], people(1, 1, seed=3))
    for where in (Where(identities=[name]), Where(paths=[image.path])):
        assert small.count(where) == 1
        assert small.few(5, where).images == [image]
    assert small.remove(Where(identities=[name])) == 1
    assert small.count() == 60


@pytest.mark.parametrize("text", ["two\nlines", "bell\a", "x" * 201])
def test_labels_that_cannot_be_shown_are_refused(text: str) -> None:
    with pytest.raises(GalleryError, match="at most 200 printable characters"):
        Labels(identity=text)


def test_removed_entries_are_gone_and_can_come_back(small: MilvusStore) -> None:
    assert small.remove(Where(cameras=["1"])) == 20
    assert small.remove(Where(cameras=["1"])) == 0
    assert {match.image.labels.camera for match in search_store(small, people(1, 1), top=60)[0]} == {"2", "3"}
    small.add(images(60), people(20, 3))
    assert small.count() == 60
    with pytest.raises(GalleryError, match="say which entries"):
        small.remove(Where())


def test_a_filter_that_nothing_meets_and_an_empty_store_find_nothing(small: MilvusStore) -> None:
    query = people(2, 1)
    assert search_store(small, query, where=Where(identities=["unknown"])) == [[], []]
    small.remove(Where(cameras=["1", "2", "3"]))
    assert (small.count(), search_store(small, query)) == (0, [[], []])


def test_what_is_asked_for_must_be_possible(small: MilvusStore) -> None:
    for top, candidates in ((0, 10), (20, 10), (10, 20_000)):
        with pytest.raises(GalleryError, match="top must be at least 1"):
            search_store(small, people(1, 1), top=top, candidates=candidates)
    with pytest.raises(GalleryError, match="later than until"):
        Where(since=2, until=1)


def test_a_store_is_read_again_as_it_was_left(tmp_path: Path) -> None:
    query = people(5, 1, seed=1)
    with filled(tmp_path / "kept.db") as store:
        before = search_store(store, query)
    with open_store(str(tmp_path / "kept.db")) as store:
        assert search_store(store, query) == before
        assert (store.network, store.notes) == (NETWORK, ())


def test_one_store_holds_several_galleries(tmp_path: Path) -> None:
    place = str(tmp_path / "two.db")
    with open_store(place, "north", network=NETWORK) as north, open_store(place, "south", network=NETWORK) as south:
        north.add(images(4), people(2, 2))
        assert (north.count(), south.count()) == (4, 0)
        assert exists(place, "north")
        assert not exists(place, "west")
    with pytest.raises(GalleryError, match=r"has no gallery 'west'"):
        open_store(place, "west")
    with pytest.raises(GalleryError, match="letters, digits and underscores"):
        open_store(place, "../west")


def test_another_network_is_refused_by_name(small: MilvusStore) -> None:
    with pytest.raises(GalleryError, match=r"of run mine, epoch 3 \(K = 4.*not of run theirs, epoch 9 \(K = 7"):
        require_same(small.network, replace(NETWORK, run="theirs", epoch=9, weights="cd" * 32, parts=7), small.place)
    require_same(small.network, replace(NETWORK, run="a copy"), small.place)


def test_another_format_is_refused_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isp_core.gallery.network.FORMAT", 2)
    document = NETWORK.document()
    monkeypatch.undo()
    with pytest.raises(GalleryError, match="there is of format 2; this version of isp-reid reads format 1"):
        type(NETWORK).read(document, "there")


def test_searching_goes_on_while_entries_are_added(tmp_path: Path) -> None:
    """What was there before is found in every search, and what was added once it is."""
    gallery, query = people(60, 20), people(10, 1, seed=1)
    failed: list[BaseException] = []
    with open_store(str(tmp_path / "busy.db"), network=NETWORK) as store:
        store.add(images(100), gallery[:100])
        done = threading.Event()

        def adding() -> None:
            try:
                for start in range(100, len(gallery), 50):
                    store.add(images(50, start), gallery[start : start + 50])
                store.finish()
            except BaseException as error:
                failed.append(error)
            finally:
                done.set()

        thread = threading.Thread(target=adding)
        thread.start()
        searches = 0
        while not done.is_set() or not searches:
            found = search_store(store, query, top=5, candidates=50)
            assert all(len(near) == 5 for near in found)
            searches += 1
        thread.join()
        assert failed == []
        assert store.count() == len(gallery)
        best = np.argsort(distances(query, gallery), axis=1)[:, 0]
        first = [near[0].image.path for near in search_store(store, query, top=1, candidates=16_384)]
        assert first == [f"people/{i:06d}.jpg" for i in best]


def test_a_server_is_used_by_its_address_with_the_same_calls(tmp_path: Path) -> None:
    server, engine, port = start_server_in_thread(str(tmp_path / "served"))
    try:
        address = f"http://root:secret@127.0.0.1:{port}"
        assert not exists(address)
        with open_store(address, network=NETWORK) as store:
            store.add(images(60), people(20, 3))
            store.finish()
            assert store.place == f"http://127.0.0.1:{port}"
            assert exists(address)
        with open_store(address) as store:
            assert store.count(Where(cameras=["1"])) == 20
            assert len(search_store(store, people(1, 1), top=7, candidates=30)[0]) == 7
            assert store.facts()["bytes"] is None
    finally:
        server.stop(grace=0)
        engine.close()


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(("parts", "peaks"), [(PARTS, True), (PARTS, False), (0, True)])
def test_embeddings_come_back_bit_for_bit(rows: int, parts: int, peaks: bool) -> None:
    given = people(rows, 1, parts=parts)
    given = given if peaks else replace(given, part_peak=None)
    found = decode(encode(given), Layout.of(given))
    for name in ("global_", "foreground", "parts", "visibility", "part_share"):
        assert np.array_equal(getattr(found, name), getattr(given, name))
        assert getattr(found, name).flags.writeable
    assert (found.part_peak is None) == (given.part_peak is None)
    assert given.part_peak is None or np.array_equal(found.part_peak, given.part_peak)
    assert np.array_equal(distances(found, found), distances(given, given))


def test_damaged_embeddings_are_said() -> None:
    given = people(1, 1)
    (text,) = encode(given)
    for damaged, said in ((text[:-4], "another size"), ("!" + text[1:], "are damaged")):
        with pytest.raises(GalleryError, match=said):
            decode([damaged], Layout.of(given))


def test_embeddings_that_no_field_can_hold_are_refused_at_once() -> None:
    assert Layout(2048, 2048, 6, 2048).characters < 65_536
    with pytest.raises(GalleryError, match="use fewer channels, or `isp search`"):
        _ = Layout(2048, 2048, 15, 2048).characters
