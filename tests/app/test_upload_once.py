"""An uploaded file is taken once, however often Streamlit tells of it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from PIL import Image

from isp_app.views import upload_images


@dataclass
class File:
    name: str
    file_id: str

    def getvalue(self) -> bytes:
        buffer = io.BytesIO()
        Image.new("RGB", (32, 64)).save(buffer, "PNG")
        return buffer.getvalue()


def test_a_callback_that_comes_again_takes_no_file_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    added: list[str] = []
    monkeypatch.setattr(upload_images, "_add", lambda files, count: added.extend(name for name, _ in files))
    session: dict[str, object] = {"upload-round": 0, "uploads-0": [File("street.png", "a")]}
    monkeypatch.setattr(upload_images, "st", SimpleNamespace(session_state=session))
    for _ in range(2):
        upload_images._take("uploads-0")
    session["uploads-0"] = [File("street.png", "b")]  # the same image, given again by hand
    upload_images._take("uploads-0")
    assert added == ["street.png", "street.png"]
    assert session["upload-round"] == 2
