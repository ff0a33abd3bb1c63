"""Label maps of a run that may come from anyone: HDF5 that leads elsewhere, or declares more than is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from isp_core.runs import RunError, open_run
from isp_core.runs.maintenance import verify
from tests.isp_core.runs.made import PARTS, TRAIN, make_run

SECRET = b"root:x:0:0:the content of a file outside the run" * 4000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_run(tmp_path / "runs" / "bad")


def rewritten(file: Path, make: Callable[[h5py.File], object]) -> None:
    file.unlink()
    with h5py.File(file, "w") as opened:
        make(opened)


def external_storage(file: h5py.File, secret: Path) -> None:
    shape = (TRAIN, 16, 8)
    file.create_dataset("maps", shape, np.uint8, external=[(str(secret), 0, TRAIN * 128)])


def virtual(file: h5py.File, secret: Path) -> None:
    with h5py.File(secret.with_suffix(".h5"), "w") as other:
        other["maps"] = np.zeros((TRAIN, 16, 8), np.uint8)
    layout = h5py.VirtualLayout((TRAIN, 16, 8), np.uint8)
    layout[:] = h5py.VirtualSource(str(secret.with_suffix(".h5")), "maps", (TRAIN, 16, 8))
    file.create_virtual_dataset("maps", layout)


def link(file: h5py.File, secret: Path) -> None:
    with h5py.File(secret.with_suffix(".h5"), "w") as other:
        other["maps"] = np.zeros((TRAIN, 16, 8), np.uint8)
    file["maps"] = h5py.ExternalLink(str(secret.with_suffix(".h5")), "/maps")


def soft_link(file: h5py.File, secret: Path) -> None:
    file["elsewhere"] = h5py.ExternalLink(str(secret.with_suffix(".h5")), "/maps")
    file["maps"] = h5py.SoftLink("/elsewhere")


@pytest.mark.parametrize("kind", ["train", "activation"])
@pytest.mark.parametrize("way", [external_storage, virtual, link, soft_link])
def test_maps_that_lie_in_other_files_are_not_read(
    path: Path, tmp_path: Path, kind: str, way: Callable[[h5py.File, Path], None]
) -> None:
    secret = tmp_path / "passwd"
    secret.write_bytes(SECRET)
    file = path / "labels" / kind / "epoch_0001.h5"
    file.parent.mkdir(exist_ok=True)
    file.touch()
    rewritten(file, lambda opened: way(opened, secret))
    run = open_run(path)
    reads: list[Callable[[], object]] = [
        lambda: run.labels("train", 1),
        lambda: run.labels("train", 1, [3]),
        lambda: run.label_history("train", 3),
    ]
    if kind == "activation":
        reads = [lambda: run.activation(1), lambda: run.activation(1, [3])]
    for read in reads:
        with pytest.raises(RunError, match=r"epoch_0001.h5.*(lie in other files|is a link)"):
            read()
    assert f"labels/{kind}/epoch_0001.h5" in {finding.file for finding in verify(run)}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: f.create_dataset("maps", (2_000_000, 16, 8), np.uint8, chunks=(16, 16, 8)), "2000000 maps where"),
        (lambda f: f.create_dataset("maps", (TRAIN // 2, 16, 8), np.uint8), "20 maps where the records have 40"),
        (lambda f: f.create_dataset("maps", (TRAIN, 10**6, 10**6), np.uint8, chunks=(1, 16, 8)), "more than is read"),
        (lambda f: f.create_dataset("maps", (TRAIN, 4096, 4096), np.uint8, chunks=(40, 4096, 4096)), "chunks of"),
        (lambda f: f.create_dataset("maps", (TRAIN, 16, 8), np.float64), "float64 values"),
        (lambda f: f.create_dataset("maps", (TRAIN,), h5py.string_dtype()), "values of shape"),
        (lambda f: f.create_dataset("maps", (TRAIN, 16), np.uint8), "maps are uint8"),
        (lambda f: f.create_dataset("maps", (TRAIN, 16, 8), np.uint8, chunks=(1, 16, 8), compression="lzf"), "filter"),
        (lambda f: f.create_group("maps"), "is broken"),
        (lambda f: f.create_dataset("others", (TRAIN, 16, 8), np.uint8), "is broken"),
        (lambda f: f.create_dataset("maps", data=np.full((TRAIN, 16, 8), PARTS, np.uint8)), "part 4 where the run has"),
    ],
)
def test_maps_are_measured_before_they_are_read(path: Path, make: Callable[[h5py.File], object], message: str) -> None:
    file = path / "labels/train/epoch_0001.h5"
    rewritten(file, make)
    run = open_run(path)
    for read in (
        lambda: run.labels("train", 1),
        lambda: run.labels("train", 1, [0]),
        lambda: run.label_history("train", 0),
    ):
        with pytest.raises(RunError, match=message):
            read()
