"""The quickstart, the tutorials and the notebook do what they say: every block is executed on a small data set."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.docs.blocks import RUN, blocks, execute

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [DOCS / "quickstart.md", *sorted((DOCS / "tutorials").glob("*.md"))]
NOTEBOOK = DOCS / "tutorials" / "own-images.ipynb"
PEOPLE, IMAGES = 6, 5
"""Of the data set that stands for a reader's own images: few, and enough for a batch and a query."""


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A reader's folder: the embedded study as in the checkout, and `photos`, one folder per person."""
    shutil.copytree(ROOT / "assets" / "runs", tmp_path / "assets" / "runs")
    (tmp_path / "assets" / "walkers").symlink_to(ROOT / "assets" / "walkers")
    images = sorted((ROOT / "assets" / "walkers" / "bounding_box_train").glob("*.jpg"))
    for person in sorted({image.name[:4] for image in images})[:PEOPLE]:
        folder = tmp_path / "photos" / person
        folder.mkdir(parents=True)
        own = [image for image in images if image.name.startswith(person)]
        for image in own[:: len(own) // IMAGES][:IMAGES]:  # of several cameras
            shutil.copy(image, folder)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_runs(page: Path, desk: Path) -> None:
    execute(page, desk)


def test_a_block_is_left_out_only_with_a_reason() -> None:
    executed = {page.stem: [block for block in blocks(page) if block.language in RUN] for page in PAGES}
    assert {stem for stem, found in executed.items() if not found} == {"notebook"}  # which is executed itself, below
    left_out = {stem: sum(block.excused for block in found) for stem, found in executed.items()}
    assert {stem: n for stem, n in left_out.items() if n} == {"own-data": 2, "torchreid": 1}


def test_a_failing_block_is_named(tmp_path: Path) -> None:
    page = DOCS / "tutorials" / "reading-a-run.md"
    with pytest.raises(AssertionError, match=r"reading-a-run\.md, line \d+:\nisp runs list assets/runs"):
        execute(page, tmp_path)  # a folder without the study


@pytest.mark.slow
def test_the_notebook_runs_and_is_kept_without_results(desk: Path) -> None:
    nbformat = pytest.importorskip("nbformat", reason="the extra `docs` is not installed")
    nbclient = pytest.importorskip("nbclient", reason="the extra `docs` is not installed")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(desk)}}).execute()
    kinds = {kind for cell in notebook.cells for output in cell.get("outputs", []) for kind in output.get("data", {})}
    assert "image/png" in kinds
