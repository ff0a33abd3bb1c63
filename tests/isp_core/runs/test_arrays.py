"""Files of other tools are read within bounds: what they declare is checked before memory is spent on it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from isp_core.errors import IspError
from isp_core.images import read_label_map
from isp_core.runs.arrays import read_arrays

ROWS = np.arange(12, dtype=np.float32).reshape(3, 4)
TENSOR = torch.from_numpy(ROWS)


@pytest.mark.parametrize(
    "make",
    [
        lambda: TENSOR,
        lambda: TENSOR.bfloat16(),
        lambda: TENSOR.half(),
        lambda: TENSOR.to(torch.float8_e4m3fn),
        lambda: TENSOR.to_sparse(),
        lambda: TENSOR.to_sparse_csr(),
        lambda: torch.quantize_per_tensor(TENSOR, 1.0, 0, torch.quint8),
        lambda: TENSOR.clone().requires_grad_(),
        lambda: TENSOR.T.contiguous().T,
    ],
    ids=["plain", "bfloat16", "half", "float8", "sparse", "csr", "quantised", "with gradient", "transposed"],
)
def test_every_kind_of_tensor_that_has_numbers_is_read(make: Callable[[], torch.Tensor], tmp_path: Path) -> None:
    torch.save({"qf": make()}, tmp_path / "t.pt")
    found = read_arrays(tmp_path / "t.pt")["qf"]
    np.testing.assert_allclose(found.astype(np.float32), ROWS, atol=0.5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: torch.empty(3, 4, device="meta"), "meta tensor"),
        (lambda: torch.tensor(3.0), "a single number"),
        (lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]), "nested"),
        (lambda: torch.zeros(1).expand(10**12), "GiB"),
        (lambda: torch.sparse_coo_tensor(torch.zeros(2, 1, dtype=torch.long), torch.ones(1), (10**6, 10**6)), "GiB"),
    ],
    ids=["meta", "one number", "nested", "expanded", "sparse and huge"],
)
def test_tensors_without_rows_or_beyond_memory_are_named(
    make: Callable[[], torch.Tensor], message: str, tmp_path: Path
) -> None:
    torch.save({"qf": make()}, tmp_path / "t.pt")
    with pytest.raises(IspError, match=rf"t\.pt.*{message}|{message}"):
        read_arrays(tmp_path / "t.pt")


def npy(shape: tuple[int, ...], content: bytes = b"") -> bytes:
    """A .npy that declares a shape and holds what it likes."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return buffer.getvalue() + content


def test_an_array_that_declares_terabytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.npy").write_bytes(npy((10**6, 10**6), b"\0" * 100))
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("qf.npy", npy((10**6, 10**6), b"\0" * 100))
    for name in ("t.npy", "t.npz"):
        with pytest.raises(IspError, match=r"declares \(1000000, 1000000\)"):
            read_arrays(tmp_path / name)


def test_an_archive_that_unpacks_far_beyond_its_size_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(tmp_path / "t.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("qf.npy", "w") as member,
    ):
        member.write(npy((300, 2**18)))
        for _ in range(300):
            member.write(b"\0" * 2**20)
    with pytest.raises(IspError, match="unpacks from"):
        read_arrays(tmp_path / "t.npz")


def test_one_number_is_no_table_of_features(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.float32(3))
    with pytest.raises(IspError, match="a single number"):
        read_arrays(tmp_path / "t.npy")


def test_companions_of_macos_are_no_features(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", ROWS[0])
    (tmp_path / "._a.npy").write_bytes(b"\0\5\x16\7")
    assert list(read_arrays(tmp_path)["path"]) == ["a.npy"]


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY", b"\x93NUMPY\1\0\xff\xff{", b"PK\3\4", b"hello", b"\x93NUMPY\x09\0"]
)
@pytest.mark.parametrize("name", ["t.npy", "t.npz", "t.pt", "t.parquet"])
def test_damaged_files_are_an_error_of_ours(content: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(IspError, match=name.replace(".", r"\.")):
        read_arrays(tmp_path / name)


def test_a_header_that_numpy_cannot_parse_names_the_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 4), np.uint8))
    content = bytearray((tmp_path / "a.npy").read_bytes())
    content[content.index(b"}")] = ord(" ")  # a dict that does not end: NumPy's own tokenizer raises at it
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(IspError, match=r"a\.npy cannot be read"):
        read_arrays(tmp_path / "a.npy")
    with pytest.raises(IspError, match=r"a\.npy: not readable as a NumPy array"):
        read_label_map(tmp_path / "a.npy")
