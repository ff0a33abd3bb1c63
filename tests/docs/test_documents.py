"""Documents agree with the repository: links lead somewhere, names exist, vocabulary is the field's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import isp_core
from isp_core.version import VERSION

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted(path for path in (ROOT / "assets").glob("*/README.md")),
]
GENERATED = {"cli.md", "walkers.md", "embedded-study.md", "meshes.md", "changelog.md", "contributing.md", "security.md"}
WORDS = {
    "anew": "again",
    "commonest": "most common",
    "everybody": "all people",
    "somebody": "someone",
    "nobody": "no one",
    "learnt": "learned",
    "likeliest": "most likely",
    "Out of scope:": "Out of scope:",
    "true maps": "ground-truth maps",
    "could not be had": "could not be downloaded",
    "beside": "next to",
    "taken for": "a verb",
}
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(path: Path) -> str:
    return _FENCED.sub("", path.read_text("utf-8"))


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    texts = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-") for text in texts}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_the_words_are_the_field_s(document: Path) -> None:
    """Words that native speakers of this field do not use, each with what they say."""
    text = re.sub(r"`[^`]*`", "", prose(document))
    found = [f"{word} -> {better}" for word, better in WORDS.items() if re.search(rf"\b{word}\b", text, re.IGNORECASE)]
    assert found == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_to_files_and_headings_that_exist(document: Path) -> None:
    broken = []
    for target in _LINK.findall(prose(document)):
        place, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", place):
            continue
        file = (document.parent / place).resolve() if place else document
        if file.name in GENERATED and file.parent == ROOT / "docs":
            continue  # made while the site is built, which checks these links
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def test_the_site_shows_every_page() -> None:
    """A page that nobody can reach is not documentation."""
    shown = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text("utf-8")))
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert shown == pages | GENERATED


def test_the_reference_has_every_public_name() -> None:
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    names = [name for name in isp_core.__all__ if not name.startswith("__")]
    assert [name for name in names if not re.search(rf"^::: [\w.]+\.{name}$", page, re.MULTILINE)] == []


def test_the_citation_names_this_version_and_the_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == VERSION
    assert re.search(rf"^## {re.escape(VERSION)}\b", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    paper = citation["preferred-citation"]
    assert (len(paper["authors"]), paper["year"]) == (5, 2020)
    assert "arxiv.org/abs/2007.13467" in paper["url"]
