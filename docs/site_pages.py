"""MkDocs hook: pages that are made while the site is built, and links that leave docs/.

Out of scope: text. The command line's page is read from the commands themselves; documents that belong elsewhere in the
repository (a data set's card, the changelog) are shown where they are, so that each exists once.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from isp_core.__main__ import app
from isp_core.commands.lazy import LazyCommand

ROOT = Path(__file__).resolve().parents[1]
DOCS = "docs"
COPIES = {
    # page of the site: the document of the repository that it shows
    "walkers.md": "assets/walkers/README.md",
    "embedded-study.md": "assets/runs/README.md",
    "meshes.md": "assets/meshes/README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
}
COMMANDS = "cli.md"
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]\[]*)\]\((?P<target>[^)\s]+)\)")
_FENCE = re.compile(r"^(```.*?^```)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages; MkDocs calls it."""
    files.append(File.generated(config, COMMANDS, content=command_reference()))
    for page, source in COPIES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrites links that lead out of docs/; MkDocs calls it for every page."""
    return relink(markdown, page.file.src_uri)


def relink(markdown: str, page: str) -> str:
    """The text of a page of the site with links to files of the repository turned into links to the site's pages.

    Files that the site does not show (code, licences) are named instead. Links to files that do not exist are left as
    they are: MkDocs reports them.

    >>> relink("see [the card](../assets/walkers/README.md#statistics)", "results.md")
    'see [the card](walkers.md#statistics)'
    >>> relink("the [licence](../LICENSE)", "results.md")
    'the licence (`LICENSE`)'
    """
    source = COPIES.get(page, f"{DOCS}/{page}")

    def target_of(match: re.Match[str]) -> str:
        path, hash_sign, anchor = match["target"].partition("#")
        if not path or re.match(r"[a-z]+:", path):
            return match[0]
        named = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if not (ROOT / named).exists() and named != f"{DOCS}/{COMMANDS}":
            return match[0]
        shown = next((copy for copy, original in COPIES.items() if original == named), None)
        if shown is None and named.startswith(f"{DOCS}/"):
            shown = named.removeprefix(f"{DOCS}/")
        if shown is None:
            return f"{match['text']} (`{named}`)" if match["text"].strip("`") != named else f"`{named}`"
        link = posixpath.relpath(shown, posixpath.dirname(page) or ".")
        return f"[{match['text']}]({link}{hash_sign}{anchor})"

    pieces = _FENCE.split(markdown)
    return "".join(piece if piece.startswith("```") else _LINK.sub(target_of, piece) for piece in pieces)


def command_reference() -> str:
    """The page of the command line: every command with its usage, help, arguments and options."""
    lines = ["# Command line", "", "Made from the commands themselves; `isp COMMAND --help` prints the same.", ""]
    for words, command in commands():
        lines += [f"## {' '.join(words)}", "", *_description(words, command), ""]
    return "\n".join(lines)


def commands() -> Iterator[tuple[list[str], Any]]:
    """Every command that does something, with the words that call it."""
    yield from _below(["isp"], typer.main.get_command(app))


def _below(words: list[str], command: Any) -> Iterator[tuple[list[str], Any]]:
    if isinstance(command, LazyCommand):
        command = command.real()
    inner = getattr(command, "commands", None)
    if inner is None:
        yield words, command
        return
    context = command.context_class(command, info_name=words[-1])
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        yield from _below([*words, name], found)


def _description(words: list[str], command: Any) -> list[str]:
    context = command.context_class(command, info_name=" ".join(words))
    usage = " ".join([*words, *command.collect_usage_pieces(context)])
    lines = ["```text", usage, "```", "", (command.help or "").strip(), ""]
    rows = [row for row in (_row(parameter, context) for parameter in command.params) if row is not None]
    if rows:
        lines += ["| argument or option | default | what |", "|---|---|---|", *rows]
    return lines


def _row(parameter: Any, context: Any) -> str | None:
    if getattr(parameter, "hidden", False) or parameter.name == "help":
        return None
    is_option = parameter.param_type_name == "option"
    names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts]) if is_option else ""
    name = names or f"`{parameter.metavar or parameter.name.upper()}`"
    default = parameter.get_default(context, call=False)
    said = "required" if parameter.required else "" if default in (None, False, "", [], ()) else f"`{default}`"
    text = " ".join((parameter.help or "").split()).replace("|", "\\|")
    return f"| {name} | {said} | {text} |"
