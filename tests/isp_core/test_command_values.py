"""Values that people give commands: digits of other scripts, and names that are not UTF-8."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from isp_core.commands.networks import _picture_files
from isp_core.commands.training import parse_size
from isp_core.config import ConfigError
from isp_core.errors import IspError


@pytest.mark.parametrize("text", ["²x³", "64", "x", "64x", "-64x32", "6 4x32", "9" * 20 + "x32", "64x32x3", "٦٤x"])
def test_a_size_is_two_numbers(text: str) -> None:
    with pytest.raises(ConfigError, match="height x width"):
        parse_size(text)


def test_images_whose_names_are_not_utf8_are_read(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (8, 16)).save(tmp_path / folder / "x.png")
        (tmp_path / folder / "x.png").rename(tmp_path / folder / os.fsdecode(b"0001_\xd5\xd5.png"))
    ((file, name),) = _picture_files([tmp_path / "a"])
    assert file.exists()
    assert name == os.fsdecode(b"0001_\xd5\xd5")
    with pytest.raises(IspError, match=r"two of the images are called 0001_\\xd5\\xd5"):
        _picture_files([tmp_path / "a", tmp_path / "b"])
