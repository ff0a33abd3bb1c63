"""What the packages import is what pyproject.toml declares."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = {"isp_core", "isp_eval", "isp_app", "isp_assets"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# folder: the extras whose libraries it may import; weights packages and self-references are looked up by name alone
ALLOWED = {
    "isp_core": ("app", "gallery", "tensorboard", "onnx"),
    "eval": ("eval", "truth", "onnx"),
    "app": ("app",),
    "assets": (),
}


def names(requirements: list[str]) -> set[str]:
    """The distributions of requirements, extras of our own followed."""
    found: set[str] = set()
    for requirement in requirements:
        match = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[([^\]]*)\])?.*", requirement)
        assert match is not None
        if match[1] == PROJECT["name"]:
            for extra in match[2].split(","):
                found |= names(PROJECT["optional-dependencies"][extra])
        else:
            found.add(normal(match[1]))
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(folder: Path) -> dict[str, str]:
    """Top-level modules that the Python files below import, each with a file that does."""
    found: dict[str, str] = {}
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                modules = [node.module]
            for module in modules:
                found.setdefault(module.partition(".")[0], str(file.relative_to(ROOT)))
    return found


@pytest.mark.parametrize("folder", ALLOWED)
def test_every_imported_library_is_a_declared_dependency(folder: str) -> None:
    declared = names(PROJECT["dependencies"])
    for extra in ALLOWED[folder]:
        declared |= names(PROJECT["optional-dependencies"][extra])
    distributions = packages_distributions()
    undeclared = {}
    for module, file in imported(ROOT / folder).items():
        if module in sys.stdlib_module_names or module in OURS:
            continue
        owners = {normal(name) for name in distributions.get(module, [module])}
        if not owners & declared:
            undeclared[module] = file
    assert undeclared == {}


def test_the_app_s_requirements_are_the_project_with_what_the_app_needs() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == ["-e .[app]"]


def test_the_version_is_said_in_one_place() -> None:
    assert PROJECT["dynamic"] == ["version"]
    assert "version" not in PROJECT
