"""Examples of the public API that need a data set or a run are executed too, on small ones of those names.

pytest runs all other examples by itself; these say SKIP to it. Numbers are not compared: they are the reader's run's.
"""

from __future__ import annotations

import doctest
import importlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isp_core.parser import HumanParser
from isp_core.runs import Run, open_run
from tests.app import synthetic

MODULES = ("isp_core", "isp_core.api", "isp_core.parser", "isp_core.drawing", "isp_core.gallery")


class AnyNumber(doctest.OutputChecker):
    """Compares what is printed but for its numbers; of what the example does not show, nothing is asked."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        if not want:
            return True
        want, got = (re.sub(r"\d+(\.\d+)?", "#", text) for text in (want, got))
        return super().check_output(want, got, optionflags | doctest.NORMALIZE_WHITESPACE)


def skipped() -> Iterator[tuple[str, doctest.DocTest]]:
    """The docstrings whose examples are skipped elsewhere."""
    for name in MODULES:
        for test in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name), name):
            unskipped = [each.options.pop(doctest.SKIP, False) for each in test.examples]
            if any(unskipped):
                yield test.name, test


TESTS = dict(skipped())


@pytest.fixture(scope="module")
def folder(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the examples name: DATA and Market-1501, runs/mine, a.jpg and b.jpg."""
    place = tmp_path_factory.mktemp("examples")
    for name in ("DATA", "Market-1501"):
        (place / name).symlink_to(people)
    synthetic.write_run(place / "runs" / "mine", parts=6, epochs=2, weights=True)
    for name, image in zip(("a.jpg", "b.jpg"), sorted((people / "query").glob("*.jpg")), strict=False):
        shutil.copy(image, place / name)
    return place


def test_the_public_functions_have_examples() -> None:
    assert {"isp_core", "isp_core.api.train", "isp_core.parser", "isp_core.drawing", "isp_core.gallery"} <= set(TESTS)


@pytest.mark.parametrize("name", TESTS)
def test_an_example_of_the_public_api_runs(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    run, test = open_run("runs/mine"), TESTS[name]

    def trained(*_: object, **__: object) -> Run:
        return run  # training has tests of its own

    monkeypatch.setattr("isp_core.training.train", trained)
    if name == "isp_core.gallery":  # its example goes on from those of the parser
        given: dict[str, Any] = {"run": run, "epoch": run.embedding_epochs()[-1]}
        test.globs |= given | {"parser": HumanParser.load(run)}
    said: list[str] = []
    doctest.DocTestRunner(AnyNumber()).run(test, out=said.append, clear_globs=False)
    assert not said, "".join(said)
