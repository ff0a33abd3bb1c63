"""Runs on drawn people for the app's tests, and pages opened on them without a browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.app import synthetic

PAGES = (
    "overview",
    "evolution",
    "identity",
    "k_compare",
    "iou",
    "ranking",
    "embeddings",
    "upload",
    "train",
    "help",
)
SCRIPT = """
from isp_app import guard
from isp_app.state.sidebar import choose
from isp_app.views import {page} as page
guard.run(page.show, choose())
"""

Open = Callable[..., AppTest]


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data` (pictures and truth) and `runs` (K = 4, 6 and a baseline), shared: do not write to it."""
    root = tmp_path_factory.mktemp("drawn")
    synthetic.write_pictures(root / "data", synthetic.records(6, 6, 5))
    for parts in (4, 6):
        synthetic.write_run(root / "runs" / f"k{parts}", parts=parts, epochs=3, weights=parts == 6)
    synthetic.write_run(root / "runs" / "baseline", parts=0, epochs=3, spread=2.5)
    return root


@pytest.fixture
def own_runs(drawn: Path, tmp_path: Path) -> Path:
    """A copy of the drawn runs that a test may break."""
    return Path(shutil.copytree(drawn / "runs", tmp_path / "runs"))


@pytest.fixture
def open_page(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a page on runs (the drawn ones by default) as a server bound to this machine does."""

    def opener(
        page: str,
        runs: Path | None = None,
        data: Path | str | None = None,
        address: str | None = "127.0.0.1",
        **query: str,
    ) -> AppTest:
        monkeypatch.setenv("ISP_EMBEDDED", "0")
        monkeypatch.setenv("ISP_RUNS", str(drawn / "runs" if runs is None else runs))
        monkeypatch.setenv("ISP_DATA", str(drawn / "data" if data is None else data))
        monkeypatch.delenv("ISP_ALLOW_TRAINING", raising=False)
        monkeypatch.setattr(st, "get_option", lambda name: address if name == "server.address" else None)
        test = AppTest.from_string(SCRIPT.format(page=page), default_timeout=60)
        for name, value in query.items():
            test.query_params[name] = value
        return test.run()

    return opener


@pytest.fixture(autouse=True)
def no_surprise(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The guard turns any exception of a page into a sentence and logs it: here that is a failure."""
    yield
    surprises = [record for record in caplog.get_records("call") if record.name == "isp_app.guard" and record.exc_info]
    assert not surprises, surprises[0].exc_text


def words(test: AppTest) -> str:
    """All that a page says in text elements, tables left out."""
    kinds = ("title", "subheader", "markdown", "caption", "info", "warning", "error", "text", "code")
    return "\n".join(str(element.value) for kind in kinds for element in test.get(kind))
