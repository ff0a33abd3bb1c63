"""The site is built without a warning, and its generated pages hold what they are made from."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("mkdocs") is None, reason="the extra `docs` is not installed"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not re.search(r"^WARNING", done.stderr, re.MULTILINE), done.stderr
    return folder


def test_examples_of_the_hook() -> None:
    spec = spec_from_file_location("site_pages", ROOT / "docs" / "site_pages.py")
    assert spec is not None
    assert spec.loader is not None
    hook = module_from_spec(spec)
    spec.loader.exec_module(hook)
    failed, tried = doctest.testmod(hook)
    assert tried
    assert not failed


def text_of(page: Path) -> str:
    return re.sub(r"<[^>]+>", "", page.read_text("utf-8"))


def test_every_command_and_option_is_in_the_reference(site: Path) -> None:
    page = text_of(site / "cli.html")
    from isp_core.commands.lazy import COMMANDS

    for words in ("isp data", "isp train", "isp runs verify", "isp eval retrieval", "isp eval study", "isp match"):
        assert words in page
    assert [name for name in COMMANDS if f"isp {name}" not in page] == []
    assert "--share-on" in page  # of a command in a package above isp_core
    assert "--eval-every" in page


def test_signatures_and_their_explanations_are_in_the_api(site: Path) -> None:
    page = text_of(site / "api.html")
    for name in ("load_data", "HumanParser", "open_run", "register_backbone"):
        assert name in page
    assert "common layouts are detected automatically" in page


def test_documents_of_other_folders_are_pages_and_links_to_them_work(site: Path) -> None:
    assert "Rendered pedestrians" in text_of(site / "walkers.html")
    assert 'href="walkers.html"' in (site / "results.html").read_text("utf-8")
    assert 'href="../label-sources.html"' in (site / "concepts" / "method.html").read_text("utf-8")


def test_nothing_is_requested_from_other_servers(site: Path) -> None:
    page = (site / "index.html").read_text("utf-8")
    assert re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"?https?:", page) == []
