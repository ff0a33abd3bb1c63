"""The wheel, installed into an empty environment outside the checkout: five commands and one page in Chromium.

The libraries are this environment's, to which a .pth file points: what is tested is what the wheel itself holds.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.app.test_server import clean_environment
from tests.browser.server import Tab

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {"isp_core": "isp_core", "eval": "isp_eval", "app": "isp_app", "assets": "isp_assets"}
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Place:
    """An environment with the wheel alone, and an empty folder in which commands are run."""

    wheel: Path
    python: Path
    folder: Path

    def run(self, *arguments: str | Path) -> str:
        """`isp ARGUMENTS`, which must succeed; its standard output."""
        done = subprocess.run(
            [self.python.parent / "isp", *map(str, arguments)],
            cwd=self.folder,
            env=clean_environment(self.folder),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def where(self, package: str) -> Path:
        """The folder that `import package` finds, from this folder."""
        code = f"import {package}; print({package}.__path__[0])"
        done = subprocess.run([self.python, "-c", code], cwd=self.folder, capture_output=True, text=True, check=True)
        return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    base = tmp_path_factory.mktemp("wheel")
    source = base / "source"
    source.mkdir()
    for name in FOLDERS:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", source, "--no-deps", "--no-build-isolation", "-w", base], check=True)
    wheel = next(base.glob("*.whl"))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", base / "venv"], check=True)
    python = base / "venv" / "bin" / "python"
    site = base / "venv" / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    subprocess.run([*pip, "--python", python, "install", "--no-deps", "--no-index", wheel], check=True)
    # the libraries of this environment; .pth files in there, such as an editable install's, are not followed
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    (site / "libraries.pth").write_text("\n".join(libraries) + "\n")
    folder = base / "elsewhere"
    folder.mkdir()
    (folder / "eval").mkdir()  # a user's own folders of these names must not hide ours
    (folder / "app").mkdir()
    return Place(wheel, python, folder)


def test_the_wheel_holds_every_file_of_the_packages(place: Place) -> None:
    held = set(zipfile.ZipFile(place.wheel).namelist())
    listed = subprocess.run(["git", "ls-files", *FOLDERS], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    pairs = (line.partition("/") for line in listed.stdout.split())
    wanted = {f"{FOLDERS[folder]}/{rest}" for folder, _, rest in pairs}
    assert sorted(wanted - held) == []


def test_it_installs_no_package_of_a_common_name(place: Place) -> None:
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(place.wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(FOLDERS.values())
    for package in FOLDERS.values():
        assert place.python.parents[1] in place.where(package).parents


def test_five_commands_work_from_an_unrelated_folder(place: Place) -> None:
    assets = place.where("isp_assets")
    assert place.run("--version").startswith("isp-reid ")
    report = json.loads(place.run("doctor", "--json"))
    assert all(each["good"] for each in report["self-test"])
    runs = json.loads(place.run("runs", "list", assets / "runs", "--json"))
    assert len(runs) > 5
    assert not any(run["problem"] for run in runs)
    (place.folder / "images").mkdir()
    for image in sorted((assets / "walkers" / "query").glob("*.jpg"))[:2]:
        shutil.copy(image, place.folder / "images")
    run = next(Path(run["path"]) for run in runs if run["parts"] and (Path(run["path"]) / "checkpoints").is_dir())
    place.run("parse", "--run", run, "--out", place.folder / "parsed", place.folder / "images")
    assert len(list((place.folder / "parsed" / "labels").glob("*.png"))) == 2
    shutil.copytree(run, place.folder / "run")
    table = json.loads(
        place.run("eval", "retrieval", "--run", place.folder / "run", "--data", assets / "walkers", "--json")
    )
    assert table


@pytest.fixture
def page(place: Place, chrome: Browser) -> Iterator[Tab]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (place.folder / "app.log").open("wb") as log:
        server = subprocess.Popen(
            [place.python.parent / "isp", "app", "--port", str(port)],
            cwd=place.folder,
            env=clean_environment(place.folder),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(1200):
            assert server.poll() is None, (place.folder / "app.log").read_text()
            with suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health", timeout=5):
                break
            time.sleep(0.1)
        tab = Tab(chrome, address)
        yield tab
        tab.page.context.close()
    finally:
        server.terminate()
        server.wait(60)


def test_the_app_shows_the_embedded_study_with_its_components(page: Tab) -> None:
    page.open("evolution?run=contrast-k8")
    expect(page.page.locator("[data-testid=stSidebar]")).to_contain_text("K = 8")
    expect(page.page.locator(".isp:has(canvas)").first).to_be_visible()
    assert page.problems == []
