"""Milvus as the engine of a gallery store: embedded (milvus-lite), a server, or a cluster, by the same calls.

One vector field holds the unit global and foreground features side by side, under the inner product: a candidate's
score is the sum of the two cosines, which Eq. 10 shares between all pairs. Two fields would need two searches, whose
separate lists can both miss an entry that is good, but not best, in each.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
from pymilvus import DataType, MilvusClient, MilvusException

from isp_core.errors import IspError
from isp_core.gallery.entries import MAX_LABEL, MAX_PATH, Image, Labels, decode, encode
from isp_core.gallery.errors import GalleryError
from isp_core.gallery.filters import Where, expression
from isp_core.gallery.index import candidate_features
from isp_core.gallery.network import Network
from isp_core.gallery.places import (
    checked_address,
    checked_name,
    is_address,
    local_store,
    size_on_disk,
    without_credentials,
)
from isp_core.gallery.store import MAX_CANDIDATES, Entries, GalleryStore
from isp_core.matching import Embeddings

NAME = "gallery"
"""What a gallery is called in its store unless it is given a name."""
NOTED = "isp.gallery"  # the property of a collection that says whose embeddings it holds
CONNECT_SECONDS, CALL_SECONDS = 5.0, 300.0
INDEX = {"index_type": "HNSW", "metric_type": "IP", "params": {"M": 16, "efConstruction": 200}}
_LABELS = ["identity", "camera", "time"]
_FIELDS = ["id", "path", *_LABELS, "embeddings"]
_AT_ONCE = 4000  # entries whose embeddings one answer holds: below the 64 MB that a server may send
_NAMED = 1000  # fingerprints that one filter names
_MOST = 32_768  # Milvus's limit of ef
# how milvus-lite begins to say that the end of its log is not whole, and that the list of its files does not fit them
_CUT_OFF, _DAMAGED = "WAL recovery stopped", "manifest"


def open_store(place: str, name: str = NAME, *, network: Network | None = None) -> MilvusStore:
    """The gallery `name` of the store at `place`: a path that ends with .db, or an address such as http://HOST:19530.

    network: whose embeddings it is to hold, with their layout; where there is no such gallery yet, it is made. Without,
    it must be there.

    Raises:
        GalleryError: there is no such gallery; it was made by other means or in another format; the store is damaged,
            is open in another process, or cannot be reached.
    """
    name, where = checked_name(name), without_credentials(place)
    path = None if is_address(place) else local_store(place, name, create=network is not None)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    client = _connect(checked_address(place) if path is None else str(path.absolute()), where)
    try:
        with _explained(where):
            if not client.has_collection(name, timeout=CALL_SECONDS):
                if network is None:
                    raise GalleryError(
                        f"{where} has no gallery {name!r}: make it with `isp gallery build` or `isp gallery add`"
                    )
                _create(client, name, network)
            noted = client.describe_collection(name, timeout=CALL_SECONDS).get("properties", {}).get(NOTED)
            if noted is None:
                raise GalleryError(f"{where}: {name!r} was not made by `isp gallery`; give another --name")
            kept = Network.read(noted, f"{where}, gallery {name!r}")
            if not client.list_indexes(name):  # whoever made it was stopped before
                client.create_index(name, _index(client), timeout=CALL_SECONDS)
            client.load_collection(name, timeout=CALL_SECONDS)
        return MilvusStore(client, name, where, kept, path, _said(where))
    except BaseException:
        _disconnect(client, path)
        raise


def exists(place: str, name: str = NAME) -> bool:
    """Whether there is such a gallery; nothing is made. GalleryError where the place is wrong or cannot be reached."""
    name, where = checked_name(name), without_credentials(place)
    if is_address(place):
        client = _connect(checked_address(place), where)
        with contextlib.closing(client), _explained(where):
            return bool(client.has_collection(name, timeout=CALL_SECONDS))
    path = local_store(place, name, create=True)
    return (path / "collections" / name).is_dir()


class MilvusStore(GalleryStore):
    """A gallery in Milvus; see `open_store`. Threads may share one; calls that change it come one after the other."""

    def __init__(
        self, client: MilvusClient, name: str, place: str, network: Network, path: Path | None, notes: tuple[str, ...]
    ) -> None:
        if network.layout is None:
            raise GalleryError(f"{place}: it is not noted what its embeddings look like: build it again")
        self._client, self._name, self._path, self._layout = client, name, path, network.layout
        self.place, self.network, self.notes = place, network, notes
        self._changing = threading.Lock()

    def count(self, where: Where | None = None) -> int:
        with _explained(self.place):
            found = self._query(where, ["count(*)"])
        return int(found[0]["count(*)"])

    def present(self, fingerprints: Sequence[str]) -> Mapping[str, Labels]:
        if not fingerprints:
            return {}
        with _explained(self.place):
            found = self._query(Where(fingerprints=fingerprints), ["id", *_LABELS])
        return {row["id"]: _labels(row) for row in found}

    def add(self, images: Sequence[Image], embeddings: Embeddings) -> None:
        vectors, texts = candidate_features(embeddings), encode(embeddings)
        rows = [
            {"id": image.fingerprint, "path": image.path, "features": vector, "embeddings": text}
            | {name: getattr(image.labels, name) for name in _LABELS}
            for image, vector, text in zip(images, vectors, texts, strict=True)
        ]
        with self._changing, _explained(self.place):
            kept = self._client.upsert(self._name, rows, timeout=CALL_SECONDS)
        if int(kept["upsert_count"]) != len(rows):
            raise GalleryError(f"{self.place} kept {kept['upsert_count']} of {len(rows)} entries: add them again")

    def candidates(self, vectors: npt.NDArray[np.float32], count: int, where: Where | None = None) -> Iterator[Entries]:
        whole = count <= _AT_ONCE  # else the answer names entries, whose embeddings are then read in pieces
        step = max(1, _AT_ONCE // count)
        for start in range(0, len(vectors), step):
            with _explained(self.place):
                answers = self._client.search(
                    self._name,
                    data=list(vectors[start : start + step]),
                    anns_field="features",
                    limit=count,
                    filter=expression(where or Where()),
                    output_fields=_FIELDS if whole else ["id"],
                    search_params={"metric_type": "IP", "params": {"ef": min(_MOST, max(2 * count, 64))}},
                    timeout=CALL_SECONDS,
                )
            for answer in answers:
                yield (
                    self._entries([{**hit["entity"], "id": hit["id"]} for hit in answer])
                    if whole
                    else self._read([hit["id"] for hit in answer])
                )

    def few(self, limit: int, where: Where | None = None) -> Entries | None:
        if (where is None or where.everything) and self.count() > limit:
            return None
        with _explained(self.place):
            named = self._query(where, ["id"], limit=min(limit + 1, MAX_CANDIDATES))
        more = len(named) > limit or len(named) == MAX_CANDIDATES  # beyond, an answer does not tell
        return None if more else self._read([row["id"] for row in named])

    def remove(self, where: Where) -> int:
        if where.everything:
            raise GalleryError("say which entries to remove: by image, identity or camera")
        with self._changing:
            before = self.count(where)
            if before:
                with _explained(self.place):
                    self._client.delete(self._name, filter=expression(where), timeout=CALL_SECONDS)
        return before

    def finish(self) -> None:
        with self._changing, _explained(self.place):
            self._client.flush(self._name, timeout=CALL_SECONDS)

    def facts(self) -> dict[str, object]:
        with _explained(self.place):
            version = self._client.get_server_version(timeout=CALL_SECONDS)
        size = None if self._path is None else size_on_disk(self._path)
        return {"engine": f"Milvus ({version})", "index": INDEX["index_type"], "bytes": size}

    def close(self) -> None:
        _disconnect(self._client, self._path)

    def _query(self, where: Where | None, fields: list[str], limit: int | None = None) -> list[dict[str, Any]]:
        more = {} if limit is None else {"limit": limit}
        filter_ = expression(where or Where())
        return list(self._client.query(self._name, filter=filter_, output_fields=fields, timeout=CALL_SECONDS, **more))

    def _read(self, fingerprints: Sequence[str]) -> Entries:
        rows: list[dict[str, Any]] = []
        for start in range(0, len(fingerprints), _NAMED):
            some = Where(fingerprints=fingerprints[start : start + _NAMED])
            with _explained(self.place):
                rows += self._query(some, _FIELDS)
        return self._entries(rows)

    def _entries(self, rows: Sequence[Mapping[str, Any]]) -> Entries:
        images = [Image(row["id"], row["path"], _labels(row)) for row in rows]
        return Entries(images, decode([row["embeddings"] for row in rows], self._layout))


def _labels(row: Mapping[str, Any]) -> Labels:
    return Labels(row["identity"], row["camera"], row.get("time"))


def _create(client: MilvusClient, name: str, network: Network) -> None:
    if network.layout is None:
        raise GalleryError("a gallery is made with its first embeddings")
    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=96)
    schema.add_field("features", DataType.FLOAT_VECTOR, dim=network.layout.candidates)
    schema.add_field("path", DataType.VARCHAR, max_length=MAX_PATH)
    for label in ("identity", "camera"):
        schema.add_field(label, DataType.VARCHAR, max_length=4 * MAX_LABEL)
    schema.add_field("time", DataType.DOUBLE, nullable=True)
    schema.add_field("embeddings", DataType.VARCHAR, max_length=max(1, network.layout.characters))
    client.create_collection(
        name,
        schema=schema,
        index_params=_index(client),
        consistency_level="Strong",  # whoever was told that an entry is kept finds it
        properties={NOTED: network.document()},
        timeout=CALL_SECONDS,
    )


def _index(client: MilvusClient) -> Any:
    params = client.prepare_index_params()
    params.add_index("features", **INDEX)
    return params


class _Listener(logging.Handler):
    """What milvus-lite logs: causes that its errors do not name, and damage that it works around without an error."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard = [*self.heard[-99:], record]

    def take(self) -> list[logging.LogRecord]:
        heard, self.heard = self.heard, []
        return heard


_listener = _Listener()
_opened: dict[Path, int] = {}  # local stores that this process has open, and how many times
_opening = threading.Lock()


def _connect(uri: str, where: str) -> MilvusClient:
    for logger in (logging.getLogger("milvus_lite"), logging.getLogger("pymilvus")):
        if _listener not in logger.handlers:
            logger.handlers = [_listener]
            logger.propagate = False
    _listener.take()
    local = not is_address(uri)
    with _opening:
        try:
            client = MilvusClient(uri, timeout=CONNECT_SECONDS)
        except (MilvusException, grpc.RpcError) as error:
            raise GalleryError(_why_closed(where, error, local)) from error
        if local:
            _opened[Path(uri)] = _opened.get(Path(uri), 0) + 1
    return client


def _disconnect(client: MilvusClient, path: Path | None) -> None:
    client.close()
    if path is None:
        return
    from milvus_lite.server_manager import server_manager_instance

    with _opening:
        key = path.absolute()
        _opened[key] -= 1
        if not _opened[key]:
            del _opened[key]
            server_manager_instance.release_server(str(key))


def _why_closed(where: str, error: Exception, local: bool) -> str:
    if not local:
        return f"{where} cannot be reached within {CONNECT_SECONDS:g} s ({_reason(error)}): is the server running?"
    cause = next((each.exc_info[1] for each in _listener.take() if each.exc_info), error)
    if type(cause).__name__ == "DataDirLockedError":
        return (
            f"{where} is open in another process, and milvus-lite serves one at a time: wait until that one is done, "
            "or use a Milvus server (--store http://HOST:19530)"
        )
    if isinstance(cause, PermissionError) or getattr(cause, "errno", None) == errno.EROFS:
        return (
            f"{where} may not be written to, and milvus-lite notes there who has the store open, even to search: copy "
            "the store, or use a server"
        )
    return f"{where} cannot be opened ({_reason(cause or error)})"


def _said(where: str) -> tuple[str, ...]:
    """What milvus-lite worked around while it opened the store. GalleryError where entries are missing."""
    notes = []
    for record in _listener.take():
        text = record.getMessage()
        if text.startswith(_DAMAGED):
            raise GalleryError(
                f"{where} is damaged ({text.splitlines()[0][:200]}): restore it from a copy, or build it again"
            )
        if text.startswith(_CUT_OFF):
            notes.append(
                f"{where}: the end of its log is not whole, as after a crash in the middle of a write; what was being "
                "added then is missing. Add it again: images that are there are skipped"
            )
    return tuple(notes)


def _reason(error: BaseException) -> str:
    text = str(getattr(error, "message", "") or error) or type(error).__name__
    return text.splitlines()[0][:300]


@contextlib.contextmanager
def _explained(where: str) -> Iterator[None]:
    """Milvus's errors as ours."""
    try:
        yield
    except IspError:
        raise
    except (MilvusException, grpc.RpcError) as error:
        reason = _reason(error)
        way_out = "; make room and start the command again" if os.strerror(errno.ENOSPC) in reason else ""
        raise GalleryError(f"{where}: Milvus says: {reason}{way_out}") from error
