"""The components' JavaScript: linted as it is sent to the browser, and the linter finds what it is there for."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "app" / "components"
CONFIG = ROOT / ".oxlintrc.json"
SHARED = "paint.js"
LINTER = Path(sys.executable).parent / "oxlint"


def top_level(script: str) -> set[str]:
    return set(re.findall(r"^(?:async )?(?:function|const|let|class) (\w+)", script, re.MULTILINE))


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    if not LINTER.is_file():
        pytest.skip("oxlint is not installed: the extra `dev` has it")
    command = [LINTER, "--deny-warnings", "--config", ".oxlintrc.json", "app/components"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_the_components_have_no_findings() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("file", "line", "rule"),
    [
        ("ranking_grid.js", "paintt(1);", "no-undef"),
        ("paint.js", "function unused() { const kept = 1; }", "no-unused-vars"),
        ("history.js", "if (SOON == 1) SOON;", "eqeqeq"),
        ("mask_viewer.js", "var look = 1;", "no-var"),
    ],
)
def test_a_mistake_is_found(file: str, line: str, rule: str, tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "app" / "components")
    shutil.copy(CONFIG, tmp_path)
    with (tmp_path / "app" / "components" / file).open("a", encoding="utf-8") as script:
        script.write(line + "\n")
    done = lint(tmp_path)
    assert done.returncode != 0
    assert rule in done.stdout


def test_the_linter_knows_the_shared_names_and_each_is_used() -> None:
    config = CONFIG.read_text("utf-8")
    names = top_level((FOLDER / SHARED).read_text("utf-8"))
    assert set(re.findall(r'"(\w+)": "readonly"', config)) == names
    exempt = re.search(r"varsIgnorePattern\": \"\^\(([\w|]+)\)\$", config)
    assert exempt is not None
    others = "".join(path.read_text("utf-8") for path in FOLDER.glob("*.js") if path.name != SHARED)
    assert [name for name in exempt[1].split("|") if not re.search(rf"\b{name}\b", others)] == []
