"""What the documents say that can be checked: commands, settings, links, blocks of code."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from tests.docs.reference import DOCS, ROOT, walk

PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md")


def documents() -> dict[str, str]:
    """README, CONTRIBUTING, SECURITY and all of docs/ by their names from the root."""
    paths = [ROOT / name for name in PAGES] + sorted(DOCS.glob("*.md"))
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}


@dataclass(frozen=True)
class Block:
    """A fenced block of code; its language is empty where none is named."""

    page: str
    language: str
    text: str


def blocks(page: str, language: str | None = None) -> list[Block]:
    """The fenced blocks of a page, in their order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)[^\n]*\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    every = [Block(page, *one) for one in found]
    return [one for one in every if language is None or one.language == language]


# Commands


@cache
def commands() -> dict[str, Any]:
    """Every command and group by its words."""
    return dict(walk())


@dataclass(frozen=True)
class Line:
    """A command line in a document, without `digest`; `is_whole` where it can be run as it is."""

    page: str
    words: tuple[str, ...]
    is_whole: bool


# where a command can begin: a line, a pipe, an "and", behind sudo, in a container
_DIGEST = re.compile(
    r"(?:^\s*|\$ |[|&;(·] *|sudo |bin/|exec |digest )digest((?:[ \t]+[^\s`)#>|;&<…·]+)+)"
)


def command_lines(page: str, text: str) -> Iterator[Line]:
    """Every `digest …` in blocks of code and in code within prose.

    Alternatives such as `list|show` are taken apart, what stands in brackets may be left out.
    """
    code, rest = list[str](), list[str]()
    language: str | None = None
    for line in text.splitlines():
        if line.startswith("```"):
            language = line[3:].strip() if language is None else None
        elif language in ("sh", "console") or (language is None and line.startswith("    ")):
            code.append(line)
        elif language is None:
            rest.append(line)
    for line in code:
        for words in _commands(line):
            yield Line(page, words, is_whole=True)
    for inline in re.findall(r"`([^`]+)`", "\n".join(rest)):
        for words in _commands(" ".join(inline.split())):
            yield Line(page, words, is_whole=False)


def _commands(piece: str) -> Iterator[tuple[str, ...]]:
    piece = re.sub(r"\\\|", "|", piece)
    piece = re.sub(r"(?<=[\w-])\|(?=[\w-])", "\0", piece)  # alternatives, not a pipe
    for found in _DIGEST.finditer(piece):
        try:
            words = shlex.split(found[1])
        except ValueError:  # a quotation that the pattern cut in two
            words = shlex.split(_quoted(piece[found.start(1) :]))
        if words and re.match(r"[a-z]|--config$", words[0]) and words[0] != "digest":
            yield from product(*(word.split("\0") for word in words))


def _quoted(text: str) -> str:
    """As much of it as ends outside of quotation marks, up to a comment or a pipe."""
    bare = re.match(r"""(?:[^'"#|>;&<`]|'[^']*'|"[^"]*")*""", text)
    return bare[0] if bare else ""


def lacking(words: tuple[str, ...]) -> str:
    """What of a command line this program does not know; empty where it knows it all."""
    known = commands()
    path, rest = "digest", list(words)
    if rest[0] == "--config":
        rest = rest[2:]
    while rest and hasattr(known[path], "commands"):
        if f"{path} {rest[0]}" not in known:
            return rest[0]
        path = f"{path} {rest.pop(0)}"
    options = {opt for one in known[path].params for opt in (*one.opts, *one.secondary_opts)}
    asked = [word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)]
    return next((word for word in asked if word not in options | {"--help"}), "")


def refused(words: tuple[str, ...]) -> str:
    """Why the program would not take this line, as its own parser says; empty where it would."""
    from typer.exceptions import TyperException

    command: Any = commands()["digest"]
    rest, parent = list(words), None
    if rest[0] == "--config":
        rest = rest[2:]
    path = "digest"
    while rest and hasattr(command, "commands"):
        path = f"{path} {rest[0]}"
        command = command.commands.get(rest.pop(0))
        if command is None:
            return f"{path}: no such command"
    try:
        command.make_context(path, rest, parent=parent)
    except TyperException as exc:
        return f"{path}: {exc.format_message()}"
    return ""


# Links


def anchors(text: str) -> set[str]:
    """The names under which a page's headings can be linked to, as GitHub makes them."""
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(r"^#{1,6} (.+)$", without_code(text), re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        name = re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-")
        names.add(f"{name}-{found[name]}" if name in found else name)
        found[name] = found.get(name, 0) + 1
    return names


def without_code(text: str) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def links(text: str) -> list[str]:
    """The targets of links and pictures."""
    return re.findall(r"\]\(([^)\s]+)[^)]*\)", without_code(text))


def folder_of(page: str) -> Path:
    """Where a page's relative links start."""
    return (ROOT / page).parent
