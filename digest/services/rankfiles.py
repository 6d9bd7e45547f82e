"""The files of `digest rank`: lines read one by one, bad ones named; a run written whole."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, TypeVar

from digest.errors import InvalidInput, UsageError
from digest.ranking.vocabulary import tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class BadLine:
    """A line that was left out, or (`again`) repeated an id of which the first is kept."""

    file: Path
    number: int
    reason: str
    again: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class PaperLine:
    """A paper as a line gives it; the abstract may be empty."""

    id: str
    title: str
    abstract: str


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedLine:
    """An interest as a line gives it: distinct phrases that each hold a word."""

    id: str
    keywords: tuple[str, ...]
    exclude: tuple[str, ...]


Entry = TypeVar("Entry", PaperLine, WantedLine)


def entries(
    path: Path, parse: Callable[[dict[str, object]], Entry], bad: list[BadLine]
) -> Iterator[Entry]:
    """The entries of a JSONL file as a stream, the first of each id; the rest goes to `bad`.

    Raises UsageError for a file that cannot be read.
    """
    seen: set[str] = set()
    for number, line in _lines(path):
        try:
            entry = parse(_object(line))
        except InvalidInput as exc:
            bad.append(BadLine(file=path, number=number, reason=str(exc)))
            continue
        if entry.id in seen:
            reason = f"id {entry.id[:60]!r} again: the first is kept"
            bad.append(BadLine(file=path, number=number, reason=reason, again=True))
            continue
        seen.add(entry.id)
        yield entry


def paper_line(entry: dict[str, object]) -> PaperLine:
    """The paper of a line. Raises InvalidInput where it lacks an id or a title."""
    name, title, abstract = _id(entry), entry.get("title"), entry.get("abstract")
    if not isinstance(title, str):
        raise InvalidInput("lacks a title")
    return PaperLine(id=name, title=title, abstract=abstract if isinstance(abstract, str) else "")


def wanted_line(entry: dict[str, object]) -> WantedLine:
    """The interest of a line. Raises InvalidInput where it lacks an id or keywords."""
    name, keywords = _id(entry), entry.get("keywords")
    if not isinstance(keywords, list):
        raise InvalidInput("lacks keywords, a list of phrases")
    return WantedLine(id=name, keywords=_phrases(keywords), exclude=_exclusions(entry))


def _exclusions(entry: dict[str, object]) -> tuple[str, ...]:
    """What must not come; one phrase alone is a list of one, for nothing excluded may slip in."""
    value = entry.get("exclude")
    return _phrases([value] if isinstance(value, str) else value)


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """A text file that takes the place of `path` once all is written."""
    try:
        if path.exists() and not path.is_file():  # a pipe or /dev/stdout
            with path.open("w", encoding="utf-8", errors="replace") as sink:
                yield sink
            return
        draft = path.with_name(f".{path.name}.part")
        try:
            with draft.open("w", encoding="utf-8", errors="replace", newline="\n") as sink:
                yield sink
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as exc:
        raise UsageError(f"{path}: cannot be written: {exc.strerror or exc}") from exc


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that hold something, with their numbers from 1."""
    try:
        with path.open("rb") as source:
            for number, line in enumerate(source, start=1):
                text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if text.strip():
                    yield number, text
    except OSError as exc:
        raise UsageError(f"{path}: cannot be read: {exc.strerror or exc}") from exc


def _object(line: bytes) -> dict[str, object]:
    try:
        value = json.loads(line.decode())
    except UnicodeDecodeError as exc:
        raise InvalidInput("not UTF-8") from exc
    except (ValueError, RecursionError) as exc:
        raise InvalidInput("not JSON") from exc
    if not isinstance(value, dict):
        raise InvalidInput("not a JSON object")
    return value


def _phrases(values: object) -> tuple[str, ...]:
    """The distinct phrases of a list that hold a word; what is no text is ignored."""
    listed = values if isinstance(values, list) else []
    return tuple(dict.fromkeys(v for v in listed if isinstance(v, str) and tokens(v)))


def _id(entry: dict[str, object]) -> str:
    """The id as text that fits one cell of the run."""
    value = entry.get("id")
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        raise InvalidInput("lacks an id")
    name = str(value)
    if not name.isprintable():  # a tab would add a column, an escape sequence reach a terminal
        raise InvalidInput("the id holds a tab or another character that is not printable")
    return name
